from __future__ import annotations

import itertools

import pytest

from refunds.errors import LedgerError
from refunds.ledger.batch_read import BatchReader
from tests.unit.ledger.conftest import TABLE, Shelf


def reader(shelf: Shelf, pauses: list[float], *, patience: float = 5.0) -> BatchReader:
    clock = itertools.count()
    return BatchReader(
        shelf.client,
        TABLE,
        patience=patience,
        clock=lambda: float(next(clock)),
        pause=pauses.append,
        jitter=lambda: 1.0,
    )


def test_what_is_left_unread_is_asked_for_again(shelf: Shelf) -> None:
    """DynamoDB answers in part while it throttles: the rest is read after pauses that grow."""
    keys = [str(shelf.claimed(number).key) for number in range(5)]
    shelf.tables.unprocessed = 3
    pauses: list[float] = []
    found = reader(shelf, pauses).items(keys)
    assert sorted(item["pk"]["S"] for item in found) == sorted(keys)
    assert pauses == [0.05, 0.1, 0.2]


def test_nobody_waits_for_ever(shelf: Shelf) -> None:
    """After some seconds of that it is an error, and the message comes again."""
    keys = [str(shelf.claimed(number).key) for number in range(50)]
    shelf.tables.unprocessed = 1000
    pauses: list[float] = []
    with pytest.raises(LedgerError, match="keys unread"):
        reader(shelf, pauses, patience=4.0).items(keys)
    assert len(pauses) < 6


def test_many_keys_and_none(shelf: Shelf) -> None:
    """A read has at most a hundred keys, each once; a key without an item is absent."""
    keys = [str(shelf.claimed(number).key) for number in range(250)]
    assert len(reader(shelf, []).items([*keys, *keys, "payment_cancel#cr-nobody"])) == 250
    assert reader(shelf, []).items([]) == []
