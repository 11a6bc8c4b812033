"""How fast something is done, so that a provider that has just recovered is not overrun."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class RateLimiter:
    """At most ``rate`` things per second, evenly; not more than one second's worth at once.

    Shared by threads, the rate holds for all of them together.

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
        self._lock = threading.Lock()

    def burst(self, most: int) -> int:
        """How many things may be done in one go: 1 … ``most``."""
        return most if self._rate is None else max(1, min(most, int(self._rate)))

    def wait(self, things: int) -> None:
        """Wait until ``things`` more may be done."""
        if self._rate is None:
            return
        with self._lock:
            now = self._clock()
            begin = max(self._due, now)
            self._due = begin + things / self._rate
        if begin > now:
            self._sleep(begin - now)
