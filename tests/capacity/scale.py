"""What runs on a schedule and what operators ask, on a ledger of any number of items.

A ledger of 1,000 items has the same last twenty days as one of 1,000,000: what is asked of both is the same.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from threading import Lock
from typing import Any, Final

from bench.world.units import size
from refunds.cancel_types import MODULES
from refunds.domain.deadline import Deadline
from refunds.ledger.queries import LedgerQueries
from refunds.operators.reconciliation import Reconciliation, Window
from refunds.operators.replay_verdicts import Judge, ReplayVerdict
from refunds.operators.sweeper import Sweeper, SweepRules
from tests.fakes.direct import Direct
from tests.unit.operators.large_ledger import PER_DAY, LargeLedger
from tests.unit.operators.portone import PortOne, payment
from tests.unit.operators.requests import dead_letter
from tests.unit.operators.rig import DAY, START, OperatorRig
from tests.unit.rig import Wanted

NOON: Final = START // DAY * DAY + DAY / 2
KOREA: Final = timezone(timedelta(hours=9))
_READ_UNIT: Final = 4096  # bytes read consistently; otherwise, as of an index, a unit reads twice as many


class MeteredLedger(LargeLedger):
    """A ledger whose reads are counted as DynamoDB charges for them.

    Attributes:
        requests: by operation.
        keys: read from each index.
        item_units: read units of the items read by key.
    """

    def __init__(self, size: int, now: float) -> None:
        super().__init__(size, now)
        self.requests: Counter[str] = Counter()
        self.keys: Counter[str] = Counter()
        self._units = 0.0
        self.item_units = 0.0
        self._counting = Lock()  # reconciliation reads with several threads

    @property
    def units(self) -> float:
        """Read units: an item costs one for each 4 KB; keys of an index, page by page, half of that."""
        return self._units

    def carry_out(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """One DynamoDB operation."""
        with self._counting:
            return self._counted(operation, request)

    def _counted(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        answer = super().carry_out(operation, request)
        self.requests[operation] += 1
        if operation == "Query":
            read = sum(size(key) for key in answer["Items"])
            self.keys[request["IndexName"]] += len(answer["Items"])
            self._units += max(math.ceil(read / _READ_UNIT), 1) / 2
        else:
            ((table, found),) = answer["Responses"].items()
            units = sum(math.ceil(size(item) / _READ_UNIT) for item in found)
            price = 1 if request["RequestItems"][table]["ConsistentRead"] else 0.5
            self._units += units * price
            self.item_units += units * price
        return answer


def reconcile(ledger: LargeLedger) -> int:
    """Yesterday in Korea, and what is due of other days; PortOne lists every other payment."""
    today = datetime.fromtimestamp(NOON, UTC).date()
    portone = PortOne()
    for number in range(PER_DAY + 1, 2 * PER_DAY):  # the first of each day is parked
        shown = payment(f"cr-{number:07}", Decimal(1000), at=int(NOON - DAY))
        portone.add(shown, listed=number % 2 == 0)
    client: Any = portone
    window = Window.of_days(today - timedelta(days=1), 1, KOREA)
    differences = list(Reconciliation(queries(ledger), client, patience=1.0, clock=lambda: NOON).run(window))
    assert differences == []
    return len(portone.asked)


def sweep(ledger: LargeLedger, *, daily: bool = True) -> int:
    """With the daily pass over the claims, unless told otherwise; nothing is due, so nothing is written."""
    operators = OperatorRig(now=NOON)
    rules = SweepRules(min_age=30 * DAY)
    sweeper = Sweeper(operators.ledger, queries(ledger), operators.resolver, rules, clock=lambda: NOON)
    swept = sweeper.run(Deadline(60.0, lambda: 0.0), daily=daily)
    assert (swept.passed_over, swept.place) == ({}, None)
    return swept.unresolved["payment_cancel"]


def status(ledger: LargeLedger) -> int:
    """By the order service's id, and by the payment's."""
    found = queries(ledger)
    return len(found.find("cr-0000007")) + len(found.find("imp_cr-0000007"))


def dead_letters(ledger: LargeLedger) -> int:
    """Judge ten dead letters by what the ledger has of them."""
    letters = [dead_letter(Wanted(key=f"cr-{number:07}").body) for number in range(10)]
    judgements = Judge(queries(ledger), None, clock=lambda: NOON).judge(letters)
    assert all(judgement.verdict is ReplayVerdict.INVALID for judgement in judgements)  # other payloads
    return len(judgements)


#: By the name in the documents.
WORK: Final[Mapping[str, Callable[[LargeLedger], int]]] = {
    "reconcile, a day": reconcile,
    "sweeper, with the daily pass": sweep,
    "refundctl status, two ids": status,
    "refundctl dlq, ten messages": dead_letters,
}


def queries(ledger: LargeLedger) -> LedgerQueries:
    client: Any = Direct(ledger)
    return LedgerQueries(client, "ledger", MODULES)
