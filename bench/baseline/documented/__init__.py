"""The folder of a function."""
