"""What a million refunds cost at AWS: time by memory and processor, and everything that is no time."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.measure import BATCH

MILLION = 1_000_000
_GIGABYTE = 10**9
_PRICES = Path(__file__).with_name("prices.json")


@dataclass(frozen=True)
class Usage:
    """What one refund uses besides Lambda's time.

    Attributes:
        write_units: of the table and its indexes.
        events: published.
        logged: bytes.
    """

    write_units: float
    events: float
    logged: float


@dataclass(frozen=True)
class Bill:
    """USD per million refunds, item by item."""

    items: dict[str, float]

    @property
    def total(self) -> float:
        """Their sum."""
        return sum(self.items.values())


class Prices:
    """The price list, ``prices.json``."""

    def __init__(self, path: Path = _PRICES) -> None:
        self._list: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))

    @property
    def note(self) -> str:
        """Whose they are, where and when they hold."""
        return f"{self._list['source']}, as of {self._list['as_of']}; {self._list['region']}"

    @property
    def architectures(self) -> list[str]:
        """Processors that Lambda offers."""
        return list(self._list["lambda_gb_second"])

    def time(self, gb_seconds: float, architecture: str) -> float:
        """USD for so many GB-seconds."""
        return gb_seconds * float(self._list["lambda_gb_second"][architecture])

    def bill(self, gb_seconds: float, architecture: str, usage: Usage) -> Bill:
        """Everything a million refunds in batches of ten cost; ``gb_seconds`` is for the million."""
        prices = self._list
        batches = MILLION / BATCH
        return Bill(
            {
                "Lambda, time": self.time(gb_seconds, architecture),
                "Lambda, requests": batches * prices["lambda_request"],
                # Sent one by one by the rule, received and deleted by the batch.
                "SQS": (MILLION + 2 * batches) * prices["sqs_request"],
                "DynamoDB, writes": MILLION * usage.write_units * prices["dynamodb_write_unit"],
                "EventBridge": MILLION * usage.events * prices["events_event"],
                "CloudWatch, logs": MILLION * usage.logged / _GIGABYTE * prices["logs_gigabyte"],
            }
        )


def gb_seconds_per_million(wall: float, memory: int) -> float:
    """Lambda's GB-seconds for a million refunds.

    Args:
        wall: seconds a batch of ten takes.
        memory: MB the function has.
    """
    return wall / BATCH * MILLION * memory / 1024
