"""A share of one processor, as Lambda gives it to a function with less than 1,769 MB.

Lambda limits a function's processor time with the kernel's bandwidth control: a quota of time in every
period, and who has used it up stands still until the next one begins. A cgroup needs rights that a
developer's machine, a container or a CI runner does not give, so the same is done from outside: a
thread reads the processor clock of the function's process, again when it can have used up what it
had left, and stops and continues the process by signals.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Self

from bench.process import cpu_clock

PERIOD = 0.020
"""Seconds; as functions see it happen to them at Lambda."""
_SHORTEST = 0.0001

FULL_MEMORY = 1769
"""MB at which a function has one whole processor (AWS, "Configure Lambda function memory")."""


def share_of(memory: int) -> float:
    """The share of one processor that a function with so many MB has, at most one."""
    return min(memory / FULL_MEMORY, 1.0)


class Allowance:
    """Processor time a process may have used by now: so much more in each period.

    Time that is not used in a period is lost, time overdrawn is owed, as in the kernel.

    Args:
        share: of one processor.
        used: seconds of processor time used so far.
        now: seconds of a monotonic clock.
    """

    def __init__(self, share: float, used: float, now: float) -> None:
        self._quota = PERIOD * share
        self._until = used + self._quota
        self.period_ends = now + PERIOD

    def left(self, used: float, now: float) -> float:
        """Seconds of processor time it may use in this period; at zero or below it has to stand still."""
        late = now - self.period_ends
        if late >= 0:
            periods = int(late / PERIOD) + 1
            self._until = min(self._until + periods * self._quota, used + self._quota)
            self.period_ends += periods * PERIOD
        return self._until - used


class Throttle:
    """Holds a process to a share of a processor, inside a ``with``.

    Args:
        find: its id, or ``None`` as long as it has not been started.
        share: of one processor.
    """

    def __init__(self, find: Callable[[], int | None], share: float) -> None:
        self._find = find
        self._share = share
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="throttle")

    def __enter__(self) -> Self:
        """Begin."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Let the process run freely again."""
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.is_set():
            pid = self._find()
            if pid is not None:
                with suppress(OSError):  # it has ended: the emulator tries its child before it starts it
                    self._hold(pid)
            time.sleep(_SHORTEST)

    def _hold(self, pid: int) -> None:
        clock = cpu_clock(pid)
        allowance = Allowance(self._share, time.clock_gettime(clock), time.monotonic())
        try:
            while not self._over.is_set():
                left = allowance.left(time.clock_gettime(clock), time.monotonic())
                if left > 0:
                    os.kill(pid, signal.SIGCONT)
                    time.sleep(max(left, _SHORTEST))
                else:
                    os.kill(pid, signal.SIGSTOP)
                    time.sleep(max(allowance.period_ends - time.monotonic(), 0.0))
        finally:
            os.kill(pid, signal.SIGCONT)
