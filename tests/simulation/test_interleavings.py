from __future__ import annotations

import pytest

from tests.simulation.enumeration import AXES, ONE_FAULT, TWO_FAULTS, Axis
from tests.simulation.scenarios import Scenario
from tests.simulation.trace import report

PARTS = [
    pytest.param(axis, scenario, id=f"{axis.name}, {scenario.name}")
    for axis in AXES
    if axis not in (ONE_FAULT, TWO_FAULTS)
    for scenario in axis.scenarios
]


@pytest.mark.parametrize(("axis", "scenario"), PARTS)
@pytest.mark.usefixtures("remembered_items")
def test_every_invariant_holds_however_deliveries_interleave(axis: Axis, scenario: Scenario) -> None:
    """Of one request or of two, after a fault or before it."""
    played = 0
    for schedule, simulation in axis.schedules_of(scenario):
        played += 1
        assert not simulation.broken, report(simulation, schedule.told(simulation))
    assert played
