"""How much of the invocation's time is left."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Deadline:
    """The moment, in seconds of ``clock``, at which the function is stopped from outside.

    ``clock`` is monotonic in production, so that a corrected wall clock never lengthens a call.
    """

    at: float
    clock: Callable[[], float]

    def remaining(self) -> float:
        """Seconds left; negative once it has passed."""
        return self.at - self.clock()
