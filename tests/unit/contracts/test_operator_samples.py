"""The sample events of the operators' functions."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from refunds.operators.functions import ReplayRequest

EVENTS = Path(__file__).resolve().parents[3] / "events"


def load(name: str) -> Any:
    return json.loads((EVENTS / name).read_text(encoding="utf-8"))


@pytest.mark.parametrize(("sample", "executes"), [("judge", False), ("replay", True)])
def test_requests_of_a_replay_are_valid(sample: str, *, executes: bool) -> None:
    """One only tells the verdicts, the other replays; both say who and why."""
    request = ReplayRequest.model_validate(load(f"dlq_replay/{sample}.json"))
    assert request.execute is executes
    assert request.by
    assert request.reason


@pytest.mark.parametrize("function", ["sweeper", "reconcile"])
def test_a_schedule_brings_the_schedulers_event(function: str) -> None:
    """A schedule without an input of its own brings EventBridge Scheduler's plain event."""
    event = load(f"{function}/scheduled.json")
    assert event["source"] == "aws.scheduler"
    assert event["detail-type"] == "Scheduled Event"


def test_reconciliation_takes_a_day() -> None:
    """Its sample names a day that can be read."""
    assert date.fromisoformat(load("reconcile/day.json")["date"]) == date(2026, 11, 21)
