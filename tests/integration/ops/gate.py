"""Stands between refundctl and the local AWS, and holds one call for ever: the moment to kill refundctl."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

_NOT_FORWARDED = frozenset(
    {"connection", "keep-alive", "transfer-encoding", "content-length", "date", "server"}
)


@dataclass(frozen=True)
class Moment:
    """Before AWS hears of the first such call, or after it has carried it out, unanswered."""

    action: str
    heard: bool

    def __str__(self) -> str:
        return f"{'after' if self.heard else 'before'} {self.action}"


@dataclass
class Gate:
    """``reached`` is set when the moment has come; the call stays without an answer until the gate closes."""

    upstream: str
    moment: Moment
    reached: threading.Event = field(default_factory=threading.Event)
    closed: threading.Event = field(default_factory=threading.Event)
    url: str = ""

    def holds(self, action: str, *, heard: bool) -> bool:
        """Whether this is the moment; if so, it lasts."""
        if Moment(action, heard) != self.moment:
            return False
        self.reached.set()
        self.closed.wait()
        return True


@contextmanager
def gate(upstream: str, moment: Moment) -> Iterator[Gate]:
    """A gate before ``upstream``, an HTTP address; ``url`` is its own."""
    guard = Gate(upstream, moment)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(guard))
    guard.url = f"http://127.0.0.1:{server.server_port}"
    with server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield guard
        finally:
            guard.closed.set()
            server.shutdown()
            thread.join()


def _handler(guard: Gate) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        """Forwards a call and its answer."""

        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            action = self.headers.get("X-Amz-Target", "").rpartition(".")[2]
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            if guard.holds(action, heard=False):
                return
            status, headers, answer = self._ask(body)
            if guard.holds(action, heard=True):
                return
            self.send_response(status)
            for name, value in headers:
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        do_GET = do_POST  # noqa: N815 - the name http.server looks for

        def _ask(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
            connection = http.client.HTTPConnection(urlsplit(guard.upstream).netloc)
            connection.request(self.command, self.path, body, dict(self.headers))
            answer = connection.getresponse()
            headers = [(k, v) for k, v in answer.getheaders() if k.lower() not in _NOT_FORWARDED]
            content = answer.read()
            connection.close()
            return answer.status, headers, content

        def log_message(self, *_: Any) -> None:
            """Says nothing."""

    return Handler
