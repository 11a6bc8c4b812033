"""What runs by itself, and what operators ask, reads as much of a ledger of a million as of a thousand."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from refunds.cancel_types import MODULES
from refunds.domain.deadline import Deadline
from refunds.ledger.queries import LedgerQueries
from refunds.operators.reconciliation import Reconciliation, Window
from refunds.operators.republication import Period, Republication
from refunds.operators.sweeper import Sweeper, SweepRules
from tests.unit.operators.large_ledger import PER_DAY, LargeLedger
from tests.unit.operators.portone import PortOne, payment
from tests.unit.operators.rig import DAY, START, Direct, OperatorRig

NOON = START // DAY * DAY + DAY / 2
YESTERDAY = Window(int(NOON - 1.5 * DAY), int(NOON - 0.5 * DAY))


def queries(ledger: LargeLedger) -> LedgerQueries:
    client: Any = Direct(ledger)
    return LedgerQueries(client, "ledger", MODULES)


def reconcile(ledger: LargeLedger) -> int:
    """Yesterday, and what is due of other days."""
    portone = PortOne()
    for number in range(PER_DAY + 1, 2 * PER_DAY):
        shown = payment(f"cr-{number:07}", Decimal(1000), at=int(NOON - DAY))
        portone.add(shown, listed=number % 2 == 0)
    client: Any = portone
    differences = list(Reconciliation(queries(ledger), client, patience=1.0).run(YESTERDAY))
    assert differences == []
    return PER_DAY - 1


def sweep(ledger: LargeLedger) -> int:
    """With the daily pass; nothing is due, so nothing is written."""
    operators = OperatorRig(now=NOON)
    sweeper = Sweeper(
        operators.ledger,
        queries(ledger),
        operators.resolver,
        SweepRules(min_age=30 * DAY),
        clock=lambda: NOON,
    )
    swept = sweeper.run(Deadline(60.0, lambda: 0.0), daily=True)
    assert (swept.passed_over, swept.place) == ({}, None)
    return swept.unresolved["payment_cancel"]


def status(ledger: LargeLedger) -> int:
    """By the order service's id, and by the payment's."""
    found = queries(ledger)
    assert len(found.find("cr-0000007")) == 1
    return len(found.find("imp_cr-0000007"))


def republish(ledger: LargeLedger) -> int:
    """The outcomes of yesterday."""
    publisher: Any = None
    period = Period(YESTERDAY.since, YESTERDAY.until)
    return len(list(Republication(queries(ledger), publisher).outcomes(period)))


@pytest.mark.parametrize(
    ("work", "seen"), [(reconcile, PER_DAY - 1), (sweep, 20), (status, 1), (republish, PER_DAY)]
)
def test_what_is_read_does_not_grow_with_the_ledger(work: Callable[[LargeLedger], int], seen: int) -> None:
    """The same items and bytes of 1,000 items and of 1,000,000; writes and scans are refused."""
    small, large = LargeLedger(1_000, NOON), LargeLedger(1_000_000, NOON)
    assert (work(small), work(large)) == (seen, seen)
    assert (small.items_read, small.bytes_read) == (large.items_read, large.bytes_read)
    assert 0 < large.items_read < 1_000
