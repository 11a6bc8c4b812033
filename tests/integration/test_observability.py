"""What the deployed functions write is what the deployed alarms and dashboard read."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator
from typing import Any

from local.dashboard.series import Key, Measured, key
from local.demo.cast import Cast
from local.demo.play import send_events
from local.simulator.control import SimulatorControl
from local.stack import OutcomeLog, Stack

PATIENCE_SECONDS = 240.0


def lines_of(stack: Stack, function: str) -> Iterator[dict[str, Any]]:
    """The JSON lines in a function's log group."""
    configuration = stack.aws.functions.get_function_configuration(FunctionName=stack.outputs[function])
    group = configuration["LoggingConfig"]["LogGroup"]
    for page in stack.aws.logs.get_paginator("filter_log_events").paginate(logGroupName=group):
        for event in page["events"]:
            if event["message"].startswith("{"):
                yield json.loads(event["message"])


def line_of(stack: Stack, function: str, cancel_request_id: str) -> dict[str, Any]:
    """The one line about a request; a local function's log is there when its invocation has ended."""
    until = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < until:
        found = [
            line for line in lines_of(stack, function) if line.get("cancel_request_id") == cancel_request_id
        ]
        if found:
            (line,) = found
            return line
        time.sleep(0.2)
    raise TimeoutError(f"nothing was logged of {cancel_request_id}")


def watched(stack: Stack) -> set[Key]:
    """Metrics of ours that the deployed alarms and widgets name."""
    cloudwatch = stack.aws.cloudwatch
    names: list[tuple[str, str, dict[str, str]]] = []
    for page in cloudwatch.get_paginator("describe_alarms").paginate():
        for alarm in page["MetricAlarms"]:
            dimensions = {one["Name"]: one["Value"] for one in alarm["Dimensions"]}
            names.append((alarm["Namespace"], alarm["MetricName"], dimensions))
    (entry,) = cloudwatch.list_dashboards()["DashboardEntries"]
    body = json.loads(cloudwatch.get_dashboard(DashboardName=entry["DashboardName"])["DashboardBody"])
    for namespace, name, *rest in (
        one for widget in body["widgets"] for one in widget["properties"].get("metrics", ())
    ):
        names.append((namespace, name, dict(zip(rest[:-1:2], rest[1:-1:2], strict=True))))
    return {key(*one) for one in names if not one[0].startswith("AWS/")}


def test_a_refund_is_seen_by_alarms_and_dashboard(
    stack: Stack, simulator: SimulatorControl, outcomes: OutcomeLog
) -> None:
    """After one refund and one sweep, what is watched of them is in the log under exactly these names."""
    cast = Cast(run=uuid.uuid4().hex[:8])
    simulator.seed_payments(cast.paid(1))
    request = cast.request("payment_cancel", 1, {"imp_uid": cast.payment(1), "amount": 1_000})
    send_events(stack, [request])
    outcomes.wait_for_requests([request.cancel_request_id], PATIENCE_SECONDS)
    stack.aws.functions.invoke(FunctionName=stack.outputs["SweeperFunctionName"], Payload=b"{}")
    settled = line_of(stack, "PaymentCancelFunctionName", request.cancel_request_id)
    measured = Measured()
    for function in ("PaymentCancelFunctionName", "SweeperFunctionName"):
        for line in lines_of(stack, function):
            if "_aws" in line:
                measured.add_embedded(line)
    seen = watched(stack) & measured.values.keys()
    names = {name for _, name, _ in seen}
    assert {"Succeeded", "Refunded", "Age", "ProviderLatency", "ProviderFailure", "UnresolvedAge"} <= names
    assert settled["message"] == "cancellation succeeded"
    assert settled.keys() >= {"order_id", "cancel_type", "correlation_id", "message_id", "attempt"}
