"""A TCP server on 127.0.0.1 that does to a connection what a test says."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable

    Act = Callable[[socket.socket], None]

_STEP = 0.05


class RawServer:
    """Runs an act for every request; a connection stays open for the next one until an act closes it.

    A greeting is sent before anything is read.

    Attributes:
        requests: the head and the body of every request, as they came.
        connections: how many were accepted.
        ended: how many of them are over.
        hung_up: set once a client has left while it was being answered.
    """

    def __init__(self, *acts: Act, greeting: bytes = b"") -> None:
        self.requests: list[bytes] = []
        self.connections = 0
        self.ended = 0
        self.hung_up = threading.Event()
        self._acts = list(acts)
        self._greeting = greeting
        self._stopped = threading.Event()
        self._threads: list[threading.Thread] = []
        self._open: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(self, *_exc: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Close every connection and wait until nobody is served any more."""
        self._stopped.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for connection in self._open:
            connection.close()

    def _start(self, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=work, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._stopped.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(connection)
            self._start(partial(self._serve, connection))

    def _serve(self, connection: socket.socket) -> None:
        try:
            connection.sendall(self._greeting)
            while not self._stopped.is_set() and connection.fileno() >= 0:
                request = _read_request(connection)
                if request is None:
                    return
                self.requests.append(request)
                (self._acts.pop(0) if len(self._acts) > 1 else self._acts[0])(connection)
        except OSError:
            self.hung_up.set()
        finally:
            self.ended += 1


def answer(body: bytes, *, status: str = "200 OK", headers: str = "") -> Act:
    """A complete answer on a connection that stays open."""
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
    )
    return lambda connection: connection.sendall(head.encode() + body)


def then_close(act: Act) -> Act:
    """Do it and close in good order."""

    def closing(connection: socket.socket) -> None:
        act(connection)
        connection.shutdown(socket.SHUT_RDWR)
        connection.close()

    return closing


def raw(data: bytes) -> Act:
    """Send these bytes and close."""
    return then_close(lambda connection: connection.sendall(data))


def reset(connection: socket.socket) -> None:
    """Send RST instead of an answer."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def silent(connection: socket.socket) -> None:
    """Say nothing until the client leaves."""
    connection.recv(1)
    connection.close()


def trickle(head: bytes, times: int, tail: bytes) -> Act:
    """Send `head`, then one byte every now and then, at last `tail`, unless the client leaves first."""

    def act(connection: socket.socket) -> None:
        connection.sendall(head)
        for _ in range(times):
            time.sleep(_STEP)
            connection.sendall(b"x")
        connection.sendall(tail)

    return act


def _read_request(connection: socket.socket) -> bytes | None:
    data = b""
    while b"\r\n\r\n" not in data:
        chunk = connection.recv(65536)
        if not chunk:
            return None
        data += chunk
    head, _, body = data.partition(b"\r\n\r\n")
    length = next(
        (int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0
    )
    while len(body) < length:
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


def wait_for(happened: Callable[[], bool]) -> None:
    """Wait for something that another thread brings about; give up after long enough."""
    for _ in range(600):
        if happened():
            return
        time.sleep(0.01)
    raise AssertionError("it did not happen")
