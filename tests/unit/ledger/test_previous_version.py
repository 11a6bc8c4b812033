"""Ledger items as version 1.0.0 wrote them: every later version has to understand them.

The file was written by that version's functions and is never generated again.
"""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from tests.unit.rig import Rig, record

_WRITTEN: dict[str, dict[str, Any]] = json.loads(
    Path(__file__).with_name("items_of_version_1.json").read_text(encoding="utf-8")
)
_BECOMES = {
    "succeeded": "succeeded",
    "failed": "failed",
    "in_doubt": "succeeded",
    "not_sent": "succeeded",
    "parked_in_doubt": "succeeded",
    "parked_by_limit": "succeeded",
}
_FINAL = {"succeeded", "failed"}
_FROM_THE_FUTURE = {"shard": {"S": "7"}, "review": {"M": {"by": {"S": "nobody"}, "score": {"N": "1"}}}}

each_item = pytest.mark.parametrize("name", _WRITTEN)


@pytest.fixture
def paid(rig: Rig) -> Rig:
    rig.world.seed_payment({"imp_uid": "imp_1", "merchant_uid": "ORD-1", "amount": 10_000})
    return rig


def put(rig: Rig, name: str, **more: Any) -> str:
    """Put the item into the ledger; returns its partition key."""
    item = {**copy.deepcopy(_WRITTEN[name]["item"]), **more}
    key: str = item["pk"]["S"]
    rig.items[key] = item
    return key


def deliver(rig: Rig, name: str) -> None:
    rig.end_leases()
    body = json.dumps(_WRITTEN[name]["detail"])
    assert rig.batch("payment_cancel", record(body, receives=2)) == []


def test_every_kind_of_item_is_there() -> None:
    """The file has an item of every state, in doubt and not."""
    states = {(one["item"]["state"]["S"], one["item"]["in_doubt"]["BOOL"]) for one in _WRITTEN.values()}
    assert states == {
        ("SUCCEEDED", False),
        ("FAILED", False),
        ("STARTED", True),
        ("STARTED", False),
        ("PARKED", True),
        ("PARKED", False),
    }
    assert _WRITTEN.keys() == _BECOMES.keys()


@each_item
def test_an_old_item_is_understood(paid: Rig, name: str) -> None:
    """A message whose item an older version wrote is settled as if it had been written today."""
    put(paid, name)
    deliver(paid, name)
    assert list(paid.outcomes().values()) == [_BECOMES[name]]
    assert paid.world.money.refunded("imp_1") == (0 if name in _FINAL else 1000)


@pytest.mark.parametrize("name", sorted(_FINAL))
def test_a_recorded_outcome_is_published_as_it_is(paid: Rig, name: str) -> None:
    """An outcome recorded by an older version is published again to the letter, and nobody is asked."""
    put(paid, name)
    deliver(paid, name)
    recorded = json.loads(_WRITTEN[name]["item"]["outcome"]["S"])
    assert paid.bus.details() == [recorded]
    assert paid.world.requests == []


@each_item
def test_attributes_of_a_newer_version_survive(paid: Rig, name: str) -> None:
    """What a newer version running beside this one wrote is still there after this one's updates."""
    key = put(paid, name, **_FROM_THE_FUTURE)
    deliver(paid, name)
    assert {attribute: paid.items[key][attribute] for attribute in _FROM_THE_FUTURE} == _FROM_THE_FUTURE


@each_item
def test_fields_of_a_newer_version_are_ignored(paid: Rig, name: str) -> None:
    """Unknown fields inside what is kept as JSON do not keep an item from being understood."""
    item = copy.deepcopy(_WRITTEN[name]["item"])
    changed = {
        attribute: {"S": json.dumps({**json.loads(item[attribute]["S"]), "added_later": [1, {"a": None}]})}
        for attribute in ("before", "outcome")
        if attribute in item
    }
    put(paid, name, **changed)
    deliver(paid, name)
    assert list(paid.outcomes().values()) == [_BECOMES[name]]


@each_item
def test_an_item_from_before_the_guard_rails_is_understood(paid: Rig, name: str) -> None:
    """Items that say nothing of guard rails were written before there were any."""
    key = put(paid, name)
    del paid.items[key]["admitted"]
    deliver(paid, name)
    assert list(paid.outcomes().values()) == [_BECOMES[name]]
