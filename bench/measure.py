"""Warm batches and cold starts, the rivals in turn: what disturbs the machine disturbs them alike."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from bench.events import Orders
from bench.figures import Series
from bench.runtime import Environment, Function
from bench.simulation import Seen, World
from bench.world.latency import Latency

BATCH = 10


@dataclass
class Warm:
    """Batches of a warm environment: seconds of wall time a batch, of processor time a message.

    Attributes:
        after_pause: wall time of batches before which the environment was idle for seconds.
        alone: wall time of batches of a single message.
        seen: what the services saw of one batch.
        memory: bytes, the most its process ever had.
        logged: bytes of log a message.
    """

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    after_pause: list[float] = field(default_factory=list)
    alone: list[float] = field(default_factory=list)
    seen: Seen = field(default_factory=Seen)
    memory: int = 0
    logged: float = 0.0

    @property
    def walls(self) -> Series:
        """Seconds a batch."""
        return Series.of(self.wall)

    @property
    def cpus(self) -> Series:
        """Seconds of processor time a message."""
        return Series.of(self.cpu)

    @property
    def median_alone(self) -> float | None:
        """Seconds of a batch of one, if any was measured."""
        return Series.of(self.alone).median if self.alone else None


@dataclass
class Cold:
    """First invocations of new environments, seconds: as they are, and without what a warm one takes."""

    first: list[float] = field(default_factory=list)
    warm: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    @property
    def firsts(self) -> Series:
        """Interpreter, imports and the first batch."""
        return Series.of(self.first)

    @property
    def cpu_median(self) -> float:
        """Seconds of processor time of a first invocation."""
        return Series.of(self.cpu).median

    @property
    def extra(self) -> Series:
        """What the invoker waits longer than for a warm one."""
        return Series.of(self.first) - Series.of(self.warm)


@dataclass(frozen=True)
class Bench:
    """Where everything is measured: the services, the rivals, a folder for their logs."""

    world: World
    functions: Mapping[str, Function]
    logs: Path

    def environment(self, name: str, cpu_share: float | None = None) -> Environment:
        """A new environment of one of the rivals."""
        return Environment(self.functions[name], self.logs / f"{name}.log", cpu_share=cpu_share)

    def warm(
        self, names: list[str], orders: Orders, *, rounds: int, burst: int = 2, cpu_share: float | None = None
    ) -> dict[str, Warm]:
        """Batches one after another: in each round, ``burst`` of each rival and one more that comes first.

        The one that comes first opens again what the pause since the round before has closed.
        """
        measured = {name: Warm() for name in names}
        with ExitStack() as stack:
            environments = {name: stack.enter_context(self.environment(name, cpu_share)) for name in names}
            for name in names:
                environments[name].invoke(orders.batch(BATCH))
            for _ in range(rounds):
                for name in names:
                    self._burst(environments[name], measured[name], orders, burst)
            for name in names:
                measured[name].memory = environments[name].peak_memory()
                measured[name].logged = environments[name].logged() / (BATCH * environments[name].invocations)
            for _ in range(rounds):
                for name in names:
                    environments[name].invoke(orders.batch(1))
                    measured[name].alone.append(environments[name].invoke(orders.batch(1)).wall)
        return measured

    def waiting(
        self, names: list[str], orders: Orders, latency: Latency, *, cpu_share: float
    ) -> dict[str, Warm]:
        """One batch of each rival with services that slow, all at once: they do little but wait."""
        usual = Latency()
        measured = {name: Warm() for name in names}
        with ExitStack() as stack, ThreadPoolExecutor(len(names)) as callers:
            environments = {name: stack.enter_context(self.environment(name, cpu_share)) for name in names}
            list(callers.map(lambda name: environments[name].invoke(orders.batch(BATCH)), names))
            self.world.set_latency(latency)
            done = callers.map(lambda name: environments[name].invoke(orders.batch(BATCH)), names)
            for name, invocation in zip(names, done, strict=True):
                measured[name].wall.append(invocation.wall)
                measured[name].cpu.append(invocation.cpu / BATCH)
            self.world.set_latency(usual)
        return measured

    def cold(
        self, names: list[str], orders: Orders, *, rounds: int, cpu_share: float | None = None
    ) -> dict[str, Cold]:
        """New environments, each used for two batches."""
        measured = {name: Cold() for name in names}
        for _ in range(rounds):
            for name in names:
                with self.environment(name, cpu_share) as environment:
                    first = environment.invoke(orders.batch(BATCH))
                    warm = environment.invoke(orders.batch(BATCH))
                measured[name].first.append(first.wall)
                measured[name].cpu.append(first.cpu)
                measured[name].warm.append(warm.wall)
        return measured

    def _burst(self, environment: Environment, measured: Warm, orders: Orders, burst: int) -> None:
        measured.after_pause.append(environment.invoke(orders.batch(BATCH)).wall)
        for _ in range(burst):
            before = self.world.seen()
            done = environment.invoke(orders.batch(BATCH))
            measured.seen = self.world.seen() - before
            measured.wall.append(done.wall)
            measured.cpu.append(done.cpu / BATCH)
