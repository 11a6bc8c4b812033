"""An HTTP transport whose calls end when they must, however slowly the other side trickles.

httpx's timeouts each bound one step: a read timeout starts anew with every byte, a connect
timeout with every address of a host and again with the TLS handshake. A server that sends a
byte now and then keeps such a call open for ever, and the function is killed while it waits,
before it can record what it knows. Here every step gets at most what is left of the whole.

Not bounded: the name lookup, which the system's resolver limits by itself.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, LifoQueue
from typing import Any, Final

import certifi
import httpcore
import httpx
from typing_extensions import override

from refunds.domain.deadline import Deadline

#: Of what this transport is made of: they log URLs and headers.
LOGGERS: Final = ("httpx", "httpcore")

_ROOTS: Final = Path(__file__).parents[2] / "roots"


def tls_context(roots: Path = _ROOTS) -> ssl.SSLContext:
    """A context that trusts the roots certifi ships; one is enough for every connection of the process.

    Args:
        roots: a folder that has them one by one, under the names OpenSSL looks for. The layer's build
            makes it, and a root is then read when it is needed. Where there is none, all of them are
            read now: 17 ms of processor time and more than a megabyte.
    """
    if roots.is_dir():
        return ssl.create_default_context(capath=str(roots))
    return ssl.create_default_context(cafile=certifi.where())


@dataclass(frozen=True)
class TimeLimit:
    """When a call must be connected (TLS included), and when it must be over."""

    connected: Deadline
    over: Deadline


_limit: ContextVar[TimeLimit | None] = ContextVar("refunds_http_time_limit", default=None)


@contextmanager
def time_limit(limit: TimeLimit) -> Iterator[None]:
    """Bound the HTTP calls this thread makes inside the block."""
    token = _limit.set(limit)
    try:
        yield
    finally:
        _limit.reset(token)


class BoundedTransport(httpx.BaseTransport):
    """Keep-alive connections that honour ``time_limit``; a request takes the one that was used last.

    It raises httpx's exceptions, as every transport of httpx does. Nothing is retried, and an idle
    connection is checked for having been closed before it is used again. Each is a pool of its own: httpcore
    looks through all connections of a pool, more than once, for every request.
    """

    def __init__(self, *, ssl_context: ssl.SSLContext, max_connections: int, keepalive_expiry: float) -> None:
        self._pools = [
            httpcore.ConnectionPool(
                ssl_context=ssl_context,
                max_connections=1,
                keepalive_expiry=keepalive_expiry,
                retries=0,
                network_backend=_BoundedBackend(),
            )
            for _ in range(max_connections)
        ]
        self._free: LifoQueue[httpcore.ConnectionPool] = LifoQueue()
        for pool in self._pools:
            self._free.put(pool)

    @override
    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request; the body of the response is still to be read."""
        try:
            pool = self._free.get(timeout=request.extensions["timeout"]["pool"])
        except Empty:
            raise httpx.PoolTimeout("every connection is in use", request=request) from None
        try:
            with _as_httpx():
                response = pool.handle_request(
                    httpcore.Request(
                        method=request.method,
                        url=httpcore.URL(
                            scheme=request.url.raw_scheme,
                            host=request.url.raw_host,
                            port=request.url.port,
                            target=request.url.raw_path,
                        ),
                        headers=request.headers.raw,
                        content=request.stream,
                        extensions=request.extensions,
                    )
                )
        except BaseException:
            self._free.put(pool)
            raise
        return httpx.Response(
            status_code=response.status,
            headers=response.headers,
            stream=_Body(response, lambda: self._free.put(pool)),
            extensions=response.extensions,
        )

    @override
    def close(self) -> None:
        """Close every connection."""
        for pool in self._pools:
            pool.close()


class _Body(httpx.SyncByteStream):
    def __init__(self, response: httpcore.Response, closed: Callable[[], None]) -> None:
        self._response = response
        self._closed = closed

    @override
    def __iter__(self) -> Iterator[bytes]:
        with _as_httpx():
            yield from self._response.iter_stream()

    @override
    def close(self) -> None:
        try:
            with _as_httpx():
                self._response.close()
        finally:
            self._closed()


@contextmanager
def _as_httpx() -> Iterator[None]:
    """Raise httpx's exception of the same name for each of httpcore's."""
    try:
        yield
    except Exception as error:
        for kind in type(error).__mro__:
            if kind.__module__.startswith("httpcore") and hasattr(httpx, kind.__name__):
                raise getattr(httpx, kind.__name__)(str(error)) from error
        raise


class _BoundedBackend(httpcore.NetworkBackend):
    def __init__(self) -> None:
        self._tcp = httpcore.SyncBackend()

    @override
    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Try each address of the host; they share the time there is, the first gets no more."""
        addresses = _addresses_of(host, port)
        failure: Exception = httpcore.ConnectError("the host has no address")
        for tried, address in enumerate(addresses):
            left = _left_to_connect(timeout)
            share = left / (len(addresses) - tried) if left is not None else None
            try:
                stream = self._tcp.connect_tcp(address, port, share, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
            else:
                return _BoundedStream(stream)
        raise failure


def _addresses_of(host: str, port: int) -> list[str]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise httpcore.ConnectError(error) from error
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class _BoundedStream(httpcore.NetworkStream):
    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    @override
    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        limit = _limit.get()
        if limit is not None:
            timeout = _clip(timeout, limit.over, httpcore.ReadTimeout)
        return self._stream.read(max_bytes, timeout)

    @override
    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        limit = _limit.get()
        if limit is not None:
            timeout = _clip(timeout, limit.over, httpcore.WriteTimeout)
        self._stream.write(buffer, timeout)

    @override
    def close(self) -> None:
        self._stream.close()

    @override
    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        left = _left_to_connect(timeout)
        return _BoundedStream(self._stream.start_tls(ssl_context, server_hostname, left))

    @override
    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _left_to_connect(timeout: float | None) -> float | None:
    limit = _limit.get()
    return timeout if limit is None else _clip(timeout, limit.connected, httpcore.ConnectTimeout)


def _clip(timeout: float | None, deadline: Deadline, late: type[Exception]) -> float:
    left = deadline.remaining()
    if left <= 0:
        raise late("the time for the whole call is used up")
    return left if timeout is None else min(timeout, left)
