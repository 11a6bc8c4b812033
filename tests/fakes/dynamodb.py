"""DynamoDB: conditional writes on tables with one key attribute, and indexes that may lag."""

from __future__ import annotations

import itertools
import re
import threading
import time
from collections.abc import Callable, Collection, Mapping
from decimal import Decimal
from functools import partial
from typing import Any

from bench.world.units import size
from tests.fakes.answers import CONDITION_FAILED, AwsError
from tests.fakes.expressions import check_names, holds, invalid, updated
from tests.fakes.limits import MOST_KEYS, MOST_OF_A_BATCH, MOST_OF_AN_ITEM

TARGET = "DynamoDB_20120810"
Item = dict[str, Any]

#: A number as DynamoDB writes it.
_PLAIN = re.compile("-?[1-9][0-9]*|0")

#: Items in one answer, as if each page of a query were full.
PAGE = 1000


def _let_pass(operation: str, key: str) -> None:
    """Disturb nothing."""


class Tables:
    """Every table of an account; ``keys`` names each table's partition key.

    ``missing_indexes`` do not exist, ``page`` is how many items one answer to a query has (``pages`` says it
    of single indexes), and so many reads by key are left ``unprocessed`` in part. Indexes show a write
    ``index_lag`` seconds of ``clock`` later. ``disturb`` is called with operation and partition key before a
    single item is read or written, in the thread that asks: it may wait, or raise AwsError.
    """

    def __init__(self, **keys: str) -> None:
        self.items: dict[str, dict[str, Item]] = {name: {} for name in keys}
        self.writes: list[str] = []
        self.disturb: Callable[[str, str], None] = _let_pass
        self.missing_indexes: set[str] = set()
        self.page = PAGE
        self.pages: Mapping[str, int] = {}
        #: A full page has a last key, whether or not something follows: API_Query allows both.
        self.full_page_goes_on = True
        self.unprocessed = 0
        self.clock: Callable[[], float] = time.time
        self.index_lag = 0.0
        self._keys = keys
        self._indexed: dict[str, dict[str, Item]] = {name: {} for name in keys}
        self._unindexed: list[tuple[float, str, str, Item]] = []
        self._sizes: dict[tuple[str, str], int] = {}
        self._lock = threading.Lock()

    def carry_out(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """Answer one operation, one at a time."""
        if "TableName" in request and (item := request.get("Key") or request.get("Item")):
            self.disturb(operation, self.key_of(request["TableName"], item))
        with self._lock:
            match operation:
                case "GetItem":
                    item = self.find(request["TableName"], self.key_of(request["TableName"], request["Key"]))
                    return {"Item": item} if item else {}
                case "PutItem":
                    return self._write(operation, request, request["Item"])
                case "UpdateItem" | "DeleteItem":
                    return self._write(operation, request, request["Key"])
                case "Query":
                    return self.page_of(request, self.matching(request))
                case "BatchGetItem":
                    return self._batch_get(request)
        raise AwsError("UnknownOperationException", operation)

    def add(self, table: str, key: str) -> None:
        """One table more, by the name of its partition key."""
        self.items[table], self._indexed[table] = {}, {}
        self._keys[table] = key

    def reset(self) -> None:
        """Forget every item, write and disturbance."""
        for items in (*self.items.values(), *self._indexed.values()):
            items.clear()
        self._unindexed.clear()
        self._sizes.clear()
        self.writes.clear()
        self.disturb = _let_pass
        self.missing_indexes.clear()
        self.page = PAGE
        self.unprocessed = 0

    def find(self, table: str, key: str) -> Item | None:
        """An item as it is now."""
        return self.items[table].get(key)

    def expire(self, table: str, now: float, attribute: str = "expires_at") -> set[str]:
        """Delete what has expired, as DynamoDB does when it finds the time; returns the keys."""
        gone = {
            key
            for key, item in self.items[table].items()
            if attribute in item and float(item[attribute]["N"]) <= now
        }
        self.lose(table, gone)
        return gone

    def lose(self, table: str, keys: Collection[str]) -> None:
        """Have these items no more, in the table and its indexes."""
        for key in keys:
            del self.items[table][key]
            self._indexed[table].pop(key, None)
        self._unindexed = [one for one in self._unindexed if one[1] != table or one[2] not in keys]

    def matching(self, request: Mapping[str, Any]) -> list[str]:
        """What a query finds behind its start key, by partition key; an index must be there."""
        if request["IndexName"] in self.missing_indexes:
            raise invalid("The table does not have the specified index")
        table = request["TableName"]
        start = request.get("ExclusiveStartKey")
        behind = self.key_of(table, start) if start else ""
        condition = request["KeyConditionExpression"]
        return sorted(
            key for key, item in self.shown(table).items() if key > behind and holds(condition, item, request)
        )

    def page_of(self, request: Mapping[str, Any], found: list[str]) -> dict[str, Any]:
        """The first of what a query finds: the keys of table and index."""
        attribute, value = _key_of(request)
        most = self.pages.get(request["IndexName"], self.page)
        most = min(request.get("Limit", most), most)
        key = self._keys[request["TableName"]]
        page: dict[str, Any] = {"Items": [{key: {"S": one}, attribute: value} for one in found[:most]]}
        if len(found) > most or (len(found) == most and self.full_page_goes_on):
            page["LastEvaluatedKey"] = page["Items"][-1]
        return page

    def shown(self, table: str) -> Mapping[str, Item]:
        """What indexes, and reads that are not strongly consistent, have by now."""
        if not self.index_lag:
            return self.items[table]
        horizon = self.clock() - self.index_lag
        while self._unindexed and self._unindexed[0][0] <= horizon:
            _, name, key, item = self._unindexed.pop(0)
            self._indexed[name][key] = item
        return self._indexed[table]

    def key_of(self, table: str, item: Item) -> str:
        """The partition key of an item, or of a key."""
        value: str = item[self._keys[table]]["S"]
        return value

    def _write(self, operation: str, request: Mapping[str, Any], item: Item) -> dict[str, Any]:
        """The condition is judged first: what the update would run into does not matter then."""
        check_names(request)
        table = request["TableName"]
        key = self.key_of(table, item)
        old = self.items[table].get(key)
        condition = request.get("ConditionExpression")
        if condition and not holds(condition, old or {}, request):
            shown = request.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD" and old
            fields: dict[str, Any] = {"Item": old} if shown else {}
            raise AwsError(CONDITION_FAILED, "The conditional request failed", **fields)
        if operation == "DeleteItem":
            self.items[table].pop(key, None)
            self._indexed[table].pop(key, None)
        else:
            self.keep(table, key, updated(old or {}, request, item) if operation == "UpdateItem" else item)
        self.writes.append(operation)
        return {}

    def keep(self, table: str, key: str, new: Item) -> None:
        """Write an item, whatever is there."""
        bytes_of_it = size(new)
        if bytes_of_it > MOST_OF_AN_ITEM:
            raise invalid("Item size has exceeded the maximum allowed size")
        item = {name: _normal(value) for name, value in new.items()}
        self.items[table][key] = item
        self._sizes[table, key] = bytes_of_it
        if self.index_lag:
            self._unindexed.append((self.clock(), table, key, item))

    def _batch_get(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """``unprocessed`` answers leave all keys but the first unread; one answer has 16 MB at most."""
        ((table, wanted),) = request["RequestItems"].items()
        keys, left = wanted["Keys"], []
        names = [self.key_of(table, key) for key in keys]
        if len(names) > MOST_KEYS:
            raise invalid(f"Member must have length less than or equal to {MOST_KEYS}")
        if len(set(names)) < len(names):
            raise invalid("Provided list of item keys contains duplicates")
        if self.unprocessed and len(keys) > 1:
            self.unprocessed -= 1
            keys, left = keys[:1], keys[1:]
        sizes = itertools.accumulate(self._sizes.get((table, name), 0) for name in names)
        fitting = sum(total <= MOST_OF_A_BATCH for total in sizes)
        keys, left = keys[:fitting], keys[fitting:] + left
        lags = self.index_lag and not wanted.get("ConsistentRead")
        look = self.shown(table).get if lags else partial(self.find, table)
        found = [item for name in names[: len(keys)] if (item := look(name))]
        return {
            "Responses": {table: found},
            "UnprocessedKeys": {table: {"Keys": left}} if left else {},
        }


def _key_of(request: Mapping[str, Any]) -> tuple[str, Any]:
    """The attribute that a query's index is about, and its value: ``#a = :v``."""
    (name,) = request["ExpressionAttributeNames"].values()
    (value,) = request["ExpressionAttributeValues"].values()
    return name, value


def _normal(value: dict[str, Any]) -> dict[str, Any]:
    """Numbers come back without trailing zeros, as from DynamoDB."""
    if "N" not in value or _PLAIN.fullmatch(value["N"]):
        return value
    return {"N": f"{Decimal(value['N']).normalize():f}"}
