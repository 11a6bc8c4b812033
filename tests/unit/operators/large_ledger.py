"""A ledger of any number of items that are made when they are read, and a count of what is read."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from refunds.ledger.shards import day_partition, open_partition
from tests.unit.operators.rig import DAY, OperatorRig

PER_DAY: Final = 50
_OPEN_DAYS: Final = 20  # the youngest days have an open request each
_MARK: Final = "0000000"


@dataclass
class LargeLedger:
    """Answers Query and BatchGetItem as DynamoDB does; writes are refused.

    Item ``i`` belongs to day ``i // 50`` before ``today``; the first of each of the last days is parked.

    Attributes:
        size: how many items there are.
        items_read: keys of indexes, and items.
        bytes_read: of their attributes' texts.
    """

    size: int
    now: float
    items_read: int = 0
    bytes_read: int = 0
    _ended: dict[str, Any] = field(init=False)
    _parked: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        operators = OperatorRig(now=self.now)
        operators.succeed(f"cr-{_MARK}", amount=Decimal(1000))
        self._ended = dict(operators.tables.items["ledger"][f"payment_cancel#cr-{_MARK}"])
        operators = OperatorRig(now=self.now)
        operators.park(f"cr-{_MARK}")
        self._parked = dict(operators.tables.items["ledger"][f"payment_cancel#cr-{_MARK}"])

    def carry_out(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """One DynamoDB operation."""
        match operation:
            case "Query":
                return {"Items": self._count(self._keys(request))}
            case "BatchGetItem":
                ((table, wanted),) = request["RequestItems"].items()
                found = [self._item(key["pk"]["S"]) for key in wanted["Keys"]]
                return {"Responses": {table: self._count([one for one in found if one])}}
        raise AssertionError(f"{operation} is none of a reader's")

    def _keys(self, request: dict[str, Any]) -> list[dict[str, Any]]:
        value = request["ExpressionAttributeValues"][":v"]["S"]
        behind = request.get("ExclusiveStartKey", {"pk": {"S": ""}})["pk"]["S"]
        match request["IndexName"]:
            case "by_day":
                numbers = [n for n in self._of_day(value[:10]) if self._day_partition(n) == value]
            case "by_open":
                numbers = [n for n in self._open() if open_partition(_pk(n)) == value]
            case "by_payment" if value.startswith("imp_cr-"):
                numbers = [int(value.removeprefix("imp_cr-"))]
            case _:
                numbers = []
        keys = sorted(_pk(number) for number in numbers if number < self.size)
        return [{"pk": {"S": key}} for key in keys if key > behind]

    def _of_day(self, text: str) -> range:
        days_back = (self._today() - date.fromisoformat(text)).days
        return range(days_back * PER_DAY, (days_back + 1) * PER_DAY) if days_back >= 0 else range(0)

    def _open(self) -> list[int]:
        return [day * PER_DAY for day in range(_OPEN_DAYS)]

    def _today(self) -> date:
        return datetime.fromtimestamp(self.now, UTC).date()

    def _day_partition(self, number: int) -> str:
        return day_partition(_pk(number), self.now - number // PER_DAY * DAY)

    def _item(self, pk: str) -> dict[str, Any] | None:
        suffix = pk.rpartition("-")[2]
        if not pk.startswith("payment_cancel#cr-") or not suffix.isdecimal() or int(suffix) >= self.size:
            return None
        number = int(suffix)
        template = self._parked if number in self._open() else self._ended
        then = (self._today() - timedelta(days=number // PER_DAY)).isoformat()
        return _filled(template, {_MARK: f"{number:07}", self._today().isoformat(): then})  # type: ignore[no-any-return]

    def _count(self, found: list[dict[str, Any]]) -> list[dict[str, Any]]:
        self.items_read += len(found)
        self.bytes_read += sum(len(str(one)) for one in found)
        return found


def _pk(number: int) -> str:
    return f"payment_cancel#cr-{number:07}"


def _filled(value: Any, texts: dict[str, str]) -> Any:
    if isinstance(value, str):
        for old, new in texts.items():
            value = value.replace(old, new)
        return value
    if isinstance(value, dict):
        return {name: _filled(item, texts) for name, item in value.items()}
    return [_filled(item, texts) for item in value] if isinstance(value, list) else value
