"""EventBridge, SQS and Secrets Manager, as far as the functions use them."""

from __future__ import annotations

import json
from collections import deque
from dataclasses import dataclass, field
from typing import Any

EVENTS_TARGET = "AWSEvents"
SQS_TARGET = "AmazonSQS"
SECRETS_TARGET = "secretsmanager"


@dataclass
class Bus:
    """An event bus.

    ``fate`` decides about the next calls: an exception, or which entries (by position) are not taken.
    """

    taken: list[dict[str, Any]] = field(default_factory=list)
    calls: list[list[dict[str, Any]]] = field(default_factory=list)
    fate: deque[Exception | set[int]] = field(default_factory=deque)

    def carry_out(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """PutEvents."""
        assert operation == "PutEvents"
        entries = request["Entries"]
        self.calls.append(entries)
        fate = self.fate.popleft() if self.fate else set[int]()
        if isinstance(fate, Exception):
            raise fate
        results = [self._result(entry, taken=place not in fate) for place, entry in enumerate(entries)]
        return {"FailedEntryCount": len(fate), "Entries": results}

    def reset(self) -> None:
        """Forget everything."""
        for remembered in (self.taken, self.calls, self.fate):
            remembered.clear()

    def details(self) -> list[dict[str, Any]]:
        """The detail of every event taken."""
        return [json.loads(entry["Detail"]) for entry in self.taken]

    def _result(self, entry: dict[str, Any], *, taken: bool) -> dict[str, Any]:
        if not taken:
            return {"ErrorCode": "InternalFailure", "ErrorMessage": "made up"}
        self.taken.append(entry)
        return {"EventId": f"event-{len(self.taken)}"}


@dataclass
class Queues:
    """SQS: what was sent where, and how long which receipt was hidden; ``fate`` makes the next calls fail."""

    sent: list[dict[str, Any]] = field(default_factory=list)
    hidden: dict[str, int] = field(default_factory=dict)
    fate: deque[Exception] = field(default_factory=deque)

    def carry_out(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """SendMessage and ChangeMessageVisibility."""
        if self.fate:
            raise self.fate.popleft()
        if operation == "SendMessage":
            self.sent.append(request)
            return {"MessageId": f"message-{len(self.sent)}", "MD5OfMessageBody": "made-up"}
        assert operation == "ChangeMessageVisibility"
        self.hidden[request["ReceiptHandle"]] = request["VisibilityTimeout"]
        return {}

    def reset(self) -> None:
        """Forget everything."""
        for remembered in (self.sent, self.hidden, self.fate):
            remembered.clear()

    def attributes(self) -> list[dict[str, str]]:
        """The message attributes of everything that was sent."""
        return [
            {name: value["StringValue"] for name, value in message["MessageAttributes"].items()}
            for message in self.sent
        ]


@dataclass
class Secrets:
    """Secrets Manager with one secret."""

    text: str

    def carry_out(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """GetSecretValue."""
        assert operation == "GetSecretValue"
        return {"SecretString": self.text, "Name": request["SecretId"]}
