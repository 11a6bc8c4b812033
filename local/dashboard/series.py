"""Metrics as CloudWatch would have them: raw values in time, and statistics over periods."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

#: Namespace, name and dimensions: what an alarm or a widget names.
Key = tuple[str, str, frozenset[tuple[str, str]]]


def key(namespace: str, name: str, dimensions: Mapping[str, str]) -> Key:
    """The key of one metric."""
    return namespace, name, frozenset(dimensions.items())


@dataclass
class Measured:
    """Every value of every metric with its time in UNIX seconds."""

    values: dict[Key, list[tuple[float, float]]] = field(default_factory=dict)

    def add(self, metric: Key, at: float, *values: float) -> None:
        """Note values of one moment."""
        self.values.setdefault(metric, []).extend((at, value) for value in values)

    def add_embedded(self, line: Mapping[str, Any]) -> None:
        """Note what CloudWatch makes of a line in embedded metric format."""
        at = line["_aws"]["Timestamp"] / 1000
        for directive in line["_aws"]["CloudWatchMetrics"]:
            for names in directive["Dimensions"]:
                dimensions = {name: line[name] for name in names}
                for one in directive["Metrics"]:
                    found = line[one["Name"]]
                    values = found if isinstance(found, list) else [found]
                    self.add(key(directive["Namespace"], one["Name"], dimensions), at, *values)

    def within(self, metric: Key, since: float, until: float) -> list[float]:
        """The values of a period, its end excluded."""
        return [value for at, value in self.values.get(metric, ()) if since <= at < until]


def statistic(name: str, values: Sequence[float]) -> float | None:
    """``Sum``, ``Average``, ``Minimum``, ``Maximum`` or a percentile (``p99``); ``None`` without values."""
    if not values:
        return None
    if name.startswith("p"):
        ordered = sorted(values)
        return ordered[max(math.ceil(len(ordered) * float(name[1:]) / 100) - 1, 0)]
    known = {"Sum": sum(values), "Minimum": min(values), "Maximum": max(values)}
    return known[name] if name in known else sum(values) / len(values)


def ages(waiting: Iterable[tuple[float, float]], moments: Iterable[float]) -> list[tuple[float, float]]:
    """Age of the oldest that waits at each moment, from when each began and ended to; no age, no value."""
    spans = list(waiting)
    oldest = (
        (moment, [moment - begun for begun, ended in spans if begun <= moment < ended]) for moment in moments
    )
    return [(moment, max(found)) for moment, found in oldest if found]
