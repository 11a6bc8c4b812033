"""The process: ``python -m bench.world CERTIFICATE KEY`` prints its ports and serves."""

from __future__ import annotations

import asyncio
import json
import ssl
import sys
from http import HTTPStatus
from typing import Any

from bench.world.aws import Aws
from bench.world.http import Reply, Request, Traffic, serve
from bench.world.latency import Latency
from bench.world.provider import Provider


class Control:
    """What the harness asks for and sets, on a port of its own."""

    def __init__(self, aws: Aws, provider: Provider, traffic: dict[str, Traffic]) -> None:
        self._aws = aws
        self._provider = provider
        self._traffic = traffic

    def answer(self, request: Request) -> Reply:
        """``GET /traffic``, ``POST /latency``, ``POST /fill``."""
        sent: Any = json.loads(request.body) if request.body else None
        match request.path:
            case "/traffic":
                seen = {
                    name: {"connections": traffic.connections, "requests": dict(traffic.requests)}
                    for name, traffic in self._traffic.items()
                }
                return _reply(seen | {"published": self._aws.published, "write_units": self._aws.write_units})
            case "/latency":
                self._aws.latency = self._provider.latency = Latency(**sent)
                return _reply({})
            case "/fill":
                self._aws.fill(sent["items"])
                return _reply({})
        return Reply(b"{}", "unknown", status=HTTPStatus.NOT_FOUND)


def _reply(content: object) -> Reply:
    return Reply(json.dumps(content).encode(), "control")


async def _serve(certificate: str, key: str) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    aws, provider = Aws(), Provider()
    traffic = {"aws": Traffic(), "provider": Traffic()}
    ports = {
        "aws": await serve(aws.answer, traffic["aws"], tls),
        "provider": await serve(provider.answer, traffic["provider"], tls),
        "control": await serve(Control(aws, provider, traffic).answer, Traffic()),
    }
    print(json.dumps(ports), flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1], sys.argv[2]))
