"""The partitions of the indexes `by_day` and `by_open`.

One partition of an index takes 1,000 write units a second (AWS limit), and an index that cannot follow
throttles the writes of its table. So a day has several partitions, and whoever reads a day reads them all.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Final
from zlib import crc32

#: Partitions of a day. May be raised, and then never lowered: what was written with more would not be read.
DAY_SHARDS: Final = 16

#: Partitions of what is open. The same rule.
OPEN_SHARDS: Final = 16

#: The index of version 1, by state, and the standing it gave to an outcome that nobody had published.
PREVIOUS_UNPUBLISHED: Final = "UNPUBLISHED"
_PREVIOUS_STANDINGS: Final = ("STARTED", "PARKED", PREVIOUS_UNPUBLISHED)
_PREVIOUS_SHARDS: Final = 16


def day_of(now: float) -> date:
    """The day in UTC of a time in UNIX seconds."""
    return datetime.fromtimestamp(now, UTC).date()


def days(first: date, last: date) -> tuple[date, ...]:
    """Every day from ``first`` to ``last``, both included."""
    return tuple(first + timedelta(days=number) for number in range((last - first).days + 1))


def day_partition(pk: str, now: float) -> str:
    """Where an item stands in ``by_day`` that is claimed or ended now, such as ``2026-11-30.07``."""
    return partition_of_day(day_of(now), crc32(pk.encode()) % DAY_SHARDS)


def partition_of_day(day: date, shard: int) -> str:
    """The name of one partition of a day."""
    return f"{day.isoformat()}.{shard:02}"


def open_partition(pk: str) -> str:
    """Where an item stands in ``by_open`` while it needs somebody."""
    return f"{crc32(pk.encode()) % OPEN_SHARDS:02}"


def open_partitions() -> tuple[str, ...]:
    """Every partition of ``by_open``."""
    return tuple(f"{shard:02}" for shard in range(OPEN_SHARDS))


def previous_open_partitions() -> tuple[str, ...]:
    """Every partition of ``by_state``, the index of version 1; its first releases had no shards."""
    return tuple(
        partition
        for standing in _PREVIOUS_STANDINGS
        for partition in (standing, *(f"{standing}.{shard}" for shard in range(_PREVIOUS_SHARDS)))
    )
