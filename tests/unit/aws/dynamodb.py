"""DynamoDB: conditional writes on tables with one key attribute, and indexes that never lag."""

from __future__ import annotations

import itertools
import re
import threading
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from tests.unit.aws.endpoint import AwsError
from tests.unit.aws.expressions import check_names, holds
from tests.unit.aws.limits import MOST_KEYS, MOST_OF_A_BATCH, MOST_OF_AN_ITEM, size

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
        self._sizes: dict[tuple[str, str], int] = {}
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
                    return self._write(operation, request, request["Key"], None)
                case "DeleteItem":
                    return self._write(operation, request, request["Key"], None)
                case "Query":
                    return self._query(request)
                case "BatchGetItem":
                    return self._batch_get(request)
        raise AwsError("UnknownOperationException", operation)

    def add(self, table: str, key: str) -> None:
        """One table more, by the name of its partition key."""
        self.items[table] = {}
        self._keys[table] = key

    def reset(self) -> None:
        """Forget every item, write and disturbance."""
        for items in self.items.values():
            items.clear()
        self._sizes.clear()
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
        """The condition is judged first: what the update would run into does not matter then."""
        check_names(request)
        table = request["TableName"]
        old = self._find(table, key)
        condition = request.get("ConditionExpression")
        if condition and not holds(condition, old or {}, request):
            shown = request.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD" and old
            fields: dict[str, Any] = {"Item": old} if shown else {}
            raise AwsError("ConditionalCheckFailedException", "The conditional request failed", **fields)
        if operation == "UpdateItem":
            new = _updated(old or dict(key), request, key)
        self._keep(table, self._key(table, key), new)
        self.writes.append(operation)
        return {}

    def _keep(self, table: str, key: str, new: Item | None) -> None:
        if new is None:
            self.items[table].pop(key, None)
            return
        bytes_of_it = size(new)
        if bytes_of_it > MOST_OF_AN_ITEM:
            raise _invalid("Item size has exceeded the maximum allowed size")
        self.items[table][key] = {name: _normal(value) for name, value in new.items()}
        self._sizes[table, key] = bytes_of_it

    def _query(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """A page of an index, by partition key; an index that is not there is refused."""
        if request["IndexName"] in self.missing_indexes:
            raise _invalid("The table does not have the specified index")
        table = request["TableName"]
        attribute = request["ExpressionAttributeNames"]["#a"]
        start = request.get("ExclusiveStartKey")
        behind = self._key(table, start) if start else ""
        found = sorted(
            key
            for key, item in self.items[table].items()
            if key > behind and holds(request["KeyConditionExpression"], item, request)
        )
        most = min(request.get("Limit", self.page), self.page)
        shown = [self.items[table][key] for key in found[:most]]
        page: dict[str, Any] = {
            "Items": [{a: item[a] for a in (self._keys[table], attribute)} for item in shown]
        }
        # A page that is full has a last key, whether or not something follows (API_Query).
        if len(found) >= most:
            page["LastEvaluatedKey"] = page["Items"][-1]
        return page

    def _batch_get(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """``unprocessed`` answers leave all keys but the first unread; one answer has 16 MB at most."""
        ((table, wanted),) = request["RequestItems"].items()
        keys, left = wanted["Keys"], []
        names = [self._key(table, key) for key in keys]
        if len(names) > MOST_KEYS:
            raise _invalid(f"Member must have length less than or equal to {MOST_KEYS}")
        if len(set(names)) < len(names):
            raise _invalid("Provided list of item keys contains duplicates")
        if self.unprocessed and len(keys) > 1:
            self.unprocessed -= 1
            keys, left = keys[:1], keys[1:]
        sizes = itertools.accumulate(self._sizes.get((table, name), 0) for name in names)
        fitting = sum(total <= MOST_OF_A_BATCH for total in sizes)
        keys, left = keys[:fitting], keys[fitting:] + left
        found = [item for key in keys if (item := self._find(table, key))]
        return {
            "Responses": {table: found},
            "UnprocessedKeys": {table: {"Keys": left}} if left else {},
        }


def _updated(old: Item, request: Mapping[str, Any], key: Item) -> Item:
    """Carry out ``SET #a = :a, #l = list_append(#l, :x) REMOVE #b ADD #n :n``, each clause at will.

    An item that does not exist is made of its key and what is set (API_UpdateItem).
    """
    names, values = request.get("ExpressionAttributeNames", {}), request.get("ExpressionAttributeValues", {})
    _, *parts = _CLAUSE.split(request.get("UpdateExpression", "SET "))
    clauses = dict(zip(parts[::2], parts[1::2], strict=True))
    new = dict(old)
    changed: list[str] = []
    for addition in filter(None, clauses.get("ADD", "").strip().split(", ")):
        name, value = addition.split()
        before = Decimal(old.get(names[name], {"N": "0"})["N"])
        new[names[name]] = {"N": str(before + Decimal(values[value]["N"]))}
        changed.append(names[name])
    for assignment in filter(None, re.split(r", (?=#\w+ = )", clauses.get("SET", "").strip())):
        name, value = assignment.split(" = ")
        new[names[name]] = (
            _appended(old, names, values, found) if (found := _APPEND.fullmatch(value)) else values[value]
        )
        changed.append(names[name])
    for name in filter(None, clauses.get("REMOVE", "").strip().split(", ")):
        new.pop(names.get(name, name), None)
        changed.append(names.get(name, name))
    if len(set(changed)) < len(changed):
        raise _invalid("Two document paths overlap with each other")
    if key.keys() & set(changed):
        raise _invalid("Cannot update attribute. This attribute is part of the key")
    return new


def _appended(
    old: Item, names: Mapping[str, str], values: Mapping[str, Any], found: re.Match[str]
) -> dict[str, Any]:
    """A list and what is appended; one that is not there needs ``if_not_exists``."""
    before = old.get(names[found[1] or found[2]], {"L": []} if found[1] else None)
    if before is None:
        raise _invalid("The provided expression refers to an attribute that does not exist in the item")
    return {"L": [*before["L"], *values[found[3]]["L"]]}


def _invalid(message: str) -> AwsError:
    return AwsError("ValidationException", message)


def _normal(value: dict[str, Any]) -> dict[str, Any]:
    """Numbers come back without trailing zeros, as from DynamoDB."""
    return {"N": f"{Decimal(value['N']).normalize():f}"} if "N" in value else value
