"""The AWS calls a refund makes, answered after the time each service takes.

Enough for a happy path and no more: a put refuses an item that exists, an update refuses one that is not
as its condition says, nothing is ever lost. That a function does the right thing when something goes
wrong is the business of the tests and their services in memory (`tests.fakes`); here it is only timed, and
checks that take processor time would be measured too.
"""

from __future__ import annotations

import itertools
import json
import re
import zlib
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any

from bench.world.http import Reply, Request
from bench.world.latency import Latency
from bench.world.units import write_units

SECRET = {
    "portone": {"imp_key": "bench-key", "imp_secret": "bench-secret"},
    "ebp": {"access_key": "bench-access", "hash_key": "bench-hash"},
}

Item = dict[str, Any]

#: One for all: a million of their own would take a gigabyte.
_EARLIER: Item = {"pk": {"S": "earlier"}, "state": {"S": "SUCCEEDED"}}
_EQUAL = re.compile(r"(#\w+) = (:\w+)")


class _RefusedError(Exception):
    """The condition of a write does not hold; ``item`` is what it was checked against."""

    def __init__(self, item: Item | None) -> None:
        super().__init__()
        self.item = item


class Aws:
    """DynamoDB, EventBridge, SQS and Secrets Manager."""

    def __init__(self) -> None:
        self.latency = Latency()
        self.published = 0
        self.write_units = 0
        self._items: dict[str, Item] = {}
        self._numbers = itertools.count(1)
        self._operations: dict[str, Callable[[Item], Item]] = {
            "DynamoDB_20120810.PutItem": self._put,
            "DynamoDB_20120810.UpdateItem": self._update,
            "DynamoDB_20120810.GetItem": self._get,
            "DynamoDB_20120810.DeleteItem": self._delete,
            "AWSEvents.PutEvents": self._publish,
            "secretsmanager.GetSecretValue": self._secret,
            "AmazonSQS.SendMessage": self._accept,
            "AmazonSQS.ChangeMessageVisibility": self._accept,
        }

    def answer(self, request: Request) -> Reply:
        """Answer one request of a service that speaks JSON over POST."""
        target = request.headers.get("x-amz-target", "")
        service, _, name = target.partition(".")
        operation = self._operations.get(target)
        if operation is None:
            return Reply(b'{"__type":"UnknownOperationException"}', target, status=HTTPStatus.BAD_REQUEST)
        try:
            answer, status = operation(json.loads(request.body)), HTTPStatus.OK
        except _RefusedError as refused:
            kind = "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException"
            answer, status = (
                {"__type": kind, "message": "The conditional request failed"},
                HTTPStatus.BAD_REQUEST,
            )
            if refused.item is not None:
                answer["Item"] = refused.item
        body = json.dumps(answer).encode()
        headers = {
            "Content-Type": "application/x-amz-json-1.0",
            "x-amzn-RequestId": f"bench-{next(self._numbers)}",
        }
        if service.startswith("DynamoDB"):
            headers["x-amz-crc32"] = str(zlib.crc32(body))
        return Reply(body, name, self._delay(service), status, headers)

    def fill(self, count: int) -> None:
        """Add items of cancellations that ended long ago."""
        for number in range(count):
            self._items[f"earlier#{number}"] = _EARLIER

    def _delay(self, service: str) -> float:
        match service:
            case "AWSEvents":
                return self.latency.events
            case "secretsmanager":
                return self.latency.secrets
            case "AmazonSQS":
                return self.latency.sqs
        return self.latency.dynamodb

    def _put(self, call: Item) -> Item:
        key = _key(call["Item"])
        if key in self._items:
            raise _RefusedError(self._items[key])
        self._store(key, call["Item"])
        return {}

    def _update(self, call: Item) -> Item:
        key = _key(call["Key"])
        item = self._items.get(key)
        names, values = call.get("ExpressionAttributeNames", {}), call.get("ExpressionAttributeValues", {})
        terms = call.get("ConditionExpression", "").split(" AND ")
        if item is None or not all(_holds(term, item, names, values) for term in terms):
            raise _RefusedError(item)
        changes, _, removals = call["UpdateExpression"].partition(" REMOVE ")
        removed = {names[name] for name in re.findall(r"#\w+", removals)}
        kept = {name: value for name, value in item.items() if name not in removed}
        self._store(key, kept | {names[name]: values[value] for name, value in _EQUAL.findall(changes)})
        return {}

    def _store(self, key: str, item: Item) -> None:
        self.write_units += write_units(self._items.get(key), item)
        self._items[key] = item

    def _get(self, call: Item) -> Item:
        item = self._items.get(_key(call["Key"]))
        return {"Item": item} if item else {}

    def _delete(self, call: Item) -> Item:
        self._items.pop(_key(call["Key"]), None)
        return {}

    def _publish(self, call: Item) -> Item:
        entries: Iterable[Item] = call["Entries"]
        accepted = [{"EventId": f"event-{next(self._numbers)}"} for _ in entries]
        self.published += len(accepted)
        return {"FailedEntryCount": 0, "Entries": accepted}

    def _secret(self, call: Item) -> Item:
        return {"Name": call["SecretId"], "ARN": call["SecretId"], "SecretString": json.dumps(SECRET)}

    def _accept(self, _call: Item) -> Item:
        return {"MessageId": f"message-{next(self._numbers)}"}


def _holds(term: str, item: Item, names: Item, values: Item) -> bool:
    """Whether one of the equalities in ``(#a = :b OR #a = :c)`` holds; a term without any always does."""
    equalities = _EQUAL.findall(term)
    return not equalities or any(item.get(names[name]) == values[value] for name, value in equalities)


def _key(item: Item) -> str:
    """The ledger's key is ``pk``, Powertools' idempotency table's is ``id``."""
    return str((item.get("pk") or item["id"])["S"])
