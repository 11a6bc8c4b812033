from __future__ import annotations

import hashlib
import json
import struct
from pathlib import Path
from typing import Any

import pytest
from aws_lambda_powertools.utilities.parser.models import EventBridgeModel, SqsModel
from jsonschema import Draft202012Validator

from local import schemas
from refunds.cancel_types import cancel_type
from refunds.contracts import strict_json
from refunds.messaging.message import read_body, read_event
from tests.unit.contracts.details import CANCEL_TYPES
from tests.unit.contracts.ebp_samples import SAMPLES

EVENTS = schemas.DIRECTORY.parent
ACCOUNT = "123456789012"
ENVELOPES = sorted(EVENTS.glob("*/eventbridge*.json"))
BATCHES = [
    path
    for path in sorted(EVENTS.glob("*/*.json"))
    if path not in ENVELOPES and path.parent.name in CANCEL_TYPES
]


def load(path: Path) -> Any:
    return strict_json.loads(path.read_text(encoding="utf-8"))


def named(path: Path) -> str:
    return f"{path.parent.name}/{path.stem}"


def records(name: str, sample: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = load(EVENTS / name / f"{sample}.json")["Records"]
    return found


def bare(content: Any) -> Any:
    return content["detail"] if "detail-type" in content else content


@pytest.mark.parametrize("name", CANCEL_TYPES)
def test_every_sample_is_there(name: str) -> None:
    """Each cancel type has a sample of every way an event can arrive."""
    found = {path.stem for path in (EVENTS / name).glob("*.json")}
    assert found >= {"eventbridge", "sqs_batch", "duplicate", "redriven", "malformed"}


@pytest.mark.parametrize("path", ENVELOPES, ids=named)
def test_envelopes_are_eventbridges(path: Path) -> None:
    """An EventBridge sample has exactly the fields EventBridge sends, and is valid for its function."""
    envelope = load(path)
    EventBridgeModel.model_validate(envelope)
    fields = "version id detail-type source account time region resources detail"
    assert list(envelope) == fields.split()
    assert (envelope["account"], envelope["source"]) == (ACCOUNT, "order-service")
    reading = read_event(cancel_type(path.parent.name).policy, envelope)
    assert reading.error is None


@pytest.mark.parametrize("path", BATCHES, ids=named)
def test_batches_are_sqs_batches(path: Path) -> None:
    """An SQS sample has exactly the fields the event source mapping sends, for this queue and account."""
    batch = load(path)
    SqsModel.model_validate(batch)
    queue = f"refunds-dev-{path.parent.name.replace('_', '-')}"
    required = {
        "messageId",
        "receiptHandle",
        "body",
        "attributes",
        "messageAttributes",
        "md5OfBody",
        "eventSource",
        "eventSourceARN",
        "awsRegion",
    }
    assert list(batch) == ["Records"]
    assert len(batch["Records"]) <= 10
    for record in batch["Records"]:
        assert record.keys() - {"md5OfMessageAttributes"} == required
        assert record["eventSourceARN"] == f"arn:aws:sqs:ap-northeast-2:{ACCOUNT}:{queue}"
        assert record["attributes"].keys() == {
            "ApproximateReceiveCount",
            "SentTimestamp",
            "SenderId",
            "ApproximateFirstReceiveTimestamp",
        }


@pytest.mark.parametrize("path", BATCHES, ids=named)
def test_digests_are_right(path: Path) -> None:
    """The digests of bodies and message attributes are those SQS computes."""
    for record in load(path)["Records"]:
        assert record["md5OfBody"] == hashlib.md5(record["body"].encode(), usedforsecurity=False).hexdigest()
        attributes = record["messageAttributes"]
        assert record.get("md5OfMessageAttributes") == (_digest(attributes) if attributes else None)


def _digest(attributes: dict[str, Any]) -> str:
    """SQS developer guide, "Calculating the MD5 message digest for message attributes"."""
    digest = hashlib.md5(usedforsecurity=False)
    for name, attribute in sorted(attributes.items()):
        for text in (name, attribute["dataType"]):
            digest.update(struct.pack(">I", len(text.encode())) + text.encode())
        value = attribute["stringValue"].encode()
        digest.update(b"\x01" + struct.pack(">I", len(value)) + value)
    return digest.hexdigest()


@pytest.mark.parametrize("name", CANCEL_TYPES)
@pytest.mark.parametrize("sample", ["sqs_batch", "duplicate", "redriven"])
def test_good_samples_are_valid(name: str, sample: str) -> None:
    """Every record of a good sample satisfies the model and the published schema."""
    validator = Draft202012Validator(
        json.loads((schemas.DIRECTORY / f"{name}.json").read_text(encoding="utf-8"))
    )
    for record in records(name, sample):
        assert read_body(cancel_type(name).policy, record["body"]).error is None
        assert list(validator.iter_errors(bare(json.loads(record["body"])))) == []


@pytest.mark.parametrize("path", ENVELOPES, ids=named)
def test_envelopes_satisfy_the_schema(path: Path) -> None:
    """The detail of every EventBridge sample satisfies the published schema."""
    schema = json.loads((schemas.DIRECTORY / f"{path.parent.name}.json").read_text(encoding="utf-8"))
    assert list(Draft202012Validator(schema).iter_errors(json.loads(path.read_text("utf-8"))["detail"])) == []


@pytest.mark.parametrize("name", CANCEL_TYPES)
def test_batch_mixes_envelopes_and_details(name: str) -> None:
    """The batch sample has bodies with an envelope and bodies without, each of its own request."""
    bodies = [json.loads(record["body"]) for record in records(name, "sqs_batch")]
    assert {"detail-type" in body for body in bodies} == {True, False}
    assert len({bare(body)["cancel_request_id"] for body in bodies}) == len(bodies)


@pytest.mark.parametrize("name", CANCEL_TYPES)
def test_duplicate_is_one_cancellation(name: str) -> None:
    """The duplicate sample is one cancellation in three messages."""
    batch = records(name, "duplicate")
    assert len({record["messageId"] for record in batch}) == 3
    details = [bare(json.loads(record["body"])) for record in batch]
    assert details[0] == details[1] == details[2]


@pytest.mark.parametrize("name", CANCEL_TYPES)
def test_redriven_carries_its_reason(name: str) -> None:
    """The redriven sample carries the attributes that the function gave it when it failed."""
    (record,) = records(name, "redriven")
    attributes = {key: value["stringValue"] for key, value in record["messageAttributes"].items()}
    assert attributes.keys() == {
        "error_code",
        "error_message",
        "cancel_type",
        "cancel_request_id",
        "failed_at",
    }
    assert attributes["cancel_type"] == name
    assert attributes["cancel_request_id"] == json.loads(record["body"])["detail"]["cancel_request_id"]


@pytest.mark.parametrize("name", CANCEL_TYPES)
def test_malformed_has_one_good_neighbour(name: str) -> None:
    """In the malformed sample every message is refused for a reason of its own, but one."""
    reasons = [
        read_body(cancel_type(name).policy, record["body"]).error for record in records(name, "malformed")
    ]
    refused = [str(reason) for reason in reasons if reason is not None]
    assert reasons.count(None) == 1
    assert len(refused) >= 8
    assert len(set(refused)) >= len(refused) - 1


@pytest.mark.parametrize("name", CANCEL_TYPES)
def test_malformed_fails_the_schema(name: str) -> None:
    """A malformed message that is JSON of this type fails the schema, unless only a sum is wrong."""
    schema = json.loads((schemas.DIRECTORY / f"{name}.json").read_text(encoding="utf-8"))
    policy = cancel_type(name).policy
    for record in records(name, "malformed"):
        error = read_body(policy, record["body"]).error
        try:
            content = json.loads(record["body"])
        except ValueError:
            continue
        foreign = (
            isinstance(content, dict) and content.get("detail-type", policy.detail_type) != policy.detail_type
        )
        if foreign or "is not the sum" in str(error):
            continue
        assert Draft202012Validator(schema).is_valid(bare(content)) is (error is None)


@pytest.mark.parametrize(
    ("sample", "place"), [("eventbridge", 0), ("eventbridge_items", 1), ("eventbridge_amount", 2)]
)
def test_samples_of_document_004_are_verbatim(sample: str, place: int) -> None:
    """The three sample requests of EBP's document are the requests of three events, number for number."""
    text = (EVENTS / "order_cancel" / f"{sample}.json").read_text(encoding="utf-8")
    request = "".join(text[text.index('"request": ') :].split())
    assert request.startswith('"request":' + "".join(SAMPLES[place].split()))


def test_what_the_samples_are_about_is_known() -> None:
    """Every payment, receipt and order that a good sample names is in the simulator's seed file."""
    seeds = json.loads((EVENTS / "simulator.json").read_text(encoding="utf-8"))
    known = {value for kind in seeds.values() for record in kind for value in _texts(record)}
    for name in CANCEL_TYPES:
        bodies = [
            record["body"]
            for sample in ("sqs_batch", "duplicate", "redriven")
            for record in records(name, sample)
        ]
        details = [bare(json.loads(body)) for body in bodies]
        details += [
            json.loads(path.read_text("utf-8"))["detail"] for path in ENVELOPES if path.parent.name == name
        ]
        for content in details:
            assert _texts(content["request"]) & known


def _texts(record: dict[str, Any]) -> set[str]:
    return {value for value in record.values() if isinstance(value, str)}
