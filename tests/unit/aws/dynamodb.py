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

#: Items in one answer, as if each page of a query were full.
PAGE = 1000
_APPEND = re.compile(r"list_append\((?:if_not_exists\((\S+), \S+\)|(\S+)), (\S+)\)")
_CLAUSE = re.compile(r"\b(SET|REMOVE|ADD) ")


def _let_pass(operation: str, key: str) -> None:
    """Disturb nothing."""


class Tables:
    """Every table of an account; ``keys`` names each table's partition key.

    ``missing_indexes`` do not exist, ``page`` is how many items one answer to a query has, and so many
    reads by key are left ``unprocessed`` in part. ``disturb`` is called with operation and partition key
    before a single item is read or written, in
    the thread that asks: it may wait, or raise AwsError.
    """

    def __init__(self, **keys: str) -> None:
        self.items: dict[str, dict[str, Item]] = {name: {} for name in keys}
        self.writes: list[str] = []
        self.disturb: Callable[[str, str], None] = _let_pass
        self.missing_indexes: set[str] = set()
        self.page = PAGE
        self.unprocessed = 0
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
                case "Query":
                    return self._query(request)
                case "BatchGetItem":
                    return self._batch_get(request)
        raise AwsError("UnknownOperationException", operation)

    def reset(self) -> None:
        """Forget every item, write and disturbance."""
        for items in self.items.values():
            items.clear()
        self.writes.clear()
        self.disturb = _let_pass
        self.missing_indexes.clear()
        self.page = PAGE
        self.unprocessed = 0

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

    def _query(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """A page of an index, by partition key; an index that is not there is refused."""
        if request["IndexName"] in self.missing_indexes:
            raise AwsError("ValidationException", "The table does not have the specified index")
        table = request["TableName"]
        start = request.get("ExclusiveStartKey")
        behind = self._key(table, start) if start else ""
        found = sorted(
            key
            for key, item in self.items[table].items()
            if key > behind and holds(request["KeyConditionExpression"], item, request)
        )
        page: dict[str, Any] = {"Items": [{self._keys[table]: {"S": key}} for key in found[: self.page]]}
        if len(found) > self.page:
            page["LastEvaluatedKey"] = {**(start or {}), **page["Items"][-1]}
        return page

    def _batch_get(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """``unprocessed`` answers leave all keys but the first unread."""
        ((table, wanted),) = request["RequestItems"].items()
        keys, left = wanted["Keys"], []
        if self.unprocessed and len(keys) > 1:
            self.unprocessed -= 1
            keys, left = keys[:1], keys[1:]
        found = [item for key in keys if (item := self._find(table, key))]
        return {
            "Responses": {table: found},
            "UnprocessedKeys": {table: {"Keys": left}} if left else {},
        }


def _updated(old: Item, request: Mapping[str, Any]) -> Item:
    """Carry out ``SET #a = :a, #l = list_append(#l, :x) REMOVE #b ADD #n :n``, each clause at will."""
    names, values = request["ExpressionAttributeNames"], request["ExpressionAttributeValues"]
    _, *parts = _CLAUSE.split(request["UpdateExpression"])
    clauses = dict(zip(parts[::2], parts[1::2], strict=True))
    new = dict(old)
    for addition in filter(None, clauses.get("ADD", "").split(", ")):
        name, value = addition.split()
        before = Decimal(old.get(names[name], {"N": "0"})["N"])
        new[names[name]] = {"N": str(before + Decimal(values[value]["N"]))}
    for assignment in filter(None, re.split(r", (?=#\w+ = )", clauses.get("SET", "").strip())):
        name, value = assignment.split(" = ")
        if appended := _APPEND.fullmatch(value):
            before_list = old.get(names[appended[1] or appended[2]], {"L": []})["L"]
            new[names[name]] = {"L": [*before_list, *values[appended[3]]["L"]]}
        else:
            new[names[name]] = values[value]
    for name in filter(None, clauses.get("REMOVE", "").strip().split(", ")):
        new.pop(names[name], None)
    return new


def _normal(value: dict[str, Any]) -> dict[str, Any]:
    """Numbers come back without trailing zeros, as from DynamoDB."""
    return {"N": f"{Decimal(value['N']).normalize():f}"} if "N" in value else value
