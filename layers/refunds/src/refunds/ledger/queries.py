"""What the ledger knows, for people and for what runs on a schedule: by any id, by day, and what is open.

Nothing here reads the whole table. A day costs what it has, read from the index ``by_day``; what is open
costs what is open. Indexes hold keys only and may lag: the items are read by key, strongly consistent,
and what has moved on in the meantime is judged by what it says now.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, Final, Self

from refunds.domain.entry import Entry, Key, State
from refunds.ledger import timeline
from refunds.ledger.batch_read import MOST_KEYS, BatchReader
from refunds.ledger.item import OPEN_ATTRIBUTES, UnreadableItem, decode, is_open
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
_NO_SUCH_INDEX: Final = "ValidationException"


@dataclass(frozen=True)
class Cursor:
    """How far a day has been read: everything up to ``after`` in partition ``shard``, and all before it."""

    shard: int
    after: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        """What ``str`` wrote.

        Raises:
            ValueError: it is none.
        """
        shard, _, after = text.partition(":")
        return cls(int(shard), after)

    def __str__(self) -> str:
        return f"{self.shard}:{self.after}"


@dataclass(frozen=True)
class DayPage:
    """Some entries of a day.

    Attributes:
        entries: in no particular order.
        cursor: reading goes on behind these entries when it is passed to the next call.
    """

    entries: Sequence[Entry]
    cursor: Cursor


class LedgerQueries:
    """Reads the ledger table and never writes it. Safe for concurrent use.

    Args:
        client: a DynamoDB client.
        table: its name.
        cancel_types: all there are; ``find`` looks for an idempotency key in each.
        reader: reads items by key; made from the client if there is none.
        pass_over: told of an item that cannot be read, which is then left out; without it, such an item
            is an error.
    """

    def __init__(
        self,
        client: DynamoDBClient,
        table: str,
        cancel_types: Iterable[str],
        *,
        reader: BatchReader | None = None,
        pass_over: Callable[[UnreadableItem], None] | None = None,
    ) -> None:
        self._client = client
        self._table = table
        self._cancel_types = tuple(cancel_types)
        self._reader = reader or BatchReader(client, table)
        self._pass_over = pass_over

    def entries(self, keys: Iterable[Key]) -> dict[Key, Entry]:
        """The entries of these keys, strongly consistent; a key without an item is absent."""
        found = self._decoded(self._reader.items(str(key) for key in keys))
        return {entry.key: entry for entry in found}

    def find(self, identifier: str) -> list[Entry]:
        """Every entry meant by a ``cancel_request_id``, an order, a payment or a receipt."""
        direct = self.entries(Key(name, identifier) for name in self._cancel_types)
        indexed = chain(
            self._keys("by_order", "order_id", identifier),
            self._keys("by_payment", "payment_ref", identifier),
        )
        others = self.entries(key for key in map(Key.of, indexed) if key not in direct)
        return sorted([*direct.values(), *others.values()], key=lambda entry: entry.timeline[:1])

    def of_payment(self, payment_ref: str) -> list[Entry]:
        """The cancellations of a payment, receipt or order."""
        keys = map(Key.of, self._keys("by_payment", "payment_ref", payment_ref))
        return list(self.entries(keys).values())

    def of_day(self, day: date, *, after: Cursor | None = None) -> Iterator[DayPage]:
        """Everything that was claimed or ended on a day (UTC), as it stands now, page by page.

        An entry that was claimed on one day and ended on the next is the next one's. What has moved on to
        another day since the index was read may be in a page, and what moved here meanwhile may be
        missing: a day is complete once it is over, and the index has caught up.

        Args:
            day: in UTC.
            after: where an earlier reading stopped.
        """
        return (DayPage(list(self._decoded(page.items)), page.cursor) for page in self._pages(day, after))

    def claims_never_ended(self, day: date, *, after: Cursor | None = None) -> Iterator[DayPage]:
        """The claims of a day that nothing followed: no record, and no second write that left them open.

        A worker that is still at it is among them: see ``Entry.leased``. What is in ``by_open`` is not,
        nor what a newer version wrote.
        """
        for page in self._pages(day, after):
            unnoticed = [item for item in page.items if not any(name in item for name in OPEN_ATTRIBUTES)]
            entries = [
                entry
                for entry in self._decoded(unnoticed)
                if not entry.state.terminal and entry.state is not State.UNKNOWN
            ]
            yield DayPage(entries, page.cursor)

    def open_entries(self, states: Sequence[State] = ()) -> Iterator[Entry]:
        """What still needs somebody, in no particular order; all of it, or what is in one of ``states``.

        Also what the previous version left in its own index, as long as that is there, and what a newer
        version left open (``State.UNKNOWN``). An entry that moves from one index to the other may come twice.
        """
        for items in self._open_items():
            for entry in self._decoded(items):
                if is_open(entry) and (not states or entry.state in states):
                    yield entry

    def no_longer_open(self) -> Iterator[Entry]:
        """What stands among the open requests and has ended: ``Ledger.note_open`` takes it out.

        A request is noted there without a new version of its item, by a worker that does not have it: a
        worker of the previous version does not know that it has to be taken out.
        """
        for items in self._open_items():
            yield from (entry for entry in self._decoded(items) if not is_open(entry))

    def ended_between(
        self, since: float, until: float, *, cancel_types: Sequence[str] = (), states: Sequence[State]
    ) -> Iterator[Entry]:
        """Entries in one of ``states`` whose outcome was recorded in a period, in no particular order.

        ``since`` and ``until`` are UNIX seconds, ``until`` excluded. Items of the previous version that
        nobody has adopted (``Ledger.adopt``) have no day and are not among them.
        """
        for day in days(day_of(since), day_of(until - _TICK)):
            for page in self.of_day(day):
                for entry in page.entries:
                    meant = entry.state in states and (
                        not cancel_types or entry.key.cancel_type in cancel_types
                    )
                    if meant and since <= recorded_at(entry) < until:
                        yield entry

    def _pages(self, day: date, after: Cursor | None) -> Iterator[_Page]:
        start = after or Cursor(0)
        for shard in range(start.shard, DAY_SHARDS):
            behind = start.after if shard == start.shard else ""
            keys = self._keys("by_day", "day", partition_of_day(day, shard), behind=behind)
            for chunk in _chunks(keys):
                yield _Page(self._reader.items(chunk), Cursor(shard, chunk[-1]))

    def _open_items(self) -> Iterator[list[Mapping[str, Any]]]:
        partitions = (self._keys("by_open", "open", partition) for partition in open_partitions())
        keys = chain(chain.from_iterable(partitions), self._previously_open())
        return (self._reader.items(chunk) for chunk in _chunks(keys))

    def _previously_open(self) -> Iterator[str]:
        """What stands in the index of the previous version, until a deployment removes that index."""
        try:
            for partition in previous_open_partitions():
                yield from self._keys("by_state", "open_state", partition)
        except self._client.exceptions.ClientError as error:
            if error.response["Error"]["Code"] != _NO_SUCH_INDEX:
                raise

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

    def _decoded(self, items: Iterable[Mapping[str, Any]]) -> Iterator[Entry]:
        for item in items:
            try:
                yield decode(item)
            except UnreadableItem as unreadable:
                if self._pass_over is None:
                    raise
                self._pass_over(unreadable)


@dataclass(frozen=True)
class _Page:
    items: Sequence[Mapping[str, Any]]
    cursor: Cursor


def _chunks(keys: Iterator[str]) -> Iterator[list[str]]:
    """As many keys at a time as one read may have."""
    while chunk := list(islice(keys, MOST_KEYS)):
        yield chunk


def recorded_at(entry: Entry) -> float:
    """UNIX seconds at which the entry's outcome was recorded; of its claim if it has none."""
    found = timeline.recorded(entry.timeline)
    event = found[0] if found else entry.timeline[0]
    return timeline.seconds(event)
