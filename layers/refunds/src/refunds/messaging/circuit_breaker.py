"""A circuit breaker: during an outage of the provider messages are put back instead of tried in vain."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class CircuitSettings:
    """The circuit breaker: ``failures`` in a row open it, zero leaves it out.

    Seconds: ``cool_down`` between two probes, ``longest_hold`` until a message is tried regardless.
    """

    failures: int = 0
    cool_down: float = 60.0
    longest_hold: float = 21_600.0


class Circuit:
    """Whether the provider seems to be there, as this process has seen it.

    Closed, until ``failures`` calls in a row got no proper answer; then open. While it is open, one
    message per ``cool_down`` is let through as a probe. The first proper answer closes it.

    Every process finds out by itself, which costs a receive of a few messages each and spares a
    shared state, its reads and its failures (ADR 41).

    Args:
        failures: calls in a row that must fail.
        cool_down: seconds between two probes.
        clock: seconds, monotonic.
    """

    def __init__(self, *, failures: int, cool_down: float, clock: Callable[[], float]) -> None:
        self._failures = failures
        self._cool_down = cool_down
        self._clock = clock
        self._lock = threading.Lock()
        self._failed_in_a_row = 0
        self._next_probe = 0.0

    def succeeded(self) -> None:
        """The provider gave a proper answer, whatever it says."""
        with self._lock:
            self._failed_in_a_row = 0

    def failed(self) -> None:
        """The provider could not be reached, or gave no proper answer."""
        with self._lock:
            self._failed_in_a_row += 1
            if self._failed_in_a_row >= self._failures:
                self._next_probe = self._clock() + self._cool_down

    def wait(self) -> float:
        """Seconds until the next probe; zero for a message that may go ahead."""
        with self._lock:
            if self._failed_in_a_row < self._failures:
                return 0.0
            left = self._next_probe - self._clock()
            if left > 0:
                return left
            self._next_probe = self._clock() + self._cool_down
            return 0.0
