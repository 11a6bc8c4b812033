from __future__ import annotations

import pytest

from tests.capacity.scale import NOON, WORK, MeteredLedger


@pytest.mark.parametrize("name", WORK)
def test_what_is_read_does_not_grow_with_the_ledger(name: str) -> None:
    """Of 1,000,000 items the same requests, units and bytes as of 1,000; a scan or a write is refused."""
    small, large = MeteredLedger(1_000, NOON), MeteredLedger(1_000_000, NOON)
    assert WORK[name](small) == WORK[name](large) > 0
    assert (small.requests, small.units, small.bytes_read) == (large.requests, large.units, large.bytes_read)
    assert 0 < large.items_read < 1_000
