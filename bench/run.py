"""One run: every figure of every rival, in turn, part by part."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from bench.deployment import COMPILED, DOCUMENTED, OURS, POOLED, Deployment
from bench.events import Orders
from bench.imports import imports_of
from bench.measure import Bench
from bench.profiling import profile_of
from bench.queue import Fleet
from bench.results import Case, Occasion, Results
from bench.scale import LEDGERS, WORK, at_scale
from bench.throttle import share_of

PAIR = [DOCUMENTED, OURS]
MEMORIES = (256, 512)
SLOW = 1.0
"""Seconds of a slow provider."""
_LEDGERS = (10, 1_000_000)
_QUEUES = (1_000, 100_000)
_SAMPLE = 3_000


@dataclass(frozen=True)
class Effort:
    """How often everything is measured.

    Attributes:
        profiled: batches under the profiler.
        drained: messages drained by each rival.
        drains: the rivals that drain them.
        starts: the rivals that are started.
        whole_queue: of 100,000 queued messages, all are drained and not only the first few thousand.
    """

    rounds: int = 5
    burst: int = 2
    throttled_rounds: int = 3
    cold_rounds: int = 5
    profiled: int = 20
    drained: int = 1_000
    drains: tuple[str, ...] = (DOCUMENTED, POOLED, OURS)
    starts: tuple[str, ...] = (DOCUMENTED, COMPILED, OURS)
    whole_queue: bool = False


QUICK = Effort(rounds=1, burst=1, cold_rounds=1, drained=100, drains=(OURS,), starts=(DOCUMENTED, OURS))


@dataclass
class Run:
    """What the parts share.

    Attributes:
        say: learns what is under way.
    """

    bench: Bench
    deployment: Deployment
    effort: Effort
    results: Results
    say: Callable[[str], None]
    orders: Orders = field(default_factory=Orders)

    def warm(self) -> None:
        """Batches at a whole processor."""
        effort = self.effort
        self.results.warm = self.bench.warm(PAIR, self.orders, rounds=effort.rounds, burst=effort.burst)

    def lookup(self) -> None:
        """Batches that need a lookup."""
        unknown = Orders(checksum=False)
        self.results.lookup = self.bench.warm([OURS], unknown, rounds=1)[OURS]

    def profile(self) -> None:
        """Where the processor time of a warm message goes."""
        batches = self.effort.profiled
        self.results.profile = profile_of(self.deployment.functions[OURS], self.orders, batches=batches)

    def shares(self) -> None:
        """Batches at the processor share of less memory."""
        for memory in MEMORIES:
            self.say(f"the processor share of {memory} MB")
            rounds, share = self.effort.throttled_rounds, share_of(memory)
            rivals = self.bench.warm(PAIR, self.orders, rounds=rounds, burst=1, cpu_share=share)
            self.results.replace_case(Case(memory, self.results.latency.provider, rivals))

    def slow(self) -> None:
        """A provider that takes a second."""
        latency = replace(self.results.latency, provider=SLOW)
        rivals = self.bench.waiting(PAIR, self.orders, latency, cpu_share=share_of(512))
        self.results.replace_case(Case(512, SLOW, rivals))

    def cold(self) -> None:
        """First invocations."""
        starts = list(self.effort.starts)
        self.results.cold = self.bench.cold(starts, self.orders, rounds=self.effort.cold_rounds)

    def imports(self) -> None:
        """What a cold start imports."""
        for name in (DOCUMENTED, COMPILED, OURS):
            self.results.imports[name] = imports_of(self.deployment.functions[name], rounds=3)

    def drains(self) -> None:
        """A queue drained by several environments at once."""
        for name in self.effort.drains:
            self.say(f"{self.effort.drained:,} messages: {name}")
            with self._fleet(name) as fleet:
                messages = [self.orders.message() for _ in range(self.effort.drained)]
                self.results.drains[name] = fleet.drain(messages)

    def growth(self) -> None:
        """The queue and the ledger grow."""
        growth = self.results.growth
        with self._fleet(OURS) as fleet:
            for size in _QUEUES:
                self.say(f"{size:,} messages queued")
                only = None if self.effort.whole_queue else _SAMPLE
                growth.queue[size] = fleet.drain([self.orders.message() for _ in range(size)], only)
            filled = 0
            for items in _LEDGERS:
                self.say(f"{items:,} items in the ledger")
                self.bench.world.fill_ledger(items - filled)
                filled = items
                growth.ledger[items] = fleet.drain([self.orders.message() for _ in range(_QUEUES[0])])

    def scale(self) -> None:
        """What runs on a schedule and what operators ask, on a small and on a large ledger."""
        for name in WORK:
            self.results.scale[name] = {items: at_scale(name, items) for items in LEDGERS}

    def _fleet(self, name: str) -> Fleet:
        return Fleet(lambda: self.bench.environment(name), self.bench.world.pid, self.orders)


PARTS: Mapping[str, Callable[[Run], None]] = {
    "warm": Run.warm,
    "lookup": Run.lookup,
    "cold": Run.cold,
    "imports": Run.imports,
    "profile": Run.profile,
    "shares": Run.shares,
    "slow": Run.slow,
    "drains": Run.drains,
    "growth": Run.growth,
    "scale": Run.scale,
}

QUICK_PARTS = ("warm", "lookup", "cold", "drains")


def measure(run: Run, parts: Iterable[str]) -> None:
    """Measure these parts; results of others are left as they are."""
    for name in parts:
        run.say(f"{name}: {PARTS[name].__doc__}")
        began, load, start = datetime.now(UTC), os.getloadavg()[0], time.monotonic()
        PARTS[name](run)
        occasion = Occasion(began.isoformat(timespec="minutes"), time.monotonic() - start, load)
        run.results.occasions[name] = occasion
