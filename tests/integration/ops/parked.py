"""Requests that end up parked with an unknown outcome, some carried out by the provider and some not."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from local.simulator.control import SimulatorControl
from local.simulator.faults import Fault, FaultKind, Operation
from local.stack import OutcomeLog, Stack
from tests.integration.ops.cases import PAID, PATIENCE, Case, Cases, publish


@dataclass(frozen=True)
class Parked:
    """Named for what really happened at the provider."""

    order_cancelled: Case
    order_untouched: Case
    order_disputed: Case
    order_contested: Case
    refunded: Case
    swept: Case
    misjudged: Case
    mistyped: Case

    def all(self) -> list[Case]:
        """Every one of them."""
        return list(vars(self).values())


def lose_answers(stack: Stack, simulator: SimulatorControl) -> Parked:
    """Publish requests whose answers get lost; returns when all of them have been sent."""
    cases = Cases(simulator)
    parked = Parked(
        order_cancelled=_order(cases, FaultKind.DROP_AFTER_COMMIT),
        order_untouched=_order(cases, FaultKind.DROP_BEFORE_COMMIT),
        order_disputed=_order(cases, FaultKind.DROP_AFTER_COMMIT),
        order_contested=_order(cases, FaultKind.DROP_BEFORE_COMMIT, part=False),
        refunded=_refund(cases, FaultKind.DROP_AFTER_COMMIT),
        swept=_refund(cases, FaultKind.DROP_AFTER_COMMIT),
        misjudged=_refund(cases, FaultKind.DROP_BEFORE_COMMIT),
        mistyped=_refund(cases, FaultKind.DROP_AFTER_COMMIT),
    )
    publish(stack, parked.all())
    until = time.monotonic() + PATIENCE
    while not all(simulator.calls(case.subject, Operation.CANCEL) for case in parked.all()):
        assert time.monotonic() < until, "a cancellation was never sent"
        time.sleep(0.1)
    return parked


def wait_until_parked(outcomes: OutcomeLog, parked: Parked) -> None:
    """Wait until the functions have given up; the provider goes on saying nothing (``ask_freely``)."""
    outcomes.wait_for_requests([case.cancel_request_id for case in parked.all()], PATIENCE)
    for case in parked.all():
        outcome = outcomes.of(case.cancel_request_id)[0]
        assert outcome["outcome"] == "parked"
        assert outcome["error"]["may_have_been_applied"] is True


def ask_freely(simulator: SimulatorControl, case: Case) -> None:
    """Let the provider answer questions about a request again."""
    simulator.clear_faults(case.subject)


def _order(cases: Cases, kind: FaultKind, *, part: bool = True) -> Case:
    """A part of an order cannot be asked about, and is parked at once; a whole one is asked about first."""
    case = cases.order(part=part)
    cases.simulator.add_faults(Fault(kind, subject=case.subject, operation=Operation.CANCEL))
    return case


def _refund(cases: Cases, kind: FaultKind) -> Case:
    """A refund whose answer is lost, at a provider that answers no question about it either."""
    case = cases.refund(checksum=PAID)
    silence = Fault(
        FaultKind.HTTP_5XX_BEFORE_COMMIT, subject=case.subject, operation=Operation.LOOKUP, times=None
    )
    cases.simulator.add_faults(Fault(kind, subject=case.subject, operation=Operation.CANCEL), silence)
    return case


def wait_for_leases(stack: Stack, cases: Iterable[Case]) -> None:
    """Sleep until no worker can have any of these requests any more."""
    for case in cases:
        item = ledger_item(stack, case)
        time.sleep(max(float(item.get("lease_until", {"N": "0"})["N"]) - time.time(), 0.0) + 0.01)


def ledger_item(stack: Stack, case: Case) -> dict[str, Any]:
    """The ledger's item of a request, as DynamoDB has it."""
    answer = stack.aws.dynamodb.get_item(
        TableName=stack.outputs["LedgerTableName"],
        Key={"pk": {"S": f"{case.cancel_type}#{case.cancel_request_id}"}},
        ConsistentRead=True,
    )
    item: dict[str, Any] = dict(answer["Item"])
    return item


@contextmanager
def held_by_a_worker(stack: Stack, case: Case) -> Iterator[None]:
    """A time in which some function has this request."""
    wait_for_leases(stack, [case])
    _set_lease(stack, case, time.time() + 3600)
    try:
        yield
    finally:
        _set_lease(stack, case, 0)


def _set_lease(stack: Stack, case: Case, until: float) -> None:
    stack.aws.dynamodb.update_item(
        TableName=stack.outputs["LedgerTableName"],
        Key={"pk": {"S": f"{case.cancel_type}#{case.cancel_request_id}"}},
        UpdateExpression="SET lease_until = :until",
        ExpressionAttributeValues={":until": {"N": f"{until:.3f}"}},
    )
