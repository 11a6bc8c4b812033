"""Pause, limits and circuit breaker of the deployed template."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.demo.cast import Cast
from local.demo.play import cancel_request_id, dead_letters, pascal, send_events
from local.demo.scenario import Request
from local.simulator.control import SimulatorControl
from local.stack import Options, OutcomeLog, Stack, start
from refunds.operators.cancel_queues import CancelQueues, queues_of_outputs
from refunds.operators.pause import Sending, SendingSwitch

_RECEIVES = 3
_VISIBILITY_SECONDS = 8
_PATIENCE_SECONDS = 240.0
_PARAMETERS = {
    "MaxReceiveCount": str(_RECEIVES),
    "FunctionTimeout": str(_VISIBILITY_SECONDS),
    "PaymentCancelVisibilityTimeout": str(_VISIBILITY_SECONDS),
    "Limits": json.dumps(
        {"payment_cancel": {"KRW": {"largest": 5000}}, "order_cancel": {"KRW": {"per_hour": 3}}}
    ),
    "CircuitFailures": "3",
    # Longer than the longest wait between two receives: nobody is the probe on every receive.
    "CircuitCoolDownSeconds": "10",
    "MaximumConcurrency": "2",
}


@pytest.fixture(scope="module")
def railed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A local stack with limits and a circuit breaker, three receives and a short visibility timeout."""
    with start(Options(tmp_path_factory.mktemp("railed"), parameters=_PARAMETERS)) as running:
        yield running


@pytest.fixture(scope="module")
def providers(railed: Stack) -> Iterator[SimulatorControl]:
    assert railed.simulator_url is not None
    with SimulatorControl(railed.simulator_url) as control:
        yield control


@pytest.fixture(scope="module")
def accounting(railed: Stack) -> Iterator[OutcomeLog]:
    with OutcomeLog.attach(railed) as log:
        yield log


@pytest.fixture
def cast() -> Cast:
    return Cast(run=uuid.uuid4().hex[:8])


@pytest.fixture
def switch(railed: Stack) -> SendingSwitch:
    return SendingSwitch(railed.aws.functions, railed.aws.sqs)


def all_queues(stack: Stack, *names: str) -> list[CancelQueues]:
    return [queues for queues in queues_of_outputs(stack.outputs) if queues.cancel_type in names]


def refunds(cast: Cast, count: int, amount: int = 1_000) -> list[Request]:
    return [
        cast.request("payment_cancel", number, {"imp_uid": cast.payment(number), "amount": amount})
        for number in range(count)
    ]


def waiting(stack: Stack, output: str) -> int:
    """Messages that can be received, and those received but not deleted."""
    names: Any = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    attributes = stack.aws.sqs.get_queue_attributes(QueueUrl=stack.outputs[output], AttributeNames=names)
    return sum(int(count) for count in attributes["Attributes"].values())


def letters(stack: Stack, cancel_type: str, requests: list[Request]) -> list[str]:
    """The error code of each of these requests that is in the DLQ.

    A function that ran out of time between the copy to the DLQ and its answer leaves a second copy.
    """
    ids = {request.cancel_request_id for request in requests}
    found = {cancel_request_id(one["Body"]): one for one in dead_letters(stack, [cancel_type])}
    return [
        one["MessageAttributes"]["error_code"]["StringValue"] for name, one in found.items() if name in ids
    ]


@dataclass(frozen=True)
class Paused:
    """Refunds that were published while sending is paused; ``since`` is of the monotonic clock."""

    cast: Cast
    requests: list[Request]
    since: float


@pytest.fixture(scope="module")
def paused(railed: Stack, providers: SimulatorControl) -> Paused:
    """200 refunds wait: other tests pass the time."""
    cast, count = Cast(run=uuid.uuid4().hex[:8]), 200
    requests = refunds(cast, count)
    providers.seed_payments(*(cast.paid(number) for number in range(count)))
    switch = SendingSwitch(railed.aws.functions, railed.aws.sqs)
    (found,) = switch.pause(all_queues(railed, "payment_cancel"))
    assert found.state is Sending.PAUSED
    send_events(railed, requests)
    return Paused(cast, requests, time.monotonic())


def wait_out_all_receives(since: float) -> None:
    """Until so much time has passed that every receive would have been used up."""
    time.sleep(max(since + _RECEIVES * _VISIBILITY_SECONDS + 2 - time.monotonic(), 0.0))


@pytest.mark.usefixtures("paused")
def test_an_outage_does_not_burn_receives(
    railed: Stack, providers: SimulatorControl, accounting: OutcomeLog, cast: Cast
) -> None:
    """An outage longer than all receives sends nothing to the DLQ; after it everything is carried out."""
    count = 30
    requests = [
        cast.request("cvs_revoke", number, {"imp_uid": cast.payment(number)}) for number in range(count)
    ]
    providers.seed_payments(*(cast.paid(number, pay_method="cvs", status="ready") for number in range(count)))
    providers.start_outage()
    send_events(railed, requests)
    wait_out_all_receives(time.monotonic())
    assert [accounting.of(one.cancel_request_id) for one in requests] == [[]] * count
    assert waiting(railed, f"{pascal('cvs_revoke')}DlqUrl") == 0
    providers.end_outage()
    accounting.wait_for_requests([one.cancel_request_id for one in requests], _PATIENCE_SECONDS)
    assert {accounting.of(one.cancel_request_id)[0]["outcome"] for one in requests} == {"succeeded"}
    assert [len(providers.ledger(cast.payment(number))) for number in range(count)] == [1] * count


@pytest.mark.usefixtures("paused")
def test_a_pause_can_close_the_functions(railed: Stack, cast: Cast, switch: SendingSwitch) -> None:
    """With single events paused too, nobody can invoke a function until sending is resumed."""
    name = railed.outputs["VbankRevokeFunctionName"]
    revoke = all_queues(railed, "vbank_revoke")
    event = json.dumps(cast.request("vbank_revoke", 1, {"imp_uid": cast.payment(1)}).detail()).encode()
    switch.pause(revoke, single_events=True)
    with pytest.raises(ClientError, match="TooManyRequests"):
        railed.aws.functions.invoke(FunctionName=name, Payload=event)
    switch.resume(revoke)
    answer = railed.aws.functions.invoke(FunctionName=name, Payload=event)
    assert json.loads(answer["Payload"].read())["outcome"] == "failed"


def test_a_pause_holds_two_hundred_messages(
    railed: Stack, providers: SimulatorControl, accounting: OutcomeLog, paused: Paused, switch: SendingSwitch
) -> None:
    """Paused for longer than all receives would take, nothing reaches the DLQ; resumed, all is refunded."""
    cast, requests, count = paused.cast, paused.requests, len(paused.requests)
    wait_out_all_receives(paused.since)
    assert waiting(railed, "PaymentCancelQueueUrl") == count
    assert waiting(railed, "PaymentCancelDlqUrl") == 0
    assert providers.requests(cast.payment(0)) == []
    (resumed,) = switch.resume(all_queues(railed, "payment_cancel"))
    assert resumed.state is Sending.ENABLED
    accounting.wait_for_requests([one.cancel_request_id for one in requests], _PATIENCE_SECONDS)
    assert [len(providers.ledger(cast.payment(number))) for number in range(count)] == [1] * count
    assert letters(railed, "payment_cancel", requests) == []


def test_a_refund_above_the_limit_is_parked(
    railed: Stack, providers: SimulatorControl, accounting: OutcomeLog, cast: Cast
) -> None:
    """Nothing is sent, accounting is told, and the message waits for a person."""
    requests = [refunds(cast, 1, amount=5_001)[0]]
    providers.seed_payments(cast.paid(0))
    send_events(railed, requests)
    (request_id,) = (one.cancel_request_id for one in requests)
    accounting.wait_for_requests([request_id], _PATIENCE_SECONDS)
    assert accounting.of(request_id)[0]["error"]["code"] == "LIMIT_EXCEEDED"
    assert providers.ledger(cast.payment(0)) == []
    assert letters(railed, "payment_cancel", requests) == ["LIMIT_EXCEEDED"]


def test_orders_of_an_hour_are_limited(
    railed: Stack, providers: SimulatorControl, accounting: OutcomeLog, cast: Cast
) -> None:
    """Of five orders in an hour that allows three, three are cancelled and two wait, none is lost."""
    item = {"seq": 1, "itemType": "PHYSICAL", "itemId": "P1", "quantity": 1, "amount": 1_000}
    requests = [
        cast.request(
            "order_cancel",
            number,
            {"orderNo": cast.order(number), "totalCancelAmount": 1_000, "items": [item]},
        )
        for number in range(5)
    ]
    providers.seed_orders(*({"orderNo": cast.order(number), "items": [item]} for number in range(5)))
    send_events(railed, requests)
    accounting.wait_for_requests([one.cancel_request_id for one in requests], _PATIENCE_SECONDS)
    ended = sorted(accounting.of(one.cancel_request_id)[0]["outcome"] for one in requests)
    assert ended == ["parked", "parked", "succeeded", "succeeded", "succeeded"]
    assert sum(len(providers.ledger(cast.order(number))) for number in range(5)) == 3
    assert letters(railed, "order_cancel", requests) == ["LIMIT_EXCEEDED"] * 2
