from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from refunds.domain.disposition import Reason, RetryClass
from refunds.errors import ErrorCode
from refunds.messaging.queue import Backoff, MessageQueue, RetrySchedule
from tests.fakes.answers import AwsError
from tests.fakes.endpoint import Aws
from tests.fakes.sqs import TARGET, Queues

BACKOFF = Backoff(base=30, cap=900, later=1800)
QUEUE_URL, DLQ_URL = "https://sqs.invalid/queue", "https://sqs.invalid/dlq"
NOON = 1_795_262_400.0
REASON = Reason(ErrorCode.PROVIDER_UNAVAILABLE, "no connection was made")
SQS_LIMIT = 43_200
LONGEST_INVOCATION = 900
LARGEST = 1_048_576


@pytest.fixture
def sqs() -> Queues:
    return Queues()


def queue(sqs: Queues, queue_url: str | None = QUEUE_URL, dlq_url: str | None = DLQ_URL) -> MessageQueue:
    client = Aws({TARGET: sqs}).connect("sqs")
    return MessageQueue(client, queue_url, dlq_url, clock=lambda: NOON)


@given(
    retry_class=st.sampled_from(RetryClass),
    receive_count=st.integers(-1, 10_000),
    not_before=st.floats(-1e6, 1e9, allow_nan=False) | st.just(float("inf")),
    jitter=st.floats(0, 1),
    backoff=st.builds(Backoff, base=st.floats(0.1, 1e6), cap=st.floats(0.1, 1e6), later=st.floats(0.1, 1e6)),
)
def test_delay_stays_within_what_sqs_takes(
    retry_class: RetryClass, receive_count: int, not_before: float, jitter: float, backoff: Backoff
) -> None:
    """Whatever is configured and asked for, the delay is whole seconds that SQS still accepts."""
    seconds = RetrySchedule(backoff, lambda: jitter).delay(retry_class, receive_count, not_before)
    assert type(seconds) is int
    assert 1 <= seconds <= SQS_LIMIT - LONGEST_INVOCATION


@given(receive_count=st.integers(1, 20), jitter=st.floats(0, 1))
def test_delay_grows_to_its_cap(receive_count: int, jitter: float) -> None:
    """The delay lies in the upper half of a ceiling that doubles with every receive, up to the cap."""
    ceiling = min(30 * 2 ** (receive_count - 1), 900)
    seconds = RetrySchedule(BACKOFF, lambda: jitter).delay(RetryClass.SOON, receive_count, 0)
    assert ceiling / 2 <= seconds <= ceiling + 1


@given(receive_count=st.integers(1, 20), jitter=st.floats(0, 1))
def test_what_lasts_waits_longer(receive_count: int, jitter: float) -> None:
    """Bank maintenance waits by its own, longer delay from the first receive on."""
    seconds = RetrySchedule(BACKOFF, lambda: jitter).delay(RetryClass.LATER, receive_count, 0)
    assert 900 <= seconds <= 1801


@given(not_before=st.floats(0, 40_000), jitter=st.floats(0, 1))
def test_never_before_the_lease(not_before: float, jitter: float) -> None:
    """A message never comes again before the lease or the provider's own wish allows it."""
    assert RetrySchedule(BACKOFF, lambda: jitter).delay(RetryClass.SOON, 1, not_before) >= not_before


def test_messages_that_failed_together_spread() -> None:
    """By default, messages that failed together do not come again together."""
    schedule = RetrySchedule(BACKOFF)
    assert len({schedule.delay(RetryClass.SOON, 6, 0) for _ in range(50)}) > 1


def test_hiding(sqs: Queues) -> None:
    """A message is hidden by the receipt handle of this receive."""
    queue(sqs).hide("receipt", 45)
    assert sqs.hidden == {"receipt": 45}


def test_dead_letter(sqs: Queues) -> None:
    """The DLQ gets the body as it came, with five attributes that an operator can read."""
    moved = queue(sqs).dead_letter("본문", REASON, cancel_type="cvs_revoke", cancel_request_id="cr-1")
    assert moved
    (sent,) = sqs.sent
    assert (sent["QueueUrl"], sent["MessageBody"]) == (DLQ_URL, "본문")
    assert sqs.attributes() == [
        {
            "error_code": "PROVIDER_UNAVAILABLE",
            "error_message": "no connection was made",
            "cancel_type": "cvs_revoke",
            "cancel_request_id": "cr-1",
            "failed_at": "2026-11-21T12:00:00+00:00",
        }
    ]


def test_dead_letter_of_nobody(sqs: Queues) -> None:
    """A message that names no request has no such attribute: SQS refuses an empty one."""
    queue(sqs).dead_letter("[]", REASON, cancel_type="cvs_revoke", cancel_request_id=None)
    assert "cancel_request_id" not in sqs.attributes()[0]


def test_long_reasons_are_cut(sqs: Queues) -> None:
    """A reason is cut so that body and attributes stay within a message's size."""
    reason = Reason(ErrorCode.INVALID_REQUEST, "가" * 5000)
    queue(sqs).dead_letter("[]", reason, cancel_type="cvs_revoke", cancel_request_id=None)
    assert sqs.attributes()[0]["error_message"] == "가" * 1000


def test_held_message(sqs: Queues) -> None:
    """A message held back is sent to its own queue again, delayed by no more than SQS allows."""
    assert queue(sqs).hold("본문", since=NOON + 0.7, seconds=5000)
    (sent,) = sqs.sent
    assert (sent["QueueUrl"], sent["MessageBody"], sent["DelaySeconds"]) == (QUEUE_URL, "본문", 900)
    assert sqs.attributes() == [{"held_since": str(int(NOON))}]


def test_attributes_are_clean(sqs: Queues) -> None:
    """Control characters and what is no text become blanks: SQS refuses a message with any of them."""
    reason = Reason(ErrorCode.PROVIDER_REFUSED, "\x00 거절\r\n\x1b[31m\ud800\ufffe!\t")
    queue(sqs).dead_letter("[]", reason, cancel_type="cvs_revoke", cancel_request_id="cr-1")
    assert sqs.attributes()[0]["error_message"] == "거절 [31m !"


@pytest.mark.parametrize("text", ["", " ", "\x00\n"])
def test_empty_attributes_are_left_out(sqs: Queues, text: str) -> None:
    """SQS refuses a message with an empty attribute, so none is sent."""
    reason = Reason(ErrorCode.PROVIDER_REFUSED, text)
    queue(sqs).dead_letter("[]", reason, cancel_type="cvs_revoke", cancel_request_id=text)
    assert sqs.attributes()[0].keys() == {"error_code", "cancel_type", "failed_at"}


def _size(message: dict[str, Any]) -> int:
    """Bytes as SQS counts them: the body, and name, type and value of each attribute."""
    attributes = message.get("MessageAttributes", {})
    return len(message["MessageBody"].encode()) + sum(
        len(part.encode()) for name, one in attributes.items() for part in (name, *one.values())
    )


@settings(max_examples=50)
@given(room=st.integers(0, 4000), text=st.text(max_size=1200))
def test_body_and_attributes_fit(room: int, text: str) -> None:
    """Whatever room a body leaves, attributes fill it at most; only the last is ever cut."""
    sqs = Queues()
    body = "x" * (LARGEST - room)
    reason = Reason(ErrorCode.PROVIDER_REFUSED, text)
    assert queue(sqs).dead_letter(body, reason, cancel_type="cvs_revoke", cancel_request_id="cr-1")
    (sent,) = sqs.sent
    assert sent["MessageBody"] == body
    assert _size(sent) <= LARGEST
    (attributes,) = sqs.attributes()
    assert attributes.get("error_code", "PROVIDER_REFUSED") == "PROVIDER_REFUSED"
    assert attributes.get("cancel_request_id", "cr-1") == "cr-1"
    assert room < 200 or attributes.keys() >= {"error_code", "cancel_type", "cancel_request_id", "failed_at"}


def test_korean_is_counted_in_bytes(sqs: Queues) -> None:
    """A reason is cut between characters, never within one."""
    reason = Reason(ErrorCode.PROVIDER_REFUSED, "가" * 1000)
    queue(sqs).dead_letter("x" * (LARGEST - 300), reason, cancel_type="cvs_revoke", cancel_request_id=None)
    assert set(sqs.attributes()[0]["error_message"]) == {"가"}
    assert LARGEST - 3 < _size(sqs.sent[0]) <= LARGEST


@pytest.mark.parametrize(
    "code", ["InvalidParameterValue", "InvalidMessageContents", "AWS.SimpleQueueService.InvalidX"]
)
def test_a_body_goes_without_attributes_where_they_are_refused(sqs: Queues, code: str) -> None:
    """A queue with a smaller limit, or a rule nobody knew of, costs the reason and not the message."""
    sqs.fate.append(AwsError(code))
    assert queue(sqs).dead_letter("body", REASON, cancel_type="cvs_revoke", cancel_request_id="cr-1")
    assert [(sent["MessageBody"], "MessageAttributes" in sent) for sent in sqs.sent] == [("body", False)]


def test_a_held_body_that_leaves_no_room(sqs: Queues) -> None:
    """A message that fills its queue's limit is put back without the time since when it was held."""
    sqs.fate.append(AwsError("InvalidParameterValue"))
    assert queue(sqs).hold("body", since=NOON, seconds=60)
    (sent,) = sqs.sent
    assert (sent["MessageBody"], sent["DelaySeconds"], "MessageAttributes" in sent) == ("body", 60, False)


@settings(max_examples=50)
@given(seconds=st.integers(-(10**9), 10**9))
def test_seconds_stay_within_what_sqs_takes(seconds: int) -> None:
    """A delay is 0 to 900 s, and a message comes again within twelve hours of its receive."""
    sqs = Queues()
    queue(sqs).hide("receipt", seconds)
    queue(sqs).hold("body", since=NOON, seconds=seconds)
    assert 0 <= sqs.hidden["receipt"] <= SQS_LIMIT - LONGEST_INVOCATION
    assert 0 <= sqs.sent[0]["DelaySeconds"] <= 900


def test_without_queues(sqs: Queues) -> None:
    """Where there is no queue, as under sam local invoke, nothing is called and nothing claimed."""
    alone = queue(sqs, None, None)
    alone.hide("receipt", 1)
    assert not alone.hold("body", since=0, seconds=1)
    assert not alone.dead_letter("body", REASON, cancel_type="cvs_revoke", cancel_request_id=None)
    assert (sqs.sent, sqs.hidden) == ([], {})


@pytest.mark.parametrize(
    "act",
    [
        lambda q: q.hide("receipt", 1),
        lambda q: q.dead_letter("body", REASON, cancel_type="cvs_revoke", cancel_request_id=None),
        lambda q: q.hold("body", since=0, seconds=1),
    ],
    ids=["hide", "dead_letter", "hold"],
)
def test_errors_of_sqs_pass_through(sqs: Queues, act: Any) -> None:
    """What SQS refuses is told to the caller, who keeps the message."""
    sqs.fate.append(AwsError("AccessDenied"))
    link = queue(sqs)
    with pytest.raises(Exception, match="AccessDenied"):
        act(link)
