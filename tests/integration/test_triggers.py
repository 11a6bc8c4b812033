"""The ways a cancellation reaches a function: bus, direct message, single event, replay from a DLQ."""

from __future__ import annotations

import json
import time
import uuid
from typing import Any

import pytest

from local import trigger
from local.demo.cast import Cast
from local.demo.play import cancel_request_id, dead_letters, pascal
from local.demo.scenario import Request
from local.simulator.control import SimulatorControl
from local.simulator.faults import Fault, FaultKind, Operation
from local.stack import OutcomeLog, Stack

_PATIENCE_SECONDS = 240.0


@pytest.fixture
def cast() -> Cast:
    return Cast(run=uuid.uuid4().hex[:8])


def _refund(cast: Cast, number: int = 1, **fields: Any) -> Request:
    return cast.request(
        "payment_cancel", number, {"imp_uid": cast.payment(number), "amount": 3_000, **fields}
    )


def _send(stack: Stack, cancel_type: str, body: str) -> None:
    stack.aws.sqs.send_message(QueueUrl=stack.outputs[f"{pascal(cancel_type)}QueueUrl"], MessageBody=body)


def _envelope(request: Request) -> dict[str, Any]:
    return trigger.envelope(request.detail(), request.cancel_type, id=str(uuid.uuid4()))


def _invoke(stack: Stack, request: Request) -> tuple[dict[str, Any], bool]:
    """The answer of a single EventBridge event, and whether the function raised."""
    answer = stack.aws.functions.invoke(
        FunctionName=stack.outputs[f"{pascal(request.cancel_type)}FunctionName"],
        Payload=json.dumps(_envelope(request)).encode(),
    )
    return json.loads(answer["Payload"].read()), "FunctionError" in answer


def _letters(stack: Stack, request_id: str, cancel_type: str, seconds: float) -> list[dict[str, Any]]:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        found = [m for m in dead_letters(stack, [cancel_type]) if cancel_request_id(m["Body"]) == request_id]
        if found:
            return found
        time.sleep(0.5)
    return []


def test_a_bare_detail_sent_to_the_queue_is_carried_out(
    stack: Stack, simulator: SimulatorControl, outcomes: OutcomeLog, cast: Cast
) -> None:
    """A message whose body is the detail without an envelope is a cancellation like any other."""
    simulator.seed_payments(cast.paid(1))
    request = _refund(cast)
    _send(stack, "payment_cancel", request.body())
    outcomes.wait_for_requests([request.cancel_request_id], _PATIENCE_SECONDS)
    assert [o["outcome"] for o in outcomes.of(request.cancel_request_id)] == ["succeeded"]
    assert simulator.ledger(cast.payment(1))[0].amount == 3_000


def test_a_single_event_returns_its_outcome(
    stack: Stack, simulator: SimulatorControl, outcomes: OutcomeLog, cast: Cast
) -> None:
    """A function invoked with one EventBridge event answers with the outcome it published."""
    simulator.seed_payments(cast.paid(1))
    request = _refund(cast)
    answer, raised = _invoke(stack, request)
    assert not raised
    assert (answer["outcome"], answer["money"]["cancelled"]) == ("succeeded", 3_000)
    outcomes.wait_for_requests([request.cancel_request_id], _PATIENCE_SECONDS)
    assert outcomes.of(request.cancel_request_id)[0]["outcome_id"] == answer["outcome_id"]


def test_a_single_event_that_is_not_settled_raises(
    stack: Stack, simulator: SimulatorControl, cast: Cast
) -> None:
    """A function that must be invoked again says so by raising, and the next invocation settles it."""
    simulator.seed_payments(cast.paid(1))
    simulator.add_faults(Fault(FaultKind.REFUSE_CONNECTION, cast.payment(1), Operation.LOOKUP))
    _, raised = _invoke(stack, _refund(cast))
    assert raised
    answer, raised = _invoke(stack, _refund(cast))
    assert not raised
    assert answer["outcome"] == "succeeded"
    assert len(simulator.ledger(cast.payment(1))) == 1


def test_the_same_key_with_another_payload_changes_nothing(
    stack: Stack, simulator: SimulatorControl, outcomes: OutcomeLog, cast: Cast
) -> None:
    """A reused cancel_request_id goes to the DLQ with its reason and without another outcome."""
    simulator.seed_payments(cast.paid(1))
    first, other = _refund(cast), _refund(cast, amount=4_000)
    _invoke(stack, first)
    _send(stack, "payment_cancel", other.body())
    letters = _letters(stack, other.cancel_request_id, "payment_cancel", _PATIENCE_SECONDS)
    attributes = letters[0]["MessageAttributes"]
    assert attributes["error_code"]["StringValue"] == "DUPLICATE_KEY_DIFFERENT_PAYLOAD"
    assert set(attributes) == {"error_code", "error_message", "cancel_type", "cancel_request_id", "failed_at"}
    outcomes.read()
    assert {o["outcome"] for o in outcomes.of(first.cancel_request_id)} == {"succeeded"}
    assert [m.amount for m in simulator.ledger(cast.payment(1))] == [3_000]


def test_a_message_replayed_from_the_dlq_after_an_outage_is_refunded_once(
    stack: Stack, simulator: SimulatorControl, outcomes: OutcomeLog, cast: Cast
) -> None:
    """What an outage parked is carried out by sending the DLQ's message to the queue again."""
    simulator.seed_payments(cast.paid(1))
    simulator.add_faults(Fault(FaultKind.HTTP_5XX_BEFORE_COMMIT, cast.payment(1), times=None))
    request = _refund(cast, checksum=10_000)
    _send(stack, "payment_cancel", request.body())
    dead_letter = _letters(stack, request.cancel_request_id, "payment_cancel", 2 * _PATIENCE_SECONDS)[0]
    simulator.clear_faults(cast.payment(1))
    _send(stack, "payment_cancel", dead_letter["Body"])
    outcomes.wait_for(
        lambda log: "succeeded" in {o["outcome"] for o in log.of(request.cancel_request_id)},
        2 * _PATIENCE_SECONDS,
    )
    told = [(o["outcome"], o["error"] and o["error"]["code"]) for o in outcomes.of(request.cancel_request_id)]
    assert told == [("parked", "OUTCOME_UNKNOWN"), ("succeeded", None)]
    assert [m.amount for m in simulator.ledger(cast.payment(1))] == [3_000]


def test_a_mismatch_is_resolved_by_a_replay(
    stack: Stack, simulator: SimulatorControl, outcomes: OutcomeLog, cast: Cast
) -> None:
    """A request parked for a contradictory answer is asked about, not sent, when it is replayed."""
    simulator.seed_payments(cast.paid(1))
    simulator.add_faults(Fault(FaultKind.WRONG_ECHO, cast.payment(1), Operation.CANCEL, variant="identity"))
    request = _refund(cast)
    _send(stack, "payment_cancel", request.body())
    dead_letter = _letters(stack, request.cancel_request_id, "payment_cancel", _PATIENCE_SECONDS)[0]
    assert dead_letter["MessageAttributes"]["error_code"]["StringValue"] == "RESPONSE_MISMATCH"
    _send(stack, "payment_cancel", dead_letter["Body"])
    outcomes.wait_for(
        lambda log: "succeeded" in {o["outcome"] for o in log.of(request.cancel_request_id)},
        _PATIENCE_SECONDS,
    )
    assert simulator.calls(cast.payment(1), Operation.CANCEL) == 1


def test_bad_messages_do_not_block_their_neighbours(
    stack: Stack, simulator: SimulatorControl, outcomes: OutcomeLog, cast: Cast
) -> None:
    """Whatever is in a message, it ends in the DLQ with a reason while its neighbours are refunded."""
    good = [_refund(cast, number) for number in range(1, 6)]
    simulator.seed_payments(*(cast.paid(number) for number in range(1, 6)))
    marker = uuid.uuid4().hex
    bad = [
        f"not json {marker}",
        json.dumps([marker]),
        json.dumps({"detail": marker}),
        json.dumps({**good[0].detail(), "cancel_request_id": f"{marker}/../x"}),
        json.dumps({**good[0].detail(), "cancel_request_id": marker, "reason": "x" * 262_000}),
        good[0].body().replace("3000", "NaN").replace(good[0].cancel_request_id, marker),
    ]
    for body, request in zip([*bad, ""], [*good, None, None], strict=False):
        if body:
            _send(stack, "payment_cancel", body)
        if request:
            _send(stack, "payment_cancel", request.body())
    outcomes.wait_for_requests([request.cancel_request_id for request in good], _PATIENCE_SECONDS)
    until = time.monotonic() + _PATIENCE_SECONDS
    letters: list[dict[str, Any]] = []
    while time.monotonic() < until and len(letters) < len(bad):
        letters = [m for m in dead_letters(stack, ["payment_cancel"]) if marker in m["Body"]]
    assert sorted(m["Body"] for m in letters) == sorted(bad)
    assert {m["MessageAttributes"]["error_code"]["StringValue"] for m in letters} == {"INVALID_REQUEST"}
    assert all(m["MessageAttributes"]["error_message"]["StringValue"] for m in letters)
