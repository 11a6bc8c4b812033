"""A dead-letter queue in memory, behind a real botocore client, with a clock that the test moves."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.unit.aws.endpoint import Aws, AwsError
from tests.unit.aws.limits import check_delay, check_message, check_visibility
from tests.unit.aws.messaging import SQS_TARGET


@dataclass
class Stored:
    """One message; ``hidden_until`` is in seconds of the queue's clock."""

    message_id: str
    body: str
    sent_at: float
    hidden_until: float = 0.0
    receipt: str = ""
    receives: int = 0
    received_at: float = 0.0
    attributes: dict[str, Any] = field(default_factory=dict)


@dataclass
class Queue:
    """Answers what a look and a replay ask of SQS.

    Attributes:
        now: UNIX seconds.
        stuck: message ids whose next deletion fails.
        sent: bodies that were sent anywhere.
        tick: seconds that pass with every receive.
        most_in_flight: above it a receive shows nothing, without an error.
    """

    now: float = 1_000_000.0
    messages: dict[str, Stored] = field(default_factory=dict)
    stuck: set[str] = field(default_factory=set)
    sent: list[str] = field(default_factory=list)
    tick: float = 0.0
    receipts: int = 0
    most_in_flight: int = 120_000

    def client(self) -> Any:
        """A botocore client of it."""
        return Aws({SQS_TARGET: self}).connect("sqs")

    def put(self, message_id: str, body: str = "{}", age: float = 60.0) -> None:
        """A message that has been there for so many seconds."""
        self.messages[message_id] = Stored(message_id, body, self.now - age)

    def hidden(self) -> set[str]:
        """What nobody else can see now."""
        return {name for name, message in self.messages.items() if message.hidden_until > self.now}

    def carry_out(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """One SQS operation."""
        match operation:
            case "ReceiveMessage":
                return self._receive(request)
            case "ChangeMessageVisibility":
                return self._hide(request)
            case "ChangeMessageVisibilityBatch":
                return self._each(request, self._show)
            case "DeleteMessageBatch":
                return self._each(request, self._delete)
            case "GetQueueAttributes":
                return {"Attributes": self._counts(request["AttributeNames"])}
        return self._send(request) if operation == "SendMessage" else self._send_batch(operation, request)

    def _send_batch(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        assert operation == "SendMessageBatch"
        self.sent += [entry["MessageBody"] for entry in request["Entries"]]
        results = [
            {"Id": entry["Id"], "MessageId": "m", "MD5OfMessageBody": "x"} for entry in request["Entries"]
        ]
        return {"Successful": results, "Failed": []}

    def _counts(self, names: list[str]) -> dict[str, str]:
        hidden = len(self.hidden())
        known = {
            "ApproximateNumberOfMessages": str(len(self.messages) - hidden),
            "ApproximateNumberOfMessagesNotVisible": str(hidden),
            "QueueArn": "arn:aws:sqs:ap-northeast-2:000000000000:queue",
        }
        return {name: known[name] for name in names}

    def _send(self, request: dict[str, Any]) -> dict[str, Any]:
        check_delay(request.get("DelaySeconds", 0))
        check_message(request["MessageBody"], request.get("MessageAttributes", {}))
        self.sent.append(request["MessageBody"])
        message_id = f"sent-{len(self.sent)}"
        self.put(message_id, request["MessageBody"], age=0.0)
        self.messages[message_id].attributes = request.get("MessageAttributes", {})
        self.messages[message_id].hidden_until = self.now + request.get("DelaySeconds", 0)
        return {"MessageId": message_id, "MD5OfMessageBody": "x"}

    def _receive(self, request: dict[str, Any]) -> dict[str, Any]:
        self.now += self.tick
        check_visibility(request["VisibilityTimeout"])
        in_flight = len(self.hidden())
        visible = [one for one in self.messages.values() if one.hidden_until <= self.now]
        if in_flight >= self.most_in_flight:
            visible = []
        found = visible[: request["MaxNumberOfMessages"]]
        for one in found:
            self.receipts += 1
            one.receipt = f"receipt-{self.receipts}"
            one.receives += 1
            one.received_at = self.now
            one.hidden_until = self.now + request["VisibilityTimeout"]
        return {
            "Messages": [
                {
                    "MessageId": one.message_id,
                    "ReceiptHandle": one.receipt,
                    "Body": one.body,
                    "Attributes": {"SentTimestamp": str(int(one.sent_at * 1000))},
                    "MessageAttributes": one.attributes,
                }
                for one in found
            ]
        }

    def _each(self, request: dict[str, Any], act: Any) -> dict[str, Any]:
        answers: dict[str, list[dict[str, Any]]] = {"Successful": [], "Failed": []}
        for entry in request["Entries"]:
            if act(entry):
                answers["Successful"].append({"Id": entry["Id"]})
            else:
                failed = {"Id": entry["Id"], "SenderFault": True, "Code": "made-up", "Message": "made up"}
                answers["Failed"].append(failed)
        return answers

    def _hide(self, request: dict[str, Any]) -> dict[str, Any]:
        if not self._show(request):
            raise AwsError("ReceiptHandleIsInvalid", "The input receipt handle is invalid.")
        return {}

    def _show(self, entry: dict[str, Any]) -> bool:
        one = self._held(entry)
        if one is None:
            return False
        check_visibility(entry["VisibilityTimeout"], self.now - one.received_at)
        one.hidden_until = self.now + entry["VisibilityTimeout"]
        return True

    def _delete(self, entry: dict[str, Any]) -> bool:
        one = self._held(entry)
        if one is None or one.message_id in self.stuck:
            self.stuck.discard(one.message_id if one else "")
            return False
        del self.messages[one.message_id]
        return True

    def _held(self, entry: dict[str, Any]) -> Stored | None:
        """The message that this receipt, and no later one, stands for."""
        return next((m for m in self.messages.values() if m.receipt == entry["ReceiptHandle"]), None)
