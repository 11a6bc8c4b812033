from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import pytest

from tests.simulation.enumeration import ONE_FAULT, PAIRS, TWO_FAULTS, Schedule, digest
from tests.simulation.scenarios import PART_LOOKED
from tests.simulation.trace import report

ENOUGH: Final = 10_000
PARTS: Final = tuple((axis, scenario) for axis in (TWO_FAULTS, ONE_FAULT) for scenario in axis.scenarios)
"""Each is a test of its own, so that the workers of a run share them; the longest come first."""


class Enumerated:
    """What the parts of one run have played, whichever worker plays them: a file of digests for each part."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self._folder = folder

    def add(self, part: int, seen: set[bytes]) -> set[str]:
        """Keep what a part has played; what all have, once the last of them is there, else nothing."""
        unfinished = self._folder / f"{part}.unfinished"
        unfinished.write_text("\n".join(one.hex() for one in seen), encoding="ascii")
        unfinished.rename(self._folder / f"{part}.seen")
        return self._distinct() if self._complete() else set()

    def _complete(self) -> bool:
        if len(list(self._folder.glob("*.seen"))) < len(PARTS):
            return False
        try:  # two parts may end at the same moment: one of them tells
            (self._folder / "told").touch(exist_ok=False)
        except FileExistsError:
            return False
        return True

    def _distinct(self) -> set[str]:
        """Counted once, however many axes and scenarios lead to it."""
        files = self._folder.glob("*.seen")
        return {one for file in files for one in file.read_text(encoding="ascii").split()}


@pytest.fixture(scope="module")
def enumerated(tmp_path_factory: pytest.TempPathFactory) -> Enumerated:
    """Shared by the workers of pytest-xdist: their folders lie beside each other."""
    own = tmp_path_factory.getbasetemp()
    return Enumerated((own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "enumerated")


@pytest.mark.parametrize(
    "part", range(len(PARTS)), ids=[f"{axis.name}, {scenario.name}" for axis, scenario in PARTS]
)
@pytest.mark.usefixtures("remembered_items")
def test_every_invariant_holds_in_every_schedule(
    part: int, enumerated: Enumerated, summary: list[str]
) -> None:
    """Whatever goes wrong where, money moves at most once and everybody is told the truth about it.

    The part that ends last sees that the axes have not shrunk unnoticed.
    """
    axis, scenario = PARTS[part]
    seen: set[bytes] = set()
    for schedule, simulation in axis.schedules_of(scenario):
        seen.add(digest(simulation))
        assert not simulation.broken, report(simulation, schedule.told(simulation))
    if distinct := enumerated.add(part, seen):
        summary.append(f"{len(distinct):,} distinct schedules enumerated")
        assert len(distinct) >= ENOUGH


def test_a_schedule_is_played_the_same_way_every_time() -> None:
    """A counterexample can be looked at again, also one with two interleaved deliveries."""
    plain = Schedule(PART_LOOKED)
    assert plain.play().gate.trace == plain.play().gate.trace
    held = plain.then(3, PAIRS.choices(0, PART_LOOKED, plain.play().gate.calls[3])[2])
    assert held.play().gate.trace == held.play().gate.trace
