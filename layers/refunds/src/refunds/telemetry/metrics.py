"""CloudWatch metrics in embedded metric format, a whole invocation's in a few lines of the log.

``docs/observability.md`` says what each metric means. They carry counts, seconds, amounts and names of
operations, never what was in a message.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Literal

from aws_lambda_powertools.metrics import EphemeralMetrics

Unit = Literal["Count", "Seconds", "Milliseconds", "None"]
Dimensions = Mapping[str, str]


class Metrics:
    """Gathers values and writes them together; safe for concurrent records.

    Values become floating point numbers, as CloudWatch keeps them: amounts here are statistics.

    Args:
        namespace: where CloudWatch keeps them, one per stack.
    """

    def __init__(self, namespace: str) -> None:
        self._namespace = namespace
        self._lock = threading.Lock()
        self._gathered: dict[tuple[tuple[tuple[str, str], ...], ...], EphemeralMetrics] = {}

    def add(self, name: str, value: float, unit: Unit, *dimensions: Dimensions) -> None:
        """Note one value, which counts under each of the sets of dimensions."""
        key = tuple(tuple(one.items()) for one in dimensions)
        with self._lock:
            metrics = self._gathered.get(key)
            if metrics is None:
                metrics = self._gathered[key] = self._new(dimensions)
            metrics.add_metric(name, unit, value)

    def flush(self) -> None:
        """Write what was gathered to standard output, where Lambda's log takes it from."""
        with self._lock:
            gathered, self._gathered = self._gathered, {}
        for metrics in gathered.values():
            if metrics.metric_set:
                metrics.flush_metrics()

    def _new(self, dimensions: tuple[Dimensions, ...]) -> EphemeralMetrics:
        # Without a service: it would be one more dimension, and alarms name every one.
        metrics = EphemeralMetrics(namespace=self._namespace, service="")
        first, *others = dimensions
        for name, value in first.items():
            metrics.add_dimension(name, value)
        for one in others:
            metrics.add_dimensions(**one)
        return metrics
