from __future__ import annotations

import pytest

from local.trigger import envelope, record
from refunds.errors import NotProcessed
from tests.fakes.answers import AwsError
from tests.unit.rig import DLQ_URL, MAX_RECEIVE_COUNT, QUEUE_URL, Rig, Wanted

PAUSED = {"SENDING_PAUSED": "true"}


@pytest.fixture
def paid(rig: Rig) -> Rig:
    rig.world.seed_payment({"imp_uid": "imp_1", "merchant_uid": "ORD-1", "amount": 10_000})
    return rig


@pytest.mark.parametrize("receives", [1, MAX_RECEIVE_COUNT, MAX_RECEIVE_COUNT + 1])
def test_a_paused_function_puts_messages_back(paid: Rig, receives: int) -> None:
    """What still reaches a paused function goes back into its queue, however often it was received."""
    wanted = Wanted()
    assert paid.batch("payment_cancel", record(wanted.body, receives=receives), changed=PAUSED) == []
    (copy,) = paid.queues.sent
    assert (copy["QueueUrl"], copy["MessageBody"]) == (QUEUE_URL, wanted.body)
    assert (paid.bus.taken, paid.items, paid.world.requests) == ([], {}, [])


def test_a_pause_has_no_end_of_its_own(paid: Rig) -> None:
    """However long ago a message was held first, a pause holds it."""
    message = record(Wanted().body)
    message["messageAttributes"] = {"held_since": {"stringValue": "1", "dataType": "Number"}}
    assert paid.batch("payment_cancel", message, changed=PAUSED) == []
    assert [one["QueueUrl"] for one in paid.queues.sent] == [QUEUE_URL]


def test_a_paused_function_refuses_single_events(paid: Rig) -> None:
    """An event that invokes a paused function fails, so that Lambda keeps it, and nothing is sent."""
    with pytest.raises(NotProcessed, match="paused"):
        paid.invoke("payment_cancel", envelope(Wanted().detail), changed=PAUSED)
    assert paid.world.requests == []


def test_a_pause_repeats_what_is_stored(paid: Rig) -> None:
    """A finished request's outcome is published again during a pause, and nobody is asked for it."""
    wanted = Wanted()
    paid.bus.fate.extend([AwsError("AccessDeniedException")] * 2)
    paid.batch("payment_cancel", record(wanted.body))
    calls = len(paid.world.requests)
    assert paid.batch("payment_cancel", record(wanted.body, receives=2), changed=PAUSED) == []
    assert paid.outcomes() == {wanted.key: "succeeded"}
    assert (paid.queues.sent, len(paid.world.requests)) == ([], calls)


def test_what_was_held_goes_on_after_the_pause(paid: Rig) -> None:
    """The copy of a held message is carried out once sending is on."""
    wanted = Wanted()
    paid.batch("payment_cancel", record(wanted.body), changed=PAUSED)
    (copy,) = paid.queues.sent
    paid.batch("payment_cancel", record(copy["MessageBody"]))
    assert paid.outcomes() == {wanted.key: "succeeded"}
    assert paid.world.money.refunded("imp_1") == 1000


def test_a_pause_still_parks_what_breaks_the_contract(paid: Rig) -> None:
    """An invalid message goes to the DLQ during a pause: nothing has to be sent for that."""
    paid.batch("payment_cancel", record("{}"), changed=PAUSED)
    assert [one["QueueUrl"] for one in paid.queues.sent] == [DLQ_URL]
