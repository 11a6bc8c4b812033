from __future__ import annotations

import json

import pytest

from local.trigger import record
from refunds.domain.entry import State
from tests.fakes.answers import AwsError
from tests.unit.rig import MAX_RECEIVE_COUNT, Rig, Wanted

DENIED = AwsError("AccessDeniedException")


@pytest.fixture
def late(rig: Rig) -> Rig:
    """A PayPal payment of 726.24 dollars."""
    payment = {"imp_uid": "imp_1", "merchant_uid": "ORD-1", "amount": "726.24", "pg_provider": "paypal_v2"}
    rig.world.seed_payment(payment)
    return rig


def dollars(wanted: Wanted) -> str:
    """The message, in the payment's currency."""
    body = {**wanted.detail, "currency": "USD"}
    body["request"] = {**body["request"], "amount": "@"}
    return json.dumps(body).replace('"@"', "181.56")


@pytest.mark.parametrize("receives", [1, MAX_RECEIVE_COUNT])
def test_pending_is_told_and_acknowledged(late: Rig, receives: int) -> None:
    """What PayPal accepted is told as pending, and its message waits nowhere."""
    wanted = Wanted()
    assert late.batch("payment_cancel", record(dollars(wanted), receives=receives)) == []
    (detail,) = late.bus.details()
    assert late.bus.taken[0]["DetailType"] == "CancelPending"
    assert (detail["outcome"], detail["money"]["currency"]) == ("pending", "USD")
    assert '"cancelled":181.56' in late.bus.taken[0]["Detail"].replace(" ", "")
    assert late.queues.sent == []
    assert (late.entry(wanted).state, late.entry(wanted).unpublished) == (State.PENDING, False)


def test_pending_is_repeated_to_the_letter(late: Rig) -> None:
    """A redelivery of a pending request publishes the stored statement and sends nothing."""
    wanted = Wanted()
    for receives in (1, 2):
        assert late.batch("payment_cancel", record(dollars(wanted), receives=receives)) == []
    first, second = late.bus.taken
    assert first["Detail"] == second["Detail"]


@pytest.mark.parametrize("changed", [{}, {"SENDING_PAUSED": "true"}])
def test_pending_that_was_not_taken(late: Rig, changed: dict[str, str]) -> None:
    """A pending statement that EventBridge did not take is published by the next delivery, pause or not."""
    wanted = Wanted()
    late.bus.fate.extend([DENIED] * 2)
    message = record(dollars(wanted))
    assert late.batch("payment_cancel", message) == [message["messageId"]]
    again = record(dollars(wanted), receives=2)
    assert late.batch("payment_cancel", again, changed=changed) == []
    assert late.outcomes() == {wanted.key: "pending"}
