"""What goes on beside a run: function processes are killed at random, and the sweeper does its rounds."""

from __future__ import annotations

import random
import threading
from types import TracebackType
from typing import Self

from local.demo.play import pascal, sweep
from local.stack import Stack, kill_workers

_PAUSE_SECONDS = (1.0, 4.0)
_SWEEP_SECONDS = 5.0


class Killer:
    """A thread that SIGKILLs all processes of a random function every few seconds, the sweeper's too.

    ``time_scale``: how much longer a process takes for its work on this machine.
    """

    def __init__(self, stack: Stack, cancel_types: tuple[str, ...], seed: int, time_scale: float) -> None:
        self._stack = stack
        self._pause = tuple(seconds * time_scale for seconds in _PAUSE_SECONDS)
        self._functions = [*map(pascal, cancel_types), "Sweeper"]
        self._chance = random.Random(seed)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="killer")
        self.kills = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(self._chance.uniform(*self._pause)):
            function = self._chance.choice(self._functions)
            self.kills += kill_workers(self._stack, self._stack.outputs[f"{function}FunctionName"])


class Rounds:
    """A thread that runs the sweeper every few seconds, which its schedule does every few minutes."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="rounds")
        self.made = self.broken = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(_SWEEP_SECONDS):
            if sweep(self._stack):
                self.made += 1
            else:  # its process was killed: the next round does what this one did not
                self.broken += 1
