from __future__ import annotations

import pytest

from tests.simulation.enumeration import AXES, ONE_FAULT, TWO_FAULTS, Axis
from tests.simulation.trace import report


@pytest.mark.parametrize(
    "axis", [axis for axis in AXES if axis not in (ONE_FAULT, TWO_FAULTS)], ids=lambda axis: axis.name
)
def test_every_invariant_holds_however_deliveries_interleave(axis: Axis) -> None:
    """Of one request or of two, after a fault or before it."""
    played = 0
    for schedule, simulation in axis.schedules():
        played += 1
        assert not simulation.broken, report(simulation, schedule.told(simulation))
    assert played
