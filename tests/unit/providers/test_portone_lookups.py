from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import httpx
import pytest

from refunds.errors import ErrorCode, LookupFailed
from refunds.providers.portone.client import PortOneClient
from tests.unit.providers.provider_stub import (
    BASE_URL,
    TOKEN_CALL,
    Clock,
    ProviderStub,
    Reply,
    credentials,
    envelope,
    failing,
    payment,
    plenty,
    reply,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    Operation = Callable[[PortOneClient], object]

#: Every question about one thing: where it goes, how it is asked, what "there is none" looks like.
LOOKUPS: dict[str, tuple[Operation, object]] = {
    "GET /payments/imp_1": (
        lambda client: client.payment("imp_1", tier=None, deadline=plenty()),
        None,
    ),
    "GET /payments/findAll/ORD-1": (
        lambda client: client.payments_of("ORD-1", tier=None, deadline=plenty()),
        (),
    ),
    "GET /receipts/external/ORD-1": (
        lambda client: client.receipt("ORD-1", tier=None, deadline=plenty()),
        None,
    ),
}
UNKNOWN_PAYMENT = reply(404, envelope(code=-1, message="존재하지 않는 결제정보입니다."))

every_lookup = pytest.mark.parametrize("call", LOOKUPS)


def client_of(stub: ProviderStub) -> PortOneClient:
    return PortOneClient(stub.provider_http(), BASE_URL, credentials(), Clock())


def test_a_payment_is_looked_up_among_test_payments_too() -> None:
    """Whatever can be cancelled can be seen."""
    stub = ProviderStub().on("GET /payments/imp_1", reply(200, envelope(payment())))
    found = client_of(stub).payment("imp_1", tier=None, deadline=plenty())
    assert found is not None
    assert found.cancellable == Decimal(10_000)
    assert dict(stub.requests[-1].url.params) == {"include_sandbox": "true"}


@every_lookup
def test_a_documented_404_means_that_there_is_none(call: str) -> None:
    """PortOne's own 404 is an answer."""
    stub = ProviderStub().on(call, UNKNOWN_PAYMENT).on("GET /payments/find/ORD-1", UNKNOWN_PAYMENT)
    operation, nothing = LOOKUPS[call]
    assert operation(client_of(stub)) == nothing


@every_lookup
@pytest.mark.parametrize(
    "answer",
    [
        failing(httpx.ConnectError),
        failing(httpx.ReadTimeout),
        reply(404, body=b"<html>Not Found</html>"),
        reply(404, {"error": "not found"}),
        reply(404, envelope(payment())),
        reply(200, envelope(code=1, message="존재하지 않는 결제정보입니다.")),
        reply(200, envelope(None)),
        reply(200, envelope({"merchant_uid": None})),
        reply(200, envelope(payment(imp_uid="imp_2", merchant_uid="ORD-2"))),
        reply(200, body=b"{"),
        reply(400, envelope(code=-1)),
        reply(401, envelope(code=-1)),
        reply(429, {}),
        reply(500, envelope(code=-1)),
        reply(302),
    ],
)
def test_a_lookup_without_a_usable_answer_has_failed(call: str, answer: Reply) -> None:
    """What is not an answer is not taken for "there is none"; nothing else is ever raised."""
    stub = ProviderStub().on(call, answer)
    with pytest.raises(LookupFailed) as caught:
        LOOKUPS[call][0](client_of(stub))
    assert caught.value.code in {ErrorCode.PROVIDER_UNAVAILABLE, ErrorCode.PROVIDER_AUTH}


@every_lookup
def test_a_lookup_with_rejected_keys_says_so(call: str) -> None:
    """It has failed because of our keys, which an operator must know."""
    stub = ProviderStub().on(TOKEN_CALL, reply(401, envelope(code=-1)))
    with pytest.raises(LookupFailed) as caught:
        LOOKUPS[call][0](client_of(stub))
    assert caught.value.code is ErrorCode.PROVIDER_AUTH


def page(*uids: str, following: int = 0, total: int | None = None) -> Reply:
    listed = [payment(imp_uid=uid) for uid in uids]
    count = len(listed) if total is None else total
    return reply(200, envelope({"total": count, "previous": 0, "next": following, "list": listed}))


def test_all_payments_of_an_order_are_listed() -> None:
    """Every page is read; a payment that appears on two pages counts once."""
    call = "GET /payments/findAll/ORD-1"
    stub = ProviderStub().on(call, page("imp_1", "imp_2", following=2), page("imp_2", "imp_3"))
    found = client_of(stub).payments_of("ORD-1", tier=None, deadline=plenty())
    assert [one.imp_uid for one in found] == ["imp_1", "imp_2", "imp_3"]
    asked = [dict(request.url.params) for request in stub.requests[1:]]
    assert [params["page"] for params in asked] == ["1", "2"]


def test_find_is_asked_where_find_all_is_not_offered() -> None:
    """A 404 that is not PortOne's own comes from a server without that route, which may know the payment."""
    nowhere = reply(404, None)
    stub = ProviderStub().on("GET /payments/findAll/ORD-1", nowhere)
    stub.on("GET /payments/find/ORD-1", reply(200, envelope(payment())))
    found = client_of(stub).payments_of("ORD-1", tier=None, deadline=plenty())
    assert [one.imp_uid for one in found] == ["imp_1"]


def test_an_order_that_only_the_older_lookup_knows_is_found() -> None:
    """When the list has nothing, the single lookup is asked before there is nothing."""
    stub = ProviderStub().on("GET /payments/findAll/ORD-1", UNKNOWN_PAYMENT)
    stub.on("GET /payments/find/ORD-1", reply(200, envelope(payment())))
    found = client_of(stub).payments_of("ORD-1", tier=None, deadline=plenty())
    assert [one.imp_uid for one in found] == ["imp_1"]


@pytest.mark.parametrize(
    "pages",
    [
        [page("imp_1", following=1)],
        [page("imp_1", following=3), page("imp_2")],
        [page("imp_1", following=2), UNKNOWN_PAYMENT],
        [page("imp_1", following=2), reply(500)],
        [page(f"imp_{number}", following=number + 1) for number in range(1, 30)],
        [page(total=3)],
        [reply(200, envelope({"total": 1, "previous": 0, "next": 0, "list": {}}))],
        [reply(200, envelope({"total": 1, "previous": 0, "next": 0, "list": [{"imp_uid": "imp_1"}]}))],
    ],
)
def test_a_list_that_breaks_off_is_no_answer(pages: list[Reply]) -> None:
    """Pages that run in circles, skip, never end or cannot be read do not pass for the whole list."""
    stub = ProviderStub().on("GET /payments/findAll/ORD-1", *pages)
    with pytest.raises(LookupFailed):
        client_of(stub).payments_of("ORD-1", tier=None, deadline=plenty())


def test_cancelled_payments_are_listed_by_period() -> None:
    """One page of a period is asked for as documented."""
    stub = ProviderStub().on("GET /payments/status/cancelled", page("imp_1", following=2, total=1001))
    found = client_of(stub).cancelled_between(100, 200, deadline=plenty(), page=1)
    assert (found.total, found.next, len(found.payments)) == (1001, 2, 1)
    assert dict(stub.requests[-1].url.params) == {
        "from": "100",
        "to": "200",
        "page": "1",
        "limit": "1000",
        "sorting": "started",
    }


@pytest.mark.parametrize("answer", [UNKNOWN_PAYMENT, reply(400, envelope(code=-1)), reply(503)])
def test_a_period_that_cannot_be_listed_has_failed(answer: Reply) -> None:
    """There is no documented "none" for a period: an empty one is an empty page."""
    stub = ProviderStub().on("GET /payments/status/cancelled", answer)
    with pytest.raises(LookupFailed):
        client_of(stub).cancelled_between(100, 200, deadline=plenty(), page=1)
