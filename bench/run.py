"""One run: every figure of every rival, in turn, part by part."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from bench.deployment import COMPILED, DOCUMENTED, OURS, POOLED, Deployment
from bench.events import Orders
from bench.imports import imports_of
from bench.local_aws import LocalQueue, documented_queue, local_stack, project_queue
from bench.measure import Bench
from bench.queue import Fleet
from bench.results import Case, Occasion, Results
from bench.throttle import share_of

RIVALS = [DOCUMENTED, POOLED, OURS]
MEMORIES = (256, 512, 1024)
SLOW = (1.0, 5.0)
_HISTORIES = (0, 1, 10, 100, 1_000)
_LEDGERS = (10, 1_000_000)
_QUEUES = (10, 1_000, 100_000)
_SAMPLE = 3_000


@dataclass(frozen=True)
class Effort:
    """How often everything is measured.

    Attributes:
        drains: messages drained by everybody.
        more: messages drained by this project's function alone.
        rivals: who is measured.
        whole_queue: of 100,000 queued messages, all are drained and not only the first few thousand.
    """

    rounds: int = 5
    burst: int = 2
    throttled_rounds: int = 3
    cold_rounds: int = 5
    cold_throttled_rounds: int = 3
    drains: tuple[int, ...] = (10, 100, 1_000)
    more: tuple[int, ...] = (10_000,)
    starts: tuple[str, ...] = (DOCUMENTED, COMPILED, OURS)
    whole_queue: bool = False


QUICK = Effort(rounds=1, burst=1, cold_rounds=1, drains=(), more=(10, 100), starts=(DOCUMENTED, OURS))


@dataclass
class Run:
    """What the parts share.

    Attributes:
        say: learns what is under way.
        folder: for a stack of its own.
    """

    bench: Bench
    deployment: Deployment
    effort: Effort
    results: Results
    folder: Path
    say: Callable[[str], None]
    orders: Orders = field(default_factory=Orders)

    def warm(self) -> None:
        """Batches at a whole processor."""
        self.results.warm = self.bench.warm(
            RIVALS, self.orders, rounds=self.effort.rounds, burst=self.effort.burst
        )

    def lookup(self) -> None:
        """Batches that need a lookup."""
        unknown = Orders(checksum=False)
        self.results.lookup = self.bench.warm([OURS], unknown, rounds=self.effort.rounds)[OURS]

    def shares(self) -> None:
        """Batches at the processor share of less memory."""
        for memory in MEMORIES:
            self.say(f"the processor share of {memory} MB")
            rivals = self.bench.warm(
                RIVALS,
                self.orders,
                rounds=self.effort.throttled_rounds,
                burst=1,
                cpu_share=share_of(memory),
            )
            self.results.replace_case(Case(memory, self.results.latency.provider, rivals))

    def slow(self) -> None:
        """A provider that takes seconds."""
        for seconds in SLOW:
            self.say(f"a provider that takes {seconds:.0f} s")
            latency = replace(self.results.latency, provider=seconds)
            rivals = self.bench.waiting(RIVALS, self.orders, latency, cpu_share=share_of(512))
            self.results.replace_case(Case(512, seconds, rivals))

    def cold(self) -> None:
        """First invocations."""
        starts = list(self.effort.starts)
        self.results.cold = self.bench.cold(starts, self.orders, rounds=self.effort.cold_rounds)

    def cold_token(self) -> None:
        """First invocations where an access token takes as long as a refund."""
        latency = self.results.latency
        self.bench.world.set_latency(replace(latency, token=latency.provider))
        self.results.cold_slow_token = self.bench.cold([DOCUMENTED, OURS], self.orders, rounds=2)
        self.bench.world.set_latency(latency)

    def cold_share(self) -> None:
        """First invocations at the processor share of 256 MB."""
        self.results.cold_throttled = self.bench.cold(
            RIVALS,
            self.orders,
            rounds=self.effort.cold_throttled_rounds,
            cpu_share=share_of(MEMORIES[0]),
        )

    def imports(self) -> None:
        """What a cold start imports."""
        for name in (DOCUMENTED, COMPILED, OURS):
            if name in self.deployment.functions:
                self.results.imports[name] = imports_of(self.deployment.functions[name], rounds=7)

    def drains(self) -> None:
        """A queue drained by several environments at once."""
        for name in RIVALS:
            sizes = [*self.effort.drains, *(self.effort.more if name == OURS else ())]
            if not sizes:
                continue
            with self._fleet(name) as fleet:
                self.results.drains[name] = []
                for size in sizes:
                    self.say(f"{size:,} messages: {name}")
                    drained = fleet.drain([self.orders.message() for _ in range(size)])
                    self.results.drains[name].append(drained)

    def local(self) -> None:
        """The same through the local AWS."""
        with local_stack(self.folder / "stack", self.bench.world) as stack:
            queues: dict[str, LocalQueue] = {OURS: project_queue(stack, self.bench.world)}
            for name in (DOCUMENTED, POOLED):
                queues[name] = documented_queue(
                    stack, self.bench.world, self.deployment, name, layer=DOCUMENTED
                )
            for name, queue in queues.items():
                queue.drain(self.orders, 100)  # starts the workers
                sizes = [*self.effort.drains, *(self.effort.more if name == OURS else ())]
                self.results.local_drains[name] = []
                for size in sizes:
                    self.say(f"{size:,} messages through the local AWS: {name}")
                    self.results.local_drains[name].append(queue.drain(self.orders, size))

    def growth(self) -> None:
        """The queue, the ledger and a payment's history grow."""
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
                growth.ledger[items] = fleet.drain([self.orders.message() for _ in range(_QUEUES[1])])
        for earlier in _HISTORIES:
            self.say(f"{earlier:,} cancellations on each payment before")
            growth.history[earlier] = self.bench.warm([OURS], Orders(earlier=earlier), rounds=2)[OURS]

    def _fleet(self, name: str) -> Fleet:
        return Fleet(lambda: self.bench.environment(name), self.bench.world.pid, self.orders)


PARTS: Mapping[str, Callable[[Run], None]] = {
    "warm": Run.warm,
    "lookup": Run.lookup,
    "cold": Run.cold,
    "imports": Run.imports,
    "drains": Run.drains,
    "shares": Run.shares,
    "cold-share": Run.cold_share,
    "cold-token": Run.cold_token,
    "slow": Run.slow,
    "local": Run.local,
    "growth": Run.growth,
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
