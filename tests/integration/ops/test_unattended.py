"""The operators' functions, deployed: replay, sweeper and reconciliation for automation."""

from __future__ import annotations

import json
import time
from typing import Any

from local.simulator.control import SimulatorControl
from local.stack import OutcomeLog, Stack
from refunds.operators.reconciliation import Kind
from tests.integration.ops.cases import PART, PATIENCE, Cases
from tests.integration.ops.parked import Parked, ask_freely, ledger_item, wait_for_leases
from tests.integration.ops.queues import visible
from tests.integration.ops.test_reconciling import today_in_korea


def _invoke(stack: Stack, name: str, event: dict[str, Any]) -> dict[str, Any]:
    answer = stack.aws.functions.invoke(
        FunctionName=stack.outputs[f"{name}FunctionName"], Payload=json.dumps(event).encode()
    )
    payload: dict[str, Any] = json.loads(answer["Payload"].read())
    assert answer.get("FunctionError") is None, payload
    return payload


def test_the_sweeper_settles_what_can_be_asked_about(
    stack: Stack, simulator: SimulatorControl, outcomes: OutcomeLog, parked: Parked
) -> None:
    """A refund whose answer was lost succeeds without an operator; what cannot be proven stays as it was."""
    wait_for_leases(stack, [parked.swept])
    ask_freely(simulator, parked.swept)
    before = ledger_item(stack, parked.order_contested)
    # The others that are parked stay unanswered: three of those, asked in a row, end a run.
    until = time.monotonic() + PATIENCE
    swept = _invoke(stack, "Sweeper", {})
    while ledger_item(stack, parked.swept)["state"]["S"] != "SUCCEEDED":
        assert time.monotonic() < until, swept
        swept = _invoke(stack, "Sweeper", {})
    outcomes.wait_for(lambda log: len(log.of(parked.swept.cancel_request_id)) >= 2, PATIENCE)
    last = outcomes.of(parked.swept.cancel_request_id)[-1]
    assert (last["outcome"], last["money"]["cancelled"]) == ("succeeded", PART)
    assert len(simulator.ledger(parked.swept.subject)) == 1
    assert before["state"]["S"] == "PARKED"
    assert ledger_item(stack, parked.order_contested) == before
    assert swept["oldest_seconds"]["payment_cancel"] >= 0


def test_dead_letters_are_replayed_by_invocation(
    stack: Stack, simulator: SimulatorControl, outcomes: OutcomeLog, cases: Cases
) -> None:
    """Verdicts first; with execute the message is replayed, with who and why in the audit trail."""
    case = cases.refund()
    stack.aws.sqs.send_message(
        QueueUrl=stack.outputs["PaymentCancelDlqUrl"], MessageBody=json.dumps(case.detail())
    )
    request = {"by": "lee", "reason": "ticket 7", "ids": [case.cancel_request_id]}
    before = visible(stack)
    told = _invoke(stack, "DlqReplay", request)
    assert (told["executed"], told["replayed"], told["verdicts"]) == (False, 0, {"safe": 1})
    assert visible(stack) == before
    done = _invoke(stack, "DlqReplay", {**request, "execute": True})
    assert (done["executed"], done["complete"], done["replayed"]) == (True, True, 1)
    outcomes.wait_for_requests([case.cancel_request_id], PATIENCE)
    assert [movement.amount for movement in simulator.ledger(case.subject)] == [PART]
    audit = stack.aws.dynamodb.get_item(
        TableName=stack.outputs["LedgerTableName"],
        Key={"pk": {"S": f"audit#payment_cancel#{case.cancel_request_id}"}},
    )["Item"]
    assert "by lee (invocation " in audit["lines"]["L"][0]["S"]


def test_a_day_is_reconciled_by_invocation(stack: Stack) -> None:
    """The answer counts the differences of each kind."""
    found = _invoke(stack, "Reconcile", {"date": today_in_korea()})
    assert set(found["differences"]) == set(Kind)
    assert _invoke(stack, "Reconcile", {"date": "2026-01-01"})["differences"]["not_in_ledger"] == 0
