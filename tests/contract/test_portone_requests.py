"""What the PortOne client really sends, against PortOne's own specification."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from refunds.providers.portone.client import PortOneClient
from tests.contract.specification import Specification
from tests.unit.providers.provider_stub import (
    BASE_URL,
    TOKEN_CALL,
    Clock,
    ProviderStub,
    credentials,
    envelope,
    payment,
    plenty,
    reply,
)

if TYPE_CHECKING:
    from collections.abc import Callable

SPECIFICATION = Specification()
PAYMENT = reply(200, envelope(payment()))
PAGE = reply(200, envelope({"total": 1, "previous": 0, "next": 0, "list": [payment()]}))
RECEIPT = reply(
    200,
    envelope(
        {
            "merchant_uid": "ORD-1",
            "apply_num": "1",
            "type": "person",
            "amount": 1000,
            "vat": 91,
            "applied_at": 1,
        }
    ),
)
ANSWERS = {
    "POST /payments/cancel": PAYMENT,
    "GET /payments/imp_1": PAYMENT,
    "GET /payments/find/ORD-2": reply(200, envelope(payment(merchant_uid="ORD-2"))),
    "GET /payments/findAll/ORD-1": PAGE,
    "GET /payments/findAll/ORD-2": reply(404, envelope(code=-1, message="없음")),
    "GET /payments/status/cancelled": PAGE,
    "DELETE /vbanks/imp_1": PAYMENT,
    "DELETE /cvs/imp_1": PAYMENT,
    "GET /receipts/external/ORD-1": RECEIPT,
    "DELETE /receipts/external/ORD-1": RECEIPT,
}
#: Every field a cancellation can have.
CANCELLATION: dict[str, Any] = {
    "imp_uid": "imp_1",
    "merchant_uid": "ORD-1",
    "amount": Decimal("3000.0"),
    "tax_free": Decimal(0),
    "vat_amount": 273,
    "checksum": Decimal(10_000),
    "reason": "고객 변심",
    "refund_holder": "홍길동",
    "refund_bank": "004",
    "refund_account": "110123456789",
    "refund_tel": "01012345678",
    "retain_promotion": True,
    "extra": {"requester": "customer"},
}
CALLS: dict[str, Callable[[PortOneClient], object]] = {
    "cancelPayment": lambda client: client.cancel(CANCELLATION, tier="A1B", deadline=plenty()),
    "revokeVbank": lambda client: client.revoke_vbank("imp_1", tier=None, deadline=plenty()),
    "revokeCvsPayment": lambda client: client.revoke_cvs("imp_1", tier=None, deadline=plenty()),
    "revokeExternalReceipt": lambda client: client.revoke_receipt("ORD-1", tier=None, deadline=plenty()),
    "getExternalReceipt": lambda client: client.receipt("ORD-1", tier=None, deadline=plenty()),
    "getPaymentByImpUid": lambda client: client.payment("imp_1", tier=None, deadline=plenty()),
    "getAllPaymentsByMerchantUid": lambda client: client.payments_of("ORD-1", tier=None, deadline=plenty()),
    "getPaymentByMerchantUid": lambda client: client.payments_of("ORD-2", tier=None, deadline=plenty()),
    "getPaymentsByStatus": lambda client: client.cancelled_between(1, 2, deadline=plenty(), page=1),
}


def requests_of(call: Callable[[PortOneClient], object]) -> list[httpx.Request]:
    """What goes out when the call is made, the token's request first."""
    stub = ProviderStub()
    for name, answer in ANSWERS.items():
        stub.on(name, answer)
    call(PortOneClient(stub.provider_http(), BASE_URL, credentials(), Clock()))
    return stub.requests


def problems_of(request: httpx.Request) -> list[str]:
    return SPECIFICATION.request_problems(
        request.method, request.url.path, dict(request.url.params), request.headers, request.content
    )


@pytest.mark.parametrize("operation_id", CALLS)
def test_every_request_is_as_documented(operation_id: str) -> None:
    """Method, path, query and body are those of the documented operation, and so is the token's request."""
    requests = requests_of(CALLS[operation_id])
    assert [problems_of(request) for request in requests] == [[] for _ in requests]
    called = SPECIFICATION.operation(requests[-1].method, requests[-1].url.path)
    assert called is not None
    assert called.operation_id == operation_id


def test_every_operation_of_the_extract_is_called() -> None:
    """The extract holds what the client uses, and the client uses what it holds."""
    assert {*CALLS, "getToken"} == SPECIFICATION.operation_ids


@pytest.mark.parametrize("operation_id", CALLS)
def test_every_request_but_the_tokens_is_authorised(operation_id: str) -> None:
    """The header is the one the specification's authentication asks for."""
    token, *others = requests_of(CALLS[operation_id])
    assert f"{token.method} {token.url.path}" == TOKEN_CALL
    assert "Authorization" not in token.headers
    assert {request.headers["Authorization"] for request in others} == {"Bearer token"}


@pytest.mark.parametrize("call", ANSWERS)
def test_the_stubs_answers_are_as_documented(call: str) -> None:
    """The answers these tests are made with are ones PortOne could give."""
    method, path = call.split()
    answer = ANSWERS[call](httpx.Request(method, BASE_URL + path))
    assert SPECIFICATION.answer_problems(method, path, answer.status_code, answer.json()) == []


@pytest.mark.parametrize(
    ("method", "path", "query", "body"),
    [
        ("POST", "/payments/cancel", {}, b'{"imp_uid": 7}'),
        ("POST", "/payments/cancel", {}, b'{"amount": "1000"}'),
        ("POST", "/payments/cancel", {}, b'{"extra": ["requester"]}'),
        ("POST", "/payments/cancel", {}, b'{"refund_phone": "1"}'),
        ("POST", "/users/getToken", {}, b'{"imp_key": "k"}'),
        ("POST", "/users/getToken", {}, b""),
        ("GET", "/payments/imp_1", {"include_sandbox": "yes"}, b""),
        ("GET", "/payments/imp_1", {"sandbox": "true"}, b""),
        ("GET", "/payments/status/gone", {}, b""),
        ("GET", "/payments/status/cancelled", {"limit": "1001"}, b""),
        ("GET", "/payments/status/cancelled", {"from": "yesterday"}, b""),
        ("GET", "/payments/findAll/ORD-1", {"sorting": "oldest"}, b""),
        ("GET", "/vbanks/imp_1", {}, b""),
        ("DELETE", "/payments/imp_1", {}, b""),
    ],
)
def test_the_check_finds_what_is_not_documented(
    method: str, path: str, query: dict[str, str], body: bytes
) -> None:
    """A wrong type, name, value, method or path is a problem: the check can fail."""
    headers = {"content-type": "application/json"}
    assert SPECIFICATION.request_problems(method, path, query, headers, body) != []
