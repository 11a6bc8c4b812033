from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.simulation.enumeration import ONE_FAULT, PAIRS, TWO_FAULTS, Axis, Schedule, digest
from tests.simulation.scenarios import PART_LOOKED
from tests.simulation.trace import report

if TYPE_CHECKING:
    from collections.abc import Iterator

ENOUGH = 10_000


@pytest.fixture(scope="module")
def distinct(summary: list[str]) -> Iterator[set[bytes]]:
    """What was played so far in these axes; counted once however many axes lead to it."""
    seen: set[bytes] = set()
    yield seen
    summary.append(f"{len(seen):,} distinct schedules enumerated")


@pytest.mark.parametrize("axis", [ONE_FAULT, TWO_FAULTS], ids=lambda axis: axis.name)
def test_every_invariant_holds_in_every_schedule(axis: Axis, distinct: set[bytes]) -> None:
    """Whatever goes wrong where, money moves at most once and everybody is told the truth about it."""
    for schedule, simulation in axis.schedules():
        distinct.add(digest(simulation))
        assert not simulation.broken, report(simulation, schedule.told(simulation))


def test_enough_is_enumerated(distinct: set[bytes]) -> None:
    """The axes have not shrunk unnoticed."""
    assert len(distinct) >= ENOUGH


def test_a_schedule_is_played_the_same_way_every_time() -> None:
    """A counterexample can be looked at again, also one with two interleaved deliveries."""
    plain = Schedule(PART_LOOKED)
    assert plain.play().gate.trace == plain.play().gate.trace
    held = plain.then(3, PAIRS.choices(0, PART_LOOKED, plain.play().gate.calls[3])[2])
    assert held.play().gate.trace == held.play().gate.trace
