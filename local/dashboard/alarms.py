"""Alarm states in the course of a run, by CloudWatch's rules."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from local.dashboard.series import Key, Measured, key, statistic

_COMPARE: Mapping[str, Callable[[float, float], bool]] = {
    "GreaterThanThreshold": operator.gt,
    "GreaterThanOrEqualToThreshold": operator.ge,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}


@dataclass(frozen=True)
class Alarm:
    """One alarm of the stack; ``period`` is seconds of production."""

    name: str
    metric: Key
    statistic: str
    period: float
    periods: int
    to_alarm: int
    threshold: float
    compare: Callable[[float, float], bool]
    missing_breaches: bool

    @classmethod
    def of(cls, description: Mapping[str, Any]) -> Alarm:
        """From DescribeAlarms."""
        dimensions = {one["Name"]: one["Value"] for one in description["Dimensions"]}
        return cls(
            name=description["AlarmName"],
            metric=key(description["Namespace"], description["MetricName"], dimensions),
            statistic=description["Statistic"],
            period=float(description["Period"]),
            periods=int(description["EvaluationPeriods"]),
            to_alarm=int(description.get("DatapointsToAlarm") or description["EvaluationPeriods"]),
            threshold=float(description["Threshold"]),
            compare=_COMPARE[description["ComparisonOperator"]],
            missing_breaches=description.get("TreatMissingData") == "breaching",
        )

    def raised(self, measured: Measured, now: float, speed: float) -> bool:
        """Whether it is in alarm; ``speed`` is how much faster the run is than production."""
        length = self.period / speed
        points = (
            measured.within(self.metric, now - (back + 1) * length, now - back * length)
            for back in range(self.periods)
        )
        return sum(self._breaches(values) for values in points) >= self.to_alarm

    def _breaches(self, values: Sequence[float]) -> bool:
        point = statistic(self.statistic, values)
        return self.missing_breaches if point is None else self.compare(point, self.threshold)
