"""Where botocore's requests end up: services in memory, reached in process or over a socket."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol

from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.config import Config
from botocore.session import Session, get_session
from typing_extensions import override

from tests.fakes.answers import AwsError

REGION = "ap-northeast-2"
_CREDENTIALS: dict[str, Any] = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}


class Service(Protocol):
    """One AWS service."""

    def carry_out(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """Answer one operation. Raises AwsError, or a botocore error for a call that gets no answer."""
        ...


@dataclass
class Aws:
    """Services by the prefix of their ``X-Amz-Target`` header; ``calls`` is every operation asked of them."""

    services: dict[str, Service]
    calls: list[str] = field(default_factory=list)

    def answer(self, target: str, body: bytes) -> tuple[int, dict[str, Any]]:
        """Status and JSON body for one request."""
        prefix, _, operation = target.partition(".")
        self.calls.append(operation)
        if prefix not in self.services:
            return 400, {"__type": "UnknownOperationException", "message": target}
        try:
            return 200, self.services[prefix].carry_out(operation, json.loads(body))
        except AwsError as error:
            return error.status, {"__type": error.code, "message": str(error), **error.fields}

    def connect(self, service: str, *, attempts: int = 1) -> Any:
        """A botocore client whose requests end here instead of on the network."""
        config = Config(retries={"mode": "standard", "total_max_attempts": attempts})
        client: Any = _session().create_client(service, region_name=REGION, config=config, **_CREDENTIALS)
        client.meta.events.register("before-send", self._receive)
        return client

    @contextmanager
    def listening(self) -> Iterator[str]:
        """Serve over HTTP on a free port; gives the endpoint URL."""
        server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            server.server_close()
            thread.join()

    def _receive(self, request: Any, **_: Any) -> AWSResponse:
        status, payload = self.answer(request.headers["X-Amz-Target"].decode(), request.body)
        content = json.dumps(payload).encode()
        return AWSResponse(request.url, status, HTTPHeaders(), _Raw(content))


class _Raw(io.BytesIO):
    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self.read()


@cache
def _session() -> Session:
    return get_session()


def _handler(aws: Aws) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1  # head and body in one segment

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status, payload = aws.answer(self.headers["X-Amz-Target"], body)
            content = json.dumps(payload).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/x-amz-json-1.0")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        @override
        def log_message(self, format: str, *args: Any) -> None:
            """Keep the test run's output free of it."""

    return Handler
