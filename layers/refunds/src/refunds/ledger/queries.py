"""What the ledger knows, for people: by any id, by state and by time.

The lookups by id cost an index query each. ``ended_between`` reads the whole table (an eventually
consistent scan, half a read unit per 4 KB): see docs/adr on reconciliation for what that costs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from heapq import merge
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

from refunds.domain.entry import Entry, Key, State
from refunds.ledger.item import UNPUBLISHED, decode, iso, open_states

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

DAY_SHARDS: Final = 16
DAY_INDEX: Final = "by_day"

_BATCH_GET_LIMIT: Final = 100  # keys in one BatchGetItem (AWS limit)
_SEGMENTS: Final = 4  # of a parallel scan

#: What still needs somebody, as the index ``by_state`` names it.
OPEN_STATES: Final = (State.STARTED.value, State.PENDING.value, State.PARKED.value, UNPUBLISHED)


@dataclass(frozen=True)
class Partition:
    """One partition of an index that holds keys only."""

    index: str
    value: str


@dataclass(frozen=True)
class Readings:
    """Entries as they are now, and the keys of items that cannot be read."""

    entries: Mapping[Key, Entry]
    unreadable: tuple[Key, ...] = ()


_ATTRIBUTES: Final = {"by_open": "open", "by_state": "open_state", "by_day": "day"}


class LedgerQueries:
    """Reads the ledger table and never writes it. Safe for concurrent use.

    Args:
        cancel_types: all there are; ``find`` looks for an idempotency key in each.
    """

    def __init__(self, client: DynamoDBClient, table: str, cancel_types: Iterable[str]) -> None:
        self._client = client
        self._table = table
        self._cancel_types = tuple(cancel_types)

    def entries(self, keys: Iterable[Key]) -> dict[Key, Entry]:
        """The entries of these keys, strongly consistent; a key without an item is absent."""
        return {entry.key: entry for entry in map(decode, self._read(keys))}

    def _read(self, keys: Iterable[Key]) -> list[Mapping[str, Any]]:
        pending = [{"pk": {"S": str(key)}} for key in dict.fromkeys(keys)]
        found: list[Mapping[str, Any]] = []
        while pending:
            chunk, pending = pending[:_BATCH_GET_LIMIT], pending[_BATCH_GET_LIMIT:]
            answer = self._client.batch_get_item(
                RequestItems={self._table: {"Keys": chunk, "ConsistentRead": True}}
            )
            found += answer.get("Responses", {}).get(self._table, [])
            left: Any = answer.get("UnprocessedKeys", {}).get(self._table, {})
            pending += left.get("Keys", [])
        return found

    def readable(self, keys: Iterable[Key]) -> Readings:
        """The entries of these keys, strongly consistent; what cannot be read is named, and ends nothing."""
        entries: dict[Key, Entry] = {}
        unreadable: list[Key] = []
        for item in self._read(keys):
            key = Key.of(item["pk"]["S"])
            try:
                entries[key] = decode(item)
            except Exception:  # noqa: BLE001 - whatever is wrong with one item, the others are read
                unreadable.append(key)
        return Readings(entries, tuple(unreadable))

    def open_partitions(self) -> tuple[Partition, ...]:
        """Where the keys of everything stand that needs somebody."""
        return tuple(Partition("by_state", shard) for state in OPEN_STATES for shard in open_states(state))

    def day_partitions(self, day: date) -> tuple[Partition, ...]:
        """Where the keys of a day (UTC) stand: of what was claimed or ended last on it."""
        return tuple(Partition("by_day", f"{day.isoformat()}.{shard:02}") for shard in range(DAY_SHARDS))

    def keys_in(self, partition: Partition, after: Key | None = None) -> Iterator[Key]:
        """The keys of a partition in their order, beginning after ``after``."""
        keys = self._keys(partition.index, _ATTRIBUTES[partition.index], partition.value)
        return (key for key in keys if after is None or str(key) > str(after))

    def find(self, identifier: str) -> list[Entry]:
        """Every entry meant by a ``cancel_request_id``, an order, a payment or a receipt."""
        direct = self.entries(Key(name, identifier) for name in self._cancel_types)
        indexed = chain(
            self._keys("by_order", "order_id", identifier),
            self._keys("by_payment", "payment_ref", identifier),
        )
        others = self.entries(key for key in indexed if key not in direct)
        return sorted([*direct.values(), *others.values()], key=lambda entry: entry.timeline[:1])

    def of_payment(self, payment_ref: str) -> list[Entry]:
        """The cancellations of a payment, receipt or order."""
        return list(self.entries(self._keys("by_payment", "payment_ref", payment_ref)).values())

    def open_entries(self, states: Sequence[str] = OPEN_STATES) -> Iterator[Entry]:
        """What still needs somebody, state by state, the longest untouched first."""
        for state in states:
            shards = (self._items("by_state", "open_state", shard) for shard in open_states(state))
            yield from map(decode, merge(*shards, key=lambda item: item["updated_at"]["S"]))

    def ended_between(
        self, since: float, until: float, *, cancel_types: Sequence[str] = (), states: Sequence[State]
    ) -> Iterator[Entry]:
        """Entries in one of ``states`` that were last written in a period (UNIX seconds, ``until`` excluded).

        A terminal entry is last written when its outcome is recorded. In no particular order.
        """
        condition = _Condition().between("updated_at", iso(since), iso(until))
        condition.one_of("state", [state.value for state in states])
        if cancel_types:
            condition.one_of("cancel_type", cancel_types)
        with ThreadPoolExecutor(_SEGMENTS) as readers:
            scans = [self._scan(segment, condition) for segment in range(_SEGMENTS)]
            while scans:
                # One page of each segment at a time: memory stays bounded however large the table is.
                pages = list(readers.map(lambda scan: next(scan, None), scans))
                scans = [scan for scan, page in zip(scans, pages, strict=True) if page is not None]
                yield from (decode(item) for page in pages if page is not None for item in page)

    def _scan(self, segment: int, condition: _Condition) -> Iterator[Sequence[Mapping[str, Any]]]:
        pages = self._client.get_paginator("scan").paginate(
            TableName=self._table, Segment=segment, TotalSegments=_SEGMENTS, **condition.arguments()
        )
        return (page.get("Items", []) for page in pages)

    def _keys(self, index: str, attribute: str, value: str) -> Iterator[Key]:
        """What an index has that holds keys only: a copy of the items would be paid for by every write."""
        return (Key.of(item["pk"]["S"]) for item in self._items(index, attribute, value))

    def _items(self, index: str, attribute: str, value: str) -> Iterator[Mapping[str, Any]]:
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            IndexName=index,
            KeyConditionExpression="#a = :v",
            ExpressionAttributeNames={"#a": attribute},
            ExpressionAttributeValues={":v": {"S": value}},
        )
        return (item for page in pages for item in page.get("Items", []))


class _Condition:
    """A filter expression in the making."""

    def __init__(self) -> None:
        self._terms: list[str] = []
        self._names: dict[str, str] = {}
        self._values: dict[str, Any] = {}

    def between(self, name: str, low: str, high: str) -> _Condition:
        self._terms.append(f"#{name} >= :low AND #{name} < :high")
        self._names[f"#{name}"] = name
        self._values |= {":low": {"S": low}, ":high": {"S": high}}
        return self

    def one_of(self, name: str, values: Sequence[str]) -> None:
        marks = {f":{name}{number}": {"S": value} for number, value in enumerate(values)}
        self._terms.append(f"({' OR '.join(f'#{name} = {mark}' for mark in marks)})")
        self._names[f"#{name}"] = name
        self._values |= marks

    def arguments(self) -> dict[str, Any]:
        return {
            "FilterExpression": " AND ".join(self._terms),
            "ExpressionAttributeNames": self._names,
            "ExpressionAttributeValues": self._values,
        }
