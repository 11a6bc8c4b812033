"""What is billed and can be counted: the ledger's reads and writes, alarms, metrics, scheduled runs."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path
from typing import Any, Final

from samtranslator.yaml_helper import yaml_parse

from bench.usage import Refund, Standing
from bench.world.latency import Latency
from refunds.cancel_types import MODULES, all_cancel_types
from refunds.operators.cancel_queues import CancelQueues
from refunds.operators.functions import ReconcileFunction
from tests.capacity.scale import NOON, MeteredLedger, reconcile, sweep
from tests.capacity.weights import Weight, weigh
from tests.template.conftest import expand
from tests.unit.operators.large_ledger import PER_DAY
from tests.unit.operators.portone import PortOne
from tests.unit.operators.test_functions import Deployment
from tests.unit.rig import DLQ_URL, QUEUE_URL, Rig

PROJECT: Final = Path(__file__).parents[2]
_SWEEPS: Final = 30.4 * (24 * 6 + 1)  # a month: every ten minutes, and daily
_RECONCILIATIONS: Final = 30.4
_READERS: Final = 8  # of reconciliation, at a time
_KEYS: Final = 100  # of a BatchGetItem
_INDEX_UNIT: Final = 8192  # bytes that a read unit reads of an index


def refund(weight: Weight) -> Refund:
    """What the sample of payment_cancel costs at the ledger, on the days after it too."""
    days, passes = MeteredLedger(1_000, NOON), MeteredLedger(1_000, NOON)
    asked = reconcile(days) / PER_DAY
    sweep(passes)
    payments = days.keys["by_payment"] / PER_DAY
    keys = (days.keys["by_day"] + passes.keys["by_day"]) / PER_DAY
    read = (days.item_units + passes.item_units - passes.keys["by_open"]) / PER_DAY
    # The keys of a large day fill their pages.
    units = read + payments / 2 + keys * max(weight.entries) / _INDEX_UNIT
    latency = Latency()
    listed = (payments - asked) * 2 * latency.dynamodb
    others = asked * (2 * latency.dynamodb + latency.provider) / _READERS
    return Refund(
        write_units=weight.units,
        item=weight.stored,
        entries=weight.entries,
        later_read_units=round(units, 2),
        later_seconds=round(listed + others + keys / _KEYS * latency.dynamodb, 4),
    )


def standing(rig: Rig) -> Standing:
    """What the template has, and what a run that finds nothing reads."""
    resources = _resources()
    kinds = [resource["Type"] for resource in resources.values()]
    idle = MeteredLedger(0, NOON)
    sweep(idle, daily=False)
    return Standing(
        queues=kinds.count("AWS::Lambda::EventSourceMapping"),
        alarms=kinds.count("AWS::CloudWatch::Alarm"),
        metrics=len(_metrics(rig)),
        dashboards=kinds.count("AWS::CloudWatch::Dashboard"),
        secrets=kinds.count("AWS::SecretsManager::Secret"),
        runs=round(_SWEEPS + _RECONCILIATIONS),
        run_read_units=idle.units,
    )


def _resources() -> dict[str, Any]:
    source = yaml_parse((PROJECT / "template.yaml").read_text(encoding="utf-8"))
    resources: dict[str, Any] = expand(source).resources
    return resources


def _metrics(rig: Rig) -> set[tuple[object, ...]]:
    """Every metric of our own that refunds and scheduled runs write when all goes well."""
    written = io.StringIO()
    with contextlib.redirect_stdout(written):
        for name in MODULES:
            weigh(rig, name)
        deployment = Deployment()
        deployment.operations.all_queues = tuple(
            CancelQueues(kind.policy, QUEUE_URL, DLQ_URL) for kind in all_cancel_types()
        )
        deployment.sweep()
        deployment.operations.__dict__["_providers"] = _NoPayments()
        deployment.run(ReconcileFunction(deployment.environment))
    found: set[tuple[object, ...]] = set()
    for line in written.getvalue().splitlines():
        metrics = json.loads(line)
        for directive in metrics.get("_aws", {}).get("CloudWatchMetrics", []):
            for dimensions in directive["Dimensions"]:
                values = tuple((name, metrics[name]) for name in sorted(dimensions))
                found |= {(metric["Name"], values) for metric in directive["Metrics"]}
    return found


class _NoPayments:
    """PortOne without a cancelled payment."""

    def portone(self) -> Any:
        return PortOne()
