from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable

import pytest

from local.trigger import envelope, record
from refunds.domain.entry import State
from tests.fakes.answers import AwsError
from tests.unit.rig import MAX_RECEIVE_COUNT, Rig, Wanted


@pytest.fixture
def paid(rig: Rig) -> Rig:
    """Ten payments of 10,000 won."""
    for number in range(10):
        rig.world.seed_payment(
            {"imp_uid": f"imp_{number}", "merchant_uid": f"ORD-{number}", "amount": 10_000}
        )
    return rig


def refuse(key: str, code: str = "AccessDeniedException") -> object:
    """Let DynamoDB refuse everything about one request."""

    def disturb(_operation: str, asked: str) -> None:
        if asked.endswith(key):
            raise AwsError(code)

    return disturb


def test_a_crash_stops_its_own_record_only(paid: Rig) -> None:
    """A record that fails for a reason nobody foresaw comes again, and its neighbours are done."""
    wanted = [Wanted(f"imp_{number}") for number in range(3)]
    paid.tables.disturb = refuse(wanted[1].key)  # type: ignore[assignment]
    records = [record(one.body) for one in wanted]
    assert paid.batch("payment_cancel", *records) == [records[1]["messageId"]]
    assert paid.outcomes() == {wanted[0].key: "succeeded", wanted[2].key: "succeeded"}
    assert paid.queues.hidden.keys() == {records[1]["messageId"]}


def test_a_crash_before_the_claim_is_parked_on_the_last_receive(paid: Rig) -> None:
    """A record that fails on its last receive before anything was sent is told as not carried out."""
    wanted = Wanted("imp_1")
    paid.tables.disturb = refuse_once(wanted.key, "PutItem")
    assert paid.batch("payment_cancel", record(wanted.body, receives=MAX_RECEIVE_COUNT)) == []
    (detail,) = paid.bus.details()
    assert (detail["outcome"], detail["error"]["may_have_been_applied"]) == ("parked", False)
    (attributes,) = paid.queues.attributes()
    assert attributes["error_code"] == "PROVIDER_UNAVAILABLE"
    assert "log line" in attributes["error_message"]
    assert not paid.entry(wanted).unpublished


def test_a_crash_after_the_send_is_known_to_the_ledger(paid: Rig) -> None:
    """A record that fails on its last receive after it sent leaves an open item, and its message is moved."""
    wanted = Wanted("imp_1")
    paid.tables.disturb = refuse_once(wanted.key, "UpdateItem")
    assert paid.batch("payment_cancel", record(wanted.body, receives=MAX_RECEIVE_COUNT)) == []
    assert paid.world.money.refunded("imp_1") == 1000
    assert paid.bus.taken == []
    assert paid.queues.attributes()[0]["error_code"] == "OUTCOME_UNKNOWN"
    assert (paid.entry(wanted).state, paid.entry(wanted).in_doubt) == (State.STARTED, True)


def test_a_ledger_that_is_away_leaves_the_message_to_sqs(paid: Rig) -> None:
    """Where the ledger answers nothing on the last receive, the message goes to the DLQ by SQS alone."""
    wanted = Wanted("imp_1")
    paid.tables.disturb = refuse(wanted.key)  # type: ignore[assignment]
    message = record(wanted.body, receives=MAX_RECEIVE_COUNT)
    assert paid.batch("payment_cancel", message) == [message["messageId"]]
    assert (paid.queues.sent, paid.bus.taken) == ([], [])


def refuse_once(key: str, operation: str) -> Callable[[str, str], None]:
    """Let DynamoDB refuse the first such call about one request."""
    left = [operation]

    def disturb(asked: str, about: str) -> None:
        if about.endswith(key) and asked in left:
            left.remove(asked)
            raise AwsError("AccessDeniedException")

    return disturb


@pytest.mark.parametrize(
    "body", ["", "not json", "[]", "null", '{"a": 1, "a": 2}', "9" * 5000, "[" * 100_000]
)
def test_bad_records_leave_their_neighbours_alone(paid: Rig, body: str) -> None:
    """Whatever a body is, its record is moved away and the records around it are carried out."""
    first, final_receive = Wanted("imp_1"), Wanted("imp_2")
    records = [record(first.body), record(body or " "), record(final_receive.body)]
    assert paid.batch("payment_cancel", *records) == []
    assert paid.outcomes() == {first.key: "succeeded", final_receive.key: "succeeded"}
    assert [message["MessageBody"] for message in paid.queues.sent] == [body or " "]


def test_a_huge_body_is_moved_whole(paid: Rig) -> None:
    """A body of 256 KB that breaks the contract reaches the DLQ to its last byte."""
    huge = Wanted("imp_1").body[:-1] + ', "reason": "' + "가" * 85_000 + '"}'
    assert paid.batch("payment_cancel", record(huge)) == []
    assert [message["MessageBody"] for message in paid.queues.sent] == [huge]


@pytest.mark.parametrize("foreign", [{"source": "somebody-else"}, {"account": "999999999999"}])
def test_foreign_events_are_told_and_never_sent(paid: Rig, foreign: dict[str, str]) -> None:
    """A function carries out the order service's events of its own account only."""
    wanted, own = Wanted("imp_1"), Wanted("imp_2")
    good = {**envelope(own.detail), "account": "111122223333"}
    strange = {**envelope(wanted.detail), "account": "111122223333", **foreign}
    records = [record(json.dumps(event)) for event in (strange, good)]
    changed = {"ORDER_EVENT_ACCOUNT": "111122223333"}
    assert paid.batch("payment_cancel", *records, changed=changed) == []
    assert paid.outcomes() == {wanted.key: "parked", own.key: "succeeded"}
    assert paid.world.money.refunded("imp_1") == 0
    assert paid.queues.attributes()[0]["error_code"] == "INVALID_REQUEST"


def test_records_run_side_by_side(paid: Rig) -> None:
    """Records of different payments are carried out at the same time."""
    everybody = threading.Barrier(4, timeout=300)

    def meet(operation: str, _key: str) -> None:
        if operation == "PutItem":
            everybody.wait()

    paid.tables.disturb = meet
    records = [record(Wanted(f"imp_{number}").body) for number in range(4)]
    assert paid.batch("payment_cancel", *records) == []
    assert len(paid.world.money.movements) == 4


def test_one_payment_keeps_its_order(paid: Rig) -> None:
    """Cancellations of one payment are carried out in the order of the batch, one after another."""
    amounts = [400, 100, 300, 200]
    records = [record(Wanted("imp_1", amount).body) for amount in amounts]
    assert paid.batch("payment_cancel", *records) == []
    assert [movement.amount for movement in paid.world.money.of("imp_1")] == amounts
    attempts = [detail["attempts"] for detail in paid.bus.details()]
    assert attempts == [1, 1, 1, 1]


def test_a_slow_record_does_not_hold_finished_ones(paid: Rig) -> None:
    """When the time is used up, finished records are acknowledged and the slow one comes again."""
    slow, quick = Wanted("imp_1"), Wanted("imp_2")
    hasty = {f"{name}_TIMEOUT_SECONDS": "1" for name in ("CONNECT", "READ", "LOOKUP")}
    for warming in (Wanted("imp_3"), Wanted("imp_3")):
        began = time.monotonic()
        paid.batch("payment_cancel", record(warming.body), changed=hasty)
    seconds = 6 + 20 * (time.monotonic() - began)  # a slow machine gets more: the quick record is to finish
    release = threading.Event()

    def stall(operation: str, key: str) -> None:
        if operation == "UpdateItem" and key.endswith(slow.key):
            release.wait(timeout=300)

    paid.tables.disturb = stall
    records = [record(slow.body), record(quick.body)]
    try:
        assert paid.batch("payment_cancel", *records, seconds=seconds, changed=hasty) == [
            records[0]["messageId"]
        ]
        assert quick.key in paid.outcomes()
        assert slow.key not in paid.outcomes()
    finally:
        release.set()
    paid.tables.disturb = lambda _operation, _key: None
    assert _finished(paid, slow)
    assert paid.batch("payment_cancel", record(slow.body, receives=2)) == []
    assert paid.outcomes()[slow.key] == "succeeded"
    assert paid.world.money.refunded("imp_1") == 1000


def _finished(rig: Rig, wanted: Wanted) -> bool:
    """Whether the worker that was left behind recorded its result after all."""
    pause = threading.Event()
    for _ in range(200):
        if rig.entry(wanted).state is State.SUCCEEDED:
            return True
        pause.wait(0.05)
    return False


def test_an_empty_batch(paid: Rig) -> None:
    """A batch without records is answered without a call to anybody."""
    assert paid.batch("payment_cancel") == []
    assert paid.aws.calls == []
