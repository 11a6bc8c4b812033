"""How many messages wait in a queue, and for how long."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from refunds.operators.cancel_queues import CancelQueues
from refunds.operators.operations import Operations

_METRIC: Final = "ApproximateAgeOfOldestMessage"
_PERIOD: Final = 60  # seconds
_BACK: Final = timedelta(minutes=15)  # CloudWatch has the last minutes late


@dataclass(frozen=True)
class Depth:
    """About how many messages a queue has; SQS promises no more.

    Attributes:
        waiting: that can be received now.
        in_flight: that somebody has received and not finished, or looks at.
        delayed: that come later.
    """

    waiting: int
    in_flight: int
    delayed: int

    @property
    def total(self) -> int:
        """All of them."""
        return self.waiting + self.in_flight + self.delayed


def depth(operations: Operations, url: str) -> Depth:
    """Of one queue, now."""
    names = ("", "NotVisible", "Delayed")
    answer = operations.aws("sqs").get_queue_attributes(
        QueueUrl=url, AttributeNames=[f"ApproximateNumberOfMessages{name}" for name in names]
    )
    found: Mapping[str, str] = answer.get("Attributes", {})
    return Depth(*(int(found.get(f"ApproximateNumberOfMessages{name}", "0")) for name in names))


def depths(operations: Operations, all_queues: Iterable[CancelQueues]) -> dict[str, int]:
    """Messages in the queues, by cancel type, dead letters not included; only of those that have any."""
    found = {queues.cancel_type: depth(operations, queues.queue_url).total for queues in all_queues}
    return {kind: count for kind, count in found.items() if count}


def ages(operations: Operations, urls: Sequence[str]) -> dict[str, int]:
    """Seconds that the oldest message of each queue has waited, as CloudWatch saw it last; by URL."""
    until = datetime.fromtimestamp(operations.clock(), UTC)
    queries: list[Any] = [
        {"Id": f"q{number}", "MetricStat": _statistic(url), "ReturnData": True}
        for number, url in enumerate(urls)
    ]
    answer = operations.aws("cloudwatch").get_metric_data(
        MetricDataQueries=queries, StartTime=until - _BACK, EndTime=until, ScanBy="TimestampDescending"
    )
    values = {result["Id"]: result.get("Values", []) for result in answer.get("MetricDataResults", [])}
    return {url: int(values[f"q{number}"][0]) for number, url in enumerate(urls) if values.get(f"q{number}")}


def _statistic(url: str) -> dict[str, Any]:
    name = url.rsplit("/", 1)[-1]
    metric = {
        "Namespace": "AWS/SQS",
        "MetricName": _METRIC,
        "Dimensions": [{"Name": "QueueName", "Value": name}],
    }
    return {"Metric": metric, "Period": _PERIOD, "Stat": "Maximum"}
