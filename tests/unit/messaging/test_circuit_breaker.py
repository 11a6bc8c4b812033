from __future__ import annotations

import itertools
import time
from collections.abc import Mapping
from dataclasses import dataclass

import pytest

from local.trigger import record
from refunds.messaging.circuit_breaker import Circuit
from tests.fakes.answers import AwsError
from tests.unit.rig import DLQ_URL, MAX_RECEIVE_COUNT, QUEUE_URL, Rig, Wanted

FAILURES = 3
COOL_DOWN = 60.0
LONG_AGO = 1_000_000_000
_numbers = itertools.count(1)


@dataclass
class Clock:
    """Seconds that pass only when told to."""

    now: float = 1000.0

    def __call__(self) -> float:
        """The time."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def circuit(clock: Clock) -> Circuit:
    return Circuit(failures=FAILURES, cool_down=COOL_DOWN, clock=clock)


def open_it(circuit: Circuit) -> None:
    for _ in range(FAILURES):
        circuit.failed()


def test_it_opens_after_failures_in_a_row(circuit: Circuit) -> None:
    """Fewer failures than it takes hold nothing back, as many do for the whole cool-down."""
    for _ in range(FAILURES - 1):
        circuit.failed()
    assert circuit.wait() == 0
    circuit.failed()
    assert circuit.wait() == COOL_DOWN


def test_an_answer_in_between_starts_the_count_anew(circuit: Circuit) -> None:
    """Failures that are not in a row do not open it."""
    for _ in range(FAILURES * 2):
        circuit.failed()
        circuit.succeeded()
    assert circuit.wait() == 0


def test_one_probe_per_cool_down(circuit: Circuit, clock: Clock) -> None:
    """When the cool-down is over, one message goes ahead and the others wait for the next."""
    open_it(circuit)
    clock.now += COOL_DOWN
    assert [circuit.wait() for _ in range(3)] == [0, COOL_DOWN, COOL_DOWN]


def test_a_failed_probe_begins_a_cool_down(circuit: Circuit, clock: Clock) -> None:
    """A probe that fails late holds messages back for a cool-down from then on."""
    open_it(circuit)
    clock.now += COOL_DOWN
    assert circuit.wait() == 0
    clock.now += 30
    circuit.failed()
    assert circuit.wait() == COOL_DOWN


def test_a_probe_that_asked_nothing_blocks_nothing(circuit: Circuit, clock: Clock) -> None:
    """A probe that never called the provider is followed by another one a cool-down later."""
    open_it(circuit)
    for _ in range(2):
        clock.now += COOL_DOWN
        assert circuit.wait() == 0


def test_it_closes_with_the_first_answer(circuit: Circuit) -> None:
    """One proper answer lets everything go ahead."""
    open_it(circuit)
    circuit.succeeded()
    assert [circuit.wait() for _ in range(3)] == [0, 0, 0]


@pytest.fixture
def paid(rig: Rig) -> Rig:
    for number in range(10):
        rig.world.seed_payment(
            {"imp_uid": f"imp_{number}", "merchant_uid": f"ORD-{number}", "amount": 10_000}
        )
    return rig


@pytest.fixture
def breaker() -> Mapping[str, str]:
    """A function of its own: nobody else's failures have opened its circuit."""
    return cooling_down(60)


def cooling_down(seconds: float) -> Mapping[str, str]:
    number = next(_numbers)
    return {"CIRCUIT_FAILURES": str(FAILURES), "CIRCUIT_COOL_DOWN_SECONDS": str(seconds + number / 1000)}


def down(rig: Rig, breaker: Mapping[str, str]) -> None:
    """The provider fails until the circuit is open."""
    rig.world.start_outage()
    for number in range(FAILURES):
        rig.batch("payment_cancel", record(Wanted(f"imp_{number}").body), changed=breaker)
    rig.queues.reset()


def test_during_an_outage_messages_are_put_back(paid: Rig, breaker: Mapping[str, str]) -> None:
    """A message that finds the circuit open is sent again as it is, delayed, then acknowledged, unasked."""
    down(paid, breaker)
    asked = len(paid.world.requests)
    wanted = Wanted("imp_9")
    assert paid.batch("payment_cancel", record(wanted.body), changed=breaker) == []
    (copy,) = paid.queues.sent
    assert (copy["QueueUrl"], copy["MessageBody"]) == (QUEUE_URL, wanted.body)
    assert 1 <= copy["DelaySeconds"] <= 900
    assert len(paid.world.requests) == asked
    assert wanted.key not in paid.outcomes()
    assert f"payment_cancel#{wanted.key}" not in paid.items


def test_the_last_receive_is_put_back_too(paid: Rig, breaker: Mapping[str, str]) -> None:
    """An open circuit never leads a message to the DLQ, whatever its receives."""
    down(paid, breaker)
    message = record(Wanted("imp_9").body, receives=MAX_RECEIVE_COUNT)
    assert paid.batch("payment_cancel", message, changed=breaker) == []
    assert [one["QueueUrl"] for one in paid.queues.sent] == [QUEUE_URL]


def test_copies_remember_since_when(paid: Rig, breaker: Mapping[str, str]) -> None:
    """A copy that is put back again keeps the time of the first."""
    down(paid, breaker)
    since = int(time.time()) - 3600
    assert paid.batch("payment_cancel", held(Wanted("imp_9"), since), changed=breaker) == []
    assert paid.queues.attributes() == [{"held_since": str(since)}]


def test_who_was_held_for_too_long_is_tried(paid: Rig, breaker: Mapping[str, str]) -> None:
    """After the longest hold a message is worked on as ever, and its last receive leads to the DLQ."""
    down(paid, breaker)
    message = held(Wanted("imp_9"), LONG_AGO, receives=MAX_RECEIVE_COUNT)
    assert paid.batch("payment_cancel", message, changed=breaker) == []
    assert [one["QueueUrl"] for one in paid.queues.sent] == [DLQ_URL]
    assert paid.queues.attributes()[0]["error_code"] == "PROVIDER_UNAVAILABLE"


def test_a_copy_that_cannot_be_sent_leaves_the_message(paid: Rig, breaker: Mapping[str, str]) -> None:
    """If the copy cannot be sent, the message itself stays in its queue."""
    down(paid, breaker)
    paid.queues.fate.append(AwsError("AccessDeniedException"))
    message = record(Wanted("imp_9").body)
    assert paid.batch("payment_cancel", message, changed=breaker) == [message["messageId"]]
    assert paid.queues.hidden.keys() == {message["messageId"]}


def test_what_breaks_the_contract_is_not_held(paid: Rig, breaker: Mapping[str, str]) -> None:
    """An invalid message needs no provider: it goes to the DLQ at once, outage or not."""
    down(paid, breaker)
    assert paid.batch("payment_cancel", record("{}"), changed=breaker) == []
    assert [one["QueueUrl"] for one in paid.queues.sent] == [DLQ_URL]


def test_it_recovers_by_itself(paid: Rig) -> None:
    """Once the provider is back, a probe closes the circuit and everything held is carried out."""
    breaker = cooling_down(0.1)
    down(paid, breaker)
    paid.world.end_outage()
    wanted = [Wanted(f"imp_{number}") for number in range(5, 9)]
    waiting = [record(one.body) for one in wanted]
    for _ in range(200):
        paid.queues.reset()
        assert paid.batch("payment_cancel", *waiting, changed=breaker) == []
        waiting = [record(message["MessageBody"]) for message in paid.queues.sent]
        if not waiting:
            break
    assert [paid.outcomes()[one.key] for one in wanted] == ["succeeded"] * 4
    assert [paid.world.money.refunded(one.imp_uid) for one in wanted] == [1000] * 4


def test_refusals_do_not_open_it(paid: Rig, breaker: Mapping[str, str]) -> None:
    """A provider that says no is there: any number of refusals hold nothing back."""
    for _ in range(FAILURES * 2):
        paid.batch("payment_cancel", record(Wanted("imp_nobody").body), changed=breaker)
    wanted = Wanted("imp_9")
    paid.batch("payment_cancel", record(wanted.body), changed=breaker)
    assert paid.outcomes()[wanted.key] == "succeeded"


@pytest.mark.parametrize("value", ["", "soon", "nan", "inf"])
def test_a_stranger_attribute_is_ignored(paid: Rig, breaker: Mapping[str, str], value: str) -> None:
    """An attribute of that name with anything but a time in it does no harm."""
    message = record(Wanted("imp_9").body)
    message["messageAttributes"] = {"held_since": {"stringValue": value, "dataType": "String"}}
    assert paid.batch("payment_cancel", message, changed=breaker) == []
    assert set(paid.outcomes().values()) == {"succeeded"}


def held(wanted: Wanted, since: int, *, receives: int = 1) -> dict[str, object]:
    """A copy of a message that was held back."""
    message = record(wanted.body, receives=receives)
    message["messageAttributes"] = {"held_since": {"stringValue": str(since), "dataType": "Number"}}
    return message
