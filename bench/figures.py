"""Numbers measured again and again, and how two series compare."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Series:
    """One figure, measured several times in turn with its rivals."""

    values: tuple[float, ...]

    @classmethod
    def of(cls, values: Sequence[float]) -> Series:
        """Keep them in the order they were measured in: that is how pairs are found."""
        return cls(tuple(values))

    @property
    def median(self) -> float:
        """The one in the middle."""
        return statistics.median(self.values)

    @property
    def low(self) -> float:
        """The smallest."""
        return min(self.values)

    @property
    def high(self) -> float:
        """The largest."""
        return max(self.values)

    def __truediv__(self, other: Series) -> Series:
        """Ratios of what was measured in the same turn: what disturbed one of a pair disturbed the other."""
        return Series.of([mine / theirs for mine, theirs in zip(self.values, other.values, strict=True)])

    def __sub__(self, other: Series) -> Series:
        """Differences within each turn."""
        return Series.of([mine - theirs for mine, theirs in zip(self.values, other.values, strict=True)])

    def scaled(self, factor: float) -> Series:
        """Every value times a constant."""
        return Series.of([value * factor for value in self.values])
