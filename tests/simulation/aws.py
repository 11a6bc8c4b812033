"""EventBridge and SQS as the functions use them."""

from __future__ import annotations

import itertools
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from tests.fakes import sqs
from tests.fakes.answers import AwsError, Exceptions, no_answer, refusal
from tests.fakes.limits import check_message
from tests.simulation.gate import Call, Fault, Gate
from tests.simulation.table import read_outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

Message = sqs.Message
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
            raise refusal("PutEvents", AwsError("ThrottlingException"))
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
        on_letter: Callable[[Message], None],
    ) -> None:
        numbers = itertools.count(1)

        def queue(letter: str) -> sqs.Queue:
            return sqs.Queue(name=kind, clock=clock, key_of=key_of, new_id=lambda: f"{letter}{next(numbers)}")

        self._waiting, self.dlq = queue("m"), queue("d")
        self.max_receives = max_receives
        self._on_letter = on_letter
        self._gate = gate

    @property
    def messages(self) -> dict[str, Message]:
        """What waits or is being worked on, by message id."""
        return self._waiting.messages

    def send(self, body: str, *, delay: float = 0.0) -> Message:
        """Put a message in, as a rule, a publisher or a redrive does."""
        return self._waiting.send(body, delay=delay)

    def receive(self, wanted: Iterable[Message]) -> list[Message]:
        """Receive messages; one whose receives are used up goes to the DLQ instead."""
        received = []
        for message in wanted:
            if message.receives < self.max_receives:
                received.append(self._waiting.hand_out(message, VISIBILITY_TIMEOUT))
                continue
            self.acknowledge(message)
            self._bury(message.body, {})
            self._gate.note(f"  SQS moves {message.key} to the DLQ")
        return received

    def acknowledge(self, message: Message) -> None:
        """Delete a message."""
        self.messages.pop(message.message_id, None)

    def redrive(self) -> int:
        """Move everything in the DLQ back into the queue, as an operator does; returns how many."""
        letters = list(self.dlq)
        self.dlq.messages.clear()
        for letter in letters:
            self.send(letter.body)
        return len(letters)

    def change_message_visibility(self, *, QueueUrl: str, ReceiptHandle: str, VisibilityTimeout: int) -> None:  # noqa: N803
        """Hide a message; a handle of an earlier receive changes nothing."""
        assert QueueUrl == QUEUE_URL
        with _carried_out(self._gate.enter(Call.HIDE)):
            self._waiting.hide(ReceiptHandle, VisibilityTimeout)

    def send_message(self, *, QueueUrl: str, **message: Any) -> None:  # noqa: N803
        """Put a copy into the DLQ, or, held back, into the queue again."""
        held = QueueUrl == QUEUE_URL
        with _carried_out(self._gate.enter(Call.HOLD if held else Call.DEAD_LETTER)):
            if held:
                self._waiting.carry_out("SendMessage", message)
            else:
                attributes = message.get("MessageAttributes", {})
                check_message(message["MessageBody"], attributes)
                self._bury(message["MessageBody"], attributes)
                self._gate.note(f"  DLQ {sqs.texts(attributes).get('error_code')}")

    def _bury(self, body: str, attributes: dict[str, Any]) -> None:
        self._on_letter(self.dlq.send(body, attributes=attributes))

    def keeps(self, message: Message, *, quietly: bool) -> bool:
        """Whether a copy of it, or another message that speaks for a quiet one, is still there."""
        others = (one for one in self._waiting if one.message_id != message.message_id)
        return any(
            one.body == message.body or (quietly and one.key == message.key) for one in (*others, *self.dlq)
        )


@contextmanager
def _carried_out(fault: Fault | None) -> Iterator[None]:
    """A call that SQS carries out, unless the fault keeps it from being sent, or its answer is lost."""
    if fault is not None and fault.effect == "not sent":
        raise no_answer()
    try:
        yield
    except AwsError as error:
        raise refusal("Send", error) from None
    if fault is not None:
        raise no_answer()


class AllQueues:
    """Every queue by its URL, for the scheduled functions and for operators: ``<cancel type>/<which>``."""

    def __init__(self, gate: Gate, queues: Mapping[str, Queue]) -> None:
        self._gate = gate
        self._queues = queues

    def get_queue_attributes(self, *, QueueUrl: str, **request: Any) -> dict[str, Any]:  # noqa: N803
        """How many dead letters there are, the hidden ones told apart."""
        return self._of(QueueUrl).dlq.carry_out("GetQueueAttributes", request)

    def receive_message(self, *, QueueUrl: str, **request: Any) -> dict[str, Any]:  # noqa: N803
        """Look at dead letters."""
        if self._gate.enter(Call.PEEK) is not None:
            raise no_answer()
        return self._of(QueueUrl).dlq.carry_out("ReceiveMessage", request)

    def delete_message_batch(self, *, QueueUrl: str, **request: Any) -> dict[str, Any]:  # noqa: N803
        """Delete dead letters."""
        with _carried_out(self._gate.enter(Call.REMOVE)):
            return self._of(QueueUrl).dlq.carry_out("DeleteMessageBatch", request)

    def change_message_visibility_batch(self, *, QueueUrl: str, **request: Any) -> dict[str, Any]:  # noqa: N803
        """Show dead letters again."""
        return self._of(QueueUrl).dlq.carry_out("ChangeMessageVisibilityBatch", request)

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
