from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from aws_lambda_powertools.utilities.parser.models import EventBridgeModel
from cfnlint.api import lint
from cfnlint.config import ManualArgs
from jsonschema import Draft4Validator, Draft7Validator, Draft202012Validator
from samtranslator.yaml_helper import yaml_parse

from local import schemas
from local.contract import asyncapi
from local.contract.catalogue import EVENTS, PROJECT, contracts, policies
from local.contract.validation import broken_promises
from refunds.contracts.outbound import Outcome, OutcomeKind, outcome_id

#: The specification's own, version 3.0.0, as its authors publish it (Apache licence 2.0).
ASYNCAPI_SCHEMA = Path(__file__).parent / "asyncapi-3.0.0.json"
OUTCOME = Draft202012Validator(json.loads((schemas.DIRECTORY / "outcome.json").read_text(encoding="utf-8")))
OUTCOMES = {path.stem: path for path in sorted(schemas.OUTCOMES.glob("*.json"))}
DRAFT_4 = {path.stem: path for path in sorted(schemas.DRAFT_4.glob("*.json"))}


def load(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def events() -> list[tuple[str, Any]]:
    """Every real event there is, by its detail-type."""
    requests = [load(path) for path in sorted(EVENTS.glob("*/eventbridge*.json"))]
    return [(event["detail-type"], event) for event in (*requests, *map(load, OUTCOMES.values()))]


@pytest.mark.parametrize("path", OUTCOMES.values(), ids=OUTCOMES)
def test_outcomes_are_real(path: Path) -> None:
    """A sample is what EventBridge delivers: valid by schema and model, with the id that it would have."""
    event = load(path)
    EventBridgeModel.model_validate(event)
    assert list(OUTCOME.iter_errors(event["detail"])) == []
    outcome = Outcome.from_json(json.dumps(event["detail"]))
    assert json.loads(outcome.to_json()) == event["detail"]
    assert event["detail-type"] == outcome.outcome.detail_type
    named = (outcome.cancel_type, outcome.cancel_request_id, outcome.outcome, outcome.error)
    assert outcome.outcome_id == outcome_id(*named)


def test_every_kind_is_shown() -> None:
    """Every cancel type has a success, a failure and a parked outcome; one is pending in dollars."""
    shown = {
        (load(path)["detail"]["cancel_type"], load(path)["detail"]["outcome"]) for path in OUTCOMES.values()
    }
    always = (OutcomeKind.SUCCEEDED, OutcomeKind.FAILED, OutcomeKind.PARKED)
    assert shown >= {(policy.cancel_type, kind.value) for policy in policies() for kind in always}
    pending = load(OUTCOMES["payment_cancel_pending_usd"])["detail"]
    assert (pending["outcome"], pending["money"]["currency"]) == ("pending", "USD")
    assert pending["money"]["cancelled"] == 181.56


def test_no_two_samples_contradict() -> None:
    """Two samples speak of one request only where the one follows the other."""
    said: dict[str, set[str]] = {}
    for path in OUTCOMES.values():
        detail = load(path)["detail"]
        said.setdefault(detail["cancel_request_id"], set()).add(detail["outcome"])
    assert [kinds for kinds in said.values() if len(kinds) > 1] == [{"pending", "succeeded"}]


def test_contracts_know_their_detail_type() -> None:
    """The model names the detail-type that the registry routes."""
    for policy in policies():
        assert policy.contract.detail_type == policy.detail_type


@pytest.mark.parametrize("path", DRAFT_4.values(), ids=DRAFT_4)
def test_draft_4(path: Path) -> None:
    """The registry's edition is valid draft 4 of nothing newer, and takes exactly the events of its type."""
    schema = load(path)
    Draft4Validator.check_schema(schema)
    used = json.dumps(schema)
    assert not re.search(r'"(\$defs|\$id|const|if|then|else|examples)":', used)
    assert len(used) < 100_000  # EventBridge's limit
    validator = Draft4Validator(schema)
    for detail_type, event in events():
        assert validator.is_valid(event) is (detail_type == path.stem), event["detail"]


BROKEN: tuple[Any, ...] = (None, "", -1, 0.5, {}, [], {"currency": "KRW", "cancelled": 0.5})


@pytest.mark.parametrize("detail_type", DRAFT_4)
def test_draft_4_is_as_strict(detail_type: str) -> None:
    """What one edition refuses, the other one refuses too."""
    names = {contract.title: contract.name for contract in contracts()}
    path = schemas.DIRECTORY / f"{names.get(detail_type, 'outcome')}.json"
    new, old = Draft202012Validator(load(path)), Draft4Validator(load(DRAFT_4[detail_type]))
    for event in (event for name, event in events() if name == detail_type):
        for field in event["detail"].keys() - {"outcome"}:
            for value in BROKEN:
                changed = {**event, "detail": {**event["detail"], field: value}}
                assert old.is_valid(changed) is new.is_valid(changed["detail"]), (field, value)


def test_the_registry_is_a_valid_template() -> None:
    """CloudFormation would take it, and it holds the draft-4 edition of every event."""
    text = (PROJECT / "schemas.yaml").read_text(encoding="utf-8")
    assert lint(text, config=ManualArgs(include_checks=["I"], regions=["ap-northeast-2"])) == []
    resources = yaml_parse(text)["Resources"]
    found = {
        name.removesuffix("Schema"): json.loads(resource["Properties"]["Content"])
        for name, resource in resources.items()
        if resource["Type"] == "AWS::EventSchemas::Schema"
    }
    assert found == {name: load(path) for name, path in DRAFT_4.items()}


def test_the_asyncapi_document_is_valid() -> None:
    """AsyncAPI's own schema accepts it, and every reference in it leads somewhere."""
    text = (EVENTS / "asyncapi.yaml").read_text(encoding="utf-8")
    document = yaml.safe_load(text)
    errors = [error.message for error in Draft7Validator(load(ASYNCAPI_SCHEMA)).iter_errors(document)]
    assert errors == []
    for reference in re.findall(
        r"\$ref: '?(#[^'\n]+)", (EVENTS / "asyncapi.yaml").read_text(encoding="utf-8")
    ):
        place = document
        for step in reference.removeprefix("#/").split("/"):
            place = place[step]


def test_the_asyncapi_document_takes_real_messages() -> None:
    """The examples of every message match its payload, and every message has a summary and an example."""
    document = asyncapi.document()
    for name, message in document["components"]["messages"].items():
        schema = {**document, **message["payload"]}
        validator = Draft7Validator(schema)
        assert message["summary"], name
        assert message["examples"], name
        for example in message["examples"]:
            assert list(validator.iter_errors(example["payload"])) == [], name


def test_a_broken_promise_is_noticed() -> None:
    """Real outcomes keep what every edition promises; one that contradicts itself breaks each of them."""
    outcomes = [load(path) for path in OUTCOMES.values()]
    assert list(broken_promises(outcomes)) == []
    (event,) = (load(path) for name, path in OUTCOMES.items() if name == "payment_cancel_parked")
    broken = {**event, "detail": {**event["detail"], "error": None}}
    found = list(broken_promises([broken]))
    assert {line.partition(" by ")[2].partition(":")[0] for line in found} == {
        "outcome.json",
        "draft 4",
        "asyncapi.yaml",
    }


def test_every_type_has_its_channels() -> None:
    """Both buses and the queue of every cancel type are there, with the messages that they carry."""
    channels = asyncapi.document()["channels"]
    assert len(channels) == len(policies()) + 2
    assert list(channels["orderBus"]["messages"]) == [policy.detail_type for policy in policies()]
    assert list(channels["accountingBus"]["messages"]) == [kind.detail_type for kind in OutcomeKind]


def test_the_page_is_of_this_document() -> None:
    """The page was rendered from the document as it is: `make contracts` renders it anew."""
    page = (PROJECT / "docs" / "asyncapi.html").read_text(encoding="utf-8")
    text = (EVENTS / "asyncapi.yaml").read_bytes()
    digest = int.from_bytes(hashlib.sha256(text).digest()[:8])
    assert f'<meta name="source-digest" content="{digest}">' in page
    assert "<script" not in page
    for kind in OutcomeKind:
        assert kind.detail_type in page
