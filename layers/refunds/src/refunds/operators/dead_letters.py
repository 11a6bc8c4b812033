"""Looks through a dead-letter queue without consuming it.

SQS can only show a message by hiding it for a while. A ``Peek`` hides each message once, for as long
as the peek lasts, and shows all of them again at its end, also when it is interrupted. What is held at
any time is one receive; the receipts of what was seen wait in an unnamed temporary file. Killed
without a chance to clean up, it leaves messages hidden for ``hold`` seconds, or for twice as long as the
peek had lasted.
"""

from __future__ import annotations

import heapq
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from itertools import islice
from typing import IO, TYPE_CHECKING, Any, Final, Self

from refunds.domain.redaction import redact
from refunds.errors import InvalidRequest
from refunds.messaging.message import Reading, read_body
from refunds.operators.cancel_queues import CancelQueues
from refunds.operators.fan_in import fan_in

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient
    from types_boto3_sqs.literals import QueueAttributeNameType
    from types_boto3_sqs.type_defs import MessageTypeDef

_RECEIVE_LIMIT: Final = 10  # messages in one receive or batch request (AWS limit)
_BATCH_BYTES: Final = 256 * 1024  # of one SendMessageBatch; AWS allows 1 MiB, and one message may have it
_MAX_VISIBILITY: Final = 43_200  # seconds (AWS limit)
_TRIES: Final = 3  # receives that show nothing while the queue counts messages
_LONG_POLL: Final = 1  # seconds; any long poll asks all of a queue's servers, a short one only some

#: Where the error code would stand, for messages that the functions did not put into the DLQ themselves.
CRASHED: Final = "CRASHED"  # moved by the queue: the function died or timed out on every receive
UNDELIVERED: Final = "UNDELIVERED"  # the rule could not deliver to the queue
UNHANDLED: Final = "UNHANDLED"  # an asynchronous invocation failed for good

_EXPLANATIONS: Final = {
    CRASHED: "the function died or timed out on every receive",
    UNDELIVERED: "EventBridge could not deliver it to the queue",
    UNHANDLED: "an asynchronous invocation failed for good",
}


@dataclass(frozen=True)
class DeadLetterMessage:
    """One message in a dead-letter queue.

    ``sent_at`` is UNIX seconds: when a function or EventBridge put it there, or, for a message the queue
    moved itself, when it first entered its queue.
    """

    queues: CancelQueues
    message_id: str
    receipt_handle: str
    body: str
    sent_at: float
    attributes: Mapping[str, str] = field(default_factory=dict)
    types: Mapping[str, str] = field(default_factory=dict)
    """The data types of the attributes, as SQS names them."""

    @classmethod
    def of(cls, queues: CancelQueues, message: MessageTypeDef) -> DeadLetterMessage:
        """From what SQS returns."""
        attributes = message.get("MessageAttributes", {})
        return cls(
            queues=queues,
            message_id=message["MessageId"],
            receipt_handle=message["ReceiptHandle"],
            body=message.get("Body", ""),
            sent_at=int(message.get("Attributes", {}).get("SentTimestamp", "0")) / 1000,
            attributes={name: str(value.get("StringValue", "")) for name, value in attributes.items()},
            types={name: str(value.get("DataType", "String")) for name, value in attributes.items()},
        )

    @cached_property
    def reading(self) -> Reading[Any]:
        """What its body says, by the rules of the function that would receive it."""
        try:
            return read_body(self.queues.policy, self.body)
        except Exception as error:  # noqa: BLE001 - one message never ends the peek at the others
            return Reading(error=InvalidRequest(f"the body cannot be read ({type(error).__name__})"))

    @property
    def cancel_request_id(self) -> str | None:
        """The idempotency key, if the body has a usable one."""
        return self.reading.cancel_request_id

    @property
    def order_id(self) -> str | None:
        """The order, if the body names one."""
        if self.reading.cancellation is not None:
            return self.reading.cancellation.order_id
        return self.reading.identity.order_id if self.reading.identity else None

    @property
    def error_code(self) -> str:
        """An ``ErrorCode``, or ``CRASHED``, ``UNDELIVERED`` or ``UNHANDLED``; or what somebody else wrote."""
        if "error_code" in self.attributes:
            return redact(self.attributes["error_code"])
        if "RULE_ARN" in self.attributes:
            return UNDELIVERED
        return UNHANDLED if "RequestID" in self.attributes else CRASHED

    @property
    def error_message(self) -> str:
        """Why it is here, in words; free of personal data."""
        return redact(self.attributes.get("error_message", "")) or _EXPLANATIONS.get(self.error_code, "")


@dataclass(frozen=True)
class Selection:
    """Which messages are meant; an empty filter lets everything pass. Ages are seconds.

    ``ids`` are ``cancel_request_id``s or SQS message ids; ``names`` are those, or ``order_id``s.
    """

    error_codes: frozenset[str] = frozenset()
    orders: frozenset[str] = frozenset()
    ids: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()
    older_than: float | None = None
    younger_than: float | None = None

    def takes(self, dead_letter: DeadLetterMessage, now: float) -> bool:
        """Whether ``dead_letter`` is meant; ``now`` is UNIX seconds."""
        age = now - dead_letter.sent_at
        return (
            (not self.error_codes or dead_letter.error_code in self.error_codes)
            and (not self.orders or dead_letter.order_id in self.orders)
            and (not self.ids or bool(self.ids & {dead_letter.message_id, dead_letter.cancel_request_id}))
            and (
                not self.names
                or bool(
                    self.names & {dead_letter.message_id, dead_letter.cancel_request_id, dead_letter.order_id}
                )
            )
            and (self.older_than is None or age >= self.older_than)
            and (self.younger_than is None or age <= self.younger_than)
        )


class Peek:
    """One pass over the messages of a DLQ; each is shown once, those that arrive meanwhile are left out.

    Use as a context manager: its end makes every message visible again that was not removed.

    Args:
        hold: seconds for which SQS hides a message that was seen, at least.
        as_of: UNIX seconds by SQS's clock; younger messages belong to the next peek.
        clock: seconds, monotonic.
        size: messages per receive, 1 … 10.
        url: of the queue to look through; the cancel type's DLQ if it is not given.
    """

    def __init__(  # noqa: PLR0913 - the queue, and how to read it, each once
        self,
        client: SQSClient,
        queues: CancelQueues,
        *,
        hold: int,
        as_of: float,
        clock: Callable[[], float],
        size: int = _RECEIVE_LIMIT,
        url: str | None = None,
    ) -> None:
        self._client = client
        self._queues = queues
        self._url = url or queues.dlq_url
        self._hold = hold
        self._as_of = as_of
        self._clock = clock
        self._began = clock()
        self._size = size
        self._seen: set[str] = set()
        self._removed: set[str] = set()
        self._held: list[str] = []
        self._receipts: IO[str] = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115 - closed by __exit__

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._put_aside()
        with self._receipts as receipts:
            receipts.seek(0)
            while chunk := [line.strip() for line in islice(receipts, _RECEIVE_LIMIT)]:
                self._show_again(chunk)

    def __iter__(self) -> Iterator[list[DeadLetterMessage]]:
        """Receive after receive, until the queue has nothing more to show.

        A message that was removed and comes back, because its deletion failed, is deleted again and
        not shown. Where the queue shows nothing and still counts messages, it is asked again a few times:
        above 120,000 messages in flight SQS answers with nothing and no error. ``unseen`` then tells.
        """
        last_news = self._clock()
        tries_left = _TRIES
        while self._clock() - last_news < self._hold:
            messages = self._receive()
            if not messages:
                tries_left -= 1
                if not tries_left or not self.unseen():
                    return
                continue
            letters = [DeadLetterMessage.of(self._queues, message) for message in messages]
            self._held = [dead_letter.receipt_handle for dead_letter in letters]
            fresh = [dead_letter for dead_letter in letters if self._is_news(dead_letter)]
            self.remove([dead_letter for dead_letter in letters if dead_letter.message_id in self._removed])
            if fresh:
                yield fresh
                last_news = self._clock()
            self._put_aside()

    def unseen(self) -> int:
        """About how many messages the queue could show that this peek has not seen; SQS promises no more.

        Ask before the context ends: then what was seen can be shown again, too.
        """
        answer = self._client.get_queue_attributes(
            QueueUrl=self._url, AttributeNames=["ApproximateNumberOfMessages"]
        )
        return int(answer.get("Attributes", {}).get("ApproximateNumberOfMessages", "0"))

    def meant(self, letters: Iterable[DeadLetterMessage], selection: Selection) -> list[DeadLetterMessage]:
        """Those of ``letters`` that are meant. Ages are those when the peek began, however long it takes."""
        return [dead_letter for dead_letter in letters if selection.takes(dead_letter, self._as_of)]

    def remove(self, letters: Sequence[DeadLetterMessage]) -> None:
        """Delete messages of the latest receive."""
        if not letters:
            return
        self._removed.update(dead_letter.message_id for dead_letter in letters)
        answer = self._client.delete_message_batch(
            QueueUrl=self._url,
            Entries=[
                {"Id": str(number), "ReceiptHandle": dead_letter.receipt_handle}
                for number, dead_letter in enumerate(letters)
            ],
        )
        kept = {failure["Id"] for failure in answer.get("Failed", [])}
        gone = {
            dead_letter.receipt_handle
            for number, dead_letter in enumerate(letters)
            if str(number) not in kept
        }
        self._held = [receipt for receipt in self._held if receipt not in gone]

    def _receive(self) -> Sequence[MessageTypeDef]:
        answer = self._client.receive_message(
            QueueUrl=self._url,
            MaxNumberOfMessages=self._size,
            VisibilityTimeout=self._hiding(),
            WaitTimeSeconds=_LONG_POLL,
            MessageSystemAttributeNames=["SentTimestamp"],
            MessageAttributeNames=["All"],
        )
        return answer.get("Messages", [])

    def _hiding(self) -> int:
        """Seconds, more and more: messages seen long ago must not keep coming before those never seen."""
        elapsed = self._clock() - self._began
        return min(max(self._hold, int(2 * elapsed)), _MAX_VISIBILITY)

    def _is_news(self, dead_letter: DeadLetterMessage) -> bool:
        known = dead_letter.message_id in self._seen
        self._seen.add(dead_letter.message_id)
        return not known and dead_letter.sent_at <= self._as_of

    def _put_aside(self) -> None:
        self._receipts.writelines(f"{receipt}\n" for receipt in self._held)
        self._held = []

    def _show_again(self, receipts: Iterable[str]) -> None:
        """Failures are of messages that somebody else holds by now, or that are visible already."""
        self._client.change_message_visibility_batch(
            QueueUrl=self._url,
            Entries=[
                {"Id": str(number), "ReceiptHandle": receipt, "VisibilityTimeout": 0}
                for number, receipt in enumerate(receipts)
            ],
        )


class DeadLetters:
    """The dead-letter queues of a deployment.

    Args:
        clock: UNIX seconds, close to SQS's own clock.
        hold: seconds for which a message that was read is hidden from others, at least.
    """

    def __init__(self, client: SQSClient, *, clock: Callable[[], float], hold: int) -> None:
        self._client = client
        self._clock = clock
        self._hold = hold
        self.unseen: Counter[str] = Counter()
        """By cancel type: about how many messages the latest peek at its DLQ has not shown, though they
        are there. A peek that leaves some is incomplete."""

    def peek(self, queues: CancelQueues, size: int = 10) -> Peek:
        """One pass over a cancel type's DLQ, as it is now; a context manager."""
        return Peek(
            self._client, queues, hold=self._hold, as_of=self._clock(), clock=time.monotonic, size=size
        )

    def letters(
        self, all_queues: Iterable[CancelQueues], selection: Selection
    ) -> Generator[list[DeadLetterMessage], None, None]:
        """The messages meant, receive by receive, of all queues at once; they stay where they are."""
        return fan_in([partial(self._letters, queues, selection) for queues in all_queues])

    def _letters(
        self, queues: CancelQueues, selection: Selection
    ) -> Generator[list[DeadLetterMessage], None, None]:
        with self.peek(queues) as peek:
            for letters in peek:
                yield peek.meant(letters, selection)
            self.note_unseen(queues, peek)

    def note_unseen(self, queues: CancelQueues, peek: Peek) -> None:
        """Keep what a peek that has come to its end has not seen."""
        self.unseen[queues.cancel_type] = peek.unseen()

    def oldest(self, all_queues: Iterable[CancelQueues], selection: Selection, limit: int) -> frozenset[str]:
        """Message ids of the ``limit`` oldest messages meant."""
        found = (dead_letter for letters in self.letters(all_queues, selection) for dead_letter in letters)
        ages = ((dead_letter.sent_at, dead_letter.message_id) for dead_letter in found)
        return frozenset(message_id for _, message_id in heapq.nsmallest(limit, ages))

    def count(self, all_queues: Iterable[CancelQueues]) -> int:
        """About how many messages there are, hidden ones included; SQS promises no more."""
        names: list[QueueAttributeNameType] = [
            "ApproximateNumberOfMessages",
            "ApproximateNumberOfMessagesNotVisible",
        ]
        answers = [
            self._client.get_queue_attributes(QueueUrl=queues.dlq_url, AttributeNames=names)
            for queues in all_queues
        ]
        return sum(int(value) for answer in answers for value in answer.get("Attributes", {}).values())

    def send(self, queues: CancelQueues, bodies: Sequence[str]) -> list[str | None]:
        """Put messages into a cancel type's queue, without the DLQ's attributes.

        Returns for each ``None``, or why SQS refused it.
        """
        outcome: list[str | None] = []
        for chunk in _chunks(bodies):
            entries = [{"Id": str(number), "MessageBody": body} for number, body in enumerate(chunk)]
            answer = self._client.send_message_batch(QueueUrl=queues.queue_url, Entries=entries)  # type: ignore[arg-type]
            refused = {
                failure["Id"]: failure.get("Message", "refused") for failure in answer.get("Failed", [])
            }
            outcome += [refused.get(str(number)) for number in range(len(chunk))]
        return outcome


def _chunks(bodies: Sequence[str]) -> Iterator[list[str]]:
    chunk: list[str] = []
    size = 0
    for body in bodies:
        length = len(body.encode())
        if chunk and size + length > _BATCH_BYTES:
            yield chunk
            chunk, size = [], 0
        chunk.append(body)
        size += length
    if chunk:
        yield chunk
