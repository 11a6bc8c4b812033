from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from samtranslator.yaml_helper import yaml_parse

from tests.template.conftest import expand
from tests.template.expanded import Expanded
from tests.unit.rig import running_rig
from tests.unit.telemetry.story import Metric, Written, tell

PROJECT = Path(__file__).parents[3]
TEXT = (PROJECT / "docs" / "observability.md").read_text(encoding="utf-8")
RECORD = {"cancel_type", "cancel_request_id", "order_id", "correlation_id"}
#: What AWS measures of its own accord, by namespace: the names, and what the dimensions' values name.
AWS_METRICS = {
    "AWS/SQS": (
        {"ApproximateNumberOfMessagesVisible", "ApproximateAgeOfOldestMessage"},
        {"QueueName": "AWS::SQS::Queue"},
    ),
    "AWS/Lambda": (
        {"Errors", "Throttles", "Duration", "Invocations"},
        {"FunctionName": "AWS::Lambda::Function"},
    ),
    "AWS/DynamoDB": ({"WriteThrottleEvents"}, {"TableName": "AWS::DynamoDB::Table"}),
}


@pytest.fixture(scope="module")
def template() -> Expanded:
    return expand(yaml_parse((PROJECT / "template.yaml").read_text(encoding="utf-8")))


@pytest.fixture(scope="module")
def written(template: Expanded) -> Iterator[Written]:
    with running_rig() as rig:
        yield tell(rig, namespace_of(template))


def namespace_of(template: Expanded) -> str:
    (namespace,) = {
        function["Environment"]["Variables"]["POWERTOOLS_METRICS_NAMESPACE"]
        for function in template.of_type("AWS::Lambda::Function").values()
    }
    return str(namespace)


def alarms(template: Expanded) -> dict[str, dict[str, Any]]:
    return template.of_type("AWS::CloudWatch::Alarm")


def watched(template: Expanded) -> Iterator[tuple[str, Metric]]:
    """What alarms and widgets read, with who reads it."""
    for name, alarm in alarms(template).items():
        dimensions = {one["Name"]: one["Value"] for one in alarm["Dimensions"]}
        yield name, Metric.of(alarm["Namespace"], alarm["MetricName"], dimensions)
    for widget in widgets(template):
        for namespace, name, *rest in widget["properties"].get("metrics", ()):
            pairs = rest[:-1] if isinstance(rest[-1], dict) else rest
            dimensions = dict(zip(pairs[::2], pairs[1::2], strict=True))
            yield widget["properties"]["title"], Metric.of(namespace, name, dimensions)


def widgets(template: Expanded) -> list[dict[str, Any]]:
    (dashboard,) = template.of_type("AWS::CloudWatch::Dashboard").values()
    found: list[dict[str, Any]] = json.loads(dashboard["DashboardBody"])["widgets"]
    return found


def table(heading: str) -> list[list[str]]:
    """The cells of a section's table."""
    section = TEXT.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    rows = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in row] for row in rows]


def names_in(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def test_alarms_and_widgets_read_what_the_functions_emit(template: Expanded, written: Written) -> None:
    """Under exactly this namespace, name and dimensions: an alarm on anything else is never raised."""
    emitted = written.metrics
    ours = [(who, metric) for who, metric in watched(template) if metric.namespace not in AWS_METRICS]
    assert len(ours) > 50
    assert [one for one in ours if one[1] not in emitted] == []


def test_alarms_and_widgets_read_what_aws_measures(template: Expanded) -> None:
    """Of a queue, function or table that the template has."""
    kinds = {name: resource["Type"] for name, resource in template.resources.items()}
    theirs = [metric for _, metric in watched(template) if metric.namespace in AWS_METRICS]
    assert len(theirs) > 30
    for metric in theirs:
        names, dimensions = AWS_METRICS[metric.namespace]
        assert metric.name in names
        values = dict(metric.dimensions)
        for dimension, kind in dimensions.items():
            assert kinds[values[dimension].strip("<>").partition(".")[0]] == kind


def test_every_alarm_is_on_the_dashboard(template: Expanded) -> None:
    """Whoever looks sees each alarm's state at once."""
    (shown,) = (widget for widget in widgets(template) if widget["type"] == "alarm")
    assert sorted(shown["properties"]["alarms"]) == sorted(f"<{name}.Arn>" for name in alarms(template))


def test_widgets_do_not_overlap(template: Expanded) -> None:
    """On a grid that is 24 wide."""
    taken: set[tuple[int, int]] = set()
    for widget in widgets(template):
        columns = range(widget["x"], widget["x"] + widget["width"])
        cells = {(x, y) for x in columns for y in range(widget["y"], widget["y"] + widget["height"])}
        assert columns.stop <= 24
        assert not cells & taken
        taken |= cells


def test_whoever_subscribed_is_told_of_every_alarm(template: Expanded) -> None:
    """Alarm and recovery go to the topic that is given, and nowhere without one."""
    topic = "arn:aws:sns:ap-northeast-2:123456789012:on-call"
    given = template.parameters["AlarmTopicArn"] | {"Default": topic}
    told = Expanded(template.template | {"Parameters": template.parameters | {"AlarmTopicArn": given}})
    for silent, loud in zip(alarms(template).values(), alarms(told).values(), strict=True):
        assert (silent["AlarmActions"], silent["OKActions"]) == ([], [])
        assert (loud["AlarmActions"], loud["OKActions"]) == ([topic], [topic])


def test_the_document_names_every_metric(written: Written) -> None:
    """With its unit and its sets of dimensions, and no metric that nobody emits."""
    documented = {
        names_in(name)[0]: (unit, {frozenset(names_in(one)) for one in dimensions.split(";")})
        for name, unit, dimensions, _ in table("Metrics")
    }
    emitted: dict[str, tuple[str, set[frozenset[str]]]] = {}
    for metric, units in written.metrics.items():
        (unit,) = units
        _, sets = emitted.setdefault(metric.name, (unit, set()))
        sets.add(frozenset(name for name, _ in metric.dimensions))
    assert emitted == documented


def test_the_document_names_every_alarm(template: Expanded) -> None:
    """By its name without the stack's and the cancel type's, with a link to a heading of the runbook."""
    prefix = "<AWS::StackName>-"
    names = {alarm["AlarmName"].removeprefix(prefix) for alarm in alarms(template).values()}
    kinds = {re.sub(r"^[a-z]+-(?:revoke|cancel)-", "<type>-", name) for name in names}
    assert {name for row in table("Alarms") for name in names_in(row[0])} == kinds


def test_the_document_names_every_key_of_a_line(written: Written) -> None:
    """A key that nobody explained is in no line."""
    documented = {name for row in table("Logs") for name in names_in(row[0])}
    assert {key for line in written.lines for key in line} - documented == set()
    unmet = documented - {key for line in written.lines for key in line}
    # Tracing, an unexpected error, a difference and a replay are not in the story.
    elsewhere = {"xray_trace_id", "error_type", "at"}
    for first in ("kind", "by"):
        elsewhere |= next({*names_in(row[0])} for row in table("Logs") if names_in(row[0])[0] == first)
    assert unmet <= elsewhere


def test_every_line_of_a_record_says_whose_it_is(written: Written) -> None:
    """In every function, whatever happens: request, order, type, correlation; for SQS message and attempt."""
    lines = [line for line in written.lines if line["service"] not in {"sweeper", "reconcile"}]
    alone = [line for line in lines if "cancel_type" not in line]
    assert {line["message"] for line in alone} <= {"provider call POST /users/getToken"}
    for line in (line for line in lines if line not in alone):
        readable = "Field required" not in line["message"]
        assert line.keys() >= (RECORD if readable else {"cancel_type", "correlation_id"})
        assert (line["correlation_id"] == "event-1") != ({"message_id", "attempt"} <= line.keys())
        if readable:
            assert line["cancel_request_id"].startswith(f"cr-{line['cancel_type']}-")
            assert line["service"] == line["cancel_type"]
