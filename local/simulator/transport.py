"""The world behind httpx without a socket, for simulations that make hundreds of thousands of calls."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
from typing_extensions import override

from local.simulator.wire import Answer, LossKind, Lost

if TYPE_CHECKING:
    from collections.abc import Callable

    from local.simulator.world import World


def _no_time_passes(_seconds: float) -> None:
    pass


class WorldTransport(httpx.BaseTransport):
    """Hands requests to a `World` and raises what httpx raises over a socket when an answer is lost.

    `elapse` is told the seconds a client spends waiting, so that a simulated clock can move; a wait longer
    than the request's read timeout ends in ReadTimeout, as it does over a socket.
    """

    def __init__(self, world: World, elapse: Callable[[float], None] = _no_time_passes) -> None:
        self._world = world
        self._elapse = elapse

    @override
    def handle_request(self, request: httpx.Request) -> httpx.Response:
        url = request.url
        query = dict(url.params) if url.query else {}
        answer = self._world.handle(request.method, url.path, query, request.headers, request.read())
        if answer.delay_seconds:
            self._wait(request, answer.delay_seconds)
        if isinstance(answer, Answer):
            return _response(answer)
        raise _failure(request, answer)

    def _wait(self, request: httpx.Request, seconds: float) -> None:
        limit = request.extensions.get("timeout", {}).get("read")
        if limit is None or seconds < limit:
            self._elapse(seconds)
            return
        self._elapse(limit)
        raise httpx.ReadTimeout("the provider did not answer in time", request=request)


def _response(answer: Answer) -> httpx.Response:
    if "content-encoding" not in answer.headers:
        return httpx.Response(answer.status, headers=dict(answer.headers), content=answer.body)
    # As a stream: the client decides whether to read it as it was sent.
    headers = {**answer.headers, "content-length": str(len(answer.body))}
    return httpx.Response(answer.status, headers=headers, stream=httpx.ByteStream(answer.body))


def _failure(request: httpx.Request, loss: Lost) -> httpx.TransportError:
    match loss.kind:
        case LossKind.REFUSED:
            return httpx.ConnectError("connection refused", request=request)
        case LossKind.RESET:
            return httpx.ReadError("connection reset by peer", request=request)
        case LossKind.HANG:
            return httpx.ReadTimeout("the provider did not answer", request=request)
        case LossKind.TRUNCATED:
            return httpx.RemoteProtocolError(
                "peer closed connection without sending complete message body", request=request
            )
        case LossKind.MALFORMED:
            return httpx.RemoteProtocolError("illegal status line", request=request)
        case LossKind.CLOSED:
            return httpx.RemoteProtocolError(
                "server disconnected without sending a response", request=request
            )
