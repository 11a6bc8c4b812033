"""What stands on the log lines of a whole function, in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from local.simulator import Fault, FaultKind, Operation
from local.trigger import envelope, record
from tests.unit.rig import Rig, Wanted

PROJECT = Path(__file__).parents[3]
#: The token is nobody's: it is fetched for all records while the process starts.
TOKEN = "POST /users/getToken"
KEYS = {"cancel_type", "cancel_request_id", "order_id", "correlation_id", "message_id", "attempt"}


def log_of(rig: Rig, tmp_path: Path, event: object, **changed: str) -> list[dict[str, Any]]:
    """The lines that are log records, in a process that logs at DEBUG."""
    environment = {**os.environ, **rig.environment, "LOG_LEVEL": "DEBUG", **changed}
    done = subprocess.run(
        [sys.executable, "-m", "tests.privacy.child", "payment_cancel", str(tmp_path / "answers")],
        input=json.dumps([event]),
        env=environment,
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"level"')]


@pytest.fixture
def busy(rig: Rig) -> Rig:
    """Payments of which some are refused, some lose their answer, and none is quick."""
    for number in range(10):
        imp_uid = f"imp_{number}"
        rig.world.seed_payment({"imp_uid": imp_uid, "merchant_uid": f"M-{number}", "amount": 10_000})
        rig.world.add_fault(Fault(FaultKind.SLOW, imp_uid, Operation.CANCEL, seconds=0.05))
    rig.world.add_fault(Fault(FaultKind.HTTP_5XX_BEFORE_COMMIT, "imp_3", Operation.CANCEL))
    rig.world.add_fault(Fault(FaultKind.REFUSE, "imp_4", Operation.CANCEL))
    return rig


def test_every_line_of_concurrent_records_says_whose_it_is(busy: Rig, tmp_path: Path) -> None:
    """Ten records at once: each line has its record's keys, all of them, and they belong together."""
    wanted = [Wanted(f"imp_{number}") for number in range(9)]
    records = [record(json.dumps(envelope(one.detail) | {"id": f"event-{one.key}"})) for one in wanted]
    records.append(record("{}"))
    lines = [
        one for one in log_of(busy, tmp_path, {"Records": records}) if not one["message"].endswith(TOKEN)
    ]
    assert all(KEYS - {"cancel_request_id", "order_id"} <= line.keys() for line in lines)
    told = {
        (line.get("cancel_request_id"), line.get("order_id"), line["correlation_id"], line["message_id"])
        for line in lines
    }
    invalid = records[-1]["messageId"]
    assert told == {
        *(
            (one.key, "ORD-1", f"event-{one.key}", sent["messageId"])
            for one, sent in zip(wanted, records, strict=False)
        ),
        (None, None, invalid, invalid),
    }
    assert {line["attempt"] for line in lines} == {1}


def test_each_provider_call_has_a_line(busy: Rig, tmp_path: Path) -> None:
    """At DEBUG a refund tells each question and answer: operation, status, seconds, and nothing of it."""
    lines = log_of(busy, tmp_path, {"Records": [record(Wanted("imp_1").body, receives=2)]})
    calls = [line for line in lines if line["message"].startswith("provider call")]
    operations = [line["message"].removeprefix("provider call ") for line in calls]
    assert operations[-2:] == ["GET /payments/{imp_uid}", "POST /payments/cancel"]
    assert all(line["status"] == 200 and line["seconds"] >= 0 for line in calls)
    assert {line["attempt"] for line in calls if "attempt" in line} == {2}


def test_a_single_event_is_followed_by_its_id(busy: Rig, tmp_path: Path) -> None:
    """An event that invokes the function directly is correlated by EventBridge's id."""
    wanted = Wanted("imp_1")
    lines = log_of(busy, tmp_path, envelope(wanted.detail) | {"id": "event-1"})
    told = {line["correlation_id"] for line in lines if line.get("cancel_request_id") == wanted.key}
    assert told == {"event-1"}
