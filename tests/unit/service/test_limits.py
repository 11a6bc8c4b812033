from __future__ import annotations

import json
from typing import Any

import pytest

from local.simulator import Fault, FaultKind, Operation
from local.trigger import envelope, record
from refunds.ledger.hourly_count import KEY_PREFIX
from tests.fakes.answers import AwsError
from tests.unit.rig import DLQ_URL, MAX_RECEIVE_COUNT, Rig, Wanted, limits

LARGEST = limits(largest=5000)
PER_HOUR = limits(per_hour=2)
WON_PER_HOUR = limits(amount_per_hour=5000)


@pytest.fixture
def paid(rig: Rig) -> Rig:
    """Ten payments of 10,000 won."""
    for number in range(10):
        rig.world.seed_payment(
            {"imp_uid": f"imp_{number}", "merchant_uid": f"ORD-{number}", "amount": 10_000}
        )
    return rig


def deliver(rig: Rig, wanted: Wanted, bounds: dict[str, str], *, receives: int = 1) -> None:
    assert rig.batch("payment_cancel", record(wanted.body, receives=receives), changed=bounds) == []


def item(rig: Rig, wanted: Wanted) -> dict[str, Any]:
    return rig.items[f"payment_cancel#{wanted.key}"]


def counters(rig: Rig) -> list[dict[str, Any]]:
    return [found for key, found in rig.items.items() if key.startswith(KEY_PREFIX)]


def forget_the_hour(rig: Rig) -> None:
    """As if the next hour had begun."""
    for key in [key for key in rig.items if key.startswith(KEY_PREFIX)]:
        del rig.items[key]


def sent(rig: Rig) -> int:
    return sum(request.operation is Operation.CANCEL for request in rig.world.requests)


def test_a_refund_that_is_too_large_is_parked(paid: Rig) -> None:
    """Above the largest refund nothing is sent: the request is parked and not in doubt, its message kept."""
    wanted = Wanted(amount=5001)
    deliver(paid, wanted, LARGEST)
    (detail,) = paid.bus.details()
    assert detail["outcome"] == "parked"
    assert detail["error"]["code"] == "LIMIT_EXCEEDED"
    assert detail["error"]["may_have_been_applied"] is False
    assert detail["error"]["retryable"] is True
    assert detail["money"]["cancelled"] == 0
    found = item(paid, wanted)
    assert found["state"] == {"S": "PARKED"}
    assert not {"in_doubt", "admitted"} & found.keys(), "neither in doubt nor let pass"
    (message,) = paid.queues.sent
    assert (message["QueueUrl"], message["MessageBody"]) == (DLQ_URL, wanted.body)
    assert paid.queues.attributes()[0]["error_code"] == "LIMIT_EXCEEDED"
    assert sent(paid) == 0


def test_the_largest_refund_itself_passes(paid: Rig) -> None:
    """A refund of exactly the limit is carried out."""
    wanted = Wanted(amount=5000)
    deliver(paid, wanted, LARGEST)
    assert paid.outcomes() == {wanted.key: "succeeded"}


def test_a_full_refund_counts_as_what_is_left(paid: Rig) -> None:
    """Without an amount the balance of the payment is compared with the limit."""
    wanted = Wanted(amount=None)
    deliver(paid, wanted, LARGEST)
    assert paid.outcomes() == {wanted.key: "parked"}
    assert sent(paid) == 0


def test_requests_of_an_hour_are_limited(paid: Rig) -> None:
    """Beyond the requests of an hour, requests are parked; the hour's item says how many passed."""
    wanted = [Wanted(f"imp_{number}") for number in range(3)]
    for one in wanted:
        deliver(paid, one, PER_HOUR)
    assert list(paid.outcomes().values()) == ["succeeded", "succeeded", "parked"]
    (counter,) = counters(paid)
    assert (counter["requests"], counter["won"]) == ({"N": "2"}, {"N": "2000"})
    assert "open_state" not in counter


def test_won_of_an_hour_are_limited(paid: Rig) -> None:
    """Beyond the won of an hour a request is parked, and a smaller one that still fits passes."""
    for one in (Wanted("imp_1", 4000), Wanted("imp_2", 1001), Wanted("imp_3", 1000)):
        deliver(paid, one, WON_PER_HOUR)
    assert list(paid.outcomes().values()) == ["succeeded", "parked", "succeeded"]
    assert counters(paid)[0]["won"] == {"N": "5000"}


def test_one_refund_above_the_hours_won_is_parked(paid: Rig) -> None:
    """The first refund of an hour cannot be larger than the hour's limit either."""
    wanted = Wanted(amount=5001)
    deliver(paid, wanted, WON_PER_HOUR)
    assert paid.outcomes() == {wanted.key: "parked"}
    assert counters(paid) == []


def test_concurrent_requests_share_one_limit(paid: Rig) -> None:
    """However many records of a batch ask at once, no more than the limit pass."""
    records = [record(Wanted(f"imp_{number}").body) for number in range(10)]
    assert paid.batch("payment_cancel", *records, changed=limits(per_hour=4)) == []
    outcomes = list(paid.outcomes().values())
    assert (outcomes.count("succeeded"), outcomes.count("parked")) == (4, 6)


@pytest.mark.parametrize("checksum", [None, 10_000])
def test_repetitions_are_counted_once(paid: Rig, checksum: int | None) -> None:
    """A request delivered again uses up nothing, whether it has to be looked for or brings its checksum."""
    wanted = Wanted()
    if checksum:
        wanted.detail["request"]["checksum"] = checksum
    for receives in (1, 2, 3):
        deliver(paid, wanted, PER_HOUR, receives=receives)
    deliver(paid, Wanted("imp_2"), PER_HOUR)
    assert set(paid.outcomes().values()) == {"succeeded"}
    assert counters(paid)[0]["requests"] == {"N": "2"}


def test_a_finished_request_is_repeated_beyond_the_limit(paid: Rig) -> None:
    """What was carried out is published again however full the hour is."""
    wanted = [Wanted(f"imp_{number}") for number in range(3)]
    for one in wanted:
        deliver(paid, one, PER_HOUR)
    paid.bus.reset()
    deliver(paid, wanted[0], PER_HOUR, receives=2)
    assert paid.outcomes() == {wanted[0].key: "succeeded"}


def test_a_retry_is_not_counted_again(paid: Rig) -> None:
    """A request that could not be sent at first is counted once, when it passed."""
    wanted = Wanted()
    paid.world.add_fault(
        Fault(FaultKind.REFUSE, "imp_1", Operation.CANCEL, times=1, message="은행 점검 시간입니다")
    )
    message = record(wanted.body)
    paid.batch("payment_cancel", message, changed=PER_HOUR)
    paid.end_leases()
    paid.batch("payment_cancel", record(wanted.body, receives=2), changed=PER_HOUR)
    assert counters(paid)[0]["requests"] == {"N": "1"}


def test_a_replay_in_the_next_hour_passes(paid: Rig) -> None:
    """A request parked for the hour's limit is carried out when it is replayed later."""
    wanted = [Wanted(f"imp_{number}") for number in range(3)]
    for one in wanted:
        deliver(paid, one, PER_HOUR)
    forget_the_hour(paid)
    deliver(paid, wanted[2], PER_HOUR)
    assert paid.outcomes()[wanted[2].key] == "succeeded"
    assert paid.world.money.refunded("imp_2") == 1000


def test_a_replay_of_what_is_too_large_is_parked_again(paid: Rig) -> None:
    """Replaying does not get a request past a limit."""
    wanted = Wanted(amount=5001)
    for _ in range(2):
        deliver(paid, wanted, LARGEST)
    assert paid.outcomes() == {wanted.key: "parked"}
    assert len({detail["outcome_id"] for detail in paid.bus.details()}) == 1
    assert sent(paid) == 0


def test_what_a_person_let_pass_is_carried_out(paid: Rig) -> None:
    """A request that a person admitted is carried out although it is too large, and only that one."""
    wanted, other = Wanted(amount=5001), Wanted("imp_2", amount=5001)
    deliver(paid, wanted, LARGEST)
    item(paid, wanted)["admitted"] = {"BOOL": True}
    deliver(paid, wanted, LARGEST)
    deliver(paid, other, LARGEST)
    assert paid.outcomes() == {wanted.key: "succeeded", other.key: "parked"}


def test_a_counter_that_cannot_be_written_lets_nothing_pass(paid: Rig) -> None:
    """Fail closed: without the counter nothing is sent and nothing parked, the message comes again."""

    def disturb(_operation: str, key: str) -> None:
        if key.startswith(KEY_PREFIX):
            raise AwsError("AccessDeniedException")

    paid.tables.disturb = disturb
    wanted = Wanted()
    message = record(wanted.body)
    assert paid.batch("payment_cancel", message, changed=PER_HOUR) == [message["messageId"]]
    assert sent(paid) == 0
    assert paid.bus.taken == []


def test_without_limits_nothing_is_counted(paid: Rig) -> None:
    """Where no limit is set, a refund with a checksum takes two ledger writes and no read."""
    wanted = Wanted()
    wanted.detail["request"]["checksum"] = 10_000
    paid.batch("payment_cancel", record(json.dumps(wanted.detail)))
    assert paid.tables.writes == ["PutItem", "UpdateItem"]
    assert "GetItem" not in paid.aws.calls


def test_an_hourly_limit_costs_a_read_and_a_write(paid: Rig) -> None:
    """A counted refund takes one more read and one more write."""
    wanted = Wanted()
    wanted.detail["request"]["checksum"] = 10_000
    paid.batch("payment_cancel", record(json.dumps(wanted.detail)), changed=PER_HOUR)
    assert paid.tables.writes == ["UpdateItem", "PutItem", "UpdateItem"]
    assert paid.aws.calls.count("GetItem") == 1


def test_revocations_are_counted_but_move_nothing(rig: Rig) -> None:
    """Voided numbers use up requests of the hour and no won."""
    for number in range(3):
        rig.world.seed_payment(
            {
                "imp_uid": f"imp_v{number}",
                "merchant_uid": f"V-{number}",
                "amount": 10_000,
                "status": "ready",
                "pay_method": "vbank",
            }
        )
        detail = {**Wanted(amount=None).detail, "request": {"imp_uid": f"imp_v{number}"}}
        rig.batch("vbank_revoke", record(json.dumps(detail)), changed=limits(per_hour=2, amount_per_hour=1))
    assert list(rig.outcomes().values()) == ["succeeded", "succeeded", "parked"]
    assert rig.bus.details()[-1]["money"] is None


def test_an_order_counts_as_its_total(rig: Rig) -> None:
    """An order_cancel above the limit never reaches EBP."""
    item = {"seq": 1, "itemType": "PHYSICAL", "itemId": "P1", "quantity": 2, "amount": 3000}
    rig.world.seed_order({"orderNo": "ORD-9", "items": [item]})
    request = {"orderNo": "ORD-9", "totalCancelAmount": 6000, "items": [item]}
    detail = {**Wanted().detail, "request": request}
    rig.batch("order_cancel", record(json.dumps(detail)), changed=LARGEST)
    assert list(rig.outcomes().values()) == ["parked"]
    assert sent(rig) == 0


def test_a_single_event_is_limited_too(paid: Rig) -> None:
    """An event that invokes the function directly is parked like a message, and returns that outcome."""
    wanted = Wanted(amount=5001)
    answer = paid.invoke("payment_cancel", envelope(wanted.detail), changed=LARGEST)
    assert answer["error"]["code"] == "LIMIT_EXCEEDED"
    assert len(paid.queues.sent) == 1


def test_a_limit_does_not_hide_a_refusal(paid: Rig) -> None:
    """What the look rules out fails as ever: a limit only keeps back what would be sent."""
    wanted = Wanted("imp_nobody", amount=5001)
    deliver(paid, wanted, LARGEST, receives=MAX_RECEIVE_COUNT)
    assert paid.outcomes() == {wanted.key: "failed"}
