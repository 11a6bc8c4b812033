"""What the ledger knows, for people and for what runs on a schedule: by any id, by day, and what is open.

Nothing here reads the whole table. A day costs what it has, read from the index ``by_day``; what is open
costs what is open. Indexes hold keys only and may lag: the items are read by key, strongly consistent,
and what has moved on in the meantime is judged by what it says now. Who asks for what ended long ago may read
at half the price (``consistent=False``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, Final

from refunds.domain.entry import Entry, Key, State
from refunds.errors import LedgerError
from refunds.ledger import timeline
from refunds.ledger.batch_read import MOST_KEYS, BatchReader
from refunds.ledger.item import UnreadableItem, decode, is_open
from refunds.ledger.shards import (
    DAY_SHARDS,
    day_of,
    days,
    open_partitions,
    partition_of_day,
    previous_open_partitions,
)

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

_TICK: Final = 0.001  # seconds; the ledger's times are no finer
_DAY_INDEX: Final = "by_day"
_OPEN_INDEX: Final = "by_open"
#: The previous version's, of open requests, until a deployment removes it.
_PREVIOUS_INDEX: Final = "by_state"
_ATTRIBUTES: Final = {_DAY_INDEX: "day", _OPEN_INDEX: "open", _PREVIOUS_INDEX: "open_state"}

#: The template's ``LedgerIndexes``: which indexes there are while those of a running table change (ADR 45).
INDEXES: Final[Mapping[str, frozenset[str]]] = {
    "previous": frozenset({_PREVIOUS_INDEX}),
    "with-by-day": frozenset({_PREVIOUS_INDEX, _DAY_INDEX}),
    "with-by-open": frozenset({_PREVIOUS_INDEX, _DAY_INDEX, _OPEN_INDEX}),
    "current": frozenset({_DAY_INDEX, _OPEN_INDEX}),
}


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


class LedgerQueries:
    """Reads the ledger table and never writes it. Safe for concurrent use.

    Args:
        client: a DynamoDB client.
        table: its name.
        cancel_types: all there are; ``find`` looks for an idempotency key in each.
        reader: reads items by key; made from the client if there is none.
        indexes: which there are, as the template's ``LedgerIndexes`` calls them; no other one is read.
        unreadable: told of an item that cannot be read, where entries are not asked for by key; without
            it, such an item is an error.
    """

    def __init__(
        self,
        client: DynamoDBClient,
        table: str,
        cancel_types: Iterable[str],
        *,
        reader: BatchReader | None = None,
        indexes: str = "current",
        unreadable: Callable[[Key], None] | None = None,
    ) -> None:
        self._client = client
        self._table = table
        self._cancel_types = tuple(cancel_types)
        self._reader = reader or BatchReader(client, table)
        self._indexes = INDEXES[indexes]
        self._unreadable = unreadable

    def entries(self, keys: Iterable[Key]) -> dict[Key, Entry]:
        """The entries of these keys, strongly consistent; a key without an item is absent.

        Raises:
            UnreadableItem: one of the items cannot be read.
        """
        items = self._reader.items(str(key) for key in keys)
        return {entry.key: entry for entry in map(decode, items)}

    def find(self, identifier: str) -> list[Entry]:
        """Every entry meant by a ``cancel_request_id``, an order, a payment or a receipt."""
        direct = self.entries(Key(name, identifier) for name in self._cancel_types)
        indexed = chain(
            self._keys("by_order", "order_id", identifier),
            self._keys("by_payment", "payment_ref", identifier),
        )
        others = self.entries(key for key in map(Key.of, indexed) if key not in direct)
        return sorted([*direct.values(), *others.values()], key=lambda entry: entry.timeline[:1])

    def of_payment(self, payment_ref: str, *, known: Iterable[Entry] = ()) -> list[Entry]:
        """The cancellations of a payment; those that can be read. Of what is its own order: see ``find``.

        ``known`` are some of them that have ended and were read already: they are not read again.
        """
        ended = {entry.key: entry for entry in known}
        keys = map(Key.of, self._keys("by_payment", "payment_ref", payment_ref))
        others = self.readable(key for key in keys if key not in ended)
        return [*ended.values(), *others.entries.values()]

    def readable(self, keys: Iterable[Key], *, consistent: bool = True) -> Readings:
        """The entries of these keys; what cannot be read is named, and ends nothing."""
        entries: dict[Key, Entry] = {}
        unreadable: list[Key] = []
        for item in self._reader.items(map(str, keys), consistent=consistent):
            try:
                entry = decode(item)
            except UnreadableItem as error:
                unreadable.append(Key.of(error.pk))
            else:
                entries[entry.key] = entry
        return Readings(entries, tuple(unreadable))

    def day_partitions(self, day: date) -> tuple[Partition, ...]:
        """Where the keys of a day (UTC) stand: of what was claimed or ended last on it."""
        return self._existing(_DAY_INDEX, [partition_of_day(day, shard) for shard in range(DAY_SHARDS)])

    def open_partitions(self) -> tuple[Partition, ...]:
        """Where the keys of everything stand that needs somebody, and of what the previous version left."""
        return (
            *self._existing(_OPEN_INDEX, open_partitions()),
            *self._existing(_PREVIOUS_INDEX, previous_open_partitions()),
        )

    def keys_in(self, partition: Partition, after: Key | None = None) -> Iterator[Key]:
        """The keys of a partition in their order, beginning after ``after``.

        The previous version's index has another order: it is always read from its beginning.
        """
        behind = str(after) if after and partition.index != _PREVIOUS_INDEX else ""
        attribute = _ATTRIBUTES[partition.index]
        return map(Key.of, self._keys(partition.index, attribute, partition.value, behind=behind))

    def of_day(self, day: date) -> Iterator[Entry]:
        """Everything that was claimed or ended last on a day (UTC), as it stands now.

        What has moved on to another day since the index was read may be among it, and what moved here
        meanwhile may be missing: a day is complete once it is over, and the index has caught up.
        """
        return self._entries_in(self.day_partitions(day))

    def claims_never_ended(self, day: date) -> Iterator[Entry]:
        """The claims of a day that nothing followed: no record, and no second write that left them open.

        A worker that is still at it is among them: see ``Entry.leased``.
        """
        return (e for e in self.of_day(day) if e.state is State.STARTED and e.revision == 1)

    def open_entries(self, states: Sequence[State] = ()) -> Iterator[Entry]:
        """What still needs somebody, in no particular order; all of it, or what is in one of ``states``.

        Also what a newer version left open (``State.UNKNOWN``). An entry that moves from the previous
        version's index to this one's may come twice.
        """
        entries = self._entries_in(self.open_partitions())
        return (e for e in entries if is_open(e) and (not states or e.state in states))

    def no_longer_open(self) -> Iterator[Entry]:
        """What stands among the open requests and has ended: ``Ledger.note_open`` takes it out.

        A request is noted there without a new version of its item, by somebody who does not have it: a
        worker of the previous version does not know that it has to be taken out.
        """
        return (e for e in self._entries_in(self.open_partitions()) if not is_open(e))

    def ended_between(
        self, since: float, until: float, *, cancel_types: Sequence[str] = (), states: Sequence[State]
    ) -> Iterator[Entry]:
        """Entries in one of ``states`` whose outcome was recorded in a period, in no particular order.

        ``since`` and ``until`` are UNIX seconds, ``until`` excluded. Items of the previous version that
        nobody has adopted (``Ledger.adopt``) have no day and are not among them.
        """
        for day in days(day_of(since), day_of(until - _TICK)):
            for entry in self.of_day(day):
                meant = entry.state in states and (not cancel_types or entry.key.cancel_type in cancel_types)
                if meant and since <= recorded_at(entry) < until:
                    yield entry

    def _entries_in(self, partitions: Iterable[Partition]) -> Iterator[Entry]:
        keys = chain.from_iterable(self.keys_in(partition) for partition in partitions)
        for chunk in _chunks(keys):
            readings = self.readable(chunk)
            for key in readings.unreadable:
                self._pass_over(key)
            yield from readings.entries.values()

    def _pass_over(self, key: Key) -> None:
        if self._unreadable is None:
            raise LedgerError(f"the ledger item {key} cannot be read")
        self._unreadable(key)

    def _existing(self, index: str, values: Sequence[str]) -> tuple[Partition, ...]:
        return tuple(Partition(index, value) for value in values) if index in self._indexes else ()

    def _keys(self, index: str, attribute: str, value: str, *, behind: str = "") -> Iterator[str]:
        """The partition keys of an index that holds keys only, in order, ``behind`` one of them."""
        query: dict[str, Any] = {
            "TableName": self._table,
            "IndexName": index,
            "KeyConditionExpression": "#a = :v",
            "ExpressionAttributeNames": {"#a": attribute},
            "ExpressionAttributeValues": {":v": {"S": value}},
        }
        if behind:
            query["ExclusiveStartKey"] = {attribute: {"S": value}, "pk": {"S": behind}}
        while True:
            page = self._client.query(**query)
            yield from (item["pk"]["S"] for item in page.get("Items", []))
            if not page.get("LastEvaluatedKey"):
                return
            query["ExclusiveStartKey"] = page["LastEvaluatedKey"]


def _chunks(keys: Iterator[Key]) -> Iterator[list[Key]]:
    """As many keys at a time as one read may have."""
    while chunk := list(islice(keys, MOST_KEYS)):
        yield chunk


def recorded_at(entry: Entry) -> float:
    """UNIX seconds at which the entry's outcome was recorded; of its claim if it has none."""
    found = timeline.recorded(entry.timeline)
    event = found[0] if found else entry.timeline[0]
    return timeline.seconds(event)
