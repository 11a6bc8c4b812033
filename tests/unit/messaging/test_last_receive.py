from __future__ import annotations

import pytest

from local.trigger import record
from refunds.contracts.outbound import OutcomeKind
from refunds.domain.disposition import DeadLetter, Disposition, Publish, Reason, Redeliver, Source
from refunds.errors import ErrorCode
from refunds.service.parts import Delivery
from tests.fakes.answers import AwsError
from tests.unit.messaging.parts import Asked, Bench, Service, bench, entry, outcome, stored
from tests.unit.rig import DLQ_URL, MAX_RECEIVE_COUNT, Wanted

DENIED = AwsError("AccessDeniedException")
BUSY = Reason(ErrorCode.OUTCOME_UNKNOWN, "another worker has it in hand")


def crash(_asked: Asked, _delivery: Delivery) -> Disposition:
    raise RuntimeError("account 00123456789")


def leased(_asked: Asked, _delivery: Delivery) -> Disposition:
    return Redeliver(BUSY, not_before=60)


def last(wanted: Wanted) -> dict[str, object]:
    return record(wanted.body, receives=MAX_RECEIVE_COUNT)


def dead_letters(one: Bench) -> list[str]:
    return [message["MessageBody"] for message in one.queues.sent if message["QueueUrl"] == DLQ_URL]


def test_a_crash_is_parked_and_told() -> None:
    """A record that crashes on its last receive is parked, told to accounting, and moved with its reason."""
    wanted = Wanted()
    with bench(Service(process=crash)) as one:
        assert one.batch(last(wanted)) == []
    assert one.told == {wanted.key: "parked"}
    assert one.service.marks_gone == [wanted.key]
    assert dead_letters(one) == [wanted.body]
    (attributes,) = one.queues.attributes()
    assert attributes["error_code"] == "OUTCOME_UNKNOWN"
    assert "log line" in attributes["error_message"]
    assert "00123456789" not in one.log.getvalue()


def test_before_its_last_receive_it_comes_again() -> None:
    """Nothing is parked while a receive is left."""
    with bench(Service(process=crash)) as one:
        message = record(Wanted().body, receives=MAX_RECEIVE_COUNT - 1)
        assert one.batch(message) == [message["messageId"]]
    assert (one.service.parked, one.queues.sent, one.told) == ([], [], {})


def test_a_lease_of_somebody_else_is_noted() -> None:
    """A message whose request another worker has in hand is moved once the ledger knows of it."""
    wanted = Wanted()
    service = Service(process=leased, parks=lambda _asked, reason: DeadLetter(reason))
    with bench(service) as one:
        assert one.batch(last(wanted)) == []
    assert service.parked == [(wanted.key, BUSY)]
    assert one.told == {}
    assert dead_letters(one) == [wanted.body]
    assert one.queues.attributes()[0]["error_code"] == "OUTCOME_UNKNOWN"


def test_another_workers_outcome_is_published_instead() -> None:
    """What ended meanwhile is published as it stands, and its message is not a dead letter."""
    wanted = Wanted()
    service = Service(
        process=leased, parks=lambda asked, _why: stored(asked.cancel_request_id, unpublished=True)
    )
    with bench(service) as one:
        assert one.batch(last(wanted)) == []
    assert one.told == {wanted.key: "succeeded"}
    assert service.marks_gone == [wanted.key]
    assert one.queues.sent == []


def test_a_ledger_that_does_not_answer_leaves_it_to_the_redrive_policy() -> None:
    """Where nothing can be parked, the message is left to SQS: without a reason it counts as untold."""

    def refuse(_asked: Asked, _why: Reason) -> Disposition:
        raise DENIED

    with bench(Service(process=crash, parks=refuse)) as one:
        message = last(Wanted())
        assert one.batch(message) == [message["messageId"]]
    assert (one.told, one.queues.sent) == ({}, [])


def test_what_eventbridge_does_not_take_is_known_to_the_ledger() -> None:
    """An outcome not taken on the last receive is marked unpublished, and stays unacknowledged."""
    wanted = Wanted()
    known = Service(
        process=lambda asked, _delivery: Publish(outcome(asked.cancel_request_id), source=Source.LEDGER),
        parks=lambda asked, _why: stored(asked.cancel_request_id, unpublished=True),
    )
    with bench(known) as one:
        one.bus.fate.extend([DENIED] * 4)
        message = last(wanted)
        assert one.batch(message) == [message["messageId"]]
    assert [key for key, _ in known.parked] == [wanted.key]
    assert (known.marks_gone, one.queues.sent) == ([], [])


def test_what_breaks_the_contract_and_is_not_taken_stays() -> None:
    """An invalid message that could not be told stays without a reason, whatever its receives."""
    broken = Wanted(imp_uid="../users")
    with bench() as one:
        one.bus.fate.extend([DENIED] * 4)
        message = last(broken)
        assert one.batch(message) == [message["messageId"]]
    assert one.queues.sent == []


def test_what_nobody_would_publish_again_is_marked() -> None:
    """On the last receive the service records as unpublished, and the mark goes once EventBridge took it."""
    first, final = Wanted("imp_1"), Wanted("imp_2")
    with bench() as one:
        assert one.batch(record(first.body), last(final)) == []
    assert one.service.marks_gone == [final.key]


def test_a_mark_that_cannot_be_taken_away_is_left_to_the_sweeper() -> None:
    """A ledger that does not answer after the publication costs a repetition and no message."""
    wanted = Wanted()

    def refuse(_mark: object) -> None:
        raise DENIED

    with bench(Service(note=refuse)) as one:
        assert one.batch(last(wanted)) == []
    assert one.told == {wanted.key: "succeeded"}


def test_neighbours_are_published_before_anything_is_parked() -> None:
    """Finished records are on the bus before the ledger is asked about unfinished ones."""
    done, stuck = Wanted("imp_1"), Wanted("imp_2")
    order: list[str] = []

    def process(asked: Asked, delivery: Delivery) -> Disposition:
        if asked.cancel_request_id == stuck.key:
            raise RuntimeError
        return Publish(outcome(asked.cancel_request_id), mark=None if delivery.republished else entry("x"))

    def parks(asked: Asked, reason: Reason) -> Disposition:
        order.extend(one.told)
        return Publish(outcome(asked.cancel_request_id, OutcomeKind.PARKED), dead_letter=reason)

    with bench(Service(process=process, parks=parks)) as one:
        assert one.batch(last(stuck), record(done.body)) == []
    assert order == [done.key]


@pytest.mark.parametrize("attempts", [1, 2])
def test_a_dead_letter_that_cannot_be_sent_is_tried_twice(attempts: int) -> None:
    """On the last receive the move to the DLQ is tried once more; then SQS has the message."""
    wanted = Wanted()

    def parked(asked: Asked, _delivery: Delivery) -> Disposition:
        return Publish(outcome(asked.cancel_request_id, OutcomeKind.PARKED), dead_letter=BUSY)

    with bench(Service(process=parked)) as one:
        one.queues.fate.extend([DENIED] * attempts)
        message = last(wanted)
        assert one.batch(message) == ([message["messageId"]] if attempts == 2 else [])
    assert one.told == {wanted.key: "parked"}
