"""Accounting in a run: the consumer of examples/, fed with every statement, repeated and in any order."""

from __future__ import annotations

import importlib
import json
import os
import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from local.simulator.currencies import as_number
from local.stack import Stack
from local.trigger import Context

_TABLES: Final = {"STATEMENTS_TABLE": ("chaos-statements", "pk"), "SEEN_TABLE": ("chaos-seen", "id")}
_TOLD_TWICE: Final = 0.1


@dataclass(frozen=True)
class Belief:
    """What the consumer keeps of one cancellation; ``cancelled`` is ``None`` where nobody can say."""

    outcome: str
    currency: str | None
    cancelled: Decimal | None


class Consumer:
    """The function of examples/consumer, in this process, with its two tables in the local AWS."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        for table, key in _TABLES.values():
            stack.aws.dynamodb.create_table(
                TableName=table,
                BillingMode="PAY_PER_REQUEST",
                AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"}],
                KeySchema=[{"AttributeName": key, "KeyType": "HASH"}],
            )
        self._handle = _handler(stack)

    def take(self, events: Iterable[Mapping[str, Any]], seed: int) -> None:
        """Deliver events of the accounting bus: all of them, some of them twice, in an order by chance."""
        chance = random.Random(seed)
        delivered = [event for event in events for _ in range(1 + (chance.random() < _TOLD_TWICE))]
        chance.shuffle(delivered)
        for event in delivered:
            # As Lambda would read them: what arrives is JSON.
            self._handle(json.loads(json.dumps(event, default=as_number)), Context())

    def books(self) -> Mapping[str, Belief]:
        """What it believes, by ledger key (``payment_cancel#cr-1``)."""
        table = _TABLES["STATEMENTS_TABLE"][0]
        pages = self._stack.aws.dynamodb.get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
        items: list[Mapping[str, Any]] = [item for page in pages for item in page["Items"]]
        return {item["pk"]["S"]: _belief(item) for item in items}


def _handler(stack: Stack) -> Callable[[Any, Any], Any]:
    """The example's handler: it finds its tables where its template would say."""
    os.environ.update(stack.environment())
    os.environ.update({variable: table for variable, (table, _key) in _TABLES.items()})
    os.environ["POWERTOOLS_SERVICE_NAME"] = "chaos-consumer"
    handler: Callable[[Any, Any], Any] = importlib.import_module("examples.consumer.app").handler
    return handler


def _belief(item: Mapping[str, Any]) -> Belief:
    currency, cancelled = item.get("currency"), item.get("cancelled", {"NULL": True})
    return Belief(
        outcome=item["outcome"]["S"],
        currency=currency["S"] if currency else None,
        cancelled=Decimal(cancelled["N"]) if "N" in cancelled else None,
    )
