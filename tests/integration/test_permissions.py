"""The roles of the template, enforced: functions can do their work, and nothing beside it."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSRequest
from botocore.exceptions import ClientError

from local.demo.cast import Cast
from local.demo.play import dead_letters, is_pending, is_settled, publish, seed, sweep
from local.demo.scenario import Scenario
from local.demo.scenarios import every_type, everything_that_goes_wrong
from local.simulator.control import SimulatorControl
from local.simulator.faults import Fault, FaultKind, Operation
from local.stack import Clients, Options, OutcomeLog, Stack, start
from local.stack.clients import CREDENTIALS
from local.stack.logs import log_lines
from refunds.cancel_types import MODULES

_PATIENCE_SECONDS = 240.0
_TYPES = tuple(MODULES)
_PARAMETERS = {
    # Limits nobody reaches: the hour is counted, with what a function may do.
    "Limits": json.dumps(
        {
            # A currency that is not named would be kept back.
            "payment_cancel": {"KRW": {"per_hour": 1000}, "USD": {"per_hour": 1000}},
            "order_cancel": {"KRW": {"amount_per_hour": 1_000_000_000}},
        }
    ),
    # TLS and the evaluation of policies take their time on a busy machine.
    "FunctionTimeout": "20",
    "ReadTimeoutSeconds": "5",
    "PaymentCancelVisibilityTimeout": "20",
    "OrderCancelVisibilityTimeout": "20",
}
_ALSO = ("a malformed event (amount: 0)", "part of an order is cancelled, the answer is lost")


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A local stack that enforces roles and policies."""
    options = Options(tmp_path_factory.mktemp("guarded"), parameters=_PARAMETERS, authorize=True)
    with start(options) as running:
        _adapt_policies(running)
        yield running


def test_functions_may_do_their_work(guarded: Stack) -> None:
    """With exactly the template's permissions every cancel type goes through, and so does what goes wrong."""
    assert guarded.simulator_url is not None
    cast = Cast(run=uuid.uuid4().hex[:8])
    story = [*every_type(cast), *(one for one in everything_that_goes_wrong(cast) if one.title in _ALSO)]
    with SimulatorControl(guarded.simulator_url) as simulator, OutcomeLog.attach(guarded) as log:
        for act in (story, *([one] for one in _one_after_another(cast))):
            _play(guarded, simulator, log, act)
        moved = {one.subject: sum(entry.amount for entry in simulator.ledger(one.subject)) for one in story}
    assert moved == {one.subject: one.moved for one in story}
    assert len(dead_letters(guarded, _TYPES)) >= len(_ALSO)
    assert _log_lines(guarded, "AccessDenied", "ClientError") == []


@pytest.mark.parametrize(
    ("function", "event"),
    [
        ("DlqReplay", {"by": "test", "reason": "permissions"}),
        ("DlqReplay", {"by": "test", "reason": "permissions", "execute": True, "limit": 1, "ask": False}),
        ("DlqReplay", {"judge": [{"cancel_type": "payment_cancel", "body": "{}"}]}),
        ("Sweeper", {}),
        ("Sweeper", {"ask": ["payment_cancel#cr-nobody-knows"]}),
        ("Reconcile", {}),
    ],
)
def test_operators_functions_may_do_their_work(
    guarded: Stack, function: str, event: dict[str, object]
) -> None:
    """Replay, sweeper and reconciliation need nothing that their roles do not allow."""
    answer = guarded.aws.functions.invoke(
        FunctionName=guarded.outputs[f"{function}FunctionName"], Payload=json.dumps(event).encode()
    )
    payload = answer["Payload"].read().decode()
    assert answer.get("FunctionError") is None, payload
    assert "AccessDenied" not in payload


def test_the_sweeper_may_tell_of_dead_letters_and_late_bookings(guarded: Stack) -> None:
    """Of a message that the queue moved itself it tells, and a pending refund that was booked it ends."""
    assert guarded.simulator_url is not None
    cast = Cast(run=uuid.uuid4().hex[:8])
    dead = cast.request("payment_cancel", 40, {"imp_uid": cast.payment(40), "amount": 1_000})
    late = next(one for one in everything_that_goes_wrong(cast) if one.books_late)
    (pending,) = late.requests
    with SimulatorControl(guarded.simulator_url) as simulator, OutcomeLog.attach(guarded) as log:
        seed(simulator, [late])
        publish(guarded, [late])
        log.wait_for(lambda seen: is_pending(late, seen), _PATIENCE_SECONDS)
        simulator.end_bookings(late.subject)
        guarded.aws.sqs.send_message(QueueUrl=guarded.outputs["PaymentCancelDlqUrl"], MessageBody=dead.body())
        log.wait_for(
            lambda seen: sweep(guarded) and is_settled(late, seen) and bool(seen.of(dead.cancel_request_id)),
            _PATIENCE_SECONDS,
        )
        assert {told["outcome"] for told in log.of(dead.cancel_request_id)} == {"parked"}
        told = next(one for one in log.of(pending.cancel_request_id) if one["outcome"] == "succeeded")
    assert (told["money"]["currency"], told["money"]["cancelled"]) == ("USD", late.moved)
    assert _log_lines(guarded, "AccessDenied") == []


def _adapt_policies(stack: Stack) -> None:
    """What the local AWS does not know as AWS does.

    AWS allows an operation on a batch with the one on a message, the local AWS by its own name. And it has
    neither `events:source` nor `dynamodb:LeadingKeys`: a condition that asks for them never holds.
    """
    service: Any = "iam"
    iam = boto3.client(
        service,
        endpoint_url=stack.endpoint_url,
        region_name=stack.region,
        verify=str(stack.ca_bundle),
        aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
    )
    resources = stack.aws.cloudformation.describe_stack_resources(StackName="refunds-local")["StackResources"]
    roles = [one for one in resources if one["ResourceType"] == "AWS::IAM::Role"]
    for role in roles:
        name = role["PhysicalResourceId"]
        for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]:
            document = iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
            for statement in document["Statement"]:
                _adapt(statement, batches=role["LogicalResourceId"] in {"DlqReplayRole", "SweeperRole"})
            iam.put_role_policy(RoleName=name, PolicyName=policy, PolicyDocument=json.dumps(document))


def _adapt(statement: dict[str, Any], *, batches: bool) -> None:
    statement.get("Condition", {}).pop("Null", None)
    actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
    if batches:
        statement["Action"] = [*actions, *(f"{one}Batch" for one in actions if one.startswith("sqs:"))]


def test_queues_refuse_plain_http(guarded: Stack) -> None:
    """A request that did not come over TLS is refused by every queue, whoever signed it."""
    plain = Clients(guarded.endpoint_url, guarded.region, guarded.ca_bundle).sqs
    plain.meta.events.register("before-sign.sqs", _as_if_plain)
    urls = [url for name, url in guarded.outputs.items() if name.endswith(("QueueUrl", "DlqUrl"))]
    assert len(urls) == 2 * len(_TYPES)
    for url in urls:
        with pytest.raises(ClientError, match="AccessDenied"):
            plain.receive_message(QueueUrl=url)


def _as_if_plain(request: AWSRequest, **_: object) -> None:
    """What a proxy that ends TLS says of a request that reached it without."""
    request.headers["X-Forwarded-Proto"] = "http"


def _play(stack: Stack, simulator: SimulatorControl, log: OutcomeLog, act: list[Scenario]) -> None:
    seed(simulator, act)
    publish(stack, act)
    log.wait_for(lambda seen: all(is_settled(one, seen) for one in act), _PATIENCE_SECONDS)


def _one_after_another(cast: Cast) -> list[Scenario]:
    """Two equal refunds of a payment that keeps no reason; which of them it shows, only the ledger knows."""
    payment = cast.payment(30)
    first, second = (
        Scenario(
            title=f"an equal partial refund, {suffix}",
            subject=payment,
            requests=(cast.request("payment_cancel", 30, {"imp_uid": payment, "amount": 1_000}, suffix),),
            seeds={},
            expected=("CancelSucceeded",),
            moved=2_000,
        )
        for suffix in ("first", "second")
    )
    lost = Fault(FaultKind.DROP_AFTER_COMMIT, payment, Operation.CANCEL, skip=1)
    seeds = {"payments": (cast.paid(30, keeps_reason="dropped"),)}
    return [replace(first, seeds=seeds, faults=(lost,)), second]


def _log_lines(stack: Stack, *parts: str) -> list[str]:
    """Lines of any function with one of these in it."""
    return [line for line in log_lines(stack) if any(one in line for one in parts)]
