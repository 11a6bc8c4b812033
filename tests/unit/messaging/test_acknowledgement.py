from __future__ import annotations

import json

import pytest

from local.simulator import Fault, FaultKind, Operation
from local.trigger import record
from tests.fakes.answers import AwsError
from tests.unit.rig import DLQ_URL, MAX_RECEIVE_COUNT, Rig, Wanted

DENIED = AwsError("AccessDeniedException")
BOTH_ROUNDS = [DENIED, DENIED]


@pytest.fixture
def paid(rig: Rig) -> Rig:
    rig.world.seed_payment({"imp_uid": "imp_1", "merchant_uid": "ORD-1", "amount": 10_000})
    rig.world.seed_payment({"imp_uid": "imp_2", "merchant_uid": "ORD-2", "amount": 10_000})
    return rig


def test_unpublished_is_unacknowledged(paid: Rig) -> None:
    """While EventBridge takes nothing, a message whose refund was carried out is not acknowledged."""
    wanted = Wanted()
    message = record(wanted.body)
    paid.bus.fate.extend(BOTH_ROUNDS)
    assert paid.batch("payment_cancel", message) == [message["messageId"]]
    assert paid.world.money.refunded("imp_1") == 1000
    assert paid.queues.hidden.keys() == {message["messageId"]}
    assert paid.queues.sent == []


def test_unpublished_is_left_to_the_redrive_policy(paid: Rig) -> None:
    """On its last receive, too, a message whose outcome EventBridge did not take stays unacknowledged."""
    wanted = Wanted()
    message = record(wanted.body, receives=MAX_RECEIVE_COUNT)
    paid.bus.fate.extend(BOTH_ROUNDS * 2)
    assert paid.batch("payment_cancel", message) == [message["messageId"]]
    assert paid.queues.sent == []
    assert paid.entry(wanted).unpublished


def test_what_an_earlier_receive_recorded_is_marked_too(paid: Rig) -> None:
    """An outcome recorded for a redelivery to publish is marked when the last receive cannot publish it."""
    wanted = Wanted()
    paid.bus.fate.extend(BOTH_ROUNDS)
    paid.batch("payment_cancel", record(wanted.body))
    assert not paid.entry(wanted).unpublished
    paid.bus.fate.extend(BOTH_ROUNDS * 2)
    message = record(wanted.body, receives=MAX_RECEIVE_COUNT)
    assert paid.batch("payment_cancel", message) == [message["messageId"]]
    assert paid.entry(wanted).unpublished


def test_a_mark_goes_with_the_publication(paid: Rig) -> None:
    """Whoever publishes a marked outcome takes the mark away."""
    wanted = Wanted()
    message = record(wanted.body, receives=MAX_RECEIVE_COUNT)
    paid.bus.fate.extend(BOTH_ROUNDS * 2)
    paid.batch("payment_cancel", message)
    assert paid.batch("payment_cancel", record(wanted.body)) == []
    assert paid.outcomes() == {wanted.key: "succeeded"}
    assert not paid.entry(wanted).unpublished
    assert paid.world.money.refunded("imp_1") == 1000


def test_a_quiet_replay_that_refunds_is_told(paid: Rig) -> None:
    """What a quiet replay carries out itself is published, by the redelivery if not at once."""
    wanted = Wanted()
    paid.bus.fate.extend(BOTH_ROUNDS)
    assert paid.batch("payment_cancel", record(quiet(wanted))) != []
    assert paid.entry(wanted).unpublished
    assert paid.batch("payment_cancel", record(quiet(wanted), receives=2)) == []
    assert paid.outcomes() == {wanted.key: "succeeded"}
    assert not paid.entry(wanted).unpublished
    assert paid.batch("payment_cancel", record(quiet(wanted))) == []
    assert len(paid.bus.taken) == 1


def quiet(wanted: Wanted) -> str:
    """The message of a quiet replay."""
    envelope = {"detail-type": "PaymentCancelRequested", "replay-name": "quiet-november"}
    return json.dumps({**envelope, "detail": wanted.detail})


def test_published_later_from_the_ledger(paid: Rig) -> None:
    """The next delivery publishes the recorded outcome and does not call the provider."""
    wanted = Wanted()
    paid.bus.fate.extend(BOTH_ROUNDS)
    paid.batch("payment_cancel", record(wanted.body))
    calls = len(paid.world.requests)
    assert paid.batch("payment_cancel", record(wanted.body, receives=2)) == []
    assert paid.outcomes() == {wanted.key: "succeeded"}
    assert len(paid.world.requests) == calls


def test_only_what_was_not_taken_comes_again(paid: Rig) -> None:
    """When EventBridge refuses one entry twice, only its message comes again."""
    wanted = [Wanted("imp_1"), Wanted("imp_2")]
    records = [record(one.body) for one in wanted]
    paid.bus.fate.extend([{1}, {0}])
    assert paid.batch("payment_cancel", *records) == [records[1]["messageId"]]
    assert paid.outcomes() == {wanted[0].key: "succeeded"}


def test_a_refused_entry_is_offered_once_more(paid: Rig) -> None:
    """An entry that EventBridge takes at the second offer is acknowledged."""
    wanted = Wanted()
    paid.bus.fate.append({0})
    assert paid.batch("payment_cancel", record(wanted.body)) == []
    assert paid.outcomes() == {wanted.key: "succeeded"}


def test_repetitions_have_one_outcome(paid: Rig) -> None:
    """A message that comes again after its acknowledgement was lost repeats its outcome byte for byte."""
    wanted = Wanted()
    for receives in (1, 2):
        assert paid.batch("payment_cancel", record(wanted.body, receives=receives)) == []
    first, second = paid.bus.taken
    assert first["Detail"] == second["Detail"]
    assert paid.world.money.refunded("imp_1") == 1000


def test_a_quiet_replay_repeats_nothing(paid: Rig) -> None:
    """A replay named quiet- acknowledges a finished request without publishing it again."""
    wanted = Wanted()
    paid.batch("payment_cancel", record(wanted.body))
    assert paid.batch("payment_cancel", record(quiet(wanted))) == []
    assert len(paid.bus.taken) == 1


def test_outage_is_retried_and_then_parked(paid: Rig) -> None:
    """An outage lets the message come again, and on its last receive parks it in ledger, bus and DLQ."""
    wanted = Wanted()
    paid.world.start_outage("unavailable")
    message = record(wanted.body)
    assert paid.batch("payment_cancel", message) == [message["messageId"]]
    assert paid.bus.taken == []
    assert paid.batch("payment_cancel", record(wanted.body, receives=MAX_RECEIVE_COUNT)) == []
    (detail,) = paid.bus.details()
    assert (detail["outcome"], detail["error"]["may_have_been_applied"]) == ("parked", False)
    (sent,) = paid.queues.sent
    assert (sent["QueueUrl"], sent["MessageBody"]) == (DLQ_URL, wanted.body)
    (attributes,) = paid.queues.attributes()
    assert attributes.keys() == {
        "error_code",
        "error_message",
        "cancel_type",
        "cancel_request_id",
        "failed_at",
    }
    assert attributes["error_code"] == detail["error"]["code"] == "PROVIDER_UNAVAILABLE"
    assert attributes["cancel_request_id"] == wanted.key


def test_parked_is_settled_by_a_replay(paid: Rig) -> None:
    """What was parked is carried out when its DLQ copy comes back with its receives counted anew."""
    wanted = Wanted()
    paid.world.start_outage("unavailable")
    paid.batch("payment_cancel", record(wanted.body, receives=MAX_RECEIVE_COUNT))
    paid.world.end_outage()
    (sent,) = paid.queues.sent
    assert paid.batch("payment_cancel", record(sent["MessageBody"])) == []
    assert [detail["outcome"] for detail in paid.bus.details()] == ["parked", "succeeded"]
    assert paid.world.money.refunded("imp_1") == 1000


def test_a_lost_answer_is_resolved_and_not_repeated(paid: Rig) -> None:
    """A refund that was carried out though its answer was lost is found by asking, and refunded once."""
    wanted = Wanted()
    paid.world.add_fault(Fault(FaultKind.DROP_AFTER_COMMIT, "imp_1", operation="cancel"))
    assert paid.batch("payment_cancel", record(wanted.body)) == []
    assert paid.outcomes() == {wanted.key: "succeeded"}
    assert paid.world.money.refunded("imp_1") == 1000
    assert paid.world.calls("imp_1", Operation.CANCEL) == 1


def test_another_payload_under_the_same_key(paid: Rig) -> None:
    """The same id with another amount goes to the DLQ, publishes nothing and changes nothing."""
    wanted = Wanted()
    paid.batch("payment_cancel", record(wanted.body))
    assert paid.batch("payment_cancel", record(Wanted(amount=2000, key=wanted.key).body)) == []
    assert len(paid.bus.taken) == 1
    (attributes,) = paid.queues.attributes()
    assert attributes["error_code"] == "DUPLICATE_KEY_DIFFERENT_PAYLOAD"
    assert paid.world.money.refunded("imp_1") == 1000


def test_a_broken_repetition_of_a_finished_request(paid: Rig) -> None:
    """A malformed message under the key of a finished request goes to the DLQ and publishes nothing."""
    wanted = Wanted()
    paid.batch("payment_cancel", record(wanted.body))
    broken = {**wanted.detail, "request": {"imp_uid": "imp_1", "amount": -1}}
    assert paid.batch("payment_cancel", record(json.dumps(broken))) == []
    assert len(paid.bus.taken) == 1
    assert [attributes["error_code"] for attributes in paid.queues.attributes()] == ["INVALID_REQUEST"]


@pytest.mark.parametrize("receives", [1, MAX_RECEIVE_COUNT])
def test_what_cannot_be_moved_stays(paid: Rig, receives: int) -> None:
    """A message that cannot be copied to the DLQ is not acknowledged: SQS still has it."""
    paid.queues.fate.append(DENIED)
    message = record("not json", receives=receives)
    assert paid.batch("payment_cancel", message) == [message["messageId"]]
    assert paid.queues.hidden.keys() == {message["messageId"]}


def test_hiding_may_fail(paid: Rig) -> None:
    """When its visibility cannot be changed, a message still comes again by the queue's own timeout."""
    paid.world.start_outage("unavailable")
    paid.queues.fate.append(DENIED)
    message = record(Wanted().body)
    assert paid.batch("payment_cancel", message) == [message["messageId"]]
    assert paid.queues.hidden == {}


def test_a_live_lease_is_waited_for(paid: Rig) -> None:
    """A message whose request another worker has in hand comes again after that worker's lease."""
    wanted = Wanted()
    paid.batch("payment_cancel", record(wanted.body))
    item = paid.items[f"payment_cancel#{wanted.key}"]
    paid.items[f"payment_cancel#{wanted.key}"] = {
        **{name: value for name, value in item.items() if name not in ("outcome", "proof", "expires_at")},
        "state": {"S": "STARTED"},
        "lease_until": {"N": str(int(paid.world.clock()) + 300)},
    }
    message = record(wanted.body)
    assert paid.batch("payment_cancel", message) == [message["messageId"]]
    assert paid.queues.hidden[message["messageId"]] >= 295
    assert paid.world.money.refunded("imp_1") == 1000


def test_no_personal_data_leaves(paid: Rig) -> None:
    """Bank account, holder and phone go to the provider and into no item, outcome or DLQ attribute."""
    private = {
        "refund_holder": "홍길동",
        "refund_bank": "004",
        "refund_account": "00998877665544",
        "refund_tel": "01087654321",
    }
    detail = Wanted().detail
    for amount in (1000, 10**9):
        body = {**detail, "cancel_request_id": f"cr-private-{amount}"}
        body["request"] = {**detail["request"], **private, "amount": amount}
        paid.batch("payment_cancel", record(json.dumps(body), receives=MAX_RECEIVE_COUNT))
    broken = {**detail, "request": {**private, "imp_uid": "a/b"}}
    paid.batch("payment_cancel", record(json.dumps(broken)))
    left_behind = json.dumps([paid.items, paid.bus.taken, paid.queues.attributes()], ensure_ascii=False)
    assert len(paid.bus.taken) == 3
    for name in ("refund_holder", "refund_account", "refund_tel"):
        assert private[name] not in left_behind
        assert private[name].encode("unicode_escape").decode() not in left_behind
