"""Queues and dead letters on SQS, as AWS documents it, on every AWS there is.

Where an emulator differs, AWS's documentation decides: `API_SendMessage`, `API_ChangeMessageVisibility`,
`API_ReceiveMessage` of the SQS API Reference.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from refunds.cancel_types import cancel_type
from refunds.domain.disposition import Reason
from refunds.errors import ErrorCode
from refunds.messaging.queue import HELD_SINCE, MessageQueue
from refunds.operators.cancel_queues import CancelQueues
from refunds.operators.dead_letters import DeadLetters, Selection
from tests.emulators.account import Account
from tests.emulators.everywhere import everywhere

HOLD = 60
REASON = Reason(ErrorCode.INVALID_REQUEST, "amount\x00 is\ufffe no number")
ANY_SIZE = "takes any number of seconds"


@pytest.fixture
def queues(account: Account) -> CancelQueues:
    """A new queue and its DLQ."""
    return CancelQueues(cancel_type("payment_cancel").policy, account.queue(), account.queue())


def message_queue(account: Account, queues: CancelQueues) -> MessageQueue:
    return MessageQueue(account.sqs, queues.queue_url, queues.dlq_url, clock=account.clock)


def put(account: Account, url: str, *bodies: str) -> None:
    for body in bodies:
        account.sqs.send_message(QueueUrl=url, MessageBody=body)


def visible(account: Account, url: str) -> int:
    answer = account.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
    return int(answer["Attributes"]["ApproximateNumberOfMessages"])


def refused(act: Callable[[], Any]) -> str:
    with pytest.raises(ClientError) as error:
        act()
    return str(error.value.response["Error"]["Code"]).rpartition(".")[2]


@everywhere()
def test_a_copy_is_delayed_as_long_as_sqs_allows(account: Account, queues: CancelQueues) -> None:
    """However long it is to wait: the copy is in the queue, and nobody sees it yet."""
    assert message_queue(account, queues).hold("{}", since=account.clock(), seconds=86_400)
    assert visible(account, queues.queue_url) == 0


@everywhere()
def test_a_copy_says_since_when_it_waits(account: Account, queues: CancelQueues) -> None:
    """As a number among its attributes."""
    message_queue(account, queues).hold('{"a": "고객"}', since=1_795_262_400.5, seconds=0)
    (message,) = account.received(queues.queue_url, 1)
    assert message["Body"] == '{"a": "고객"}'
    held = message["MessageAttributes"][HELD_SINCE]
    assert (held["DataType"], held["StringValue"]) == ("Number", "1795262400")


@everywhere(ministack=ANY_SIZE)
def test_a_delay_over_900_seconds_is_refused(account: Account, queues: CancelQueues) -> None:
    """Which is why it is never asked for."""
    send = account.sqs.send_message
    assert (
        refused(lambda: send(QueueUrl=queues.queue_url, MessageBody="{}", DelaySeconds=901))
        == "InvalidParameterValue"
    )


@everywhere()
def test_a_message_is_hidden_as_long_as_sqs_allows(account: Account, queues: CancelQueues) -> None:
    """A visibility beyond twelve hours is cut to what SQS takes, counted from the receive."""
    put(account, queues.queue_url, "{}")
    (message,) = account.received(queues.queue_url, 1)
    message_queue(account, queues).hide(message["ReceiptHandle"], 10**6)
    assert visible(account, queues.queue_url) == 0
    message_queue(account, queues).hide(message["ReceiptHandle"], -5)
    assert visible(account, queues.queue_url) == 1


@everywhere(ministack=ANY_SIZE)
def test_a_visibility_beyond_twelve_hours_is_refused(account: Account, queues: CancelQueues) -> None:
    """Not cut: the message would come back after the old time."""
    put(account, queues.queue_url, "{}")
    (message,) = account.received(queues.queue_url, 1)
    change = account.sqs.change_message_visibility
    said = {"QueueUrl": queues.queue_url, "ReceiptHandle": message["ReceiptHandle"]}
    assert refused(lambda: change(**said, VisibilityTimeout=43_201)) == "InvalidParameterValue"


@everywhere()
def test_a_dead_letter_says_why(account: Account, queues: CancelQueues) -> None:
    """Its attributes come back as written, without what is no text, and its body to the last byte."""
    body = '{"cancel_request_id": "cr-1", "reason": "고객 변심"}'
    sent = message_queue(account, queues).dead_letter(
        body, REASON, cancel_type="payment_cancel", cancel_request_id="cr-1"
    )
    assert sent
    with DeadLetters(account.sqs, clock=lambda: account.clock() + 5, hold=HOLD).peek(queues) as peek:
        ((message,),) = list(peek)
    assert (message.body, message.error_code) == (body, "INVALID_REQUEST")
    assert message.attributes["error_message"] == "amount  is  no number"
    assert message.attributes["cancel_request_id"] == "cr-1"


@everywhere()
def test_a_body_of_a_mebibyte_goes_alone(account: Account, queues: CancelQueues) -> None:
    """What it leaves no room for is left out; one byte more is refused."""
    body = "x" * 1_048_576
    message_queue(account, queues).dead_letter(
        body, REASON, cancel_type="payment_cancel", cancel_request_id="cr-1"
    )
    (message,) = account.received(queues.dlq_url, 1)
    assert message["Body"] == body
    assert not message.get("MessageAttributes")
    assert refused(lambda: put(account, queues.dlq_url, body + "x")) == "InvalidParameterValue"


@everywhere(moto="takes any character")
def test_what_is_no_text_is_refused(account: Account, queues: CancelQueues) -> None:
    """SQS takes the characters that XML takes."""
    assert refused(lambda: put(account, queues.queue_url, "{\x01}")) == "InvalidMessageContents"


@everywhere(moto="takes it", ministack="takes it")
def test_an_empty_attribute_is_refused(account: Account, queues: CancelQueues) -> None:
    """Which is why it is left out: "Name, type, value and the message body must not be empty or null"."""
    attribute: Any = {"a": {"DataType": "String", "StringValue": ""}}
    send = account.sqs.send_message
    code = refused(lambda: send(QueueUrl=queues.queue_url, MessageBody="{}", MessageAttributes=attribute))
    assert code == "InvalidParameterValue"


@everywhere()
def test_a_look_shows_each_once_and_hides_none_afterwards(account: Account, queues: CancelQueues) -> None:
    """What it removes is gone, what it does not is visible at once."""
    put(account, queues.dlq_url, *(f'{{"number": {number}}}' for number in range(12)))
    dead_letters = DeadLetters(account.sqs, clock=lambda: account.clock() + 5, hold=HOLD)
    seen: list[str] = []
    with dead_letters.peek(queues) as peek:
        for found in peek:
            seen += [message.body for message in found]
            peek.remove([message for message in found if message.body == '{"number": 7}'])
        assert visible(account, queues.dlq_url) == 0
        assert peek.unseen() == 0
    assert sorted(seen) == sorted(f'{{"number": {number}}}' for number in range(12))
    assert visible(account, queues.dlq_url) == 11
    assert dead_letters.count([queues]) == 11
    assert len(dead_letters.oldest([queues], Selection(), 3)) == 3


@everywhere()
def test_a_replayed_message_loses_what_the_queue_wrote(account: Account, queues: CancelQueues) -> None:
    """Its body is the same, and it has no attributes."""
    dead_letters = DeadLetters(account.sqs, clock=account.clock, hold=HOLD)
    assert dead_letters.send(queues, ["{}", '{"b": "' + "x" * 300_000 + '"}']) == [None, None]
    messages = account.received(queues.queue_url, 2)
    assert sorted(len(message["Body"]) for message in messages) == [2, 300_009]
    assert not any(message.get("MessageAttributes") for message in messages)


@everywhere()
def test_a_receipt_that_is_none_is_refused_alone(account: Account, queues: CancelQueues) -> None:
    """In a batch the other one counts."""
    put(account, queues.dlq_url, "{}")
    (message,) = account.received(queues.dlq_url, 1)
    answer = account.sqs.change_message_visibility_batch(
        QueueUrl=queues.dlq_url,
        Entries=[
            {"Id": "0", "ReceiptHandle": "none", "VisibilityTimeout": 0},
            {"Id": "1", "ReceiptHandle": message["ReceiptHandle"], "VisibilityTimeout": 0},
        ],
    )
    assert [failure["Id"] for failure in answer["Failed"]] == ["0"]
    assert visible(account, queues.dlq_url) == 1
