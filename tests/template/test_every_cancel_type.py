"""What a new cancel type may not be left out of, derived from the registry."""

from __future__ import annotations

import json
import tomllib
from typing import Any

import pytest

from refunds.cancel_types import MODULES, all_cancel_types
from refunds.operators.cancel_queues import queues_of_url
from tests.template.cancel_types import CANCEL_TYPES, CancelType
from tests.template.conftest import PROJECT
from tests.template.expanded import Expanded
from tests.template.house_rules import granted

PREFIX = "https://sqs.invalid/refunds-"

each_cancel_type = pytest.mark.parametrize("kind", CANCEL_TYPES, ids=lambda found: found.name)
providers = pytest.mark.parametrize(
    "provider", dict.fromkeys(kind.policy.provider for kind in all_cancel_types())
)


def allowed(expanded: Expanded, role: str, action: str) -> list[Any]:
    """What a role may do an action with."""
    return [one["Resource"] for one in granted(expanded, role) if action in one["Action"]]


def rows(expanded: Expanded) -> list[tuple[str, list[Any]]]:
    """Every line of every widget of the dashboard, with the widget's title."""
    (dashboard,) = expanded.of_type("AWS::CloudWatch::Dashboard").values()
    widgets = json.loads(dashboard["DashboardBody"])["widgets"]
    return [
        (widget["properties"]["title"], row)
        for widget in widgets
        for row in widget["properties"].get("metrics", [])
    ]


@each_cancel_type
def test_the_sweeper_may_end_its_requests(expanded: Expanded, kind: CancelType) -> None:
    """The sweeper may change its items, and look at and label its dead letters."""
    keys = [
        one["Condition"]["ForAllValues:StringLike"]["dynamodb:LeadingKeys"]
        for one in granted(expanded, "SweeperRole")
        if one["Action"] == "dynamodb:UpdateItem"
    ]
    assert [f"{kind.name}#*"] in keys
    for action in ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:SendMessage"):
        assert f"<{kind.pascal}Dlq.Arn>" in allowed(expanded, "SweeperRole", action)


@each_cancel_type
def test_its_dead_letters_can_be_replayed(expanded: Expanded, kind: CancelType) -> None:
    """The replay function may take from its dead-letter queue and send to its queue."""
    assert f"<{kind.pascal}Dlq.Arn>" in allowed(expanded, "DlqReplayRole", "sqs:ReceiveMessage")
    assert f"<{kind.pascal}Dlq.Arn>" in allowed(expanded, "DlqReplayRole", "sqs:DeleteMessage")
    assert f"<{kind.pascal}Queue.Arn>" in allowed(expanded, "DlqReplayRole", "sqs:SendMessage")


@each_cancel_type
def test_operators_functions_find_its_queues(expanded: Expanded, kind: CancelType) -> None:
    """They know payment_cancel's queue, and the template names each other one as they expect."""
    for function in ("DlqReplayFunction", "SweeperFunction"):
        variables = expanded.properties(function)["Environment"]["Variables"]
        assert variables["OPERATOR_QUEUE_URL"] == "<PaymentCancelQueue>"
    found = {one.cancel_type: one for one in queues_of_url(f"{PREFIX}payment-cancel")}
    named = [expanded.properties(f"{kind.pascal}{end}")["QueueName"] for end in ("Queue", "Dlq")]
    assert named == [f"<AWS::StackName>-{kind.slug}", f"<AWS::StackName>-{kind.slug}-dlq"]
    assert found[kind.name].queue_url == f"{PREFIX}{kind.slug}"
    assert found[kind.name].dlq_url == f"{PREFIX}{kind.slug}-dlq"


@each_cancel_type
def test_its_function_has_what_every_function_has(expanded: Expanded, kind: CancelType) -> None:
    """Its environment names the variables of the first type's function, and queues of its own."""
    variables = expanded.properties(f"{kind.pascal}Function")["Environment"]["Variables"]
    others = expanded.properties("PaymentCancelFunction")["Environment"]["Variables"]
    assert variables.keys() == others.keys() >= {"QUEUE_URL", "DLQ_URL", "LIMITS"}
    assert (variables["QUEUE_URL"], variables["DLQ_URL"]) == (f"<{kind.pascal}Queue>", f"<{kind.pascal}Dlq>")


def test_the_dashboard_shows_every_type(expanded: Expanded) -> None:
    """A metric that is shown by cancel type is shown of all of them, or of all that move money."""
    shown: dict[tuple[str, str], set[str]] = {}
    for title, (_, metric, *_, look) in rows(expanded):
        name = look["label"].partition(" ")[0]
        if name in MODULES:
            shown.setdefault((title, metric), set()).add(name)
    moving = {one.policy.cancel_type for one in all_cancel_types() if one.policy.moves_money}
    assert len(shown) > 10
    assert {place: names for place, names in shown.items() if names not in (set(MODULES), moving)} == {}


@providers
def test_a_provider_is_watched(expanded: Expanded, provider: str) -> None:
    """Its failures raise an alarm, and the dashboard shows its latency and failures."""
    dimensions = [{"Name": "provider", "Value": provider}]
    watching = [
        one for one in expanded.of_type("AWS::CloudWatch::Alarm").values() if one["Dimensions"] == dimensions
    ]
    assert [one["MetricName"] for one in watching] == ["ProviderFailure"]
    shown = {title for title, row in rows(expanded) if provider in row}
    assert shown >= {"Provider latency", "Provider failure rate"}


@each_cancel_type
def test_the_local_stack_has_its_timing(kind: CancelType) -> None:
    """samconfig.toml gives its queue seconds where production has minutes."""
    config = tomllib.loads((PROJECT / "samconfig.toml").read_text(encoding="utf-8"))
    overrides = config["local"]["deploy"]["parameters"]["parameter_overrides"]
    given = dict(one.split("=", 1) for one in overrides)
    assert given[f"{kind.pascal}VisibilityTimeout"] == given["PaymentCancelVisibilityTimeout"]
