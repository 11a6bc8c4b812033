"""What runs by itself, and what operators ask, reads as much of a ledger of a million as of a thousand."""

from __future__ import annotations

from typing import Any, Final

import pytest

from refunds.operators.republication import Period, Republication
from tests.capacity.scale import NOON, WORK, MeteredLedger, queries
from tests.unit.operators.large_ledger import PER_DAY, LargeLedger
from tests.unit.operators.rig import DAY


def republish(ledger: LargeLedger) -> int:
    """The outcomes of yesterday."""
    publisher: Any = None
    period = Period(int(NOON - 1.5 * DAY), int(NOON - 0.5 * DAY))
    return len(list(Republication(queries(ledger), publisher).outcomes(period)))


ALL: Final = {**WORK, "refundctl outcomes of a day": republish}
#: What each has to do.
SEEN: Final = dict(zip(ALL, (PER_DAY // 2, 20, 2, 10, PER_DAY), strict=True))


@pytest.mark.parametrize("name", ALL)
def test_what_is_read_does_not_grow_with_the_ledger(name: str) -> None:
    """Of 1,000,000 items the same requests, units and bytes as of 1,000; a scan or a write is refused."""
    small, large = MeteredLedger(1_000, NOON), MeteredLedger(1_000_000, NOON)
    assert (ALL[name](small), ALL[name](large)) == (SEEN[name], SEEN[name])
    assert (small.requests, small.units, small.bytes_read) == (large.requests, large.units, large.bytes_read)
    assert 0 < large.items_read < 1_000
