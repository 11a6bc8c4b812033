"""How fast something is done, so that a provider that has just recovered is not overrun."""

from __future__ import annotations

import time
from collections.abc import Callable


class Pace:
    """At most ``rate`` things per second, evenly; not more than one second's worth at once.

    Args:
        rate: per second; ``None`` is as fast as possible.
        clock: seconds, monotonic.
        sleep: waits that many seconds.
    """

    def __init__(
        self,
        rate: float | None,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._rate = rate
        self._clock = clock
        self._sleep = sleep
        self._due = clock()

    def burst(self, most: int) -> int:
        """How many things may be done in one go: 1 … ``most``."""
        return most if self._rate is None else max(1, min(most, int(self._rate)))

    def wait(self, things: int) -> None:
        """Wait until ``things`` more may be done."""
        if self._rate is None:
            return
        now = self._clock()
        if self._due > now:
            self._sleep(self._due - now)
        self._due = max(self._due, now) + things / self._rate
