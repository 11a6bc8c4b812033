"""Many random histories on all processors, and what they came to."""

from __future__ import annotations

import gc
import os
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from typing import TYPE_CHECKING, Final

from tests.simulation import remembered
from tests.simulation.randomised import History
from tests.simulation.trace import report

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.simulation.simulation import Simulation

_CHUNK: Final = 208
_COLLECT_EVERY: Final = 16


@dataclass
class Tally:
    """What was played. ``failures`` are seeds with what to print about them."""

    histories: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    failures: list[tuple[int, str]] = field(default_factory=list)

    def add(self, seed: int, simulation: Simulation) -> None:
        """Count one history."""
        self.histories += 1
        self.counts.update(
            requests=len(simulation.wanted),
            deliveries=len(simulation.processes),
            calls=len(simulation.gate.calls),
            faults=len(simulation.gate.struck),
            movements=len(simulation.books.owned),
        )
        if simulation.broken:
            self.failures.append((seed, report(simulation, f"seed {seed}")))

    def join(self, other: Tally) -> None:
        """Add another tally to this one."""
        self.histories += other.histories
        self.counts.update(other.counts)
        self.failures += other.failures

    def __str__(self) -> str:
        shown = ", ".join(f"{number:,} {what}" for what, number in self.counts.items())
        return f"{self.histories:,} histories ({shown}): {len(self.failures)} broken"


def play(seeds: range) -> Tally:
    """Play the histories of these seeds, one after another."""
    tally = Tally()
    for seed in seeds:
        tally.add(seed, History(seed).play())
    return tally


def run(first: int, histories: int, *, processes: int | None = None) -> Iterator[Tally]:
    """Play ``histories`` seeds from ``first`` on; yields the sum so far, again and again."""
    total = Tally()
    chunks = [
        range(at, min(at + _CHUNK, first + histories)) for at in range(first, first + histories, _CHUNK)
    ]
    workers = min(processes or os.cpu_count() or 1, len(chunks))
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_settle_in) as pool:
        for tally in pool.map(_play_chunk, chunks):
            total.join(tally)
            yield total


def _settle_in() -> None:
    """A history leaves cycles behind: they are collected between histories, not while one is played."""
    remembered.install()
    gc.freeze()
    gc.disable()


def _play_chunk(seeds: range) -> Tally:
    """A few histories at a time, so that the memory they leave is used again before it has gone cold."""
    tally = Tally()
    for at in range(0, len(seeds), _COLLECT_EVERY):
        tally.join(play(seeds[at : at + _COLLECT_EVERY]))
        gc.collect()
    return tally
