"""A share of one processor, as Lambda gives it to a function with less than 1,769 MB.

Lambda limits a function's processor time with the kernel's bandwidth control: a quota of time in every
period, and who has used it up stands still until the next one. A cgroup needs rights that a developer's
machine, a container or a CI runner does not give, so the same is done from outside: a process
of its own reads the function's processor clock and stops and continues it by signals.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from bench.process import child_of, cpu_clock

PERIOD = 0.020
"""Seconds; Lambda's own period, as its functions see themselves being stopped."""
_STEP = 0.0005

FULL_MEMORY = 1769
"""MB at which a function has one whole processor (AWS Lambda, "Configure Lambda function memory")."""


def share_of(memory: int) -> float:
    """The share of one processor that a function with so many MB gets, at most one."""
    return min(memory / FULL_MEMORY, 1.0)


class Throttle:
    """Holds the child of the process ``parent`` to a share of a processor until it is stopped."""

    def __init__(self, parent: int, share: float) -> None:
        command = [sys.executable, "-m", "bench.throttle", str(parent), str(share)]
        self._process = subprocess.Popen(command, cwd=Path(__file__).resolve().parents[1])  # noqa: S603

    def stop(self) -> None:
        """Let the child run freely again."""
        self._process.send_signal(signal.SIGTERM)
        self._process.wait()


def hold(pid: int, share: float) -> None:
    """Hold a process to its share until it ends.

    Time that is not used in a period is lost, time overdrawn is owed, as in the kernel.
    """
    quota = PERIOD * share
    allowance = quota
    period_ends = time.monotonic() + PERIOD
    while True:
        used = time.clock_gettime(cpu_clock(pid))
        late = time.monotonic() - period_ends
        if late >= 0:
            periods = int(late / PERIOD) + 1
            allowance = min(allowance + periods * quota, used + quota)
            period_ends += periods * PERIOD
        if used < allowance:
            os.kill(pid, signal.SIGCONT)
            time.sleep(_STEP)
        else:
            os.kill(pid, signal.SIGSTOP)
            time.sleep(max(period_ends - time.monotonic(), 0.0))


def _main(parent: int, share: float) -> None:
    child = None
    while child is None:
        child = child_of(parent)
        time.sleep(_STEP)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        hold(child, share)
    except OSError:
        return  # it has ended
    finally:
        with suppress(OSError):
            os.kill(child, signal.SIGCONT)


if __name__ == "__main__":
    _main(int(sys.argv[1]), float(sys.argv[2]))
