"""What refunds cost at AWS, the documented way and this project's: per million, and per month at a rate.

A million is counted in full batches of ten. At a low rate batches are not full: Lambda takes what is there,
so the monthly bill has as many messages in a batch as wait while the batches before are worked on.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.measure import BATCH
from bench.usage import Measured, Refund, Standing, Usage

MILLION = 1_000_000
MEMORY = 512
"""MB of a function, the template's default."""
ARCHITECTURE = "arm64"
STANDARD = "Standard"
DAYS = 400
"""The template's default memory of the ledger."""

_GIGABYTE = 10**9
_OVERHEAD = 100  # bytes that DynamoDB adds to each item and each index entry it stores
_HOURS = 730  # of a month
_MONTH = _HOURS * 3600
_MONTH_DAYS = _HOURS / 24
_CONCURRENCY = 10  # the template's MaximumConcurrency
_POLLERS = 5  # long polls that Lambda keeps open on a queue without messages
_LONG_POLL = 20  # seconds of each
_RUN_SECONDS = 1.0  # of a scheduled function that finds nothing: an assumption, on the safe side
_PRICES = Path(__file__).with_name("prices.json")

VARIABLE = "variable"
MEMORY_OF_IT = "memory"
SCHEDULED = "scheduled"
STANDING = "standing"


@dataclass(frozen=True)
class Bill:
    """USD, item by item, in groups: ``VARIABLE``, ``MEMORY_OF_IT``, ``SCHEDULED``, ``STANDING``."""

    groups: dict[str, dict[str, float]]

    @property
    def total(self) -> float:
        """Their sum."""
        return sum(self.of(group) for group in self.groups)

    def of(self, *groups: str) -> float:
        """The sum of some groups."""
        return sum(sum(self.groups.get(group, {}).values()) for group in groups)

    def item(self, name: str) -> float | None:
        """One item, if it has it."""
        return next((items[name] for items in self.groups.values() if name in items), None)


class Prices:
    """The price list, ``prices.json``."""

    def __init__(self, path: Path = _PRICES) -> None:
        self._list: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))

    def __getitem__(self, name: str) -> float:
        return float(self._list[name])

    @property
    def note(self) -> str:
        """Whose they are, where and when they hold."""
        return f"{self._list['source']}, as of {self._list['as_of']}; {self._list['region']}"

    @property
    def architectures(self) -> list[str]:
        """Processors that Lambda offers."""
        return list(self._list["lambda_gb_second"])

    def time(self, gb_seconds: float, architecture: str = ARCHITECTURE) -> float:
        """USD for so many GB-seconds."""
        return gb_seconds * float(self._list["lambda_gb_second"][architecture])

    def table(self, table_class: str, what: str) -> float:
        """USD for a ``write_unit``, a ``read_unit`` or a ``gigabyte_month`` of a class of tables."""
        return float(self._list["dynamodb"][table_class][what])


def gb_seconds_per_million(wall: float, memory: int) -> float:
    """Lambda's GB-seconds for a million refunds.

    Args:
        wall: seconds a batch of ten takes.
        memory: MB the function has.
    """
    return wall / BATCH * MILLION * memory / 1024


@dataclass(frozen=True)
class Way:
    """One way of doing refunds.

    Attributes:
        refund: what each leaves in the ledger; ``None`` for the documented way, whose records expire after
            an hour (what they take until then is less than a cent a million).
        one_by_one: a batch takes as long as its messages together.
    """

    measured: Measured
    standing: Standing
    refund: Refund | None
    one_by_one: bool

    def messages(self, rate: float) -> float:
        """Messages of a batch at so many refunds a second: one, until all batches are busy with that."""
        if self.one_by_one:
            return 1.0 if rate * self.seconds(1) <= _CONCURRENCY else BATCH
        # A batch has as many as arrive while the one before takes its time, which grows with its messages.
        arriving = rate / _CONCURRENCY
        growth = arriving * self._more
        if growth >= 1:
            return BATCH
        return min(max((arriving * self._alone - growth) / (1 - growth), 1.0), BATCH)

    def seconds(self, messages: float) -> float:
        """Lambda's time of a refund that comes with so many in a batch."""
        return (self._alone + (messages - 1) * self._more) / messages

    @property
    def _alone(self) -> float:
        """Seconds of a batch of one; where messages do not wait for each other, one of ten takes no less."""
        each = self.measured.batch_seconds / (BATCH if self.one_by_one else 1)
        return each if self.measured.alone_seconds is None else self.measured.alone_seconds

    @property
    def _more(self) -> float:
        """Seconds that one message more adds to a batch."""
        return (self.measured.batch_seconds - self._alone) / (BATCH - 1)


def documented(usage: Usage) -> Way:
    """Powertools' documentation, for five cancel types."""
    there = usage.standing
    standing = Standing(there.queues, 0, usage.documented_metrics, 0, there.secrets, 0, 0.0)
    return Way(usage.documented, standing, None, one_by_one=True)


def ours(usage: Usage) -> Way:
    """This project."""
    return Way(usage.ours, usage.standing, usage.refund, one_by_one=False)


def per_million(
    way: Way, *, days: float = DAYS, table_class: str = STANDARD, messages: float = BATCH
) -> Bill:
    """What a million refunds cost over their whole life, apart from what stands there anyway.

    Args:
        way: of doing them.
        days: that the ledger remembers them.
        table_class: of the ledger.
        messages: of a batch.
    """
    prices = Prices()
    groups = {VARIABLE: _variable(prices, way, table_class, messages)}
    months = days / _MONTH_DAYS
    kept = way.measured.logged * prices["logs_kept_compressed_to"]
    memory = {
        "CloudWatch, logs kept": kept / _GIGABYTE * MILLION * months * prices["logs_kept_gigabyte_month"]
    }
    if way.refund is not None:
        item = (way.refund.item + _OVERHEAD) * MILLION / _GIGABYTE
        entries = sum(entry + _OVERHEAD for entry in way.refund.entries) * MILLION / _GIGABYTE
        month = prices.table(table_class, "gigabyte_month")
        memory = {
            "DynamoDB, storage": (item + entries) * months * month,
            "DynamoDB, recovery": item * months * prices["dynamodb_recovery_gigabyte_month"],
            **memory,
        }
        groups[SCHEDULED] = {
            "scheduled functions, reads": MILLION
            * way.refund.later_read_units
            * prices.table(table_class, "read_unit"),
            "scheduled functions, time": prices.time(MILLION * way.refund.later_seconds * MEMORY / 1024),
        }
    groups[MEMORY_OF_IT] = memory
    return Bill(groups)


def per_month(way: Way, rate: float, *, days: float = DAYS) -> Bill:
    """What a month costs at so many refunds a second, once the ledger is as full as it gets."""
    millions = rate * _MONTH / MILLION
    each = per_million(way, days=days, messages=way.messages(rate))
    groups = {
        group: {name: price * millions for name, price in items.items()}
        for group, items in each.groups.items()
    }
    return Bill(groups | {STANDING: _standing(Prices(), way)})


def _variable(prices: Prices, way: Way, table_class: str, messages: float) -> dict[str, float]:
    measured = way.measured
    batches = MILLION / messages
    return {
        "Lambda, time": prices.time(MILLION * way.seconds(messages) * MEMORY / 1024),
        "Lambda, requests": batches * prices["lambda_request"],
        # Sent one by one by the rule, received and deleted by the batch.
        "SQS": (MILLION + 2 * batches) * prices["sqs_request"],
        "DynamoDB, writes": MILLION * measured.write_units * prices.table(table_class, "write_unit"),
        "DynamoDB, reads": MILLION * measured.read_units * prices.table(table_class, "read_unit"),
        "EventBridge": MILLION * measured.events * prices["events_event"],
        "CloudWatch, logs": MILLION * measured.logged / _GIGABYTE * prices["logs_gigabyte"],
    }


def _standing(prices: Prices, way: Way) -> dict[str, float]:
    standing = way.standing
    polls = standing.queues * _POLLERS * _MONTH / _LONG_POLL
    runs = standing.runs * (
        prices["lambda_request"]
        + prices.time(_RUN_SECONDS * MEMORY / 1024)
        + standing.run_read_units * prices.table(STANDARD, "read_unit")
    )
    return {
        "SQS, idle polling": polls * prices["sqs_request"],
        "CloudWatch, metrics": standing.metrics * prices["metric_month"],
        "CloudWatch, alarms": standing.alarms * prices["alarm_month"],
        "CloudWatch, dashboard": standing.dashboards * prices["dashboard_month"],
        "Secrets Manager": standing.secrets * prices["secret_month"],
        "scheduled functions, runs that find nothing": runs,
    }
