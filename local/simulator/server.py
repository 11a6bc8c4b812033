"""The world behind a real socket: HTTP/1.1 with keep-alive, connections that really break, real slowness."""

from __future__ import annotations

import select
import socket
import struct
import sys
import threading
import time
from http.client import responses
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from typing_extensions import override

from local.simulator.control_api import PREFIX, control
from local.simulator.wire import Answer, LossKind, Lost

if TYPE_CHECKING:
    from local.simulator.world import World

LARGEST_BODY_BYTES = 4 * 1024 * 1024
IDLE_SECONDS = 120.0
_POLL_SECONDS = 0.1
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class SimulatorServer(ThreadingHTTPServer):
    """Serves a world, one thread per connection and one request at a time inside the world.

    `port` 0 takes a free one; the chosen one is in `server_address`.
    """

    daemon_threads = True
    block_on_close = False
    request_queue_size = 1024

    def __init__(self, world: World, host: str = "127.0.0.1", port: int = 0) -> None:
        super().__init__((host, port), _Handler)
        self._world = world
        self._lock = threading.Lock()
        self._to_reset: set[socket.socket] = set()
        self.closing = threading.Event()

    def respond(self, method: str, target: str, headers: Any, body: bytes) -> Answer | Lost:
        """Carry out one request, to a provider or to the control endpoints."""
        url = urlsplit(target)
        query = dict(parse_qsl(url.query, keep_blank_values=True))
        with self._lock:
            if url.path.startswith(PREFIX):
                return control(self._world, method, url.path, query, body)
            return self._world.handle(method, url.path, query, headers, body)

    def reset_when_closed(self, connection: socket.socket) -> None:
        """Let the connection end with RST instead of FIN."""
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self._to_reset.add(connection)

    @override
    def shutdown_request(self, request: Any) -> None:
        """Close a connection; one to be reset must not send FIN first."""
        if request in self._to_reset:
            self._to_reset.discard(request)
            self.close_request(request)
        else:
            super().shutdown_request(request)

    @override
    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no error of the simulator; anything else is reported as usual."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)

    @override
    def server_close(self) -> None:
        """Stop listening and wake the threads that play slow or silent."""
        self.closing.set()
        super().server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "provider-simulator"
    sys_version = ""
    timeout = IDLE_SECONDS
    disable_nagle_algorithm = True
    server: SimulatorServer

    @override
    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except ConnectionError:
            self.close_connection = True

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_DELETE(self) -> None:
        self._serve()

    @override
    def log_message(self, format: str, *args: Any) -> None:
        """Silent: request lines carry secrets (pg_api_key); GET /_control/requests is the log."""

    def _serve(self) -> None:
        length = self.headers.get("content-length", "0")
        if not length.isdigit() or int(length) > LARGEST_BODY_BYTES or self.headers.get("transfer-encoding"):
            self.close_connection = True
            self._send(Answer(411, {}, b"a Content-Length of at most 4 MiB is required"))
            return
        body = self.rfile.read(int(length))
        answer = self.server.respond(self.command, self.path, self.headers, body)
        if answer.delay_seconds and not self._wait(answer.delay_seconds):
            self.close_connection = True
        elif isinstance(answer, Answer):
            self._send(answer)
        else:
            self._lose(answer)

    def _send(self, answer: Answer, sent_bytes: int | None = None) -> None:
        head = [f"HTTP/1.1 {answer.status} {responses.get(answer.status, '')}"]
        head += [f"{name}: {value}" for name, value in answer.headers.items()]
        head.append(f"content-length: {len(answer.body)}")
        if self.close_connection:
            head.append("connection: close")
        # Head and body in one segment: two small writes would wait for a delayed acknowledgement.
        self.wfile.write("\r\n".join([*head, "", ""]).encode("latin-1") + answer.body[:sent_bytes])

    def _lose(self, loss: Lost) -> None:
        self.close_connection = True
        if loss.kind is LossKind.MALFORMED and loss.answer is not None:
            # A head whose lines never end.
            head = "HTTP/1.1 " + " ".join(f"{name}: {value}" for name, value in loss.answer.headers.items())
            self.wfile.write(head.encode("latin-1") + loss.answer.body)
        elif loss.answer is not None:
            self._send(loss.answer, loss.sent_bytes)
        elif loss.kind in (LossKind.RESET, LossKind.REFUSED):
            self.server.reset_when_closed(self.connection)

    def _wait(self, seconds: float) -> bool:
        """Sleep; False as soon as the client has gone or the server closes."""
        deadline = time.monotonic() + seconds
        poll = select.poll()
        poll.register(self.connection, select.POLLIN | select.POLLHUP | select.POLLERR)
        while (left := deadline - time.monotonic()) > 0:
            readable = poll.poll(min(left, _POLL_SECONDS) * 1000)
            if self.server.closing.is_set() or (readable and self._client_gone()):
                return False
            if readable:  # a pipelined request waits its turn
                time.sleep(min(left, _POLL_SECONDS))
        return True

    def _client_gone(self) -> bool:
        try:
            return not self.connection.recv(1, socket.MSG_PEEK)
        except OSError:
            return True
