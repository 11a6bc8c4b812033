from __future__ import annotations

import json

import pytest

from local.trigger import envelope
from refunds.errors import NotProcessed
from tests.fakes.answers import AwsError
from tests.unit.rig import Rig, Wanted


@pytest.fixture
def paid(rig: Rig) -> Rig:
    rig.world.seed_payment({"imp_uid": "imp_1", "merchant_uid": "ORD-1", "amount": 10_000})
    return rig


def test_returns_the_outcome(paid: Rig) -> None:
    """A single event is carried out, published and returned."""
    wanted = Wanted()
    outcome = paid.invoke("payment_cancel", envelope(wanted.detail))
    assert (outcome["outcome"], outcome["cancel_request_id"]) == ("succeeded", wanted.key)
    assert paid.bus.details() == [outcome]


def test_floats_of_the_runtime_are_money(paid: Rig) -> None:
    """An amount that Lambda's runtime parsed as a float is the amount that was written."""
    event = json.loads(json.dumps(envelope(Wanted(amount=1000).detail)).replace("1000", "1000.0"))
    assert type(event["detail"]["request"]["amount"]) is float
    assert paid.invoke("payment_cancel", event)["money"]["cancelled"] == 1000


def test_a_bare_detail(paid: Rig) -> None:
    """A detail without an envelope is carried out as well."""
    assert paid.invoke("payment_cancel", Wanted().detail)["outcome"] == "succeeded"


def test_a_refusal_is_an_outcome(paid: Rig) -> None:
    """A refused cancellation returns CancelFailed and does not raise: invoking again would change nothing."""
    outcome = paid.invoke("payment_cancel", envelope(Wanted(amount=20_000).detail))
    assert outcome["outcome"] == "failed"
    assert outcome["error"]["code"] == "AMOUNT_EXCEEDS_CANCELLABLE"


def test_raises_when_it_must_be_tried_again(paid: Rig) -> None:
    """During an outage the invocation fails, so that Lambda tries again and keeps the event in the end."""
    wanted = Wanted()
    paid.world.start_outage("refuse")
    with pytest.raises(NotProcessed, match="PROVIDER_UNAVAILABLE"):
        paid.invoke("payment_cancel", envelope(wanted.detail))
    paid.world.end_outage()
    assert paid.invoke("payment_cancel", envelope(wanted.detail))["outcome"] == "succeeded"


def test_raises_until_it_is_published(paid: Rig) -> None:
    """An outcome that EventBridge does not take makes the invocation fail, and the next one publishes it."""
    wanted = Wanted()
    paid.bus.fate.extend([AwsError("AccessDeniedException")] * 2)
    with pytest.raises(NotProcessed, match="did not take it yet"):
        paid.invoke("payment_cancel", envelope(wanted.detail))
    assert paid.invoke("payment_cancel", envelope(wanted.detail))["outcome"] == "succeeded"
    assert paid.world.money.refunded("imp_1") == 1000


def test_invalid_is_parked_and_dead_lettered(paid: Rig) -> None:
    """An invalid event returns CancelParked and is in the DLQ as it came."""
    event = envelope(Wanted(imp_uid="../users").detail)
    outcome = paid.invoke("payment_cancel", event)
    assert (outcome["outcome"], outcome["error"]["code"]) == ("parked", "INVALID_REQUEST")
    assert [json.loads(message["MessageBody"]) for message in paid.queues.sent] == [event]


@pytest.mark.parametrize("event", [None, [], "text", 5, {}, {"detail-type": "OtherRequested", "detail": {}}])
def test_what_names_nobody_goes_to_the_dlq(paid: Rig, event: object) -> None:
    """An event that names no request returns its reason, publishes nothing and is in the DLQ."""
    answer = paid.invoke("payment_cancel", event)
    assert answer["outcome"] is None
    assert answer["error"]["code"] == "INVALID_REQUEST"
    assert paid.bus.taken == []
    assert [json.loads(message["MessageBody"]) for message in paid.queues.sent] == [event]


def test_invalid_without_a_dlq(paid: Rig) -> None:
    """Where there is no DLQ, as under sam local invoke, an invalid event makes the invocation fail."""
    with pytest.raises(NotProcessed, match="INVALID_REQUEST: the event detail is not a JSON object"):
        paid.invoke("payment_cancel", [], changed={"DLQ_URL": ""})
