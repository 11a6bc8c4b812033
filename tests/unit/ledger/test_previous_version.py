"""Ledger items as versions 1 and 2 of their format have them: every later version has to understand them.

The files were written by those versions and are never generated again.
"""

from __future__ import annotations

import copy
import json
import time
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from local.trigger import record
from refunds.ledger.claims import Ledger
from refunds.ledger.queries import LedgerQueries
from tests.unit.rig import TABLE, Rig


def _written(version: int) -> dict[str, dict[str, Any]]:
    path = Path(__file__).with_name(f"items_of_version_{version}.json")
    stories: dict[str, dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    return {f"{story}, version {version}": written for story, written in stories.items()}


_PREVIOUS = _written(1)
_WRITTEN = _PREVIOUS | _written(2)
_BECOMES = {
    "succeeded": "succeeded",
    "failed": "failed",
    "in_doubt": "succeeded",
    "not_sent": "succeeded",
    "parked_in_doubt": "succeeded",
    "parked_by_limit": "succeeded",
    "pending": "pending",
    "parked_again_unpublished": "succeeded",
}
#: What is published again as it stands, and nobody is asked.
_SAID = {"succeeded", "failed", "pending"}
_FROM_THE_FUTURE = {"shard": {"S": "7"}, "review": {"M": {"by": {"S": "nobody"}, "score": {"N": "1"}}}}

each_item = pytest.mark.parametrize("name", _WRITTEN)


@pytest.fixture
def paid(rig: Rig) -> Rig:
    rig.world.seed_payment({"imp_uid": "imp_1", "merchant_uid": "ORD-1", "amount": 10_000})
    return rig


def story(name: str) -> str:
    """The name of an item's story, without its version."""
    return name.partition(",")[0]


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
    states = {(one["item"]["state"]["S"], one["item"]["in_doubt"]["BOOL"]) for one in _PREVIOUS.values()}
    assert states == {
        ("SUCCEEDED", False),
        ("FAILED", False),
        ("STARTED", True),
        ("STARTED", False),
        ("PARKED", True),
        ("PARKED", False),
    }
    assert {story(name) for name in _WRITTEN} == _BECOMES.keys()


@each_item
def test_an_old_item_is_understood(paid: Rig, name: str) -> None:
    """A message whose item an older version wrote is settled as if it had been written today."""
    put(paid, name)
    deliver(paid, name)
    assert list(paid.outcomes().values()) == [_BECOMES[story(name)]]
    assert paid.world.money.refunded("imp_1") == (0 if story(name) in _SAID else 1000)


@pytest.mark.parametrize("name", [name for name in _WRITTEN if story(name) in _SAID])
def test_a_recorded_outcome_is_published_as_it_is(paid: Rig, name: str) -> None:
    """An outcome recorded by an older version is published again to the letter, and nobody is asked."""
    put(paid, name)
    deliver(paid, name)
    written = _WRITTEN[name]
    recorded = written.get("outcome") or json.loads(written["item"]["outcome"]["S"])
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
    assert list(paid.outcomes().values()) == [_BECOMES[story(name)]]


@each_item
def test_an_item_from_before_the_guard_rails_is_understood(paid: Rig, name: str) -> None:
    """Items that say nothing of guard rails were written before there were any."""
    key = put(paid, name)
    paid.items[key].pop("admitted", None)
    deliver(paid, name)
    assert list(paid.outcomes().values()) == [_BECOMES[story(name)]]


@pytest.fixture
def queries(paid: Rig) -> LedgerQueries:
    """Of the rig's ledger, while it has the indexes of both versions."""
    return LedgerQueries(paid.aws.connect("dynamodb"), TABLE, ["payment_cancel"], indexes="with-by-open")


@pytest.fixture
def ledger(paid: Rig) -> Ledger:
    """The rig's."""
    return Ledger(paid.aws.connect("dynamodb"), TABLE, clock=time.time, ttl_days=400)


_OPEN_BEFORE = {name for name, written in _PREVIOUS.items() if "open_state" in written["item"]}


def test_what_was_left_open_is_found_and_carried_over(
    paid: Rig, queries: LedgerQueries, ledger: Ledger
) -> None:
    """The previous version's open items are read from its index, until they are noted in this one's."""
    keys = {put(paid, name) for name in _PREVIOUS if name in _OPEN_BEFORE}
    assert {str(entry.key) for entry in queries.open_entries()} == keys
    for entry in list(queries.open_entries()):
        ledger.note_open(entry)
    assert all("open_state" not in paid.items[key] and "open" in paid.items[key] for key in keys)
    current = LedgerQueries(paid.aws.connect("dynamodb"), TABLE, ["payment_cancel"])
    assert {str(entry.key) for entry in current.open_entries()} == keys


def test_an_outcome_that_was_left_unpublished_is_found_and_carried_over(
    paid: Rig, queries: LedgerQueries, ledger: Ledger
) -> None:
    """The mark was the item's place in the previous version's index; it is kept until it is published."""
    key = put(paid, "succeeded, version 1", open_state={"S": "UNPUBLISHED.7"})
    (entry,) = queries.open_entries()
    ledger.note_open(entry)
    (entry,) = queries.open_entries()
    assert entry.unpublished
    assert entry.outcome is not None
    ledger.published(entry)
    assert list(queries.open_entries()) == []
    assert not {"open", "open_state", "unpublished"} & paid.items[key].keys()


def test_an_ended_item_is_compared_beside_new_ones(paid: Rig, queries: LedgerQueries, ledger: Ledger) -> None:
    """It is found by its payment at once, and by the day of its end once it has been adopted."""
    key = put(paid, "succeeded, version 1")
    deliver(paid, "in_doubt, version 2")
    assert {entry.state.value for entry in queries.of_payment("imp_1")} == {"SUCCEEDED"}
    assert list(queries.of_day(date(2026, 11, 21))) == []
    (old,) = (entry for entry in queries.of_payment("imp_1") if str(entry.key) == key)
    ledger.adopt(old)
    assert [entry.key for entry in queries.of_day(date(2026, 11, 21))] == [old.key]
    assert ledger.get(old.key) == old


def test_an_item_that_was_left_open_leaves_its_index_when_it_ends(paid: Rig, queries: LedgerQueries) -> None:
    """Ended by this version, it stands in no index of open requests and in the day of its end."""
    key = put(paid, "parked_in_doubt, version 1")
    deliver(paid, "parked_in_doubt, version 1")
    assert not {"open", "open_state"} & paid.items[key].keys()
    assert "day" in paid.items[key]
    assert list(queries.open_entries()) == []
