"""The AWS calls a refund makes, answered after the time each service takes.

The services in memory are those of the tests (`tests.fakes`); here they are only timed and counted.
"""

from __future__ import annotations

import itertools
import json
import zlib
from typing import Any

from typing_extensions import override

from bench.world.http import Reply, Request
from bench.world.latency import Latency
from bench.world.units import write_units
from tests.fakes import dynamodb, endpoint, messaging, sqs

SECRET = {
    "portone": {"imp_key": "bench-key", "imp_secret": "bench-secret"},
    "ebp": {"access_key": "bench-access", "hash_key": "bench-hash"},
}
TABLE = "ledger"

Item = dict[str, Any]

#: One for all: a million of their own would take a gigabyte.
_EARLIER: Item = {"pk": {"S": "earlier"}, "state": {"S": "SUCCEEDED"}}


class Tables(dynamodb.Tables):
    """The table of whoever is measured, and the units of what is written to it."""

    write_units = 0

    @override
    def key_of(self, table: str, item: Item) -> str:
        """The ledger's key is ``pk``, Powertools' idempotency table's is ``id``."""
        return str((item.get("pk") or item["id"])["S"])

    @override
    def keep(self, table: str, key: str, new: Item) -> None:
        self.write_units += write_units(self.find(table, key), new)
        super().keep(table, key, new)


class Aws:
    """DynamoDB, EventBridge, SQS and Secrets Manager."""

    def __init__(self) -> None:
        self.latency = Latency()
        self.published = 0
        self._tables = Tables(**{TABLE: "pk"})
        self._bus = messaging.Bus()
        self._numbers = itertools.count(1)
        self._services = endpoint.Aws(
            {
                dynamodb.TARGET: self._tables,
                messaging.EVENTS_TARGET: self._bus,
                messaging.SECRETS_TARGET: messaging.Secrets(json.dumps(SECRET)),
                sqs.TARGET: sqs.Queues(),
            }
        )

    @property
    def write_units(self) -> int:
        """What DynamoDB has charged."""
        return self._tables.write_units

    def answer(self, request: Request) -> Reply:
        """Answer one request of a service that speaks JSON over POST; nothing but items is remembered."""
        target = request.headers.get("x-amz-target", "")
        service, _, name = target.partition(".")
        status, answer = self._services.answer(target, request.body)
        self.published += len(self._bus.taken)
        self._bus.reset()
        self._tables.writes.clear()
        self._services.calls.clear()
        body = json.dumps(answer).encode()
        headers = {
            "Content-Type": "application/x-amz-json-1.0",
            "x-amzn-RequestId": f"bench-{next(self._numbers)}",
        }
        if service == dynamodb.TARGET:
            headers["x-amz-crc32"] = str(zlib.crc32(body))
        return Reply(body, name, self._delay(service), status, headers)

    def fill(self, count: int) -> None:
        """Add items of cancellations that ended long ago."""
        self._tables.items[TABLE].update((f"earlier#{number}", _EARLIER) for number in range(count))

    def _delay(self, service: str) -> float:
        match service:
            case messaging.EVENTS_TARGET:
                return self.latency.events
            case messaging.SECRETS_TARGET:
                return self.latency.secrets
            case sqs.TARGET:
                return self.latency.sqs
        return self.latency.dynamodb
