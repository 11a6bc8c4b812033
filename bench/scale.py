"""Time and memory of what runs on a schedule and of what operators ask, by the size of the ledger."""

from __future__ import annotations

import time
import tracemalloc
from dataclasses import dataclass
from statistics import median

from tests.capacity.scale import NOON, MeteredLedger
from tests.capacity.scale import WORK as _WORK

WORK = tuple(_WORK)
LEDGERS = (1_000, 1_000_000)
_ROUNDS = 9


@dataclass(frozen=True)
class Work:
    """One piece of work on one ledger.

    Attributes:
        seconds: of processor time, the median of some runs.
        memory: bytes, the most that were allocated at a time.
        requests: to DynamoDB.
        read_units: that DynamoDB charges.
        read: bytes.
    """

    seconds: float
    memory: int
    requests: int
    read_units: float
    read: int


def at_scale(name: str, items: int) -> Work:
    """Do a piece of work on a ledger with so many items; they are made when they are read."""
    counted = MeteredLedger(items, NOON)
    _WORK[name](counted)  # whatever is made once is made by now
    seconds = [_timed(name, items) for _ in range(_ROUNDS)]
    tracemalloc.start()
    try:
        _WORK[name](MeteredLedger(items, NOON))
        memory = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    return Work(median(seconds), memory, counted.requests.total(), counted.units, counted.bytes_read)


def _timed(name: str, items: int) -> float:
    ledger = MeteredLedger(items, NOON)
    begin = time.process_time()
    _WORK[name](ledger)
    return time.process_time() - begin
