"""The money-safety protocol, and the guard rails around it."""
