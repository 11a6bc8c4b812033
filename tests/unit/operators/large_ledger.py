"""A ledger of any number of items that are made when they are read, and a count of what is read."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from typing_extensions import override

from refunds.ledger.shards import day_partition, open_partition
from tests.fakes.dynamodb import Tables
from tests.unit.operators.rig import DAY, OperatorRig

PER_DAY: Final = 50
_OPEN_DAYS: Final = 20  # the youngest days have an open request each
_MARK: Final = "0000000"


class LargeLedger(Tables):
    """A ledger that is read; writes are refused.

    Item ``i`` belongs to day ``i // 50`` before ``today``; the first of each of the last days is parked.

    Attributes:
        size: how many items there are.
        items_read: keys of indexes, and items.
        bytes_read: of their attributes' texts.
    """

    def __init__(self, size: int, now: float) -> None:
        super().__init__(ledger="pk")
        self.size = size
        self.now = now
        self.items_read = 0
        self.bytes_read = 0
        self.full_page_goes_on = False
        operators = OperatorRig(now=now)
        operators.succeed(f"cr-{_MARK}", amount=Decimal(1000))
        self._ended = dict(operators.tables.items["ledger"][_pk(0)])
        operators = OperatorRig(now=now)
        operators.park(f"cr-{_MARK}")
        self._parked = dict(operators.tables.items["ledger"][_pk(0)])

    @override
    def carry_out(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """One DynamoDB operation."""
        assert operation in ("Query", "BatchGetItem"), f"{operation} is none of a reader's"
        answer = super().carry_out(operation, request)
        self._count(answer["Items"] if operation == "Query" else answer["Responses"]["ledger"])
        return answer

    @override
    def matching(self, request: Mapping[str, Any]) -> list[str]:
        """Keys that are made as they are asked for."""
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
        return sorted(key for number in numbers if number < self.size and (key := _pk(number)) > behind)

    def _of_day(self, text: str) -> range:
        days_back = (self._today() - date.fromisoformat(text)).days
        return range(days_back * PER_DAY, (days_back + 1) * PER_DAY) if days_back >= 0 else range(0)

    def _open(self) -> list[int]:
        return [day * PER_DAY for day in range(_OPEN_DAYS)]

    def _today(self) -> date:
        return datetime.fromtimestamp(self.now, UTC).date()

    def _day_partition(self, number: int) -> str:
        return day_partition(_pk(number), self.now - number // PER_DAY * DAY)

    @override
    def find(self, table: str, key: str) -> dict[str, Any] | None:
        """An item that is made as it is read."""
        suffix = key.rpartition("-")[2]
        if not key.startswith("payment_cancel#cr-") or not suffix.isdecimal() or int(suffix) >= self.size:
            return None
        number = int(suffix)
        template = self._parked if number in self._open() else self._ended
        then = (self._today() - timedelta(days=number // PER_DAY)).isoformat()
        return _filled(template, {_MARK: f"{number:07}", self._today().isoformat(): then})  # type: ignore[no-any-return]

    def _count(self, found: list[dict[str, Any]]) -> None:
        self.items_read += len(found)
        self.bytes_read += sum(len(str(one)) for one in found)


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
