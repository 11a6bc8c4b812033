"""What a deployed table says that the writes of each cancel type have consumed."""

from __future__ import annotations

import base64
import json
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final
from uuid import uuid4

import pytest

from local.stack import Stack
from local.stack.clients import Clients
from local.trigger import record
from tests.unit.ledger.test_write_units import SAMPLES
from tests.unit.rig import EVENTS, Rig, running_rig

_BASE: Final = {"by_order": 1, "by_day": 1}
#: Units of the table, the held entries' included, and of its indexes.
CONSUMED: Final = {
    ("payment_cancel", SAMPLES["payment_cancel"]): {"table": 2, "by_payment": 1, **_BASE},
    ("vbank_revoke", SAMPLES["vbank_revoke"]): {"table": 2, "by_payment": 1, **_BASE},
    ("cvs_revoke", SAMPLES["cvs_revoke"]): {"table": 2, "by_payment": 1, **_BASE},
    ("receipt_revoke", SAMPLES["receipt_revoke"]): {"table": 2, **_BASE},
    ("order_cancel", SAMPLES["order_cancel"]): {"table": 3, **_BASE},
    ("order_cancel", "eventbridge"): {"table": 4, **_BASE},
}


@pytest.fixture(scope="module")
def rig() -> Iterator[Rig]:
    with running_rig() as running:
        yield running


@pytest.fixture
def dynamodb(stack: Stack) -> Any:
    return Clients(stack.endpoint_url, stack.region, stack.ca_bundle).dynamodb


@pytest.fixture
def table(stack: Stack, dynamodb: Any) -> Iterator[str]:
    """An empty table like the deployed one."""
    deployed = dynamodb.describe_table(TableName=stack.outputs["LedgerTableName"])["Table"]
    indexes = [
        {name: index[name] for name in ("IndexName", "KeySchema", "Projection")}
        for index in deployed["GlobalSecondaryIndexes"]
    ]
    like = {name: deployed[name] for name in ("AttributeDefinitions", "KeySchema")}
    name = f"ledger-{uuid4()}"
    dynamodb.create_table(
        TableName=name, BillingMode="PAY_PER_REQUEST", GlobalSecondaryIndexes=indexes, **like
    )
    yield name
    dynamodb.delete_table(TableName=name)


def writes(rig: Rig, cancel_type: str, sample: str) -> list[tuple[str, dict[str, Any]]]:
    """What the function asks of DynamoDB to carry out a sample event, apart from reads."""
    rig.reset()
    rig.seed_samples()
    asked: list[tuple[str, dict[str, Any]]] = []
    carry_out = rig.tables.carry_out

    def kept(operation: str, request: dict[str, Any]) -> dict[str, Any]:
        if operation in {"PutItem", "UpdateItem", "DeleteItem"}:
            asked.append((operation, request))
        return carry_out(operation, request)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rig.tables, "carry_out", kept)
        event: Any = json.loads((EVENTS / cancel_type / f"{sample}.json").read_text(encoding="utf-8"))
        assert rig.batch(cancel_type, record(json.dumps(event))) == []
    return asked


@pytest.mark.parametrize(("cancel_type", "sample"), CONSUMED)
def test_a_refund_consumes_what_is_computed(
    dynamodb: Any, table: str, rig: Rig, cancel_type: str, sample: str
) -> None:
    """The writes of the whole function, carried out again by the local AWS, which counts for itself."""
    consumed: Counter[str] = Counter()
    operations = {"PutItem": dynamodb.put_item, "UpdateItem": dynamodb.update_item}
    for operation, request in writes(rig, cancel_type, sample):
        asked = _binary(request) | {"TableName": table, "ReturnConsumedCapacity": "INDEXES"}
        answer = operations[operation](**asked)["ConsumedCapacity"]
        consumed["table"] += answer["Table"]["CapacityUnits"]
        for name, index in answer.get("GlobalSecondaryIndexes", {}).items():
            consumed[name] += index["CapacityUnits"]
    assert +consumed == CONSUMED[cancel_type, sample]


def _binary(value: Any) -> Any:
    """A request as botocore takes it: bytes are text in JSON only."""
    if isinstance(value, list):
        return [_binary(item) for item in value]
    if not isinstance(value, dict):
        return value
    if value.keys() == {"B"}:
        return {"B": base64.b64decode(value["B"])}
    return {name: _binary(item) for name, item in value.items()}
