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
from tests.simulation.answers import CONDITION_FAILED, Exceptions, no_answer, refusal
from tests.simulation.gate import Call, Fault, Gate
from tests.unit.aws import expressions

if TYPE_CHECKING:
    from collections.abc import Callable

Item = dict[str, Any]
TERMINAL: Final = frozenset({State.SUCCEEDED, State.FAILED})
_OTHER_ITEMS: Final = (HELD_PREFIX, COUNT_PREFIX)
_INDEXES: Final = frozenset({"by_payment", "by_order", "by_open", "by_day", "by_state"})
_PAGE: Final = {"by_payment": 1, "by_order": 1}
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
        stored: everything, as it is in DynamoDB.
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
        self.stored: dict[str, Item] = {}
        self.requests: dict[str, Seen] = {}
        self.rebuilt: dict[str, set[str]] = {}
        self.unwritable: set[str] = set()
        self._gate = gate
        self._on_write = on_write
        self._clock = clock
        self._index_lag = index_lag
        self._indexed: list[tuple[float, Item]] = []

    def entry(self, key: str) -> Entry | None:
        """A request's item as it is read now."""
        seen = self.requests.get(key)
        return seen.entry if seen else None

    def plant(self, item: Item) -> None:
        """Put an item in as somebody else wrote it: another version of the code, or a bug of it."""
        key = item["pk"]["S"]
        self.stored[key] = item
        self._indexed.append((self._clock(), item))
        try:
            self.requests[key] = Seen(item, decode(item))
        except UnreadableItem:
            self.requests.pop(key, None)

    def forget(self, now: float) -> set[str]:
        """Delete what has expired, as DynamoDB does when it finds the time; returns the keys."""
        forgotten = set()
        for key, item in list(self.stored.items()):
            if float(item.get("expires_at", {"N": "inf"})["N"]) <= now:
                del self.stored[key]
                self.requests.pop(key, None)
                forgotten.add(key)
                self._indexed = [one for one in self._indexed if one[1]["pk"]["S"] != key]
        return forgotten

    def get_item(self, *, TableName: str, Key: Item, ConsistentRead: bool) -> dict[str, Any]:  # noqa: N803
        """A strongly consistent read."""
        assert TableName
        assert ConsistentRead
        self._fail_read(self._gate.enter(Call.GET))
        item = self.stored.get(Key["pk"]["S"])
        return {"Item": item} if item else {}

    def put_item(self, **request: Any) -> dict[str, Any]:
        """A conditional put."""
        key = request["Item"]["pk"]["S"]
        return self._write(Call.CLAIM, key, request, lambda _old: request["Item"])

    def update_item(self, **request: Any) -> dict[str, Any]:
        """A conditional update."""
        key = request["Key"]["pk"]["S"]
        return self._write(Call.UPDATE, key, request, lambda old: _updated(old, request))

    def batch_get_item(self, *, RequestItems: Mapping[str, Any]) -> dict[str, Any]:  # noqa: N803
        """Reads of several items; what is not strongly consistent lags as the indexes do."""
        self._fail_read(self._gate.enter(Call.BATCH_GET))
        ((name, wanted),) = RequestItems.items()
        shown = self.stored if wanted["ConsistentRead"] else self._copies()
        keys = [key["pk"]["S"] for key in wanted["Keys"]]
        return {"Responses": {name: [shown[key] for key in keys if key in shown]}}

    def query(self, **request: Any) -> dict[str, Any]:
        """A page of an index, without what was written within the lag."""
        attribute = request["ExpressionAttributeNames"]["#a"]
        value = request["ExpressionAttributeValues"][":v"]
        index = request["IndexName"]
        assert index in _INDEXES
        seen = self._copies()
        behind = request.get("ExclusiveStartKey", {}).get("pk", {}).get("S", "")
        found = sorted(key for key, item in seen.items() if item.get(attribute) == value and key > behind)
        if found or index in _PAGE:  # an empty partition of a scheduled run is no place of interest
            self._fail_read(self._gate.enter(Call.QUERY))
        size = _PAGE.get(index, _LARGE_PAGE)
        page: dict[str, Any] = {"Items": [{"pk": {"S": key}} for key in found[:size]]}
        if len(found) > size:
            page["LastEvaluatedKey"] = {attribute: value, "pk": {"S": found[size - 1]}}
        return page

    def _copies(self) -> dict[str, Item]:
        """Every request's item without what was written within the lag."""
        horizon = self._clock() - self._index_lag
        return {item["pk"]["S"]: item for at, item in self._indexed if at <= horizon}

    def _write(
        self, call: Call, key: str, request: Mapping[str, Any], make: Callable[[Item], Item]
    ) -> dict[str, Any]:
        fault = self._gate.enter(call)
        if fault is not None and fault.effect == "not sent":
            raise no_answer()
        self._put_if(key, request, make)
        if fault is not None and fault.effect == "lost":
            raise no_answer()
        if fault is not None and fault.effect == "lost, repeated":
            self._put_if(key, request, make)
        return {}

    def _put_if(self, key: str, request: Mapping[str, Any], make: Callable[[Item], Item]) -> None:
        if key in self.unwritable:
            raise refusal("Write", "ValidationException")
        old = self.stored.get(key)
        if not _holds(old, request):
            self._gate.note("  condition refused")
            shown = request.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD" and old is not None
            raise refusal("Write", CONDITION_FAILED, **({"Item": old} if shown else {}))
        new = make(old or {})
        self.stored[key] = new
        if key.startswith(_OTHER_ITEMS):
            return
        self._indexed.append((self._clock(), new))
        before, now = self.requests.get(key), Seen(new, decode(new))
        self.requests[key] = now
        if now.detail is not None:
            self.rebuilt.setdefault(key, set()).add(now.detail)
        self._on_write(before, now)

    def _fail_read(self, fault: Fault | None) -> None:
        if fault is not None:
            raise no_answer()


def _holds(item: Item | None, request: Mapping[str, Any]) -> bool:
    condition = request.get("ConditionExpression")
    if condition is None:
        return True
    if condition == "attribute_not_exists(pk)":
        return item is None
    return expressions.holds(condition, item or {}, request)


def _updated(old: Item, request: Mapping[str, Any]) -> Item:
    """Carry out ``SET a = :a REMOVE b ADD c :c``."""
    names, values = request["ExpressionAttributeNames"], request["ExpressionAttributeValues"]
    sets, removes, adds = _parsed(request["UpdateExpression"])
    new = dict(old) or dict(request["Key"])
    for name, value in sets:
        new[names[name]] = values[value]
    for name in removes:
        new.pop(names[name], None)
    for name, value in adds:
        before = Decimal(new.get(names[name], {"N": "0"})["N"])
        new[names[name]] = {"N": str(before + Decimal(values[value]["N"]))}
    return new


_Pairs = tuple[tuple[str, str], ...]


@lru_cache(maxsize=256)
def _parsed(expression: str) -> tuple[_Pairs, tuple[str, ...], _Pairs]:
    """What an update expression sets, removes and adds."""
    rest, _, adds = f" {expression}".partition(" ADD ")
    before, _, removes = rest.partition(" REMOVE ")
    sets = before.removeprefix(" SET ").strip()
    return (
        _pairs(sets, " = "),
        tuple(removes.split(", ") if removes else ()),
        _pairs(adds, " "),
    )


def _pairs(text: str, sign: str) -> _Pairs:
    found = [one.split(sign) for one in text.split(", ")] if text else []
    return tuple((name, value) for name, value in found)
