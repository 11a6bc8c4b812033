"""The loop over the cancel types: nothing of it is overlooked, nothing deployed is replaced by it."""

from __future__ import annotations

import copy
import json
import re
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.template.cancel_types import CANCEL_TYPES, OPERATORS
from tests.template.conftest import PROJECT, expand
from tests.template.expanded import Expanded
from tests.template.expansion import unrolled

LOOP = "Fn::ForEach::CancelTypes"
#: Logical ids of the template before it had a loop, each with its type and the name it is deployed under.
BEFORE: dict[str, str] = dict(
    line.split(" ", 1)
    for line in (Path(__file__).parent / "data/resources_before_the_loop.txt").read_text("utf-8").splitlines()
)
NAMES = ("QueueName", "LogGroupName", "DashboardName", "AlarmName", "Name")


def described(template: Expanded) -> dict[str, str]:
    """Every logical id, without the digest of versions, with its type and the name it is deployed under."""
    found = {}
    for logical_id, resource in template.resources.items():
        properties = resource.get("Properties", {})
        known = (name for name in NAMES if name in properties and resource["Type"] != "AWS::Lambda::Alias")
        deployed = next((str(template.resolve(properties[name])) for name in known), "")
        stable = re.sub(r"(Version|Layer)[0-9a-f]{10}$", r"\1", logical_id)
        text = f"{resource['Type']} {deployed.replace('<AWS::StackName>', '${AWS::StackName}')}"
        found[stable] = text.strip()
    return found


def test_every_resource_of_before_is_there(source: dict[str, Any]) -> None:
    """An update of a deployed stack replaces no queue and no table: ids, types and names are the same."""
    now = described(expand(source, GradualDeployment="true"))
    assert len(BEFORE) > 130
    assert {name: now.get(name) for name in BEFORE} == BEFORE


def test_keys_of_the_ledger_are_those_of_before(expanded: Expanded) -> None:
    """A table is replaced with another key, and only with that."""
    table = expanded.properties("LedgerTable")
    assert table["KeySchema"] == [{"AttributeName": "pk", "KeyType": "HASH"}]
    assert "TableName" not in table


def test_what_came_with_the_loop(source: dict[str, Any]) -> None:
    """Every new resource is known: policies, three alarms, and the sweeper's daily run."""
    now = described(expand(source, GradualDeployment="true"))
    assert Counter(now[name].partition(" ")[0] for name in now.keys() - BEFORE.keys()) == {
        "AWS::IAM::Policy": 2 * len(CANCEL_TYPES) + 2,
        "AWS::IAM::ManagedPolicy": 3,
        "AWS::CloudWatch::Alarm": 3,
        "AWS::Events::EventBusPolicy": 2,
        "AWS::Events::Rule": 1,
        "AWS::Lambda::Permission": 1,
    }


def test_rules_and_tests_see_every_resource(source: dict[str, Any], expanded: Expanded) -> None:
    """As many as the loop makes: a rule that skips loop bodies would look at a tenth of the template."""
    kinds = Counter(resource["Type"] for resource in unrolled(source)["Resources"].values())
    types = len(CANCEL_TYPES)
    functions = types + len(OPERATORS)
    assert kinds == {
        "AWS::Serverless::Function": functions,
        "AWS::Serverless::LayerVersion": 1,
        "AWS::SQS::Queue": 2 * types,
        "AWS::SQS::QueuePolicy": 2 * types,
        "AWS::Events::Rule": types,
        "AWS::Events::EventBus": 2,
        "AWS::Events::EventBusPolicy": 2,
        "AWS::DynamoDB::Table": 1,
        "AWS::SecretsManager::Secret": 1,
        "AWS::Logs::LogGroup": functions,
        "AWS::IAM::Role": functions + 1,
        "AWS::IAM::Policy": 2 * types + 2,
        "AWS::IAM::ManagedPolicy": 3,
        "AWS::CloudWatch::Alarm": 7 * types + 13,
        "AWS::CloudWatch::Dashboard": 1,
    }
    assert "Fn::ForEach" not in json.dumps(expanded.template)
    assert "${Type}" not in json.dumps(expanded.template)


def test_checkov_sees_every_resource(source: dict[str, Any], tmp_path: Path) -> None:
    """As many resources as the loop makes; of the template as it is written it would see a fifth."""
    checkov = PROJECT / ".venvs/checkov/bin/checkov"
    if not checkov.exists():
        pytest.skip("make check has checkov")
    resources = unrolled(source)
    target = tmp_path / "template.json"
    target.write_text(json.dumps(resources), "utf-8")
    options = ["--framework", "cloudformation", "--skip-download", "--output", "json", "--soft-fail"]
    command = [str(checkov), *options, "--file", str(target)]
    found = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert found["summary"]["parsing_errors"] == 0
    assert found["summary"]["resource_count"] == len(resources["Resources"])


def blocks_of(template: dict[str, Any], pascal: str, name: str) -> str:
    """What a template has for one cancel type, its names replaced by placeholders."""
    block = {
        section: {key: item for key, item in template[section].items() if key.startswith(pascal)}
        for section in ("Resources", "Outputs")
    }
    text = json.dumps(block, sort_keys=True)
    for own, placeholder in ((pascal, "<Type>"), (name, "<type>"), (name.replace("_", "-"), "<slug>")):
        text = text.replace(own, placeholder)
    return text


def test_a_sixth_type_is_one_word_and_one_row(source: dict[str, Any]) -> None:
    """With a word in the list, a row in the mapping and its visibility timeout it has what others have."""
    larger = copy.deepcopy(source)
    word = larger["Resources"][LOOP][1]
    assert word == [one.pascal for one in CANCEL_TYPES]
    for section in ("Resources", "Outputs"):
        for name, loop in larger[section].items():
            if name.startswith("Fn::ForEach::") and loop[1] == source["Resources"][LOOP][1]:
                loop[1] = [*word, "PointRefund"]
    larger["Mappings"]["CancelTypes"]["PointRefund"] = {"Name": "point_refund", "Slug": "point-refund"}
    larger["Parameters"]["PointRefundVisibilityTimeout"] = source["Parameters"][
        "OrderCancelVisibilityTimeout"
    ]
    template = unrolled(larger)
    assert blocks_of(template, "PointRefund", "point_refund") == blocks_of(
        template, "PaymentCancel", "payment_cancel"
    )
    sixth = expand(larger)
    assert sixth.properties("PointRefundFunction")["Handler"] == "point_refund.app.handler"
    assert len(sixth.resources) - len(expand(source).resources) == 21


def test_the_list_of_types_stands_once() -> None:
    """Whoever adds a type adds one word: other loops refer to the list."""
    text = (PROJECT / "template.yaml").read_text("utf-8")
    assert text.count("PaymentCancel, ") == 1
    assert text.count("*cancel_types") >= 1


@pytest.mark.parametrize("cancel_type", CANCEL_TYPES, ids=lambda found: found.name)
def test_a_type_has_a_row(source: dict[str, Any], cancel_type: Any) -> None:
    """With the names that code, events and metrics use."""
    row = source["Mappings"]["CancelTypes"][cancel_type.pascal]
    assert row == {"Name": cancel_type.name, "Slug": cancel_type.name.replace("_", "-")}
