"""Every schedule of faults, up to a depth, of a scenario."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tests.simulation import faults
from tests.simulation.gate import Call, Fault, Plan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.simulation.scenarios import Scenario
    from tests.simulation.simulation import Simulation

Steps = tuple[tuple[int, Fault], ...]
Choices = "Callable[[Scenario, Call], tuple[Fault, ...]]"


@dataclass(frozen=True)
class Schedule:
    """A scenario and the faults that strike in it, by the number of the call."""

    scenario: Scenario
    steps: Steps

    def play(self, **options: object) -> Simulation:
        """Play it."""
        return self.scenario.simulate(Plan(dict(self.steps)), **options)

    def __str__(self) -> str:
        struck = "; ".join(f"call {index}: {fault}" for index, fault in self.steps)
        return f"{self.scenario.name}: {struck or 'no fault'}"


def schedules(
    scenario: Scenario, depth: int, choices: Callable[[Scenario, Call], tuple[Fault, ...]]
) -> Iterator[tuple[Schedule, Simulation]]:
    """Play every schedule of at most ``depth`` faults, each extending a shorter one at a later call."""
    waiting: list[Steps] = [()]
    while waiting:
        steps = waiting.pop()
        schedule = Schedule(scenario, steps)
        simulation = schedule.play()
        yield schedule, simulation
        if len(steps) < depth:
            first = steps[-1][0] + 1 if steps else 0
            calls = simulation.gate.calls[: simulation.faulty_calls]
            for index in range(len(calls) - 1, first - 1, -1):
                waiting += [(*steps, (index, fault)) for fault in choices(scenario, calls[index])]


def digest(simulation: Simulation) -> int:
    """Equal for two schedules that differ in name only."""
    return zlib.crc32("\n".join(simulation.gate.trace).encode())
