from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from samtranslator.yaml_helper import yaml_parse

from local.dashboard.alarms import Alarm
from local.dashboard.picture import Clock, draw
from local.dashboard.series import Measured, ages, key, statistic
from tests.template.conftest import expand
from tests.template.expanded import Expanded

PROJECT = Path(__file__).parents[3]
PICTURE = PROJECT / "docs" / "images" / "dashboard.svg"
QUEUE = key("AWS/SQS", "Depth", {"QueueName": "q"})


@pytest.fixture(scope="module")
def template() -> Expanded:
    return expand(yaml_parse((PROJECT / "template.yaml").read_text(encoding="utf-8")))


def widgets_of(template: Expanded) -> list[dict[str, Any]]:
    (dashboard,) = template.of_type("AWS::CloudWatch::Dashboard").values()
    found: list[dict[str, Any]] = json.loads(dashboard["DashboardBody"])["widgets"]
    return found


def alarm(**changed: Any) -> Alarm:
    description = {
        "AlarmName": "deep",
        "Namespace": "AWS/SQS",
        "MetricName": "Depth",
        "Dimensions": [{"Name": "QueueName", "Value": "q"}],
        "Statistic": "Maximum",
        "Period": 60,
        "EvaluationPeriods": 3,
        "DatapointsToAlarm": 2,
        "Threshold": 5,
        "ComparisonOperator": "GreaterThanThreshold",
        "TreatMissingData": "notBreaching",
    }
    return Alarm.of(description | changed)


def words(picture: str) -> set[str]:
    return {element.text or "" for element in ET.fromstring(picture).iter() if element.tag.endswith("text")}  # noqa: S314 - our own picture


@pytest.mark.parametrize(
    ("name", "expected"),
    [("Sum", 10.0), ("Average", 2.5), ("Minimum", 1.0), ("Maximum", 4.0), ("p50", 2.0), ("p99", 4.0)],
)
def test_statistics(name: str, expected: float) -> None:
    """Each statistic of CloudWatch that alarms and widgets name; without values there is none."""
    assert statistic(name, [3.0, 1.0, 4.0, 2.0]) == expected
    assert statistic(name, []) is None


def test_ages() -> None:
    """The oldest that waits decides; where nobody waits there is no value."""
    assert ages([(0.0, 3.0), (1.0, 10.0)], [0.5, 2.0, 5.0, 11.0]) == [(0.5, 0.5), (2.0, 2.0), (5.0, 4.0)]


def test_embedded_metrics_count_under_each_set_of_dimensions() -> None:
    """A line in embedded metric format is as many metrics as it has names and sets of dimensions."""
    measured = Measured()
    measured.add_embedded(
        {
            "_aws": {
                "Timestamp": 5_000,
                "CloudWatchMetrics": [
                    {
                        "Namespace": "N",
                        "Dimensions": [["a"], ["a", "b"]],
                        "Metrics": [{"Name": "M", "Unit": "Count"}],
                    }
                ],
            },
            "a": "1",
            "b": "2",
            "M": [1.0, 0.0],
        }
    )
    assert measured.values == {
        key("N", "M", {"a": "1"}): [(5.0, 1.0), (5.0, 0.0)],
        key("N", "M", {"a": "1", "b": "2"}): [(5.0, 1.0), (5.0, 0.0)],
    }


def test_an_alarm_is_raised_by_as_many_periods_as_it_takes() -> None:
    """Two of three, at twelve times production's speed: five seconds of the run are a minute."""
    measured = Measured()
    for at, depth in ((100.0, 9.0), (106.0, 1.0), (112.0, 9.0)):
        measured.add(QUEUE, at, depth)
    assert alarm().raised(measured, 115.0, 12.0)
    assert not alarm().raised(measured, 110.0, 12.0)
    assert not alarm(DatapointsToAlarm=3).raised(measured, 115.0, 12.0)


@pytest.mark.parametrize(("treated", "raised"), [("breaching", True), ("notBreaching", False)])
def test_missing_data_counts_as_the_alarm_says(treated: str, raised: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """An alarm on something that never happens is raised where silence is the trouble."""
    assert alarm(TreatMissingData=treated).raised(Measured(), 115.0, 12.0) is raised


def test_the_picture_has_every_widget_alarm_and_label(template: Expanded) -> None:
    """Drawn from the template's own definition, with or without data."""
    alarms = {
        f"<{name}.Arn>": Alarm.of(properties)
        for name, properties in template.of_type("AWS::CloudWatch::Alarm").items()
    }
    measured = Measured()
    measured.add(key("AWS/Lambda", "Duration", {"FunctionName": "<PaymentCancelFunction>"}), 30.0, 120.0)
    picture = draw(widgets_of(template), alarms, measured, Clock(0.0, 60.0, 12.0), "T", "<S>")
    found = words(picture)
    assert {widget["properties"]["title"] for widget in widgets_of(template)} <= found
    assert {one.name.removeprefix("<AWS::StackName>-") for one in alarms.values()} <= found
    assert {"T", "<S>", "payment_cancel p99"} <= found
    assert picture.count("<circle") == 1


def test_the_committed_picture_is_of_this_dashboard(template: Expanded) -> None:
    """Whoever changes the dashboard draws it again: `make dashboard`."""
    shown = words(PICTURE.read_text(encoding="utf-8"))
    titles = {widget["properties"]["title"] for widget in widgets_of(template)}
    names = {
        alarm["AlarmName"].removeprefix("<AWS::StackName>-")
        for alarm in template.of_type("AWS::CloudWatch::Alarm").values()
    }
    assert titles | names <= shown
