"""A small HTTP/1.1 server: its processor time must not disturb what is measured beside it."""

from __future__ import annotations

import asyncio
import ssl
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

_END_OF_HEAD = b"\r\n\r\n"


@dataclass(frozen=True)
class Request:
    """One request; header names are in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Reply:
    """An answer, and after how many seconds it is given."""

    body: bytes
    operation: str
    delay: float = 0.0
    status: int = HTTPStatus.OK
    headers: Mapping[str, str] = field(default_factory=dict)

    def encoded(self) -> bytes:
        """The bytes on the wire."""
        lines = [
            f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}",
            f"Content-Length: {len(self.body)}",
            *(f"{name}: {value}" for name, value in self.headers.items()),
        ]
        return "\r\n".join(lines).encode() + _END_OF_HEAD + self.body


@dataclass
class Traffic:
    """What one server has seen since it was started."""

    connections: int = 0
    requests: Counter[str] = field(default_factory=Counter)


Answer = Callable[[Request], Reply]


class Connection(asyncio.Protocol):
    """One keep-alive connection; requests on it follow one another."""

    def __init__(self, answer: Answer, traffic: Traffic) -> None:
        self._answer = answer
        self._traffic = traffic
        self._received = bytearray()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Count it; behind TLS this is after the handshake."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - a TCP or TLS server makes no other
        self._transport = transport
        self._traffic.connections += 1

    def data_received(self, data: bytes) -> None:
        """Answer every request that is complete."""
        self._received += data
        while (request := self._next()) is not None:
            reply = self._answer(request)
            self._traffic.requests[reply.operation] += 1
            asyncio.get_running_loop().call_later(reply.delay, self._send, reply.encoded())

    def _next(self) -> Request | None:
        end = self._received.find(_END_OF_HEAD)
        if end < 0:
            return None
        first, *lines = self._received[:end].decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        start = end + len(_END_OF_HEAD)
        stop = start + int(headers.get("content-length", "0"))
        if len(self._received) < stop:
            return None
        method, path, _ = first.split(" ", 2)
        request = Request(method, path, headers, bytes(self._received[start:stop]))
        del self._received[:stop]
        return request

    def _send(self, answer: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(answer)


async def serve(answer: Answer, traffic: Traffic, tls: ssl.SSLContext | None = None) -> int:
    """Listen on a free port of the loopback interface; returns the port."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: Connection(answer, traffic), "127.0.0.1", 0, ssl=tls, backlog=256
    )
    return int(server.sockets[0].getsockname()[1])
