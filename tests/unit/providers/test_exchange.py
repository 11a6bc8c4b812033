from __future__ import annotations

import gzip
import logging
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from typing_extensions import override

from refunds.domain.deadline import Deadline
from refunds.errors import NotSent, OutcomeUnknown
from refunds.providers.http.provider_http import (
    MAX_BODY,
    MAX_PAGE,
    RECORD_MARGIN,
    Answer,
    ProviderHttp,
    Timeouts,
    open_http,
)
from refunds.providers.http.transport import LOGGERS
from tests.unit.providers.provider_stub import Clock, ProviderStub, reply

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

UNSENDABLE = ("한국", "S1\r\nX-Other: 1", "S1\n", "S1\r", "S1\x00", "caf\xe9", " S1", "S1 ", "S1\x7f")
TIMEOUTS = Timeouts(connect=5.0, read=60.0, lookup=10.0)
NEEDED = TIMEOUTS.connect + TIMEOUTS.read + RECORD_MARGIN


def send(handler: Callable[[httpx.Request], httpx.Response], **changes: Any) -> Answer:
    """Send one request with the clock and the time left that a test gives."""
    clock = changes.pop("clock", Clock())
    left = changes.pop("left", 1000.0)
    http = open_http(1, transport=httpx.MockTransport(handler))
    request: dict[str, Any] = {
        "method": "GET",
        "url": "https://provider.test/payments/imp_1",
        "template": "/payments/{imp_uid}",
        "deadline": Deadline(clock.now + left, clock),
        "read_timeout": TIMEOUTS.read,
        "headers": {},
        **changes,
    }
    return ProviderHttp(http, TIMEOUTS).send(request.pop("method"), request.pop("url"), **request)


def test_numbers_arrive_exactly() -> None:
    """Whole numbers are int, all others Decimal, and none is a float."""
    body = send(reply(200, body=b'{"a": 1000, "b": 0.1, "c": 1000.0, "d": [2.50]}')).body
    assert body == {"a": 1000, "b": Decimal("0.1"), "c": Decimal(1000), "d": [Decimal("2.5")]}
    assert body is not None
    assert isinstance(body["c"], Decimal)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>Bad Gateway</html>",
        b'{"code": 0, "mess',
        b"[]",
        b'"text"',
        b"null",
        b'{"amount": NaN}',
        b'{"amount": Infinity}',
        b'{"code": 1, "code": 0}',
        b'{"response": {"amount": 1, "amount": 2}}',
        b'{"message": "\xff"}',
        b"\xef\xbb\xbf{}",
        '{"code": 0}'.encode("utf-16"),
        b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
        b'{"amount": ' + b"9" * 10_000 + b"}",
    ],
)
def test_a_body_that_is_no_unambiguous_json_object_is_no_body(body: bytes) -> None:
    """What two readers could understand differently is not understood at all; the status still stands."""
    assert send(reply(502, body=body)) == Answer(502, None, None)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120.0),
        ("86400", 3_600.0),
        ("0", 0.0),
        ("-1", None),
        ("1e3", None),
        ("9999999", None),
        ("Sat, 21 Nov 2026 05:00:00 GMT", None),
        ("", None),
    ],
)
def test_retry_after_is_read_in_seconds_only(header: str, seconds: float | None) -> None:
    """A number of seconds is passed on, an hour at most; anything else is as if nothing had been said."""
    assert send(reply(429, {}, headers={"Retry-After": header})).retry_after == seconds


@pytest.mark.parametrize("left", [NEEDED - 0.001, 1.0, 0.0, -5.0])
def test_a_call_that_could_outlive_the_function_is_not_started(left: float) -> None:
    """Without time for connecting, reading and recording, nothing is sent."""
    stub = ProviderStub()
    with pytest.raises(NotSent):
        send(stub, left=left)
    assert stub.requests == []


def test_a_call_that_just_fits_is_started() -> None:
    """Exactly enough time is enough."""
    assert send(reply(200, {}), left=NEEDED).status == 200


@pytest.mark.parametrize(
    "error", [httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol]
)
def test_without_a_connection_nothing_was_sent(error: type[httpx.TransportError]) -> None:
    """Whatever fails before there is a connection is known not sent."""

    def fail(_request: httpx.Request) -> httpx.Response:
        raise error("failed")

    with pytest.raises(NotSent):
        send(fail)


@pytest.mark.parametrize(
    "error",
    [
        httpx.ReadTimeout,
        httpx.WriteTimeout,
        httpx.ReadError,
        httpx.WriteError,
        httpx.CloseError,
        httpx.RemoteProtocolError,
        httpx.LocalProtocolError,
        httpx.ProxyError,
        RuntimeError,
        OSError,
    ],
)
def test_any_other_failure_leaves_the_outcome_unknown(error: type[Exception]) -> None:
    """Whatever fails later, or in a way nobody has thought of, may have been carried out."""

    def fail(_request: httpx.Request) -> httpx.Response:
        raise error("failed")

    with pytest.raises(OutcomeUnknown):
        send(fail)


@pytest.mark.parametrize(
    "changes",
    [
        {"url": "not a url"},
        {"url": "ftp://provider.test/"},
        {"url": "https://provider.test:notaport/"},
        {"url": "https://provider.test/\n"},
        *({"headers": {"X-Store-Id": value}} for value in UNSENDABLE),
    ],
)
def test_an_unusable_request_was_not_sent(changes: dict[str, Any]) -> None:
    """A URL or a header that cannot be sent is found before anything is sent."""

    # A transport that speaks no ftp, like the real one.
    def speak_http(request: httpx.Request) -> httpx.Response:
        if request.url.scheme not in {"http", "https"}:
            raise httpx.UnsupportedProtocol("unsupported")
        return httpx.Response(200)

    with pytest.raises(NotSent):
        send(speak_http, **changes)


@pytest.mark.parametrize("encoding", ["gzip", "GZIP", "br", "zstd", "deflate", "gzip, identity", "unknown"])
def test_an_encoded_answer_is_none(encoding: str) -> None:
    """Nobody asked for an encoding, and a small answer could unfold to any size: it is not read."""
    packed = gzip.compress(b'{"code": 0}')
    with pytest.raises(OutcomeUnknown):
        send(raw(packed, {"Content-Encoding": encoding}))


@pytest.mark.parametrize(
    "headers", [{}, {"Content-Encoding": "identity"}, {"Content-Encoding": " Identity "}]
)
def test_a_plain_answer_is_read(headers: dict[str, str]) -> None:
    """An answer that says that it is not encoded is an answer."""
    assert send(raw(b'{"code": 0}', headers)).body == {"code": 0}


def raw(body: bytes, headers: dict[str, str]) -> Callable[[httpx.Request], httpx.Response]:
    """These bytes, whatever the headers say of them."""
    return lambda _request: httpx.Response(200, headers=headers, stream=Body(iter([body])))


def test_nothing_is_followed_and_nothing_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """No redirect is followed, no cookie sent back, and no proxy or key taken from the environment."""
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.invalid")
    seen: list[httpx.Request] = []

    def provider(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        headers = {"Location": "https://other.test/", "Set-Cookie": "session=1; Path=/"}
        return httpx.Response(302, headers=headers, content=b"{}")

    http = ProviderHttp(open_http(1, transport=httpx.MockTransport(provider)), TIMEOUTS)
    for _ in range(2):
        url = "https://provider.test/payments/imp_1"
        deadline = Deadline(1e9, Clock())
        answer = http.send("GET", url, template="/", deadline=deadline, read_timeout=60.0, headers={})
        assert answer.status == 302
    assert [str(request.url) for request in seen] == ["https://provider.test/payments/imp_1"] * 2
    assert all("cookie" not in request.headers for request in seen)


def test_too_many_values_are_no_answer() -> None:
    """What would take forty times its size as objects is not read, and what is large for a reason is."""
    assert send(reply(200, body=b'{"a": [' + b"{}," * 30_000 + b"{}]}")).body is None
    entries = [{"amount": 1, "reason": "환불" * 40, "pg_tid": "tid", "cancelled_at": 1}] * 1_000
    assert send(reply(200, {"history": entries})).body is not None


def test_a_page_may_be_larger() -> None:
    """Whoever asks for a thousand payments says how much it reads."""
    page = reply(200, body=b" " * MAX_BODY + b"{}")
    assert send(page, max_body=MAX_PAGE).body == {}


class Body(httpx.SyncByteStream):
    """A body that arrives piece by piece."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks

    @override
    def __iter__(self) -> Iterator[bytes]:
        return self._chunks


def test_a_body_that_takes_longer_than_the_whole_call_may_is_given_up() -> None:
    """The time for the call is counted from its start, not from the last byte."""
    clock = Clock()

    def drip() -> Iterator[bytes]:
        for _ in range(10):
            clock.now += TIMEOUTS.read / 2
            yield b" "
        yield b"{}"

    with pytest.raises(OutcomeUnknown):
        send(lambda _request: httpx.Response(200, stream=Body(drip())), clock=clock)


def test_a_body_within_the_time_is_read() -> None:
    """A slow but timely body is an answer."""
    clock = Clock()

    def drip() -> Iterator[bytes]:
        for piece in (b'{"co', b'de": ', b"0}"):
            clock.now += TIMEOUTS.read / 4
            yield piece

    answer = send(lambda _request: httpx.Response(200, stream=Body(drip())), clock=clock)
    assert answer.body == {"code": 0}


def test_a_body_beyond_the_size_cap_is_given_up() -> None:
    """One byte more than the cap is no answer any more."""
    with pytest.raises(OutcomeUnknown):
        send(reply(200, body=b"x" * (MAX_BODY + 1)))
    assert send(reply(200, body=b" " * (MAX_BODY - 2) + b"{}")).body == {}


def test_headers() -> None:
    """A request's own headers replace the usual ones, however they are written."""
    seen: list[httpx.Headers] = []

    def provider(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers)
        return reply(200, body=b"{}")(request)

    send(provider)
    send(provider, headers={"accept": "application/json", "Authorization": "Bearer the-token"})
    plain, own = seen
    assert plain["accept"] == "*/*"
    assert own.get_list("accept") == ["application/json"]
    assert own["authorization"] == "Bearer the-token"
    for headers in seen:
        assert headers["accept-encoding"] == "identity"
        assert headers["user-agent"] == "refund-handler"
        assert "cookie" not in headers


def test_what_the_client_is_made_of_logs_no_urls() -> None:
    """One of ours carries a key in its query; nothing below a warning is logged of any request."""
    open_http(1, transport=httpx.MockTransport(reply(200, {}))).close()
    for name in LOGGERS:
        assert not logging.getLogger(f"{name}.connection").isEnabledFor(logging.INFO)
