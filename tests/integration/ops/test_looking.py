"""Looking at single messages: shown, exported, masked."""

from __future__ import annotations

import json
import re
import stat
from pathlib import Path
from typing import Any

import pytest

from local import trigger
from local.demo.play import pascal
from local.simulator.control import SimulatorControl
from local.simulator.movements import MovementKind
from local.stack import OutcomeLog, Stack
from refunds.cancel_types import cancel_type
from refunds.messaging.message import read_body
from tests.integration.ops.cases import ACCOUNT, DETAIL_TYPES, HOLDER, PATIENCE, PHONE, Case, Cases
from tests.integration.ops.operator_shell import Shell
from tests.integration.ops.parked import Parked

_SECRETS = (ACCOUNT, HOLDER, PHONE)


@pytest.fixture(scope="module")
def undelivered(stack: Stack, simulator: SimulatorControl) -> dict[str, Case]:
    """One message per type in its DLQ, each as another sender leaves it there."""
    made = dict(zip(DETAIL_TYPES, Cases(simulator).mixed(len(DETAIL_TYPES)), strict=True))
    bare = made["vbank_revoke"].detail()
    rule = {"RULE_ARN": "arn:aws:events:::rule/orders", "ERROR_CODE": "SQS_UNAVAILABLE"}
    destination = {"requestContext": {"requestId": "r-1"}, "requestPayload": _envelope(made["cvs_revoke"])}
    _put(stack, "payment_cancel", _envelope(made["payment_cancel"]), rule)
    _put(stack, "vbank_revoke", bare, {})
    _put(stack, "cvs_revoke", destination, {"RequestID": "r-1", "ErrorCode": "200"})
    _put(stack, "receipt_revoke", made["receipt_revoke"].detail(), {"error_code": "OUTCOME_UNKNOWN"})
    _put(stack, "order_cancel", made["order_cancel"].detail(), {})
    return made


def _envelope(case: Case) -> dict[str, Any]:
    return trigger.envelope(case.detail(), case.cancel_type)


def _put(stack: Stack, name: str, body: object, attributes: dict[str, str]) -> None:
    stack.aws.sqs.send_message(
        QueueUrl=stack.outputs[f"{pascal(name)}DlqUrl"],
        MessageBody=json.dumps(body, ensure_ascii=False),
        MessageAttributes={
            key: {"DataType": "String", "StringValue": value} for key, value in attributes.items()
        },
    )


def test_a_message_is_shown_masked_with_its_verdict(shell: Shell, undelivered: dict[str, Case]) -> None:
    """What identifies the request can be read, what is personal cannot; the cause is told however it came."""
    causes = {
        "payment_cancel": "UNDELIVERED",
        "vbank_revoke": "CRASHED",
        "cvs_revoke": "UNHANDLED",
        "receipt_revoke": "OUTCOME_UNKNOWN",
        "order_cancel": "CRASHED",
    }
    ids = [part for case in undelivered.values() for part in ("--id", case.cancel_request_id)]
    told = shell.run("dlq", "replay", *ids).of("message")
    assert {row["cancel_type"]: row["error_code"] for row in told} == causes
    assert {row["verdict"] for row in told} == {"safe"}
    for name in ("payment_cancel", "order_cancel"):
        case = undelivered[name]
        shown = shell.run("dlq", "show", case.cancel_request_id)
        (row,) = shown.of("message")
        assert case.subject in row["body"]
        assert not any(secret in shown.stdout + shown.stderr for secret in _SECRETS)


def test_verdicts_tell_what_has_changed_and_what_nobody_knows(
    stack: Stack, simulator: SimulatorControl, outcomes: OutcomeLog, shell: Shell, parked: Parked
) -> None:
    """A number paid to meanwhile is stale, and left alone unless asked for; a lost answer is unknown."""
    stale = Cases(simulator).vbank()
    _put(stack, "vbank_revoke", stale.detail(), {"error_code": "PROVIDER_UNAVAILABLE"})
    simulator.somebody_else(stale.subject, "deposit")
    one = ("dlq", "replay", "--id", stale.cancel_request_id)
    told = shell.run(*one, "--id", parked.order_disputed.cancel_request_id)
    whys = {row["cancel_request_id"]: (row["verdict"], row["verdict_why"]) for row in told.of("message")}
    verdict, why = whys[stale.cancel_request_id]
    assert verdict == "stale"
    assert "It would fail as ALREADY_PAID" in why
    verdict, why = whys[parked.order_disputed.cancel_request_id]
    assert verdict == "unknown"
    assert "Nobody can tell" in why

    order = (*one, "--yes", "--reason", "so that accounting learns that it failed")
    assert [row["replayed"] for row in shell.run(*order, code=4).of("message")] == [False]
    assert [row["replayed"] for row in shell.run(*order, "--verdict", "stale").of("message")] == [True]
    outcomes.wait_for_requests([stale.cancel_request_id], PATIENCE)
    (outcome,) = outcomes.of(stale.cancel_request_id)
    assert (outcome["outcome"], outcome["error"]["code"]) == ("failed", "ALREADY_PAID")
    assert [movement.kind for movement in simulator.ledger(stale.subject)] == [MovementKind.DEPOSIT]


def test_status_finds_a_request_by_any_of_its_names(
    stack: Stack,
    simulator: SimulatorControl,
    outcomes: OutcomeLog,
    shell: Shell,
    undelivered: dict[str, Case],
) -> None:
    """By its id, its order or its payment; a request without a ledger item by its dead letter."""
    stray = undelivered["payment_cancel"]
    for name in (stray.cancel_request_id, f"O-{stray.cancel_request_id}"):
        assert [row["error_code"] for row in shell.run("status", name).of("dead_letter")] == ["UNDELIVERED"]
    known = Cases(simulator).refund()
    stack.aws.sqs.send_message(
        QueueUrl=stack.outputs["PaymentCancelQueueUrl"], MessageBody=json.dumps(known.detail())
    )
    outcomes.wait_for_requests([known.cancel_request_id], PATIENCE)
    for name in (known.cancel_request_id, f"O-{known.cancel_request_id}", known.subject):
        (row,) = shell.run("status", name, "--no-dlq").of("request")
        assert (row["cancel_request_id"], row["state"]) == (known.cancel_request_id, "SUCCEEDED")
        assert row["proof"]
        assert not any(secret in json.dumps(row, ensure_ascii=False) for secret in _SECRETS)
    unknown = shell.run("status", "cr-nobody", "--no-dlq", code=1)
    assert [row["type"] for row in unknown.rows] == ["error"]


def test_status_says_where_the_message_is_and_what_to_do(shell: Shell, parked: Parked) -> None:
    """Of a request in doubt: what nobody knows, since when its message waits, and the command that asks."""
    request_id = parked.order_disputed.cancel_request_id
    shown = shell.shown("status", request_id)
    assert re.search(r"^may_have_been_applied +yes$", shown, re.MULTILINE)
    assert re.search(r"^message +in the dead-letter queue since .+ \(OUTCOME_UNKNOWN\)$", shown, re.MULTILINE)
    assert re.search(r"^\S+Z +PARKED OUTCOME_UNKNOWN: ", shown, re.MULTILINE)
    assert shown.rstrip().endswith(f"$ refundctl resolve {request_id}")
    assert not any(secret in shown for secret in _SECRETS)


def test_masked_exports_are_of_the_same_shape_and_show_nobody(
    shell: Shell, undelivered: dict[str, Case], tmp_path: Path
) -> None:
    """Every file is an event its function accepts as valid, without one personal datum."""
    ids = [part for case in undelivered.values() for part in ("--id", case.cancel_request_id)]
    files = shell.run("dlq", "export", "--to", str(tmp_path), *ids).of("file")
    assert len(files) == len(undelivered)
    for row in files:
        text = Path(row["path"]).read_text(encoding="utf-8")
        assert not any(secret in text for secret in _SECRETS)
        (record,) = json.loads(text)["Records"]
        name = Path(row["path"]).parent.name
        reading = read_body(cancel_type(name).policy, record["body"])
        assert reading.cancel_request_id == undelivered[name].cancel_request_id
        assert reading.cancellation is not None


def test_a_raw_export_is_private_and_runs(
    stack: Stack, simulator: SimulatorControl, shell: Shell, undelivered: dict[str, Case], tmp_path: Path
) -> None:
    """An exported message, invoked as `sam local invoke` would, settles its request."""
    case = undelivered["payment_cancel"]
    order = ("dlq", "export", "--raw", "--to", str(tmp_path), "--id", case.cancel_request_id)
    (row,) = shell.run(*order).of("file")
    path = Path(row["path"])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert ACCOUNT in path.read_text(encoding="utf-8")
    answer = stack.aws.functions.invoke(
        FunctionName=stack.outputs["PaymentCancelFunctionName"], Payload=path.read_bytes()
    )
    assert json.loads(answer["Payload"].read()) == {"batchItemFailures": []}
    assert len(simulator.ledger(case.subject)) == 1
