from __future__ import annotations

import json

import pytest

from local.trigger import envelope, record
from refunds.contracts.outbound import OutcomeKind
from refunds.domain.disposition import DeadLetter, Disposition, Publish, Reason
from refunds.errors import ErrorCode, NotProcessed
from refunds.service.parts import Delivery
from tests.fakes.answers import AwsError
from tests.unit.messaging.parts import Asked, Service, bench, outcome, quietly, stored, succeed
from tests.unit.rig import DLQ_URL, MAX_RECEIVE_COUNT, QUEUE_URL, Wanted

DENIED = AwsError("AccessDeniedException")


def found(*, unpublished: bool, kind: OutcomeKind = OutcomeKind.SUCCEEDED) -> Service:
    """A service whose ledger has an outcome already."""

    def process(asked: Asked, _delivery: Delivery) -> Disposition:
        return stored(asked.cancel_request_id, unpublished=unpublished, kind=kind)

    return Service(process=process)


@pytest.mark.parametrize("kind", [OutcomeKind.SUCCEEDED, OutcomeKind.FAILED, OutcomeKind.PENDING])
def test_a_quiet_replay_is_silent_about_what_was_published(kind: OutcomeKind) -> None:
    """What accounting has is not told again by a quiet replay, and its message is acknowledged."""
    with bench(found(unpublished=False, kind=kind)) as one:
        assert one.batch(record(quietly(Wanted().detail))) == []
    assert one.bus.taken == []


def test_a_quiet_replay_tells_what_was_never_published() -> None:
    """A stored outcome that is marked unpublished is published by a quiet replay, and the mark goes."""
    wanted = Wanted()
    with bench(found(unpublished=True)) as one:
        assert one.batch(record(quietly(wanted.detail))) == []
    assert one.told == {wanted.key: "succeeded"}
    assert one.service.marks_gone == [wanted.key]


def test_a_quiet_replay_that_refunds_is_marked_and_published() -> None:
    """What a quiet replay carries out itself is recorded as unpublished until EventBridge has it."""
    wanted = Wanted()
    with bench() as one:
        one.bus.fate.extend([DENIED] * 2)
        message = record(quietly(wanted.detail))
        assert one.batch(message) == [message["messageId"]]
        assert one.service.marks_gone == []
        one.service.process = found(unpublished=True).process
        assert one.batch(message) == []
    assert one.told == {wanted.key: "succeeded"}
    assert one.service.marks_gone == [wanted.key]


@pytest.mark.parametrize(
    ("body", "receives", "republished"),
    [
        (Wanted().body, 1, True),
        (Wanted().body, MAX_RECEIVE_COUNT, False),
        (quietly(Wanted().detail), 1, False),
        (quietly(Wanted().detail, name="loud"), 1, True),
    ],
)
def test_who_would_publish_again(body: str, receives: int, *, republished: bool) -> None:
    """The service learns whether a later delivery of this message would publish what it records."""
    seen: list[Delivery] = []

    def process(asked: Asked, delivery: Delivery) -> Disposition:
        seen.append(delivery)
        return succeed(asked, delivery)

    with bench(Service(process=process)) as one:
        one.batch(record(body, receives=receives))
    (delivery,) = seen
    assert delivery.republished is republished
    assert delivery.final_receive is (receives == MAX_RECEIVE_COUNT)


def test_a_single_event_may_be_the_last() -> None:
    """Nobody knows which asynchronous invocation is the last, so each records as unpublished first."""
    wanted = Wanted()
    with bench() as one:
        assert one.event(envelope(wanted.detail))["outcome"] == "succeeded"
    assert one.service.marks_gone == [wanted.key]


def test_a_crash_of_a_single_event_says_nothing_of_its_data() -> None:
    """An invocation fails with the place of the error in the log, and without its text."""

    def crash(_asked: Asked, _delivery: Delivery) -> Disposition:
        raise RuntimeError("account 00123456789")

    with bench(Service(process=crash)) as one, pytest.raises(NotProcessed) as raised:
        one.event(envelope(Wanted().detail))
    assert raised.value.__context__ is None
    assert "00123456789" not in f"{raised.value}{one.log.getvalue()}"


@pytest.mark.parametrize("kind", [OutcomeKind.SUCCEEDED, OutcomeKind.FAILED, OutcomeKind.PENDING])
def test_a_pause_does_not_hold_back_a_stored_outcome(kind: OutcomeKind) -> None:
    """A finished or pending request's outcome is published during a pause: nobody has to be asked for it."""
    wanted, other = Wanted("imp_1"), Wanted("imp_2")
    service = Service(finished={wanted.key: stored(wanted.key, kind=kind)})
    with bench(service, paused=True) as one:
        assert one.batch(record(wanted.body), record(other.body)) == []
    assert one.told == {wanted.key: str(kind)}
    assert [(sent["QueueUrl"], sent["MessageBody"]) for sent in one.queues.sent] == [(QUEUE_URL, other.body)]


def test_a_pause_returns_a_stored_outcome_to_a_single_event() -> None:
    """An event of a finished request is answered during a pause as ever."""
    wanted = Wanted()
    with bench(Service(finished={wanted.key: stored(wanted.key)}), paused=True) as one:
        assert one.event(envelope(wanted.detail))["outcome"] == "succeeded"


def test_a_quiet_replay_stays_quiet_during_a_pause() -> None:
    """A finished request that was published is acknowledged, and neither held back nor told again."""
    wanted = Wanted()
    with bench(Service(finished={wanted.key: stored(wanted.key)}), paused=True) as one:
        assert one.batch(record(quietly(wanted.detail))) == []
    assert (one.bus.taken, one.queues.sent) == ([], [])


def test_a_copy_that_cannot_be_sent_is_parked_on_the_last_receive() -> None:
    """A pause whose copy SQS does not take parks the message instead of losing its reason."""
    wanted = Wanted()
    with bench(paused=True) as one:
        one.queues.fate.append(DENIED)
        assert one.batch(record(wanted.body, receives=MAX_RECEIVE_COUNT)) == []
    assert one.told == {wanted.key: "parked"}
    assert [sent["QueueUrl"] for sent in one.queues.sent] == [DLQ_URL]
    assert one.queues.attributes()[0]["error_code"] == "PROVIDER_UNAVAILABLE"


def test_a_service_that_fails_while_paused_leaves_the_message() -> None:
    """If the ledger does not say whether it ended, the message comes again."""

    def refuse(_asked: Asked) -> Disposition | None:
        raise DENIED

    with bench(Service(finds=refuse), paused=True) as one:
        message = record(Wanted().body)
        assert one.batch(message) == [message["messageId"]]


def test_another_payload_during_a_pause() -> None:
    """A stored item of another payload sends the message to the DLQ at once, pause or not."""
    wanted = Wanted()
    duplicate = Reason(ErrorCode.DUPLICATE_KEY_DIFFERENT_PAYLOAD, "used before for another payload")
    with bench(Service(finds=lambda _asked: DeadLetter(duplicate)), paused=True) as one:
        assert one.batch(record(wanted.body)) == []
    assert one.queues.attributes()[0]["error_code"] == "DUPLICATE_KEY_DIFFERENT_PAYLOAD"


def test_a_stored_outcome_is_published_byte_for_byte() -> None:
    """What is published again is the recorded statement and nothing else."""
    wanted = Wanted()
    recorded = Publish(outcome(wanted.key))
    with bench(Service(process=lambda _asked, _delivery: recorded)) as one:
        one.batch(record(wanted.body))
        one.batch(record(wanted.body, receives=2))
    first, second = one.bus.taken
    assert first["Detail"] == second["Detail"] == recorded.outcome.to_json()
    assert json.loads(first["Detail"])["outcome_id"] == recorded.outcome.outcome_id
