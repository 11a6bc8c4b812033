"""DynamoDB as the ledger uses it: conditional writes, consistent reads, indexes and copies that lag."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from refunds.domain.entry import Entry, State
from refunds.ledger.claims import HELD_PREFIX
from refunds.ledger.hourly_count import KEY_PREFIX as COUNT_PREFIX
from refunds.ledger.item import UnreadableItem, decode
from tests.fakes.answers import CONDITION_FAILED, AwsError, Exceptions, no_answer, refusal
from tests.fakes.dynamodb import Tables
from tests.simulation.gate import Call, Gate

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

Item = dict[str, Any]
TERMINAL: Final = frozenset({State.SUCCEEDED, State.FAILED})
_OTHER_ITEMS: Final = (HELD_PREFIX, COUNT_PREFIX)
_PAGES: Final = {"by_payment": 1, "by_order": 1}
_LARGE_PAGE: Final = 100


class Seen:
    """One version of a request's item, as it is read from DynamoDB.

    Attributes:
        item: as it is stored.
        entry: what the product's own code reads from it.
    """

    __slots__ = ("_detail", "entry", "item")

    def __init__(self, item: Item, entry: Entry) -> None:
        self.item = item
        self.entry = entry
        self._detail: str | None = None

    @property
    def key(self) -> str:
        """Its partition key."""
        key: str = self.item["pk"]["S"]
        return key

    @property
    def detail(self) -> str | None:
        """The outcome as it is rebuilt from the item; ``None`` if it has none."""
        if self._detail is None and self.entry.outcome is not None:
            self._detail = self.entry.outcome.to_json()
        return self._detail


@lru_cache(maxsize=4096)
def read_outcome(text: str) -> Mapping[str, Any]:
    """An outcome from its text, amounts exact: it is looked at when it is published, and at rest."""
    outcome: dict[str, Any] = json.loads(text, parse_float=Decimal)
    return MappingProxyType(outcome)


class Table:
    """One table and its client in one.

    Args:
        on_write: told the old and the new version of a request's item after every write.
        clock: UNIX seconds.
        index_lag: seconds until a written item appears in the indexes, and in all copies of the table.

    Attributes:
        requests: the requests' items as they are read, by key; what nobody can read is not among them.
        rebuilt: by key, every outcome that was ever rebuilt from the stored item.
        unwritable: keys of items that DynamoDB refuses to write.
    """

    exceptions = Exceptions

    def __init__(
        self,
        gate: Gate,
        on_write: Callable[[Seen | None, Seen], None],
        *,
        clock: Callable[[], float],
        index_lag: float = 0.0,
    ) -> None:
        self.requests: dict[str, Seen] = {}
        self.rebuilt: dict[str, set[str]] = {}
        self.unwritable: set[str] = set()
        self._tables = Tables(ledger="pk")
        self._tables.clock, self._tables.index_lag = clock, index_lag
        self._tables.page, self._tables.pages = _LARGE_PAGE, _PAGES
        self._tables.full_page_goes_on = False
        self._gate = gate
        self._on_write = on_write

    @property
    def stored(self) -> Mapping[str, Item]:
        """Everything, as it is in DynamoDB."""
        return self._tables.items["ledger"]

    def entry(self, key: str) -> Entry | None:
        """A request's item as it is read now."""
        seen = self.requests.get(key)
        return seen.entry if seen else None

    def plant(self, item: Item) -> None:
        """Put an item in as somebody else wrote it: another version of the code, or a bug of it."""
        key = item["pk"]["S"]
        self._tables.keep("ledger", key, item)
        try:
            self.requests[key] = Seen(item, decode(item))
        except UnreadableItem:
            self.requests.pop(key, None)

    def forget(self, now: float) -> set[str]:
        """Delete what has expired; returns the keys."""
        forgotten = self._tables.expire("ledger", now)
        for key in forgotten:
            self.requests.pop(key, None)
        return forgotten

    def lose(self, keys: Collection[str]) -> None:
        """Be as before these requests were begun: the table was restored."""
        self._tables.lose("ledger", keys)
        for key in keys:
            del self.requests[key]

    def get_item(self, **request: Any) -> dict[str, Any]:
        """A strongly consistent read."""
        assert request["ConsistentRead"]
        self._enter_read(Call.GET)
        return self._carry_out("GetItem", request)

    def batch_get_item(self, **request: Any) -> dict[str, Any]:
        """Reads of several items; what is not strongly consistent lags as the indexes do."""
        self._enter_read(Call.BATCH_GET)
        return self._carry_out("BatchGetItem", request)

    def shows(self, key: str) -> bool:
        """Whether an item is in its indexes by now."""
        return key in self._tables.shown("ledger")

    def query(self, **request: Any) -> dict[str, Any]:
        """A page of an index, without what was written within the lag."""
        found = self._tables.matching(request)
        if (
            found or request["IndexName"] in _PAGES
        ):  # an empty partition of a scheduled run is no place of interest
            self._enter_read(Call.QUERY)
        return self._tables.page_of(request, found)

    def put_item(self, **request: Any) -> dict[str, Any]:
        """A conditional put."""
        return self._write(Call.CLAIM, "PutItem", request["Item"]["pk"]["S"], request)

    def update_item(self, **request: Any) -> dict[str, Any]:
        """A conditional update."""
        return self._write(Call.UPDATE, "UpdateItem", request["Key"]["pk"]["S"], request)

    def _enter_read(self, call: Call) -> None:
        if self._gate.enter(call) is not None:
            raise no_answer()

    def _write(self, call: Call, operation: str, key: str, request: dict[str, Any]) -> dict[str, Any]:
        fault = self._gate.enter(call)
        effect = fault.effect if fault else ""
        if effect == "not sent":
            raise no_answer()
        self._write_once(operation, key, request)
        if effect == "lost":
            raise no_answer()
        if effect == "lost, repeated":
            self._write_once(operation, key, request)
        return {}

    def _write_once(self, operation: str, key: str, request: dict[str, Any]) -> None:
        if key in self.unwritable:
            raise refusal(operation, AwsError("ValidationException"))
        self._carry_out(operation, request)
        if key.startswith(_OTHER_ITEMS):
            return
        new = self.stored[key]
        before, now = self.requests.get(key), Seen(new, decode(new))
        self.requests[key] = now
        if now.detail is not None:
            self.rebuilt.setdefault(key, set()).add(now.detail)
        self._on_write(before, now)

    def _carry_out(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        try:
            return self._tables.carry_out(operation, request)
        except AwsError as error:
            if error.code == CONDITION_FAILED:
                self._gate.note("  condition refused")
            raise refusal(operation, error) from None
