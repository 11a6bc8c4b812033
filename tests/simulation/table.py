"""DynamoDB as the ledger uses it: conditional writes, consistent reads, an index that lags."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from refunds.contracts import strict_json
from refunds.ledger.claims import HELD_PREFIX
from refunds.ledger.item import decode
from tests.simulation.answers import CONDITION_FAILED, Exceptions, no_answer, refusal
from tests.simulation.gate import Call, Fault, Gate
from tests.unit.aws import expressions

if TYPE_CHECKING:
    from collections.abc import Callable

Item = dict[str, Any]
TERMINAL: Final = frozenset({"SUCCEEDED", "FAILED"})


def state_of(item: Item) -> str:
    """The state of a ledger item."""
    state: str = item["state"]["S"]
    return state


def outcome_of(item: Item) -> Mapping[str, Any]:
    """The stored outcome of a ledger item; empty if it has none."""
    return read_outcome(item["outcome"]["S"]) if "outcome" in item else {}


@lru_cache(maxsize=4096)
def read_outcome(text: str) -> Mapping[str, Any]:
    """An outcome from its text: it is looked at when it is written, when it is published, and at rest."""
    outcome: dict[str, Any] = json.loads(text)
    return MappingProxyType(outcome)


class Table:
    """One table and its client in one.

    Args:
        on_write: told the old and the new item after every write.
        clock: UNIX seconds.
        index_lag: seconds until a written item appears in the indexes.

    Attributes:
        stored: as it is in DynamoDB.
        items: the requests, each in plain attributes whatever version wrote it (``view``).
    """

    exceptions = Exceptions

    def __init__(
        self,
        gate: Gate,
        on_write: Callable[[Item | None, Item], None],
        *,
        clock: Callable[[], float],
        index_lag: float = 0.0,
    ) -> None:
        self.stored: dict[str, Item] = {}
        self.items: dict[str, Item] = {}
        self._gate = gate
        self._on_write = on_write
        self._clock = clock
        self._index_lag = index_lag
        self._indexed: list[tuple[float, Item]] = []

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
        """Strongly consistent reads of several items."""
        self._fail_read(self._gate.enter(Call.BATCH_GET))
        ((name, wanted),) = RequestItems.items()
        assert wanted["ConsistentRead"]
        keys = [key["pk"]["S"] for key in wanted["Keys"]]
        return {"Responses": {name: [self.stored[key] for key in keys if key in self.stored]}}

    def query(self, **request: Any) -> dict[str, Any]:
        """A page of one item of an index, without what was written within the lag."""
        self._fail_read(self._gate.enter(Call.QUERY))
        attribute = request["ExpressionAttributeNames"]["#a"]
        value = request["ExpressionAttributeValues"][":v"]
        assert request["IndexName"] in ("by_payment", "by_order")
        horizon = self._clock() - self._index_lag
        seen = {item["pk"]["S"]: item for at, item in self._indexed if at <= horizon}
        found = [
            {"pk": item["pk"], attribute: value} for item in seen.values() if item.get(attribute) == value
        ]
        start = int(request.get("ExclusiveStartKey", {"after": {"N": "0"}})["after"]["N"])
        page: dict[str, Any] = {"Items": found[start : start + 1]}
        if start + 1 < len(found):
            page["LastEvaluatedKey"] = {"after": {"N": str(start + 1)}}
        return page

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
        old = self.stored.get(key)
        if not _holds(old, request):
            self._gate.note("  condition refused")
            shown = request.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD" and old is not None
            raise refusal("Write", CONDITION_FAILED, **({"Item": old} if shown else {}))
        new = make(old or {})
        self.stored[key] = new
        if key.startswith(HELD_PREFIX):
            return
        self._indexed.append((self._clock(), new))
        seen, shown = self.items.get(key), view(new)
        self.items[key] = shown
        self._on_write(seen, shown)

    def _fail_read(self, fault: Fault | None) -> None:
        if fault is not None:
            raise no_answer()


def view(item: Item) -> Item:
    """A stored item in plain attributes: what the invariants are stated in."""
    entry = decode(item)
    shown: Item = {
        "pk": item["pk"],
        "fingerprint": {"S": entry.fingerprint},
        "state": {"S": str(entry.state)},
        "owner": {"S": entry.owner},
        "lease_until": {"N": str(entry.lease_until)},
        "attempt": {"N": str(entry.attempt)},
        "in_doubt": {"BOOL": entry.in_doubt},
        "request": {"S": strict_json.dumps(entry.request)},
        "version": {"N": str(entry.revision)},
        "timeline": {"L": [{"S": event} for event in entry.timeline]},
    }
    if entry.outcome is not None:
        shown["outcome"] = {"S": entry.outcome.to_json()}
    if entry.proof is not None:
        shown["proof"] = {"S": entry.proof}
    if entry.unpublished:
        shown["unpublished"] = {"BOOL": True}
    if entry.baseline is not None:
        known = {name: value for name, value in vars(entry.baseline).items() if value is not None}
        shown["before"] = {"S": strict_json.dumps(known)}
    return shown


def _holds(item: Item | None, request: Mapping[str, Any]) -> bool:
    condition = request.get("ConditionExpression")
    if condition is None:
        return True
    if condition == "attribute_not_exists(pk)":
        return item is None
    return expressions.holds(condition, item or {}, request)


def _updated(old: Item, request: Mapping[str, Any]) -> Item:
    """Carry out ``SET a = :a REMOVE b``."""
    names, values = request["ExpressionAttributeNames"], request["ExpressionAttributeValues"]
    sets, removes = _parsed(request["UpdateExpression"])
    new = dict(old)
    for name, value in sets:
        new[names[name]] = values[value]
    for name in removes:
        new.pop(names[name], None)
    return new


@lru_cache(maxsize=256)
def _parsed(expression: str) -> tuple[tuple[tuple[str, str], ...], tuple[str, ...]]:
    """What an update expression sets, and what it removes."""
    before, _, removes = f" {expression}".partition(" REMOVE ")
    sets = before.removeprefix(" SET ").strip()
    pairs = [assignment.split(" = ") for assignment in sets.split(", ")] if sets else []
    return tuple((name, value) for name, value in pairs), tuple(removes.split(", ") if removes else ())
