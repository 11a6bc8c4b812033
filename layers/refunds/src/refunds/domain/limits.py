"""Upper bounds of what one cancel type may move."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal


@dataclass(frozen=True)
class Limits:
    """Upper bounds of one cancel type. An hour is one of the clock, in UTC.

    Where amounts are bounded in some currency, a request in another one is kept back: nobody has said
    what it may move.

    Attributes:
        largest: what one request may move, by currency; empty is no bound.
        per_hour: requests sent in an hour; ``None`` is no bound.
        amount_per_hour: what the requests of an hour may move together, by currency; empty is no bound.
    """

    largest: Mapping[str, Decimal] = field(default_factory=dict)
    per_hour: int | None = None
    amount_per_hour: Mapping[str, Decimal] = field(default_factory=dict)

    @property
    def hourly(self) -> bool:
        """Whether requests have to be counted."""
        return self.per_hour is not None or bool(self.amount_per_hour)
