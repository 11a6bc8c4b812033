"""The sample events of events/, published on a stack as `make up` leaves it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from local.contract.validation import broken_promises
from local.simulator.control import SimulatorControl
from local.stack import OutcomeLog, Stack

_EVENTS = Path(__file__).parents[2] / "events"
_SAMPLES = sorted(_EVENTS.glob("*/eventbridge*.json"), key=str)
_PATIENCE_SECONDS = 240.0


def _load(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def published(
    stack: Stack, simulator: SimulatorControl, outcomes: OutcomeLog
) -> Mapping[str, list[dict[str, Any]]]:
    """The outcomes of every sample, by the sample's cancel_request_id."""
    seeds = _load(_EVENTS / "simulator.json")
    simulator.seed_payments(*seeds["payments"])
    simulator.seed_receipts(*seeds["receipts"])
    simulator.seed_orders(*seeds["orders"])
    events = [_load(path) for path in _SAMPLES]
    answer = stack.aws.events.put_events(
        Entries=[
            {
                "Source": event["source"],
                "DetailType": event["detail-type"],
                "Detail": json.dumps(event["detail"], ensure_ascii=False),
                "EventBusName": stack.outputs["OrderBusName"],
            }
            for event in events
        ]
    )
    assert answer["FailedEntryCount"] == 0
    keys = [event["detail"]["cancel_request_id"] for event in events]
    outcomes.wait_for_requests(keys, _PATIENCE_SECONDS)
    return {key: outcomes.of(key) for key in keys}


@pytest.mark.parametrize("path", _SAMPLES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_published_sample_has_exactly_one_outcome(
    published: Mapping[str, list[dict[str, Any]]], path: Path
) -> None:
    """Each sample on the order bus leads to one outcome, and none of them is parked."""
    told = published[_load(path)["detail"]["cancel_request_id"]]
    assert len({outcome["outcome_id"] for outcome in told}) == 1
    assert {outcome["outcome"] for outcome in told} <= {"succeeded", "failed"}


def test_what_is_published_keeps_to_its_contract(
    published: Mapping[str, list[dict[str, Any]]], outcomes: OutcomeLog
) -> None:
    """Every outcome on the bus matches the JSON Schema, its draft-4 edition and the AsyncAPI document."""
    assert published
    assert list(broken_promises(outcomes.events)) == []
