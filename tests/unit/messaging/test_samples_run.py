from __future__ import annotations

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from refunds.cancel_types import MODULES
from refunds.ledger.claims import HELD_PREFIX
from tests.unit.rig import EVENTS, Rig

CANCEL_TYPES = tuple(MODULES)
OUTCOME = Draft202012Validator(json.loads((EVENTS / "schemas" / "outcome.json").read_text(encoding="utf-8")))


def sample(name: str, file: str) -> Any:
    return json.loads((EVENTS / name / f"{file}.json").read_text(encoding="utf-8"))


def keys(records: list[dict[str, Any]]) -> set[str]:
    bodies = [json.loads(record["body"]) for record in records]
    return {body.get("detail", body)["cancel_request_id"] for body in bodies}


@pytest.fixture
def seeded(rig: Rig) -> Rig:
    rig.seed_samples()
    return rig


@pytest.mark.parametrize("name", CANCEL_TYPES)
def test_batch(seeded: Rig, name: str) -> None:
    """Every record of the batch sample ends in one CancelSucceeded, and all are acknowledged."""
    records = sample(name, "sqs_batch")["Records"]
    assert seeded.batch(name, *records) == []
    assert seeded.outcomes() == dict.fromkeys(keys(records), "succeeded")
    assert len(seeded.bus.taken) == len(records)
    assert len(seeded.bus.calls) == 1


@pytest.mark.parametrize("name", CANCEL_TYPES)
def test_duplicate(seeded: Rig, name: str) -> None:
    """One cancellation delivered three times in a batch is carried out once and has one outcome."""
    records = sample(name, "duplicate")["Records"]
    assert seeded.batch(name, *records) == []
    assert len({detail["outcome_id"] for detail in seeded.bus.details()}) == 1
    assert len(seeded.world.money.movements) == 1


@pytest.mark.parametrize("name", CANCEL_TYPES)
def test_redriven(seeded: Rig, name: str) -> None:
    """A message redriven from the DLQ is settled like any other, its reason attributes notwithstanding."""
    records = sample(name, "redriven")["Records"]
    assert seeded.batch(name, *records) == []
    assert seeded.outcomes() == dict.fromkeys(keys(records), "succeeded")


@pytest.mark.parametrize("name", CANCEL_TYPES)
def test_eventbridge(seeded: Rig, name: str) -> None:
    """A single EventBridge event returns the outcome that was published."""
    outcome = seeded.invoke(name, sample(name, "eventbridge"))
    assert outcome["outcome"] == "succeeded"
    assert seeded.bus.details() == [outcome]
    assert list(OUTCOME.iter_errors(outcome)) == []


@pytest.mark.parametrize(("file", "won"), [("eventbridge_items", 6000), ("eventbridge_amount", 2000)])
def test_other_samples_of_document_004(seeded: Rig, file: str, won: int) -> None:
    """The partial cancellations among EBP's samples move exactly their amount."""
    outcome = seeded.invoke("order_cancel", sample("order_cancel", file))
    assert outcome["money"]["cancelled"] == won
    assert seeded.world.money.refunded("ORD20251224001") == won


@pytest.mark.parametrize("name", CANCEL_TYPES)
def test_malformed(seeded: Rig, name: str) -> None:
    """Every malformed message goes to the DLQ with its own reason, and the good one among them succeeds."""
    records = sample(name, "malformed")["Records"]
    assert seeded.batch(name, *records) == []
    assert sorted(seeded.outcomes().values()).count("succeeded") == 1
    assert len(seeded.world.money.movements) == 1
    assert len(seeded.queues.sent) == len(records) - 1
    assert len([key for key in seeded.items if not key.startswith(HELD_PREFIX)]) == 1
    bodies = {message["MessageBody"] for message in seeded.queues.sent}
    assert bodies < {record["body"] for record in records}
    for attributes in seeded.queues.attributes():
        assert attributes["error_code"] == "INVALID_REQUEST"
        assert attributes["cancel_type"] == name
        assert len(attributes["error_message"]) > 10


@pytest.mark.parametrize("name", CANCEL_TYPES)
def test_malformed_is_told_to_accounting(seeded: Rig, name: str) -> None:
    """A malformed message that names its request is parked as not carried out, in a valid outcome."""
    seeded.batch(name, *sample(name, "malformed")["Records"])
    parked = [detail for detail in seeded.bus.details() if detail["outcome"] == "parked"]
    named = {attributes.get("cancel_request_id") for attributes in seeded.queues.attributes()} - {None}
    assert {detail["cancel_request_id"] for detail in parked} == named
    assert len(parked) >= 3
    for detail in parked:
        assert detail["error"]["code"] == "INVALID_REQUEST"
        assert detail["error"]["may_have_been_applied"] is False
        assert list(OUTCOME.iter_errors(detail)) == []
