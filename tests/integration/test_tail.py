"""What `make tail` shows of a stack."""

from __future__ import annotations

import time
import uuid

from local.demo.cast import Cast
from local.demo.play import send_events
from local.simulator.control import SimulatorControl
from local.stack import Stack
from local.stack.tail import tail

_PATIENCE_SECONDS = 240.0


def rules(stack: Stack) -> list[str]:
    """Who listens on the accounting bus."""
    found = stack.aws.events.list_rules(EventBusName=stack.outputs["AccountingBusName"])["Rules"]
    return [rule["Name"] for rule in found]


def test_outcomes_are_shown_as_they_come(stack: Stack, simulator: SimulatorControl) -> None:
    """A refund's outcome is a line within seconds, and what listened is gone afterwards."""
    cast = Cast(run=uuid.uuid4().hex[:8])
    simulator.seed_payments(cast.paid(1))
    request = cast.request("payment_cancel", 1, {"imp_uid": cast.payment(1), "amount": 1_000})
    shown: list[str] = []
    until = time.monotonic() + _PATIENCE_SECONDS

    def goes_on() -> bool:
        if len(shown) == 1:  # it listens
            send_events(stack, [request])
            shown.append("asked")
        return len(shown) < 3 and time.monotonic() < until

    before = rules(stack)
    tail(stack, shown.append, goes_on=goes_on)
    _, _, line = shown
    assert line == f"CancelSucceeded  {request.cancel_request_id}  payment_cancel  revision 2  1,000 won"
    assert rules(stack) == before
