"""What a deployment changes reaches the published version that the queues feed."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.template.cancel_types import CANCEL_TYPES
from tests.template.conftest import expand
from tests.template.expanded import Expanded

TYPES = [one.pascal for one in CANCEL_TYPES]
FUNCTIONS = [f"{name}Function" for name in TYPES] + [
    "DlqReplayFunction",
    "SweeperFunction",
    "ReconcileFunction",
]
each_function = pytest.mark.parametrize("function", FUNCTIONS)

#: Too long for a description: `Release` makes a version of them.
BY_RELEASE = {
    "OrderEventSource",
    "OrderServiceRoleArn",
    "AccountingBusName",
    "ProviderSecretArn",
    "PortOneBaseUrl",
    "EbpBaseUrl",
    "EbpDivisionCode",
    "EbpStoreId",
    "EbpChannelCode",
    "EbpRicCode",
    "EbpCountryCode",
    "EbpCurrencyCode",
    "Architecture",
    "SnapStart",
}
_NAME = re.compile(r"\$\{(\w+)\}")


def parameters_of(expanded: Expanded, value: Any) -> set[str]:
    """Every parameter that a part of the template depends on, conditions included."""
    text = json.dumps(value)
    names = set(re.findall(r'"Ref": "(\w+)"', text)) | set(_NAME.findall(text))
    for condition in re.findall(r'"Fn::If": \["(\w+)"|"Condition": "(\w+)"', text):
        names |= parameters_of(expanded, expanded.template["Conditions"]["".join(condition)])
    return names & expanded.parameters.keys()


def version_of(template: Expanded, function: str) -> str:
    (name,) = (
        name
        for name, version in template.resources.items()
        if version["Type"] == "AWS::Lambda::Version"
        and version["Properties"]["FunctionName"] == {"Ref": function}
    )
    return name


@each_function
def test_every_function_is_published(expanded: Expanded, function: str) -> None:
    """A function's alias points to a version that outlives its successor's deployment."""
    alias = expanded.properties(f"{function}Aliaslive")
    version = version_of(expanded, function)
    assert alias["FunctionVersion"] == f"<{version}.Version>"
    assert expanded.resources[version]["DeletionPolicy"] == "Retain"


@each_function
def test_a_parameter_makes_a_new_version(expanded: Expanded, function: str) -> None:
    """A version's description changes with every parameter its function depends on: then it is replaced."""
    described = parameters_of(expanded, expanded.resources[version_of(expanded, function)]["Properties"])
    used = parameters_of(expanded, expanded.resources[function]["Properties"])
    assert described <= used, "CloudFormation refuses a new version of a function that did not change"
    literal = {"Limits"} if function.removesuffix("Function") in TYPES else set()
    assert used - described <= BY_RELEASE | literal
    assert "Release" in described


@each_function
def test_a_description_fits(expanded: Expanded, function: str) -> None:
    """With long values in every parameter a version's description stays within Lambda's 256 characters."""
    text, _ = expanded.resources[version_of(expanded, function)]["Properties"]["Description"]["Fn::Sub"]
    long = {
        "Release": "r" * 40,
        "ReconcileTiers": "AAA,BBB,CCC",
        "Retry": "9999-9999-99999",
        "Sweep": "999999-999999",
        "PythonRuntime": "python3.13",
    }
    filled = _NAME.sub(lambda found: long.get(found[1], "99999999"), text)
    assert len(filled) <= 256


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda template: _set(template, "RefundsLayer", "ContentUri", "s3://b/new"), id="layer"),
        pytest.param(lambda template: _set(template, "SweeperFunction", "Timeout", 299), id="function"),
    ],
)
def test_code_makes_a_new_version(source: dict[str, Any], change: Callable[[dict[str, Any]], None]) -> None:
    """New code in the layer, or a changed function, is published under a new version."""
    changed = copy.deepcopy(source)
    change(changed)
    before, after = expand(source), expand(changed)
    assert version_of(before, "SweeperFunction") != version_of(after, "SweeperFunction")


def _set(template: dict[str, Any], resource: str, name: str, value: object) -> None:
    template["Resources"][resource]["Properties"][name] = value


@pytest.mark.parametrize("function", [f"{name}Function" for name in TYPES])
def test_other_limits_make_a_new_version(source: dict[str, Any], function: str) -> None:
    """They are in the environment as text that SAM compares: a lowered limit takes effect by itself."""
    limits = '{"payment_cancel": {"KRW": {"largest": 5000}}}'
    before, after = expand(source), expand(source, Limits=limits)
    assert version_of(before, function) != version_of(after, function)
    variables = after.properties(function)["Environment"]["Variables"]
    assert variables["LIMITS"] == json.loads(variables["LIMITS_OF_VERSION"])[0] == limits


@pytest.mark.parametrize("function", [f"{one.pascal}Function" for one in CANCEL_TYPES])
def test_snapshots_are_a_parameter(expanded: Expanded, source: dict[str, Any], function: str) -> None:
    """No snapshot is taken of a cancel type's function unless the parameter asks for it."""
    assert expanded.properties(function)["SnapStart"] == {"ApplyOn": "None"}
    assert source["Parameters"]["SnapStart"]["AllowedValues"] == ["None", "PublishedVersions"]
