"""Histories in which items are as another version wrote them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from refunds.ledger.item import decode
from tests.simulation import faults, previous
from tests.simulation.gate import NoFaults, Script
from tests.simulation.scenarios import BESIDE_POISON, CORE, Scenario
from tests.simulation.trace import report

WRITTEN: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "unit" / "ledger" / "items_of_version_1.json").read_text(encoding="utf-8")
)


@pytest.mark.parametrize("story", WRITTEN)
def test_the_previous_versions_items_are_played_as_it_wrote_them(story: str) -> None:
    """Attribute by attribute; what a JSON text says may be in another order."""
    item = WRITTEN[story]["item"]
    again = previous.as_version_1(decode(item), item)
    assert decode(again) == decode(item)
    assert again.keys() == item.keys()


@pytest.mark.parametrize("scenario", CORE, ids=lambda scenario: scenario.name)
@pytest.mark.parametrize("call", ["update 1", "publish 1", "return 1"])
def test_a_rollback_in_the_middle_changes_nothing(scenario: Scenario, call: str) -> None:
    """The items of that moment are as the previous version writes them; then this version goes on."""
    simulation = scenario.simulate(Script({call: faults.ROLLED_BACK}))
    assert not simulation.broken, report(simulation, scenario.name)


def test_items_of_a_newer_version_are_left_as_they_are() -> None:
    """Whatever nobody can read or judge here is passed over, and everything else ends."""
    simulation = BESIDE_POISON.simulate(NoFaults())
    assert not simulation.broken, report(simulation, BESIDE_POISON.name)
    stored = simulation.table.stored
    assert stored["payment_cancel#planted-state"]["state"] == {"S": "REVIEWED"}
    assert "timeline" not in stored["payment_cancel#planted-unreadable"]
