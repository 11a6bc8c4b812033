"""Kills function processes at random while the run goes on."""

from __future__ import annotations

import random
import threading
from types import TracebackType
from typing import Self

from local.demo.play import pascal
from local.stack import Stack, kill_workers

_PAUSE_SECONDS = (1.0, 4.0)


class Killer:
    """A thread that SIGKILLs all processes of a random function every few seconds."""

    def __init__(self, stack: Stack, cancel_types: tuple[str, ...], seed: int) -> None:
        self._stack = stack
        self._cancel_types = cancel_types
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
        while not self._stop.wait(self._chance.uniform(*_PAUSE_SECONDS)):
            cancel_type = self._chance.choice(self._cancel_types)
            self.kills += kill_workers(self._stack, self._stack.outputs[f"{pascal(cancel_type)}FunctionName"])
