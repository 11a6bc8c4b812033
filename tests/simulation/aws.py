"""EventBridge and SQS as the functions use them."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from tests.simulation.answers import Exceptions, no_answer, refusal
from tests.simulation.gate import Call, Gate
from tests.simulation.table import read_outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

FUNCTION_TIMEOUT: Final = 90.0
VISIBILITY_TIMEOUT: Final = 540.0
QUEUE_URL: Final = "queue"
DLQ_URL: Final = "dlq"


@dataclass(frozen=True, slots=True)
class Event:
    """An outcome on the accounting bus; ``detail`` is its JSON text."""

    key: str
    kind: str
    detail: str

    @property
    def said(self) -> Mapping[str, Any]:
        """The statement, amounts exact."""
        return read_outcome(self.detail)


class Bus:
    """The accounting bus and its client; ``on_event`` is told every event it takes."""

    exceptions = Exceptions

    def __init__(self, gate: Gate, on_event: Callable[[Event], None]) -> None:
        self.events: list[Event] = []
        self._details: set[str] = set()
        self._gate = gate
        self._on_event = on_event

    def put_events(self, *, Entries: Sequence[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803
        """Take every entry, all but one, or none."""
        fault = self._gate.enter(Call.PUBLISH)
        effect = fault.effect if fault else ""
        if effect == "not sent":
            raise no_answer()
        if effect == "throttled":
            raise refusal("PutEvents", "ThrottlingException")
        refused = {"first entry refused": 0, "last entry refused": len(Entries) - 1}.get(effect, -1)
        results: list[dict[str, Any]] = []
        for number, entry in enumerate(Entries):
            if number == refused:
                results.append({"ErrorCode": "InternalFailure", "ErrorMessage": "try again"})
            else:
                self._take(entry)
                results.append({"EventId": f"event-{len(self.events)}"})
        if effect == "lost":
            raise no_answer()
        return {"FailedEntryCount": int(refused >= 0), "Entries": results}

    def _take(self, entry: dict[str, Any]) -> None:
        detail = read_outcome(entry["Detail"])
        assert entry["DetailType"] == f"Cancel{detail['outcome'].capitalize()}"
        key = f"{detail['cancel_type']}#{detail['cancel_request_id']}"
        event = Event(key, detail["outcome"], entry["Detail"])
        self.events.append(event)
        self._details.add(event.detail)
        self._gate.note(f"  {entry['DetailType']} {key}")
        self._on_event(event)

    def forget(self) -> None:
        """Nobody has ever heard anything."""
        self.events.clear()
        self._details.clear()

    def has(self, detail: str) -> bool:
        """Whether an event with this very detail was taken."""
        return detail in self._details


@dataclass(slots=True)
class Message:
    """A message of the queue of a cancel type; ``key`` is the cancel request it carries."""

    kind: str
    message_id: str
    body: str
    key: str
    visible_at: float
    receives: int = 0

    @property
    def receipt(self) -> str:
        """The handle of its latest receive."""
        return f"{self.message_id}/{self.receives}"

    def record(self) -> dict[str, Any]:
        """As the event source mapping passes it on."""
        return {
            "messageId": self.message_id,
            "receiptHandle": self.receipt,
            "body": self.body,
            "attributes": {"ApproximateReceiveCount": str(self.receives)},
        }


@dataclass(slots=True)
class DeadLetter:
    """A message in the DLQ; without attributes it was moved there by SQS.

    ``hidden_until`` is when it can be received again: somebody looks at it.
    """

    message_id: str
    body: str
    key: str
    sent_at: float
    attributes: dict[str, str] = field(default_factory=dict)
    hidden_until: float = 0.0
    receives: int = 0

    @property
    def receipt(self) -> str:
        """The handle of its latest receive."""
        return f"{self.message_id}/{self.receives}"


class Queue:
    """The queue of one cancel type, its DLQ, and their client.

    Args:
        key_of: reads from a body which cancel request it carries.
        clock: UNIX seconds.
        on_letter: told of everything that comes into the DLQ.
    """

    def __init__(
        self,
        kind: str,
        gate: Gate,
        *,
        clock: Callable[[], float],
        key_of: Callable[[str], str],
        max_receives: int,
        on_letter: Callable[[DeadLetter], None],
    ) -> None:
        self._kind = kind
        self._on_letter = on_letter
        self.messages: dict[str, Message] = {}
        self.dlq: list[DeadLetter] = []
        self.max_receives = max_receives
        self._gate = gate
        self._clock = clock
        self._key_of = key_of
        self._sent = 0

    def send(self, body: str, *, delay: float = 0.0) -> Message:
        """Put a message in, as a rule, a publisher or a redrive does."""
        self._sent += 1
        message = Message(self._kind, f"m{self._sent}", body, self._key_of(body), self._clock() + delay)
        self.messages[message.message_id] = message
        return message

    def receive(self, wanted: Iterable[Message]) -> list[Message]:
        """Receive messages; one whose receives are used up goes to the DLQ instead."""
        received = []
        for message in wanted:
            if message.receives >= self.max_receives:
                del self.messages[message.message_id]
                self._bury(message.body, {})
                self._gate.note(f"  SQS moves {message.key} to the DLQ")
                continue
            message.receives += 1
            message.visible_at = self._clock() + VISIBILITY_TIMEOUT
            received.append(message)
        return received

    def acknowledge(self, message: Message) -> None:
        """Delete a message."""
        self.messages.pop(message.message_id, None)

    def redrive(self) -> int:
        """Move everything in the DLQ back into the queue, as an operator does; returns how many."""
        letters, self.dlq = self.dlq, []
        for letter in letters:
            self.send(letter.body)
        return len(letters)

    def change_message_visibility(self, *, QueueUrl: str, ReceiptHandle: str, VisibilityTimeout: int) -> None:  # noqa: N803
        """Hide a message; a handle of an earlier receive changes nothing."""
        fault = self._gate.enter(Call.HIDE)
        assert QueueUrl == QUEUE_URL
        assert 0 <= VisibilityTimeout <= 43_200
        if fault is not None and fault.effect == "not sent":
            raise no_answer()
        message = self.messages.get(ReceiptHandle.partition("/")[0])
        if message is not None and message.receipt == ReceiptHandle:
            message.visible_at = self._clock() + VisibilityTimeout
        if fault is not None:
            raise no_answer()

    def send_message(
        self,
        *,
        QueueUrl: str,  # noqa: N803
        MessageBody: str,  # noqa: N803
        MessageAttributes: Mapping[str, Mapping[str, str]] = MappingProxyType({}),  # noqa: N803
        DelaySeconds: int = 0,  # noqa: N803
    ) -> None:
        """Put a copy into the DLQ, or, held back, into the queue again."""
        held = QueueUrl == QUEUE_URL
        fault = self._gate.enter(Call.HOLD if held else Call.DEAD_LETTER)
        if fault is not None and fault.effect == "not sent":
            raise no_answer()
        attributes = {name: value["StringValue"] for name, value in MessageAttributes.items()}
        assert all(attributes.values()), "SQS refuses an empty attribute"
        if held:
            assert 0 <= DelaySeconds <= 900
            self.send(MessageBody, delay=DelaySeconds)
        else:
            self._bury(MessageBody, attributes)
            self._gate.note(f"  DLQ {attributes.get('error_code')}")
        if fault is not None:
            raise no_answer()

    def _bury(self, body: str, attributes: dict[str, str]) -> None:
        self._sent += 1
        letter = DeadLetter(f"d{self._sent}", body, self._key_of(body), self._clock(), attributes)
        self.dlq.append(letter)
        self._on_letter(letter)

    def now(self) -> float:
        """UNIX seconds."""
        return self._clock()

    def look(self, most: int, seconds: float) -> list[DeadLetter]:
        """Show dead letters and hide them for so long."""
        shown = [one for one in self.dlq if one.hidden_until <= self._clock()][:most]
        for letter in shown:
            letter.receives += 1
            letter.hidden_until = self._clock() + seconds
        return shown

    def keeps(self, message: Message, *, quietly: bool) -> bool:
        """Whether a copy of it, or another message that speaks for a quiet one, is still there."""
        others = (one for one in self.messages.values() if one.message_id != message.message_id)
        waiting = any(one.body == message.body or (quietly and one.key == message.key) for one in others)
        letters = (one.body == message.body or (quietly and one.key == message.key) for one in self.dlq)
        return waiting or any(letters)


class AllQueues:
    """Every queue by its URL, for the scheduled functions and for operators: ``<cancel type>/<which>``."""

    def __init__(self, gate: Gate, queues: Mapping[str, Queue]) -> None:
        self._gate = gate
        self._queues = queues

    def get_queue_attributes(self, *, QueueUrl: str, AttributeNames: Sequence[str]) -> dict[str, Any]:  # noqa: N803
        """How many dead letters there are, the hidden ones told apart."""
        queue = self._of(QueueUrl)
        now = queue.now()
        visible = sum(letter.hidden_until <= now for letter in queue.dlq)
        counts = {
            "ApproximateNumberOfMessages": str(visible),
            "ApproximateNumberOfMessagesNotVisible": str(len(queue.dlq) - visible),
        }
        return {"Attributes": {name: counts[name] for name in AttributeNames}}

    def receive_message(self, *, QueueUrl: str, **how: Any) -> dict[str, Any]:  # noqa: N803
        """Look at dead letters."""
        if self._gate.enter(Call.PEEK) is not None:
            raise no_answer()
        letters = self._of(QueueUrl).look(how["MaxNumberOfMessages"], how["VisibilityTimeout"])
        return {
            "Messages": [
                {
                    "MessageId": letter.message_id,
                    "ReceiptHandle": letter.receipt,
                    "Body": letter.body,
                    "Attributes": {"SentTimestamp": str(int(letter.sent_at * 1000))},
                    "MessageAttributes": {
                        name: {"DataType": "String", "StringValue": value}
                        for name, value in letter.attributes.items()
                    },
                }
                for letter in letters
            ]
        }

    def delete_message_batch(self, *, QueueUrl: str, Entries: Sequence[Any]) -> dict[str, Any]:  # noqa: N803
        """Delete dead letters."""
        fault = self._gate.enter(Call.REMOVE)
        if fault is not None and fault.effect == "not sent":
            raise no_answer()
        queue = self._of(QueueUrl)
        gone = {entry["ReceiptHandle"].partition("/")[0] for entry in Entries}
        queue.dlq = [letter for letter in queue.dlq if letter.message_id not in gone]
        if fault is not None:
            raise no_answer()
        return {}

    def change_message_visibility_batch(self, *, QueueUrl: str, Entries: Sequence[Any]) -> dict[str, Any]:  # noqa: N803
        """Show dead letters again."""
        again = {entry["ReceiptHandle"] for entry in Entries}
        for letter in self._of(QueueUrl).dlq:
            if letter.receipt in again:
                letter.hidden_until = 0.0
        return {}

    def send_message(self, *, QueueUrl: str, **message: Any) -> None:  # noqa: N803
        """Put a copy into a DLQ."""
        self._of(QueueUrl).send_message(QueueUrl=DLQ_URL, **message)

    def send_message_batch(self, *, QueueUrl: str, Entries: Sequence[Any]) -> dict[str, Any]:  # noqa: N803
        """Put messages into a queue."""
        if self._gate.enter(Call.HOLD) is not None:
            raise no_answer()
        for entry in Entries:
            self._of(QueueUrl).send(entry["MessageBody"])
        return {}

    def _of(self, url: str) -> Queue:
        return self._queues[url.partition("/")[0]]
