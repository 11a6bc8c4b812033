"""The documented way."""
