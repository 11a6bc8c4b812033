"""The exchange over real sockets: what a broken, slow or strange peer does to it."""

from __future__ import annotations

import logging
import threading
import time
import traceback
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, Protocol

import pytest

from refunds.domain.deadline import Deadline
from refunds.errors import NotSent, OutcomeUnknown, ProviderError
from refunds.providers.http.provider_http import Answer, ProviderHttp, Timeouts, open_http
from tests.unit.providers.raw_server import (
    RawServer,
    answer,
    raw,
    reset,
    silent,
    then_close,
    trickle,
    wait_for,
)

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator
    from pathlib import Path

    from tests.unit.providers.raw_server import Act


class Opener(Protocol):
    """Opens an exchange."""

    def __call__(self, timeouts: Timeouts = ..., *, concurrency: int = ...) -> ProviderHttp:
        """With a network of its own."""
        ...


QUICK = Timeouts(connect=1.0, read=0.5, lookup=0.5)
PATIENT = Timeouts(connect=2.0, read=20.0, lookup=10.0)
OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


@pytest.fixture
def provider_http() -> Iterator[Opener]:
    """Opens exchanges with a network of their own, and closes them after the test."""
    with ExitStack() as clients:

        def opened(timeouts: Timeouts = PATIENT, *, concurrency: int = 4) -> ProviderHttp:
            return ProviderHttp(clients.enter_context(closing(open_http(concurrency))), timeouts)

        yield opened


def send(
    through: ProviderHttp, url: str, *, path: str = "/vbanks/imp_1", content: bytes | None = None
) -> Answer:
    return through.send(
        "DELETE",
        url + path,
        template="/vbanks/{imp_uid}",
        deadline=Deadline(time.monotonic() + 3600, time.monotonic),
        read_timeout=through.timeouts.read,
        headers={"Authorization": "Bearer the-token"},
        params={"pg_api_key": "the-pg-key"},
        content=content,
    )


def test_complete_answers_share_one_connection(provider_http: Opener) -> None:
    """A second request reuses the connection of the first one."""
    with RawServer(answer(b'{"code": 0}')) as server:
        through = provider_http()
        assert [send(through, server.url).body for _ in range(2)] == [{"code": 0}, {"code": 0}]
        assert server.connections == 1


def test_a_connection_closed_while_idle_is_not_used_again(provider_http: Opener) -> None:
    """A keep-alive connection the server has closed costs no request its outcome."""
    with RawServer(then_close(answer(b'{"n": 1}')), answer(b'{"n": 2}')) as server:
        through = provider_http()
        assert send(through, server.url).body == {"n": 1}
        wait_for(lambda: server.ended == 1)
        assert send(through, server.url).body == {"n": 2}
        assert server.connections == 2


@pytest.mark.parametrize(
    "fate",
    [
        pytest.param(reset, id="reset"),
        pytest.param(raw(b""), id="closed without an answer"),
        pytest.param(raw(OK + b'Content-Length: 400\r\n\r\n{"code": 0, "mess'), id="truncated body"),
        pytest.param(raw(OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\n{}"), id="truncated chunk"),
        pytest.param(raw(b"HTTP/1.1 200"), id="truncated head"),
        pytest.param(raw(b"\x16\x03\x01 not HTTP at all\r\n\r\n"), id="not HTTP"),
        pytest.param(
            raw(OK + b"Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}"), id="undecodable body"
        ),
    ],
)
def test_a_lost_answer_leaves_the_outcome_unknown_and_is_not_asked_for_again(
    provider_http: Opener, fate: Act
) -> None:
    """Whatever happens to the answer, the request is sent once and its outcome is unknown."""
    with RawServer(fate) as server:
        with pytest.raises(OutcomeUnknown):
            send(provider_http(), server.url, content=b"{}")
        assert len(server.requests) == 1


def test_a_silent_server_leaves_the_outcome_unknown(provider_http: Opener) -> None:
    """No answer within the read timeout means that nobody knows."""
    with RawServer(silent) as server, pytest.raises(OutcomeUnknown):
        send(provider_http(QUICK), server.url)


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(OK + b"X-Slow: ", id="head"),
        pytest.param(OK + b'Content-Length: 204\r\n\r\n{"a"', id="body"),
        pytest.param(OK + b"Transfer-Encoding: chunked\r\n\r\nc8\r\n", id="chunk"),
        pytest.param(b"HTTP/1.1 100 Continue\r\nX-Slow: ", id="interim answer"),
    ],
)
def test_a_trickling_server_does_not_outlive_the_read_timeout(provider_http: Opener, head: bytes) -> None:
    """A byte now and then, each well within the read timeout, does not keep the call alive."""
    with RawServer(trickle(head, times=200, tail=b"\r\nContent-Length: 2\r\n\r\n{}")) as server:
        with pytest.raises(OutcomeUnknown):
            send(provider_http(QUICK), server.url)
        wait_for(server.hung_up.is_set)


def test_an_endless_body_is_given_up(provider_http: Opener) -> None:
    """A body larger than any answer is not read into memory to its end."""
    chunk = b"100000\r\n" + b"x" * 0x100000 + b"\r\n"

    def flood(connection: socket.socket) -> None:
        connection.sendall(OK + b"Transfer-Encoding: chunked\r\n\r\n")
        for _ in range(64):
            connection.sendall(chunk)

    with RawServer(flood) as server:
        with pytest.raises(OutcomeUnknown):
            send(provider_http(), server.url)
        wait_for(server.hung_up.is_set)


def test_a_refused_connection_was_not_sent(provider_http: Opener) -> None:
    """Nobody listens: known not sent."""
    with RawServer(reset) as server:
        pass
    with pytest.raises(NotSent) as caught:
        send(provider_http(), server.url)
    assert caught.value.retryable


def test_an_unfinished_tls_handshake_was_not_sent(provider_http: Opener) -> None:
    """A server that accepts the connection and never completes TLS has received no request."""
    with RawServer(silent) as server, pytest.raises(NotSent):
        send(provider_http(QUICK), server.url.replace("http:", "https:"))


def test_a_failed_tls_handshake_was_not_sent(provider_http: Opener) -> None:
    """A server that speaks no TLS where TLS is expected has received no request."""
    with RawServer(silent, greeting=b"this is not TLS") as server, pytest.raises(NotSent):
        send(provider_http(), server.url.replace("http:", "https:"))


def test_waiting_for_a_connection_in_vain_was_not_sent(provider_http: Opener) -> None:
    """With every connection busy the request gives up before anything is sent."""
    with RawServer(silent) as server:
        through = provider_http(Timeouts(connect=0.3, read=20.0, lookup=10.0), concurrency=1)
        busy = threading.Thread(target=_expect_unknown, args=(through, server.url))
        busy.start()
        wait_for(lambda: len(server.requests) == 1)
        with pytest.raises(NotSent):
            send(through, server.url)
        assert len(server.requests) == 1
        server.stop()
        busy.join()


def _expect_unknown(through: ProviderHttp, url: str) -> None:
    with pytest.raises(OutcomeUnknown):
        send(through, url)


def test_every_address_of_a_host_is_tried(provider_http: Opener) -> None:
    """A host with an address nobody listens on is reached at its other one."""
    with RawServer(answer(b"{}")) as server:
        url = server.url.replace("127.0.0.1", "localhost")
        assert send(provider_http(), url).body == {}


def test_an_unknown_host_was_not_sent(provider_http: Opener) -> None:
    """A name that does not resolve is a connection that was never made."""
    with pytest.raises(NotSent):
        send(provider_http(), "http://provider.invalid")


def test_a_redirect_is_an_answer(provider_http: Opener) -> None:
    """A request, and the keys in it, go nowhere else because a server says so."""
    with RawServer(answer(b"{}")) as elsewhere:
        moved = answer(b"", status="307 Temporary Redirect", headers=f"Location: {elsewhere.url}/\r\n")
        with RawServer(moved) as server:
            assert send(provider_http(), server.url).status == 307
        assert elsewhere.requests == []


def test_the_environment_reroutes_nothing(
    provider_http: Opener, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Neither a proxy variable nor a .netrc file changes where a request goes or who it comes from."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with RawServer(answer(b"{}")) as server:
        send(provider_http(), server.url)
        assert b"Bearer the-token" in server.requests[0]


def test_cookies_are_not_kept(provider_http: Opener) -> None:
    """A cookie set for one record is not sent with the next."""
    with RawServer(answer(b"{}", headers="Set-Cookie: session=1; Path=/\r\n")) as server:
        through = provider_http()
        send(through, server.url)
        send(through, server.url)
        assert b"cookie" not in server.requests[1].lower()


def test_nothing_of_the_request_is_logged(provider_http: Opener, caplog: pytest.LogCaptureFixture) -> None:
    """Even at DEBUG no log line shows the query string or a header."""
    through = provider_http()
    caplog.set_level(logging.DEBUG)
    with RawServer(answer(b"{}"), reset) as server:
        send(through, server.url)
        with pytest.raises(OutcomeUnknown):
            send(through, server.url)
    assert "the-pg-key" not in caplog.text
    assert "the-token" not in caplog.text


@pytest.mark.parametrize("error", [NotSent, OutcomeUnknown])
def test_an_error_shows_no_value_of_the_request(provider_http: Opener, error: type[ProviderError]) -> None:
    """The text and the whole traceback name the operation, and neither id, query, header nor body."""
    with RawServer(reset) as server:
        url = server.url if error is OutcomeUnknown else "http://provider.invalid"
        with pytest.raises(error) as caught:
            send(provider_http(), url, content=b"the-body")
    shown = "".join(traceback.format_exception(caught.value))
    assert "DELETE /vbanks/{imp_uid}" in str(caught.value)
    assert caught.value.__context__ is None
    for value in ("imp_1", "the-pg-key", "the-token", "the-body"):
        assert f"{value}'" not in shown
        assert value not in str(caught.value)
