"""SQS: queues in memory whose time is a clock, or moved by the test."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.fakes.answers import AwsError
from tests.fakes.endpoint import Aws
from tests.fakes.limits import check_delay, check_message, check_visibility

TARGET = "AmazonSQS"


@dataclass(slots=True)
class Message:
    """One message; ``hidden_until`` is in seconds of the queue's clock.

    Attributes:
        queue: the name of its queue.
        key: of what its body is about, as its queue reads it.
    """

    message_id: str
    body: str
    sent_at: float
    hidden_until: float = 0.0
    attributes: dict[str, Any] = field(default_factory=dict)
    receives: int = 0
    received_at: float = 0.0
    queue: str = ""
    key: str = ""

    @property
    def receipt(self) -> str:
        """The handle of its latest receive."""
        return f"{self.message_id}/{self.receives}"

    @property
    def said(self) -> dict[str, str]:
        """The texts of its attributes."""
        return texts(self.attributes)


class Queue:
    """One queue, and the service of an account that has no other.

    Args:
        now: UNIX seconds, where nobody gives a clock.
        most_in_flight: above it a receive shows nothing, without an error.
        new_id: makes message ids.
        name: of the queue.
        key_of: reads from a body what it is about.

    Attributes:
        stuck: message ids whose next deletion fails.
        sent: bodies that were sent here.
        given: every receipt that a receive gave out.
        tick: seconds that pass with every receive.
    """

    def __init__(
        self,
        now: float = 1_000_000.0,
        *,
        clock: Callable[[], float] | None = None,
        most_in_flight: int = 120_000,
        new_id: Callable[[], str] | None = None,
        name: str = "",
        key_of: Callable[[str], str] = lambda _body: "",
    ) -> None:
        self.messages: dict[str, Message] = {}
        self.stuck: set[str] = set()
        self.sent: list[str] = []
        self.given: set[str] = set()
        self.tick = 0.0
        self.most_in_flight = most_in_flight
        self._now = now
        self._clock = clock
        self._name = name
        self._key_of = key_of
        numbers = itertools.count(1)
        self._new_id = new_id or (lambda: f"sent-{next(numbers)}")

    def __len__(self) -> int:
        """How many messages there are."""
        return len(self.messages)

    def __iter__(self) -> Iterator[Message]:
        """Every message, in the order in which they came."""
        return iter(self.messages.values())

    @property
    def now(self) -> float:
        """UNIX seconds."""
        return self._clock() if self._clock else self._now

    @now.setter
    def now(self, seconds: float) -> None:
        self._now = seconds

    def client(self) -> Any:
        """A botocore client of it."""
        return Aws({TARGET: self}).connect("sqs")

    def put(self, message_id: str, body: str = "{}", age: float = 60.0) -> None:
        """A message that has been there for so many seconds."""
        self.messages[message_id] = Message(message_id, body, self.now - age)

    def send(self, body: str, *, delay: float = 0.0, attributes: dict[str, Any] | None = None) -> Message:
        """Put a message in that is new."""
        self.sent.append(body)
        now = self.now
        message = Message(
            self._new_id(),
            body,
            now,
            now + delay,
            attributes or {},
            queue=self._name,
            key=self._key_of(body),
        )
        self.messages[message.message_id] = message
        return message

    def hidden(self) -> set[str]:
        """What nobody else can see now."""
        return {message.message_id for message in self if message.hidden_until > self.now}

    def hand_out(self, message: Message, seconds: float) -> Message:
        """Let somebody receive a message, and hide it for so long."""
        message.receives += 1
        message.received_at = self.now
        message.hidden_until = message.received_at + seconds
        self.given.add(message.receipt)
        return message

    def receive(self, most: int, seconds: float) -> list[Message]:
        """Let somebody receive what is visible."""
        self._now += self.tick
        visible = [one for one in self if one.hidden_until <= self.now]
        if len(self.messages) - len(visible) >= self.most_in_flight:
            return []
        return [self.hand_out(one, seconds) for one in visible[:most]]

    def hide(self, receipt: str, seconds: float) -> bool:
        """Hide a message from now on; only the receipt of its latest receive does."""
        one = self._held(receipt)
        if one is None:
            return False
        check_visibility(seconds, self.now - one.received_at)
        one.hidden_until = self.now + seconds
        return True

    def delete(self, receipt: str) -> bool:
        """Delete a message, unless it is stuck."""
        one = self._held(receipt)
        if one is None or one.message_id in self.stuck:
            self.stuck.discard(one.message_id if one else "")
            return False
        del self.messages[one.message_id]
        return True

    def carry_out(  # noqa: PLR0911 - one for each operation
        self, operation: str, request: dict[str, Any]
    ) -> dict[str, Any]:
        """One SQS operation, whatever URL it names."""
        match operation:
            case "ReceiveMessage":
                check_visibility(request["VisibilityTimeout"])
                found = self.receive(request["MaxNumberOfMessages"], request["VisibilityTimeout"])
                return {"Messages": [_shown(one) for one in found]}
            case "ChangeMessageVisibility" if self.hide(**_hiding(request)):
                return {}
            case "ChangeMessageVisibilityBatch":
                return _each(request, lambda one: self.hide(**_hiding(one)))
            case "DeleteMessageBatch":
                return _each(request, lambda one: self.delete(one["ReceiptHandle"]))
            case "GetQueueAttributes":
                return {"Attributes": self._counts(request["AttributeNames"])}
            case "SendMessage":
                return self._send(request)
            case "SendMessageBatch":
                sent = [self._send(entry) | {"Id": entry["Id"]} for entry in request["Entries"]]
                return {"Successful": sent, "Failed": []}
        assert operation == "ChangeMessageVisibility", operation
        raise AwsError("ReceiptHandleIsInvalid", "The input receipt handle is invalid.")

    def _send(self, request: dict[str, Any]) -> dict[str, Any]:
        delay, attributes = request.get("DelaySeconds", 0), request.get("MessageAttributes", {})
        check_delay(delay)
        check_message(request["MessageBody"], attributes)
        message = self.send(request["MessageBody"], delay=delay, attributes=attributes)
        return {"MessageId": message.message_id, "MD5OfMessageBody": "made-up"}

    def _counts(self, names: list[str]) -> dict[str, str]:
        hidden = [one for one in self if one.hidden_until > self.now]
        delayed = sum(not one.receives for one in hidden)
        known = {
            "ApproximateNumberOfMessages": str(len(self) - len(hidden)),
            "ApproximateNumberOfMessagesNotVisible": str(len(hidden) - delayed),
            "ApproximateNumberOfMessagesDelayed": str(delayed),
            "QueueArn": self._name,
        }
        return {name: known[name] for name in names}

    def _held(self, receipt: str) -> Message | None:
        """The message that this receipt, and no later one, stands for."""
        one = self.messages.get(receipt.rpartition("/")[0])
        return one if one is not None and one.receipt == receipt else None


class Queues:
    """Every queue by its URL, made when somebody first names it.

    Receipts that no queue here gave out are those of the event source mapping, which received the messages.

    Attributes:
        sent: every request that sends a message.
        hidden: for how long which receipt was hidden last.
        fate: makes the next calls fail.
    """

    def __init__(self, now: float = 1_000_000.0, *, clock: Callable[[], float] | None = None) -> None:
        self.sent: list[dict[str, Any]] = []
        self.hidden: dict[str, int] = {}
        self.fate: deque[Exception] = deque()
        self._queues: dict[str, Queue] = {}
        self._now = now
        self._clock = clock

    def __getitem__(self, url: str) -> Queue:
        """The queue with this URL."""
        if url not in self._queues:
            self._queues[url] = Queue(self._now, clock=self._clock, name=url)
        return self._queues[url]

    def carry_out(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """One SQS operation, at the queue that is meant."""
        if self.fate:
            raise self.fate.popleft()
        if operation == "CreateQueue":
            return {"QueueUrl": f"https://sqs.invalid/{request['QueueName']}"}
        queue = self[request["QueueUrl"]]
        if operation == "ChangeMessageVisibility" and request["ReceiptHandle"] not in queue.given:
            check_visibility(request["VisibilityTimeout"])
            answer: dict[str, Any] = {}
        else:
            answer = queue.carry_out(operation, request)
        if operation == "SendMessage":
            self.sent.append(request)
        if operation == "ChangeMessageVisibility":
            self.hidden[request["ReceiptHandle"]] = request["VisibilityTimeout"]
        return answer

    def reset(self) -> None:
        """Forget everything."""
        for remembered in (self.sent, self.hidden, self.fate, self._queues):
            remembered.clear()

    def attributes(self) -> list[dict[str, str]]:
        """The message attributes of everything that was sent."""
        return [texts(message["MessageAttributes"]) for message in self.sent]


def texts(attributes: dict[str, Any]) -> dict[str, str]:
    """What message attributes say."""
    return {name: value["StringValue"] for name, value in attributes.items()}


def _shown(message: Message) -> dict[str, Any]:
    return {
        "MessageId": message.message_id,
        "ReceiptHandle": message.receipt,
        "Body": message.body,
        "Attributes": {"SentTimestamp": str(int(message.sent_at * 1000))},
        "MessageAttributes": message.attributes,
    }


def _hiding(request: dict[str, Any]) -> dict[str, Any]:
    return {"receipt": request["ReceiptHandle"], "seconds": request["VisibilityTimeout"]}


def _each(request: dict[str, Any], act: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    answers: dict[str, list[dict[str, Any]]] = {"Successful": [], "Failed": []}
    for entry in request["Entries"]:
        if act(entry):
            answers["Successful"].append({"Id": entry["Id"]})
        else:
            failed = {"Id": entry["Id"], "SenderFault": True, "Code": "made-up", "Message": "made up"}
            answers["Failed"].append(failed)
    return answers
