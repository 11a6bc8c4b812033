"""The EBP client, against EBP's own samples of EBP_API_232."""

from __future__ import annotations

import hashlib
import json
from decimal import Decimal
from typing import Any

import pytest

from refunds.providers.ebp.client import EbpClient
from refunds.providers.ebp.models import CancelData, CancelledItem
from tests.contract.specification import documents
from tests.unit.providers.provider_stub import (
    BASE_URL,
    EBP_HEADERS,
    ProviderStub,
    credentials,
    plenty,
    reply,
)

CASES = ["order", "item", "amount"]


def samples() -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Request and answer of each of the three kinds of cancellation."""
    found = documents()["004"]
    requests = [sample for sample in found if "totalCancelAmount" in sample]
    answers = [sample for sample in found if "resultCode" in sample]
    return list(zip(requests, answers, strict=True))


def exact(value: object) -> Any:
    return json.loads(json.dumps(value), parse_float=Decimal)


@pytest.mark.parametrize("attempt", range(3), ids=CASES)
def test_a_sample_is_sent_as_it_stands_and_its_answer_read(attempt: int) -> None:
    """The body says what the document's sample says, is signed as sent, and the answer is a success."""
    request, answer = samples()[attempt]
    stub = ProviderStub().on("POST /api/v2/payment/cancel", reply(200, answer))
    client = EbpClient(stub.provider_http(), BASE_URL, EBP_HEADERS, credentials())
    data = client.cancel(exact(request), deadline=plenty())
    (sent,) = stub.requests
    assert json.loads(sent.content) == request
    assert sent.headers["X-EBP-Signature"] == hashlib.sha256(sent.content + b"the-hash-key").hexdigest()
    assert data.order_no == request["orderNo"]
    assert data.total_product_amount + data.total_delivery_amount == exact(request["totalCancelAmount"])
    assert data.processed_count == len(request["items"])
    assert [(item.seq, item.item_id, item.quantity, item.amount) for item in data.items] == [
        (item["seq"], item["itemId"], item["quantity"], exact(item["amount"])) for item in request["items"]
    ]


@pytest.mark.parametrize("attempt", range(3), ids=CASES)
def test_every_field_of_an_answer_is_typed(attempt: int) -> None:
    """Data and items: no field of the document is left out."""
    _, answer = samples()[attempt]
    assert set(answer["data"]) == {field.alias for field in CancelData.model_fields.values()} - {"currencies"}
    for item in answer["data"]["items"]:
        assert set(item) == {field.alias for field in CancelledItem.model_fields.values()}
