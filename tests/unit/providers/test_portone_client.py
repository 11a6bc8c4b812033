from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from refunds.errors import (
    ConfigurationError,
    CredentialsRejected,
    ErrorCode,
    InvalidRequest,
    NotSent,
    OutcomeUnknown,
    ProviderError,
    Refused,
)
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
    token_reply,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    Operation = Callable[[PortOneClient], object]

CANCEL = "POST /payments/cancel"
RECEIPT = {
    "merchant_uid": "ORD-1",
    "apply_num": "1",
    "type": "person",
    "amount": 1000,
    "vat": 91,
    "applied_at": 1,
}

#: Every call that moves money or revokes something: where it goes, how it is made, what a success shows.
ACTIONS: dict[str, tuple[Operation, dict[str, Any]]] = {
    CANCEL: (
        lambda client: client.cancel({"imp_uid": "imp_1"}, tier=None, deadline=plenty()),
        payment(),
    ),
    "DELETE /vbanks/imp_1": (
        lambda client: client.revoke_vbank("imp_1", tier=None, deadline=plenty()),
        payment(),
    ),
    "DELETE /cvs/imp_1": (
        lambda client: client.revoke_cvs("imp_1", tier=None, deadline=plenty()),
        payment(),
    ),
    "DELETE /receipts/external/ORD-1": (
        lambda client: client.revoke_receipt("ORD-1", tier=None, deadline=plenty()),
        RECEIPT,
    ),
}
every_action = pytest.mark.parametrize("call", ACTIONS)


def client_of(stub: ProviderStub) -> PortOneClient:
    return PortOneClient(stub.provider_http(), BASE_URL, credentials(), Clock())


def act(call: str, *replies: Reply) -> tuple[ProviderStub, object]:
    """Perform the action against these replies; also returns what it was answered with."""
    stub = ProviderStub().on(call, *replies)
    return stub, ACTIONS[call][0](client_of(stub))


@every_action
def test_an_action_is_sent_once_with_the_token(call: str) -> None:
    """A success is one request, authorised as documented, and the typed payment or receipt."""
    stub, result = act(call, reply(200, envelope(ACTIONS[call][1])))
    assert stub.calls() == [call]
    assert stub.requests[-1].headers["Authorization"] == "Bearer token"
    assert result.merchant_uid == "ORD-1"  # type: ignore[attr-defined]


@every_action
@pytest.mark.parametrize(
    "answer",
    [
        failing(httpx.ReadTimeout),
        failing(httpx.RemoteProtocolError),
        reply(200, body=b"<html>Bad Gateway</html>"),
        reply(200, body=b'{"code": 0, "response": {"imp_ui'),
        reply(200, body=b""),
        reply(200, {"code": "0", "message": None, "response": {}}),
        reply(200, {"code": True, "message": None, "response": {}}),
        reply(200, {"message": None, "response": {}}),
        reply(200, {"code": 1, "message": {"text": "no"}, "response": None}),
        reply(200, envelope(None)),
        reply(200, envelope({"imp_uid": "imp_1"})),
        reply(201, envelope(payment())),
        reply(204),
        reply(302, headers={"Location": "https://elsewhere.test"}),
        reply(400, body=b"<html>Bad Request</html>"),
        reply(404, body=b""),
        reply(404, envelope(payment())),
        reply(408, envelope(code=-1, message="timeout")),
        reply(429, envelope(code=-1, message="slow down")),
        reply(500, envelope(code=-1, message="error")),
        reply(501, body=b"Not Implemented"),
        reply(502, body=b"<html>"),
        reply(503, envelope(code=0)),
        reply(504),
    ],
)
def test_an_answer_that_is_not_a_plain_yes_or_no_leaves_the_outcome_unknown(call: str, answer: Reply) -> None:
    """It is neither success nor refusal, and the request is not sent again."""
    stub = ProviderStub().on(call, answer)
    with pytest.raises(OutcomeUnknown) as caught:
        ACTIONS[call][0](client_of(stub))
    assert caught.value.code is ErrorCode.OUTCOME_UNKNOWN
    assert stub.calls() == [call]


@every_action
@pytest.mark.parametrize(
    ("status", "code"), [(200, 1), (200, -1), (400, -1), (403, -1), (404, -1), (409, 7), (422, 1)]
)
def test_a_well_formed_no_is_a_refusal(call: str, status: int, code: int) -> None:
    """HTTP 200 with another code than 0, or a 4xx in PortOne's own form, carries code and message."""
    text = "결제취소에 실패하였습니다. [500626|기 취소 거래]"
    with pytest.raises(Refused) as caught:
        act(call, reply(status, envelope(code=code, message=text)))
    refusal = caught.value
    assert (refusal.status, refusal.provider_code, refusal.provider_message) == (status, str(code), text)
    assert refusal.code is ErrorCode.PROVIDER_REFUSED


def test_a_gateway_without_receipts_is_told_apart() -> None:
    """501 is documented for receipts only: there it is final, elsewhere it is a server error."""
    answer = reply(501, envelope(code=-1, message="지원하지 않는 PG사입니다."))
    with pytest.raises(Refused) as caught:
        act("DELETE /receipts/external/ORD-1", answer)
    assert caught.value.code is ErrorCode.UNSUPPORTED_BY_PG
    with pytest.raises(OutcomeUnknown):
        act("DELETE /cvs/imp_1", answer)


def test_the_reason_of_a_server_error_is_kept() -> None:
    """A 500 on a receipt says why the revocation failed; it proves nothing, but tells an operator."""
    with pytest.raises(OutcomeUnknown) as caught:
        act("DELETE /receipts/external/ORD-1", reply(500, envelope(code=-1, message="국세청 오류")))
    assert (caught.value.status, caught.value.provider_message) == (500, "국세청 오류")


def test_a_wish_to_wait_is_passed_on() -> None:
    """429 carries the seconds to wait."""
    with pytest.raises(OutcomeUnknown) as caught:
        act(CANCEL, reply(429, envelope(code=-1), headers={"Retry-After": "17"}))
    assert caught.value.retry_after == 17.0


@every_action
def test_an_expired_token_is_renewed_and_the_call_sent_once_more(call: str) -> None:
    """401 is documented as not processed, so this one repetition is safe."""
    stub = ProviderStub().on(TOKEN_CALL, token_reply("old"), token_reply("new"))
    stub.on(call, reply(401, envelope(code=-1)), reply(200, envelope(ACTIONS[call][1])))
    ACTIONS[call][0](client_of(stub))
    assert stub.calls() == [call, call]
    assert stub.requests[-1].headers["Authorization"] == "Bearer new"
    assert stub.requests[1].content == stub.requests[-1].content


def test_a_401_where_nothing_prevents_a_double_is_unknown() -> None:
    """Nobody promises that a token is checked before the work: it is asked about, not sent again."""
    stub = ProviderStub().on(CANCEL, reply(401, envelope(code=-1)))
    with pytest.raises(OutcomeUnknown) as caught:
        client_of(stub).cancel({"imp_uid": "imp_1"}, tier=None, deadline=plenty(), repeatable=False)
    assert caught.value.code is ErrorCode.PROVIDER_AUTH
    assert stub.calls() == [CANCEL]


@every_action
@pytest.mark.parametrize("rejection", [reply(401, envelope(code=-1)), reply(401, body=b"<html>")])
def test_a_second_401_is_the_end(call: str, rejection: Reply) -> None:
    """A new token rejected as well means that the keys are wrong; nothing was carried out."""
    stub = ProviderStub().on(call, rejection)
    with pytest.raises(CredentialsRejected):
        ACTIONS[call][0](client_of(stub))
    assert stub.calls() == [call, call]


@every_action
@pytest.mark.parametrize(
    ("answer", "error", "code"),
    [
        (reply(401, envelope(code=-1)), CredentialsRejected, ErrorCode.PROVIDER_AUTH),
        (reply(503), NotSent, ErrorCode.PROVIDER_UNAVAILABLE),
        (failing(httpx.ReadTimeout), NotSent, ErrorCode.PROVIDER_UNAVAILABLE),
        (failing(httpx.ConnectError), NotSent, ErrorCode.PROVIDER_UNAVAILABLE),
    ],
)
def test_without_a_token_nothing_was_sent(
    call: str, answer: Reply, error: type[ProviderError], code: ErrorCode
) -> None:
    """Whatever fails before the call itself leaves it known not sent."""
    stub = ProviderStub().on(TOKEN_CALL, answer)
    with pytest.raises(error) as caught:
        ACTIONS[call][0](client_of(stub))
    assert caught.value.code is code
    assert stub.calls() == []


def test_no_connection_for_the_call_itself_was_not_sent() -> None:
    """The call may be tried again when it was never made."""
    with pytest.raises(NotSent):
        act(CANCEL, failing(httpx.ConnectTimeout))


def test_a_body_is_sent_exactly_as_given() -> None:
    """Amounts are plain numbers, Korean text is text, nothing is added."""
    stub = ProviderStub().on(CANCEL, reply(200, envelope(payment())))
    body = {
        "imp_uid": "imp_1",
        "amount": Decimal("1000.0"),
        "tax_free": Decimal(0),
        "checksum": 10_000,
        "reason": "고객 변심 [rf:abcdefghij]",
        "extra": {"requester": "customer"},
    }
    client_of(stub).cancel(body, tier="A1B", deadline=plenty())
    sent = stub.requests[-1]
    assert (
        sent.content
        == (
            '{"imp_uid":"imp_1","amount":1000,"tax_free":0,"checksum":10000,'
            '"reason":"고객 변심 [rf:abcdefghij]","extra":{"requester":"customer"}}'
        ).encode()
    )
    assert sent.headers["Content-Type"] == "application/json"
    assert sent.headers["Tier"] == "A1B"


def test_without_a_sub_merchant_there_is_no_tier_header() -> None:
    """The agency's own payments are cancelled without it."""
    stub, _ = act(CANCEL, reply(200, envelope(payment())))
    assert "Tier" not in stub.requests[-1].headers


def test_personal_data_in_a_refusal_is_masked() -> None:
    """The account, its holder, the keys and the token do not come back in the provider's message."""
    stub = ProviderStub().on(
        CANCEL,
        reply(
            200,
            envelope(code=1, message="홍길동 110-1234 010-12 the-imp-key token 정보 오류 [8178] 서울 아파트"),
        ),
    )
    body = {"refund_holder": "홍길동", "refund_account": "1101234", "refund_tel": "01012"}
    with pytest.raises(Refused) as caught:
        client_of(stub).cancel(body, tier=None, deadline=plenty(), secrets=["서울 아파트"])
    assert caught.value.provider_message == "*** *** *** *** *** 정보 오류 [8178] ***"


def test_kg_inicis_gets_its_key() -> None:
    """The API key goes into the query of the revocation, and nowhere else."""
    stub, _ = act("DELETE /vbanks/imp_1", reply(200, envelope(payment())))
    assert dict(stub.requests[-1].url.params) == {"pg_api_key": "the-pg-key"}


def test_other_gateways_get_no_key() -> None:
    """Without a key in the secret the query stays empty."""
    stub = ProviderStub().on("DELETE /vbanks/imp_1", reply(200, envelope(payment())))
    source = credentials({"portone": {"imp_key": "k1", "imp_secret": "s1"}})
    client = PortOneClient(stub.provider_http(), BASE_URL, source, Clock())
    client.revoke_vbank("imp_1", tier=None, deadline=plenty())
    assert stub.requests[-1].url.query == b""


@pytest.mark.parametrize(
    "bad", ["", ".", "..", "a/b", "a..b", "a?b", "a#b", "a b", "a\nb", "a%2fb", "한글", "x" * 129]
)
def test_an_id_that_does_not_belong_in_a_path_is_sent_nowhere(bad: str) -> None:
    """Neither escaped nor shortened: the request is invalid, for every operation with an id."""
    stub = ProviderStub()
    client = client_of(stub)
    for operation in (
        client.revoke_vbank,
        client.revoke_cvs,
        client.revoke_receipt,
        client.payment,
        client.payments_of,
        client.receipt,
    ):
        with pytest.raises(InvalidRequest):
            operation(bad, tier=None, deadline=plenty())
    assert stub.requests == []


@pytest.mark.parametrize("tier", ["", "AB", "ABCD", "AB-", "A\nB", "A B"])
def test_a_tier_that_is_none_is_sent_nowhere(tier: str) -> None:
    """Three letters or digits, or the request is invalid."""
    stub = ProviderStub()
    with pytest.raises(InvalidRequest):
        client_of(stub).payment("imp_1", tier=tier, deadline=plenty())
    assert stub.calls() == []


def test_without_keys_nothing_is_sent() -> None:
    """A secret without PortOne's keys is a configuration error."""
    stub = ProviderStub()
    client = PortOneClient(stub.provider_http(), BASE_URL, credentials({}), Clock())
    with pytest.raises(ConfigurationError):
        client.revoke_cvs("imp_1", tier=None, deadline=plenty())
    assert stub.requests == []


def test_a_request_is_serialised_as_json_that_others_read() -> None:
    """The body that went out is one JSON object."""
    stub, _ = act(CANCEL, reply(200, envelope(payment())))
    assert json.loads(stub.requests[-1].content) == {"imp_uid": "imp_1"}
