"""How a stage is deployed. CodeDeploy runs on no local AWS: what it would be told is asserted."""

from __future__ import annotations

from typing import Any

import pytest

from tests.template.cancel_types import CANCEL_TYPES, CancelType
from tests.template.conftest import expand
from tests.template.expanded import Expanded
from tests.template.house_rules import RULES, Rule

each_cancel_type = pytest.mark.parametrize("cancel_type", CANCEL_TYPES, ids=lambda found: found.name)
PRODUCTION = {
    "Stage": "prod",
    "GradualDeployment": "true",
    "AlarmTopicArn": "arn:aws:sns:ap-northeast-2:123456789012:on-call",
    "EbpBaseUrl": "https://ebp.example",
    "EbpDivisionCode": "D",
    "EbpStoreId": "S",
    "EbpChannelCode": "C",
    "Limits": "none",
}


@pytest.fixture(scope="module")
def production(source: dict[str, Any]) -> Expanded:
    return expand(source, **PRODUCTION)


@each_cancel_type
def test_a_new_version_gets_a_little_traffic_first(production: Expanded, cancel_type: CancelType) -> None:
    """The alias that the queue feeds moves to a new version by CodeDeploy, a tenth of the traffic ahead."""
    alias = production.resources[f"{cancel_type.pascal}FunctionAliaslive"]
    shift = production.resolve(alias["UpdatePolicy"]["CodeDeployLambdaAliasUpdate"])
    assert shift["DeploymentGroupName"] == f"<{cancel_type.pascal}FunctionDeploymentGroup>"
    group = production.resources[f"{cancel_type.pascal}FunctionDeploymentGroup"]["Properties"]
    assert group["DeploymentConfigName"]["Fn::Sub"][1] == {"ConfigName": "Canary10Percent5Minutes"}
    assert production.resolve(group["ServiceRoleArn"]) == "<DeploymentRole.Arn>"


@each_cancel_type
def test_an_alarm_takes_a_new_version_back(production: Expanded, cancel_type: CancelType) -> None:
    """Failing invocations and refunds of unknown outcome stop a deployment and roll it back."""
    group = production.resources[f"{cancel_type.pascal}FunctionDeploymentGroup"]["Properties"]
    alarms = [f"{cancel_type.pascal}{name}Alarm" for name in ("Error", "Unknown")]
    assert production.resolve(group["AlarmConfiguration"]) == {
        "Enabled": True,
        "Alarms": [{"Name": f"<{name}>"} for name in alarms],
    }
    assert group["AutoRollbackConfiguration"]["Enabled"] is True
    assert "DEPLOYMENT_STOP_ON_ALARM" in group["AutoRollbackConfiguration"]["Events"]
    for name in alarms:
        alarm = production.properties(name)
        watched = alarm["Period"] * alarm.get("DatapointsToAlarm", alarm["EvaluationPeriods"])
        assert watched < 300, "an alarm is raised while only the canary runs"


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_production_keeps_the_house_rules(production: Expanded, rule: Rule) -> None:
    """What production's parameters add breaks no house rule."""
    assert list(rule(production)) == []


def test_only_a_gradual_deployment_needs_codedeploy(expanded: Expanded) -> None:
    """By default, as a local AWS can do it, an alias switches at once."""
    assert expanded.of_type("AWS::CodeDeploy::DeploymentGroup") == {}
    assert "UpdatePolicy" not in expanded.resources["PaymentCancelFunctionAliaslive"]


def test_production_can_be_deployed(source: dict[str, Any]) -> None:
    """With everything that production must be told, no rule of the template objects."""
    assert objections(source, PRODUCTION) == []


@pytest.mark.parametrize("missing", sorted(PRODUCTION.keys() - {"Stage"}))
def test_production_is_told_everything(source: dict[str, Any], missing: str) -> None:
    """A value that production must be given, left at its default, is named by a rule of the template."""
    given = {name: value for name, value in PRODUCTION.items() if name != missing}
    (objection,) = objections(source, given)
    assert missing in objection or missing == "GradualDeployment"


def objections(source: dict[str, Any], given: dict[str, str]) -> list[str]:
    """What CloudFormation would refuse these parameters with."""
    values = {name: given.get(name, parameter["Default"]) for name, parameter in source["Parameters"].items()}
    return [
        assertion["AssertDescription"]
        for rule in source["Rules"].values()
        if holds(rule["RuleCondition"], values)
        for assertion in rule["Assertions"]
        if not holds(assertion["Assert"], values)
    ]


def holds(condition: dict[str, Any], values: dict[str, Any]) -> bool:
    """A condition of a rule."""
    ((function, arguments),) = condition.items()
    match function:
        case "Fn::Equals":
            left, right = (values[one["Ref"]] if isinstance(one, dict) else one for one in arguments)
            return bool(left == right)
        case "Fn::Not":
            return not holds(arguments[0], values)
        case "Fn::Or":
            return any(holds(one, values) for one in arguments)
    raise AssertionError(function)
