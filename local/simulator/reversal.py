"""How a provider shows that a refund it had booked was rejected later. No source says: all are played."""

from __future__ import annotations

SHAPES = ("removed", "balance", "entry")
"""The entry disappears; it stays and only the balance comes back; a negative entry compensates it."""


def check_shape(shape: str) -> None:
    """Raises ValueError for an unknown shape."""
    if shape not in SHAPES:
        raise ValueError(f"shape is one of {SHAPES}")
