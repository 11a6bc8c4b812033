"""What a rate of cancellations needs of AWS, against its quotas. ``docs/capacity.md`` names their sources."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from refunds.ledger.shards import DAY_SHARDS
from tests.capacity.weights import Weight

RATES: Final = (10, 1_000, 10_000)
BATCH: Final = 10  # messages of a batch, each with a call of its own open at the provider
ANSWER: Final = 1.0  # seconds; an assumption, no provider documents it
_HOUR: Final = 3_600
_DAY: Final = 86_400

# Quotas, ap-northeast-2.
PUT_EVENTS: Final = 600  # calls a second, all buses of an account together
INVOCATIONS: Final = 1_100  # events a second to targets of rules, likewise
CONCURRENCY: Final = 1_000  # environments of an account
MAPPING: Final = 1_250  # environments of one event source mapping
GROWTH: Final = 300  # environments a mapping adds in a minute, from 5 on
PARTITION: Final = 1_000  # write units a second of one partition key
_OVERHEAD: Final = 100  # bytes that DynamoDB adds to each item and each entry of an index
TABLE: Final = 40_000  # write units a second of a table, and of each index
SECRETS: Final = 10_000  # GetSecretValue a second
IN_FLIGHT: Final = 120_000  # messages of a queue received and not deleted

# The deployment's own.
LARGEST_PARAMETER: Final = 100  # the most MaximumConcurrency can be
TTL_DAYS: Final = 400


@dataclass(frozen=True)
class Need:
    """One line: what ``needed`` of a rate may be at most."""

    what: str
    limit: float
    needed: Callable[[float], float]
    unit: str = "/s"

    @property
    def bites_at(self) -> float:
        """Cancellations a second at which it is used up; every need grows in proportion."""
        return self.limit / self.needed(1.0)


def needs(weight: Weight) -> Iterator[Need]:
    """Everything that grows with the rate, for cancellations of one type that weigh as told."""
    yield Need(
        "environments, `MaximumConcurrency`", LARGEST_PARAMETER, lambda rate: rate * ANSWER / BATCH, ""
    )
    yield Need("environments, account", CONCURRENCY, lambda rate: rate * ANSWER / BATCH, "")
    yield Need("`PutEvents`, the order service event by event", PUT_EVENTS, lambda rate: rate + rate / BATCH)
    yield Need("`PutEvents`, the order service by tens", PUT_EVENTS, lambda rate: 2 * rate / BATCH)
    yield Need("events to targets: queue, one accounting rule", INVOCATIONS, lambda rate: 2 * rate)
    yield Need("events to targets, order service sends to the queue", INVOCATIONS, lambda rate: rate)
    yield Need("write units, table", TABLE, lambda rate: rate * weight.table)
    yield Need("write units, `by_day`", PARTITION * DAY_SHARDS, lambda rate: rate * weight.by_day)
    yield Need("write units, hourly counter (if limited)", PARTITION, lambda rate: rate)
    yield Need("messages in flight", IN_FLIGHT, lambda rate: rate * ANSWER, "")


def items(rate: float) -> float:
    """Items of the ledger when the oldest of that many a second begin to expire."""
    return rate * _DAY * TTL_DAYS


def gigabytes(rate: float, weight: Weight) -> float:
    """Their size, with their entries in the three indexes that finished items are in."""
    return items(rate) * sum(one + _OVERHEAD for one in (weight.stored, *weight.entries)) / 1e9


def minutes_to_grow(rate: float) -> float:
    """Until a mapping has the environments for a rate that came at once."""
    return max(rate * ANSWER / BATCH - 5, 0) / GROWTH
