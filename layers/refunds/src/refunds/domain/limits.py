"""Upper bounds of what one cancel type may move."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Upper bounds of one cancel type; ``None`` is no bound. An hour is one of the clock, in UTC.

    Attributes:
        largest: won that one request may move.
        per_hour: requests sent in an hour.
        won_per_hour: won that the requests of an hour may move together.
    """

    largest: int | None = None
    per_hour: int | None = None
    won_per_hour: int | None = None

    @property
    def hourly(self) -> bool:
        """Whether requests have to be counted."""
        return self.per_hour is not None or self.won_per_hour is not None
