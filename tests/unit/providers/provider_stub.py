"""A provider that answers from a script and remembers what it was asked, on httpx's mock transport."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import httpx

from refunds.domain.deadline import Deadline
from refunds.providers.credentials import CredentialSource
from refunds.providers.ebp.headers import EbpHeaders
from refunds.providers.http.provider_http import ProviderHttp, Timeouts, open_http

if TYPE_CHECKING:
    from collections.abc import Mapping

Reply = Callable[[httpx.Request], httpx.Response]

TIMEOUTS: Final = Timeouts(connect=1.0, read=20.0, lookup=5.0)
BASE_URL: Final = "https://provider.test"
EBP_HEADERS: Final = EbpHeaders(
    division_code="DIV",
    store_id="STORE",
    channel_code="WEB",
    ric_code="KIC",
    country_code="KR",
    currency_code="KRW",
)
SECRET: Final = {
    "portone": {"imp_key": "the-imp-key", "imp_secret": "the-imp-secret", "pg_api_key": "the-pg-key"},
    "ebp": {"access_key": "the-access-key", "hash_key": "the-hash-key"},
}
TOKEN_CALL: Final = "POST /users/getToken"


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """The time."""
        return self.now


def reply(
    status: int, payload: object = None, *, headers: Mapping[str, str] | None = None, body: bytes = b""
) -> Reply:
    """Answer with a JSON payload, or with the bytes given."""
    content = json.dumps(payload).encode() if payload is not None else body
    return lambda _request: httpx.Response(status, headers=headers, content=content)


def failing(error: type[httpx.TransportError]) -> Reply:
    """Fail as the network does."""

    def fail(request: httpx.Request) -> httpx.Response:
        raise error("https://provider.test/?pg_api_key=the-pg-key failed", request=request)

    return fail


def envelope(response: object = None, *, code: int = 0, message: str | None = None) -> dict[str, Any]:
    """PortOne's frame."""
    return {"code": code, "message": message, "response": response}


def token_reply(value: str = "token", *, left: int = 1800, now: int = 1_700_000_000) -> Reply:
    return reply(200, envelope({"access_token": value, "expired_at": now + left, "now": now}))


def payment(**changes: object) -> dict[str, Any]:
    """A payment as PortOne shows it, with some fields changed."""
    return {
        "imp_uid": "imp_1",
        "merchant_uid": "ORD-1",
        "amount": 10_000,
        "cancel_amount": 0,
        "currency": "KRW",
        "status": "paid",
        "sandbox": False,
        **changes,
    }


class ProviderStub:
    """Replies by "METHOD /path"; each in turn, the last one for ever. Unscripted calls are a 500."""

    def __init__(self) -> None:
        self.requests: list[httpx.Request] = []
        self._replies: dict[str, list[Reply]] = defaultdict(list)
        self.on(TOKEN_CALL, token_reply())

    def on(self, call: str, *replies: Reply) -> ProviderStub:
        """Script the replies to a call; returns itself."""
        self._replies[call] = list(replies)
        return self

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer one request: what the mock transport calls."""
        self.requests.append(request)
        replies = self._replies[f"{request.method} {request.url.path}"]
        if not replies:
            return httpx.Response(500, text="unscripted")
        return (replies.pop(0) if len(replies) > 1 else replies[0])(request)

    def calls(self) -> list[str]:
        """What was called after the tokens, in order."""
        calls = [f"{request.method} {request.url.path}" for request in self.requests]
        return [call for call in calls if call != TOKEN_CALL]

    def count(self, call: str) -> int:
        """How often it was called."""
        return sum(f"{request.method} {request.url.path}" == call for request in self.requests)

    def provider_http(self) -> ProviderHttp:
        """The real exchange on top of this stub."""
        return ProviderHttp(open_http(10, transport=httpx.MockTransport(self)), TIMEOUTS)


def credentials(secret: Mapping[str, object] = SECRET) -> CredentialSource:
    return CredentialSource(lambda _again: json.dumps(secret))


def plenty() -> Deadline:
    """A deadline that never comes, however slow the machine is."""
    return Deadline(600, lambda: 0.0)
