"""DynamoDB: conditional writes on tables with one key attribute, and indexes that never lag."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from tests.unit.aws.endpoint import AwsError
from tests.unit.aws.expressions import holds

TARGET = "DynamoDB_20120810"
Item = dict[str, Any]

#: Indexes of template.yaml that hold keys only.
_KEYS_ONLY = frozenset({"by_payment", "by_order"})
_APPEND = re.compile(r"list_append\((\S+), (\S+)\)")


def _let_pass(operation: str, key: str) -> None:
    """Disturb nothing."""


class Tables:
    """Every table of an account; ``keys`` names each table's partition key.

    ``disturb`` is called with operation and partition key before a single item is read or written, in
    the thread that asks: it may wait, or raise AwsError.
    """

    def __init__(self, **keys: str) -> None:
        self.items: dict[str, dict[str, Item]] = {name: {} for name in keys}
        self.writes: list[str] = []
        self.disturb: Callable[[str, str], None] = _let_pass
        self._keys = keys
        self._lock = threading.Lock()

    def carry_out(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """Answer one operation, one at a time."""
        if "TableName" in request and (item := request.get("Key") or request.get("Item")):
            self.disturb(operation, self._key(request["TableName"], item))
        with self._lock:
            match operation:
                case "GetItem":
                    item = self._find(request["TableName"], request["Key"])
                    return {"Item": item} if item else {}
                case "PutItem":
                    return self._write(operation, request, request["Item"], request["Item"])
                case "UpdateItem":
                    old = self._find(request["TableName"], request["Key"]) or request["Key"]
                    return self._write(operation, request, request["Key"], _updated(old, request))
                case "DeleteItem":
                    return self._write(operation, request, request["Key"], None)
                case "Query" | "Scan":
                    return {"Items": self._select(request)}
                case "BatchGetItem":
                    return {"Responses": self._batch_get(request), "UnprocessedKeys": {}}
        raise AwsError("UnknownOperationException", operation)

    def reset(self) -> None:
        """Forget every item, write and disturbance."""
        for items in self.items.values():
            items.clear()
        self.writes.clear()
        self.disturb = _let_pass

    def _find(self, table: str, key: Mapping[str, Any]) -> Item | None:
        return self.items[table].get(self._key(table, key))

    def _key(self, table: str, item: Mapping[str, Any]) -> str:
        value: str = item[self._keys[table]]["S"]
        return value

    def _write(
        self, operation: str, request: Mapping[str, Any], key: Item, new: Item | None
    ) -> dict[str, Any]:
        table = request["TableName"]
        old = self._find(table, key)
        condition = request.get("ConditionExpression")
        if condition and not holds(condition, old or {}, request):
            shown = request.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD" and old
            fields: dict[str, Any] = {"Item": old} if shown else {}
            raise AwsError("ConditionalCheckFailedException", "The conditional request failed", **fields)
        self.writes.append(operation)
        if new is None:
            self.items[table].pop(self._key(table, key), None)
        else:
            self.items[table][self._key(table, key)] = {name: _normal(value) for name, value in new.items()}
        return {}

    def _select(self, request: Mapping[str, Any]) -> list[Item]:
        """What a query's key condition or a scan's filter lets through; a scan's first segment has it all."""
        if request.get("Segment"):
            return []
        condition = request.get("KeyConditionExpression") or request["FilterExpression"]
        items = self.items[request["TableName"]].values()
        chosen = [item for item in items if holds(condition, item, request)]
        if request.get("IndexName") == "by_state":
            chosen.sort(key=lambda item: str(item["updated_at"]["S"]))
        return chosen

    def _batch_get(self, request: Mapping[str, Any]) -> dict[str, list[Item]]:
        return {
            table: [item for key in wanted["Keys"] if (item := self._find(table, key))]
            for table, wanted in request["RequestItems"].items()
        }


def _updated(old: Item, request: Mapping[str, Any]) -> Item:
    """Carry out ``SET #a = :a, #l = list_append(#l, :x) REMOVE #b ADD #n :n``."""
    names, values = request["ExpressionAttributeNames"], request["ExpressionAttributeValues"]
    rest, _, adds = request["UpdateExpression"].removeprefix("SET ").partition(" ADD ")
    sets, _, removes = rest.partition(" REMOVE ")
    new = dict(old)
    for addition in filter(None, adds.split(", ")):
        name, value = addition.split()
        before = Decimal(old.get(names[name], {"N": "0"})["N"])
        new[names[name]] = {"N": str(before + Decimal(values[value]["N"]))}
    for assignment in re.split(r", (?=#\w+ = )", sets):
        name, value = assignment.split(" = ")
        if appended := _APPEND.fullmatch(value):
            items = [*old[names[appended[1]]]["L"], *values[appended[2]]["L"]]
            new[names[name]] = {"L": items}
        else:
            new[names[name]] = values[value]
    for name in filter(None, removes.split(", ")):
        new.pop(names[name], None)
    return new


def _normal(value: dict[str, Any]) -> dict[str, Any]:
    """Numbers come back without trailing zeros, as from DynamoDB."""
    return {"N": f"{Decimal(value['N']).normalize():f}"} if "N" in value else value
