"""Threads that wait for a delivery to hold: starting one takes longer than a delivery."""

from __future__ import annotations

import threading
from queue import SimpleQueue
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

_Tasks: TypeAlias = "SimpleQueue[Callable[[], None]]"


class Standby:
    """Runs work in a thread that has no other; a thread that never comes back only misses here."""

    def __init__(self) -> None:
        self._idle: list[_Tasks] = []

    def run(self, work: Callable[[], None]) -> None:
        """Begin ``work``, which must not raise."""
        tasks = self._idle.pop() if self._idle else self._start()
        tasks.put(work)

    def _start(self) -> _Tasks:
        tasks: _Tasks = SimpleQueue()
        threading.Thread(target=self._serve, args=(tasks,), daemon=True).start()
        return tasks

    def _serve(self, tasks: _Tasks) -> None:
        while True:
            tasks.get()()
            self._idle.append(tasks)


STANDBY: Final = Standby()
