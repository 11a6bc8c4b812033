"""EventBridge and Secrets Manager, as far as the functions use them."""

from __future__ import annotations

import json
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from tests.fakes.answers import AwsError

EVENTS_TARGET = "AWSEvents"
SECRETS_TARGET = "secretsmanager"

#: Of one PutEvents (API_PutEvents); the size since January 2026 (AWS Compute Blog, "More room to build").
MOST_ENTRIES = 10
MOST_BYTES = 1024 * 1024


@dataclass
class Bus:
    """An event bus.

    ``fate`` decides about the next calls: an exception, or which entries (by position) are not taken.
    """

    taken: list[dict[str, Any]] = field(default_factory=list)
    calls: list[list[dict[str, Any]]] = field(default_factory=list)
    fate: deque[Exception | set[int]] = field(default_factory=deque)

    def carry_out(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """PutEvents: a malformed entry is refused alone, too many or too large ones together."""
        assert operation == "PutEvents"
        entries = request["Entries"]
        self.calls.append(entries)
        fate = self.fate.popleft() if self.fate else set[int]()
        if isinstance(fate, Exception):
            raise fate
        if len(entries) > MOST_ENTRIES:
            raise AwsError(
                "ValidationException", f"Member must have length less than or equal to {MOST_ENTRIES}"
            )
        if sum(map(_size, entries)) > MOST_BYTES:
            raise AwsError(
                "ValidationException", "Total size of the entries in the request is over the limit."
            )
        results = [self._result(entry, taken=place not in fate) for place, entry in enumerate(entries)]
        failed = sum("ErrorCode" in result for result in results)
        return {"FailedEntryCount": failed, "Entries": results}

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
        if not entry.get("Source"):
            return {"ErrorCode": "InvalidArgument", "ErrorMessage": "Source is a required argument."}
        if not _is_json(entry["Detail"]):
            return {"ErrorCode": "MalformedDetail", "ErrorMessage": "Detail is malformed."}
        self.taken.append(entry)
        return {"EventId": f"event-{len(self.taken)}"}


@dataclass
class Secrets:
    """Secrets Manager with one secret."""

    text: str

    def carry_out(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """GetSecretValue."""
        assert operation == "GetSecretValue"
        return {"SecretString": self.text, "Name": request["SecretId"]}


def _size(entry: dict[str, Any]) -> int:
    return sum(len(str(entry.get(name, "")).encode()) for name in ("Source", "DetailType", "Detail"))


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True
