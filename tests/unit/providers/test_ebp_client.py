from __future__ import annotations

import hashlib
import json
from decimal import Decimal
from typing import Any

import httpx
import pytest

from refunds.errors import (
    ConfigurationError,
    ErrorCode,
    InvalidRequest,
    LookupFailed,
    NotSent,
    OutcomeUnknown,
    Refused,
)
from refunds.providers.credentials import CredentialSource
from refunds.providers.ebp.client import EbpClient
from refunds.providers.ebp.signature import signature
from tests.unit.providers.provider_stub import (
    BASE_URL,
    EBP_HEADERS,
    SECRET,
    Clock,
    ProviderStub,
    Reply,
    credentials,
    failing,
    plenty,
    reply,
)

CANCEL = "POST /api/v2/payment/cancel"
DETAIL = "POST /api/v2/payment/detail"
BODY: dict[str, Any] = {
    "orderNo": "ORD20251224001",
    "totalCancelAmount": Decimal("2000.0"),
    "refundAccount": {"accountNumber": "001234", "bankCode": "001", "accountHolderName": "John Doe"},
    "items": [
        {"seq": 3, "itemType": "PHYSICAL", "itemId": "P003", "quantity": 1, "amount": Decimal("2000.0")},
    ],
}
DATA: dict[str, Any] = {
    "orderNo": "ORD20251224001",
    "totalProductAmount": 2000.0,
    "totalProductTaxAmount": 0.0,
    "totalDeliveryAmount": 0.0,
    "totalDeliveryTaxAmount": 0.0,
    "processedCount": 1,
    "returnRequestId": "RETREQ20251224003",
    "items": [{"seq": 3, "itemType": "PHYSICAL", "itemId": "P003", "quantity": 1}],
}


def envelope(code: str = "0", data: object = None, **more: object) -> dict[str, object]:
    return {"resultCode": code, "message": "text", "requestId": "1", "timestamp": "t", "data": data, **more}


def without(name: str) -> dict[str, object]:
    return {key: value for key, value in DATA.items() if key != name}


def client_of(stub: ProviderStub, source: CredentialSource | None = None) -> EbpClient:
    return EbpClient(stub.provider_http(), BASE_URL, EBP_HEADERS, source or credentials())


def cancel(*replies: Reply) -> tuple[ProviderStub, Any]:
    stub = ProviderStub().on(CANCEL, *replies)
    return stub, client_of(stub).cancel(BODY, deadline=plenty())


def test_the_signature_is_the_documented_hash() -> None:
    """SHA-256 of body and key, one after the other, in hex: not an HMAC."""
    assert signature(b'{"a":1}', "key") == hashlib.sha256(b'{"a":1}key').hexdigest()
    assert signature(b"", "") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_the_bytes_that_are_sent_are_the_ones_that_are_signed() -> None:
    """The signature fits the body as it arrives, and every required header is there."""
    stub, _ = cancel(reply(200, envelope(data=DATA)))
    (request,) = stub.requests
    sent = {name: request.headers[name] for name in request.headers if name.startswith("x-")}
    assert sent == {
        "x-access-key": "the-access-key",
        "x-ebp-signature": hashlib.sha256(request.content + b"the-hash-key").hexdigest(),
        "x-division-code": "DIV",
        "x-store-id": "STORE",
        "x-channel-code": "WEB",
        "x-ric-code": "KIC",
        "x-country-code": "KR",
        "x-currency-code": "KRW",
    }
    assert request.headers["Content-Type"] == "application/json; charset=utf-8"
    assert request.headers["Accept"] == "application/json"
    assert json.loads(request.content, parse_float=Decimal) == BODY
    assert b'"accountNumber":"001234"' in request.content


def test_a_success_is_typed() -> None:
    """Order, totals and items arrive as exact numbers."""
    _, data = cancel(reply(200, envelope(data=DATA)))
    assert (data.order_no, data.total_product_amount, data.return_request_id) == (
        "ORD20251224001",
        Decimal(2000),
        "RETREQ20251224003",
    )
    assert (data.items[0].seq, data.items[0].item_id, data.items[0].quantity) == (3, "P003", 1)
    assert data.items[0].amount is None


@pytest.mark.parametrize(
    "name",
    ["totalProductTaxAmount", "totalDeliveryTaxAmount", "processedCount", "returnRequestId"],
)
def test_a_success_without_what_proves_nothing_is_one_all_the_same(name: str) -> None:
    """A missing return number or tax total does not put a refund in doubt."""
    _, data = cancel(reply(200, envelope(data=without(name))))
    assert data.total_product_amount == Decimal(2000)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
@pytest.mark.parametrize("code", ["EBP-B-0001", "EBP-C-0001", "EBP-C-0007"])
def test_a_code_of_the_closed_list_is_a_refusal(status: int, code: str) -> None:
    """Its code and text are kept."""
    with pytest.raises(Refused) as caught:
        cancel(reply(status, envelope(code)))
    assert (caught.value.status, caught.value.provider_code) == (status, code)
    assert caught.value.code is ErrorCode.PROVIDER_REFUSED


def test_rejected_keys_are_told_apart_and_read_again() -> None:
    """EBP-A-0001 is about our keys: the next attempt uses the secret's new ones."""
    clock = Clock()
    secrets = [SECRET, {"ebp": {"access_key": "new-access-key", "hash_key": "new-hash-key"}}]
    source = CredentialSource(lambda _again: json.dumps(secrets.pop(0)), clock=clock)
    source.ebp()
    clock.now += 3600
    stub = ProviderStub().on(CANCEL, reply(400, envelope("EBP-A-0001")), reply(200, envelope(data=DATA)))
    client = client_of(stub, source)
    with pytest.raises(Refused) as caught:
        client.cancel(BODY, deadline=plenty())
    assert caught.value.code is ErrorCode.PROVIDER_AUTH
    assert stub.count(CANCEL) == 1
    client.cancel(BODY, deadline=plenty())
    assert stub.requests[-1].headers["X-Access-Key"] == "new-access-key"


@pytest.mark.parametrize(
    "answer",
    [
        failing(httpx.ReadTimeout),
        failing(httpx.ReadError),
        reply(200, body=b"<html>"),
        reply(200, body=b'{"resultCode": "0", "data": {'),
        reply(200, {"resultCode": 0, "data": DATA}),
        reply(200, {"data": DATA}),
        reply(200, envelope()),
        reply(200, envelope(data=[])),
        *(
            reply(200, envelope(data=without(name)))
            for name in ("orderNo", "totalProductAmount", "totalDeliveryAmount", "items")
        ),
        reply(200, envelope(data={**DATA, "totalProductAmount": "2000"})),
        reply(200, envelope(data={**DATA, "items": [{"seq": 3}]})),
        reply(201, envelope(data=DATA)),
        reply(302),
        reply(400, body=b"<html>"),
        reply(400, envelope("0", DATA)),
        reply(409, envelope("EBP-C-0001")),
        reply(429, envelope("EBP-C-0001")),
        reply(500, envelope("EBP-C-0008")),
        reply(500, envelope("EBP-C-0011")),
        reply(500, envelope("EBP-C-0001")),
        reply(500, envelope("EBP-A-0001")),
        reply(503, body=b""),
        reply(400, envelope("EBP-C-0010")),
        reply(200, envelope("EBP-C-0012")),
        reply(200, envelope("EBP-Z-0005")),
        reply(200, envelope("EBP-C-0001")),
        reply(400, envelope("EBP-D-1234")),
        reply(400, envelope("EBP-E-0001")),
        reply(400, envelope("1")),
        reply(401, envelope("EBP-X-0001")),
        reply(200, envelope("0", DATA, errors=[{"code": "EBP-C-0010"}])),
    ],
)
def test_anything_else_leaves_the_outcome_unknown(answer: Reply) -> None:
    """Neither a success nor a refusal, and never sent again: there is no idempotency key."""
    stub = ProviderStub().on(CANCEL, answer)
    with pytest.raises(OutcomeUnknown):
        client_of(stub).cancel(BODY, deadline=plenty())
    assert stub.count(CANCEL) == 1


def test_without_a_connection_nothing_was_sent() -> None:
    """It may be tried again."""
    with pytest.raises(NotSent):
        cancel(failing(httpx.ConnectError))


@pytest.mark.parametrize(
    "details",
    [
        {"error": {"errorDetails": [{"field": "items[0].amount", "reason": "too much"}]}},
        {"errors": [{"field": "items[0].amount", "reason": "too much"}]},
        {"errors": ["items[0].amount too much"]},
    ],
)
def test_both_shapes_of_an_error_are_read(details: dict[str, object]) -> None:
    """The details stand in another place since 0.5.21."""
    with pytest.raises(Refused) as caught:
        cancel(reply(400, envelope("EBP-B-0001", **details)))
    assert caught.value.provider_message == "text; items[0].amount too much"


def test_a_doubt_among_the_details_decides_and_is_named() -> None:
    """The worst of several codes is the one to look up."""
    with pytest.raises(OutcomeUnknown) as caught:
        cancel(reply(400, envelope("EBP-C-0003", errors=[{"code": "EBP-B-0001"}, {"code": "EBP-C-0010"}])))
    assert caught.value.provider_code == "EBP-C-0010"


def test_a_bare_401_reads_the_keys_again_and_sends_nothing() -> None:
    """Whether it was carried out before is unknown."""
    stub = ProviderStub().on(CANCEL, reply(401, envelope("EBP-X-0001")))
    with pytest.raises(OutcomeUnknown) as caught:
        client_of(stub).cancel(BODY, deadline=plenty())
    assert caught.value.code is ErrorCode.PROVIDER_AUTH
    assert stub.count(CANCEL) == 1


def test_a_request_is_built_without_being_sent() -> None:
    """What cannot be written is found before anything is claimed."""
    stub = ProviderStub()
    client_of(stub).check(BODY)
    with pytest.raises(InvalidRequest):
        client_of(stub).check({"itemId": "P\ud800"})
    assert stub.requests == []


@pytest.mark.parametrize("odd", [None, "text", 7, [], {}, {"errorDetails": "text"}, [None, 7, {"field": 1}]])
def test_an_odd_error_is_still_a_refusal(odd: object) -> None:
    """Details in no known shape do not make the answer unreadable."""
    with pytest.raises(Refused) as caught:
        cancel(reply(400, envelope("EBP-B-0001", error=odd, errors=odd)))
    assert caught.value.provider_message is not None


def test_personal_data_in_a_refusal_is_masked() -> None:
    """The account, its holder and the keys do not come back in EBP's texts."""
    details = [{"field": "refundAccount", "rejected": "001234 of JOHN DOE", "key": "the-hash-key"}]
    stub = ProviderStub().on(CANCEL, reply(400, envelope("EBP-B-0001", errors=details)))
    with pytest.raises(Refused) as caught:
        client_of(stub).cancel(BODY, deadline=plenty(), secrets=["refundAccount"])
    assert caught.value.provider_message == "text; *** *** of *** ***"


def test_without_keys_nothing_is_sent() -> None:
    """A secret without EBP's keys is a configuration error."""
    stub = ProviderStub()
    with pytest.raises(ConfigurationError):
        client_of(stub, credentials({})).cancel(BODY, deadline=plenty())
    assert stub.requests == []


def detail(answer: Reply) -> Any:
    return client_of(ProviderStub().on(DETAIL, answer)).detail("ORD-1", deadline=plenty())


def test_an_order_is_shown_as_far_as_it_can_be_read() -> None:
    """Known names are typed; everything else is ignored."""
    found = detail(
        reply(
            200,
            envelope(
                data={
                    "orderNo": "ORD-1",
                    "paymentStatus": "CANCELLED",
                    "pgCancelTransactionId": "pgc-1",
                    "totalAmount": 106000.0,
                    "items": [{"seq": 1, "itemId": "P001", "quantity": 2, "amount": 50000.0, "new": {}}],
                    "history": [1, 2, 3],
                }
            ),
        )
    )
    assert (found.payment_status, found.pg_cancel_transaction_id) == ("CANCELLED", "pgc-1")
    assert found.total_amount == Decimal(106000)
    assert (found.items[0].seq, found.items[0].quantity, found.items[0].amount) == (1, 2, Decimal(50000))


@pytest.mark.parametrize(
    ("data", "total"),
    [
        ({}, None),
        ({"totalAmount": 1000}, Decimal(1000)),
        ({"paymentAmount": 1000.0}, Decimal(1000)),
        ({"totalAmount": 1000, "paymentAmount": 1000.0}, Decimal(1000)),
        ({"totalAmount": 1000, "paymentAmount": 900}, None),
        ({"totalAmount": "1000"}, None),
        ({"totalCancelAmount": 1000}, None),
    ],
)
def test_a_total_is_read_only_where_it_is_certain(data: dict[str, object], total: Decimal | None) -> None:
    """Names that disagree, and names that mean something else, give none."""
    assert detail(reply(200, envelope(data={"orderNo": "ORD-1", **data}))).total_amount == total


@pytest.mark.parametrize("odd", [None, "text", 7, {}, [7], [{"seq": "one"}]])
def test_odd_fields_do_not_spoil_an_order(odd: object) -> None:
    """What cannot be read is missing, the rest is there."""
    data = {"paymentStatus": "APPROVED", "pgCancelTransactionId": odd, "totalAmount": odd, "items": odd}
    assert detail(reply(200, envelope(data=data))).payment_status == "APPROVED"


@pytest.mark.parametrize("status", [400, 403, 404, 422])
def test_an_order_ebp_does_not_show_is_none(status: int) -> None:
    """A well-formed 4xx: the order is not known, or the call is not offered."""
    assert detail(reply(status, envelope("EBP-C-0001"))) is None


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (failing(httpx.ConnectError), ErrorCode.PROVIDER_UNAVAILABLE),
        (failing(httpx.ReadTimeout), ErrorCode.PROVIDER_UNAVAILABLE),
        (reply(404, body=b"<html>"), ErrorCode.PROVIDER_UNAVAILABLE),
        (reply(200, envelope("EBP-C-0001")), ErrorCode.PROVIDER_UNAVAILABLE),
        (reply(200, envelope()), ErrorCode.PROVIDER_UNAVAILABLE),
        (reply(200, envelope(data={"orderNo": "ORD-2"})), ErrorCode.PROVIDER_UNAVAILABLE),
        (reply(500, envelope("EBP-Z-0010")), ErrorCode.PROVIDER_UNAVAILABLE),
        (reply(400, envelope("EBP-Z-0010")), ErrorCode.PROVIDER_UNAVAILABLE),
        (reply(400, envelope("EBP-A-0001")), ErrorCode.PROVIDER_AUTH),
        (reply(401, envelope("EBP-X-0001")), ErrorCode.PROVIDER_AUTH),
    ],
)
def test_a_lookup_without_a_usable_answer_has_failed(answer: Reply, code: ErrorCode) -> None:
    """It is not taken for an unknown order."""
    with pytest.raises(LookupFailed) as caught:
        detail(answer)
    assert caught.value.code is code
