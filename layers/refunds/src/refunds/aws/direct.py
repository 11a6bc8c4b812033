"""The AWS calls of a refund, without botocore's machinery around them.

Measured (docs/performance.md): a call through a botocore client takes 0.93 ms of processor time, the
same call here a third of that, and importing and making the clients takes longer than everything else
in a cold start together. All services called speak one protocol: a signed POST with the operation in a
header and JSON both ways. A client made here has the methods of botocore's that are used, with the
same arguments, answers and exceptions.
"""

from __future__ import annotations

import itertools
import json
import random
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import SimpleNamespace
from typing import Any, Final, Self, TypeAlias

import httpcore

from refunds.aws.errors import (
    AwsError,
    ClientError,
    ConditionalCheckFailedException,
    NoAnswer,
    error_of,
)
from refunds.aws.signature import Keys, Signer

_ATTEMPTS: Final = 3
_TIMEOUTS: Final = {"connect": 2.0, "read": 5.0, "write": 5.0, "pool": 5.0}
_OK: Final = 200

#: From the system: environments restored from one snapshot would all repeat one generator's numbers.
_CHANCE: Final = random.SystemRandom()


@dataclass(frozen=True)
class Service:
    """How a service is spoken to.

    Attributes:
        endpoint: its host's first label, and its name in signatures.
        variable: its own part of the variable ``AWS_ENDPOINT_URL_…``.
        target: the prefix of ``X-Amz-Target``.
        version: of the JSON protocol.
        operations: those that are called, by botocore's method names.
    """

    endpoint: str
    variable: str
    target: str
    version: str
    operations: Mapping[str, str]


SERVICES: Final = {
    "dynamodb": Service(
        "dynamodb",
        "DYNAMODB",
        "DynamoDB_20120810",
        "1.0",
        {
            "put_item": "PutItem",
            "update_item": "UpdateItem",
            "get_item": "GetItem",
            "batch_get_item": "BatchGetItem",
            "query": "Query",
        },
    ),
    "events": Service("events", "EVENTBRIDGE", "AWSEvents", "1.1", {"put_events": "PutEvents"}),
    "sqs": Service(
        "sqs",
        "SQS",
        "AmazonSQS",
        "1.0",
        {"send_message": "SendMessage", "change_message_visibility": "ChangeMessageVisibility"},
    ),
    "secretsmanager": Service(
        "secretsmanager", "SECRETS_MANAGER", "secretsmanager", "1.1", {"get_secret_value": "GetSecretValue"}
    ),
}


class DirectClients:
    """Clients of the services above.

    Args:
        keys: what requests are signed with.
        region: of the function.
        environment: for ``AWS_ENDPOINT_URL``, which the local AWS is reached by.
        connections: where requests are sent.
        pause: waits so many seconds between two attempts.
    """

    def __init__(
        self,
        keys: Keys,
        region: str,
        environment: Mapping[str, str],
        connections: Connections,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._keys = keys
        self._region = region
        self._environment = environment
        self._connections = connections
        self._pause = pause

    def make(self, service: str) -> Any:
        """A client of one service, in the shape of botocore's.

        Raises:
            KeyError: nothing of that service is called this way.
        """
        described = SERVICES[service]
        signer = Signer(self._keys, self._region, described.endpoint)
        caller = _Caller(described, self.endpoint(described), signer, self._connections, self._pause)
        methods: dict[str, Callable[..., Any]] = {
            name: partial(caller.call, operation) for name, operation in described.operations.items()
        }
        exceptions = SimpleNamespace(
            ClientError=ClientError, ConditionalCheckFailedException=ConditionalCheckFailedException
        )
        return SimpleNamespace(exceptions=exceptions, **methods)

    def endpoint(self, service: Service) -> str:
        """Where a service is: ``AWS_ENDPOINT_URL_…``, ``AWS_ENDPOINT_URL``, or AWS itself."""
        own = self._environment.get(f"AWS_ENDPOINT_URL_{service.variable}")
        configured = own or self._environment.get("AWS_ENDPOINT_URL")
        if configured:
            return configured.rstrip("/")
        suffix = "amazonaws.com.cn" if self._region.startswith("cn-") else "amazonaws.com"
        return f"https://{service.endpoint}.{self._region}.{suffix}"


class Connections:
    """Keep-alive connections to AWS: each thread has its own, one to each service it calls.

    A shared pool looks at every connection it holds before and after each request; a thread that
    calls one service after another needs one of each and never waits for another thread's.

    They stay open however long they are idle: one that was closed meanwhile is noticed before it is used,
    and a call that a closing connection swallows is repeated, which its condition makes harmless.
    """

    def __init__(self, tls: ssl.SSLContext) -> None:
        self._tls = tls
        self._own = threading.local()
        self._all: list[_Own] = []

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close them."""
        self.close()

    def own(self, url: httpcore.URL) -> httpcore.HTTPConnection:
        """The one to this host of the thread that asks: idle, or not connected yet."""
        mine: _Own | None = getattr(self._own, "by_host", None)
        if mine is None:
            mine = self._own.by_host = {}
            self._all.append(mine)
        host = (url.host, url.port)
        connection = mine.get(host)
        if connection is None or not connection.is_available() or connection.has_expired():
            if connection is not None:
                connection.close()
            connection = mine[host] = httpcore.HTTPConnection(url.origin, ssl_context=self._tls)
        return connection

    def close(self) -> None:
        """Close every thread's; functions keep them for the life of their process."""
        for mine in self._all:
            for connection in mine.values():
                connection.close()


#: A thread's connections, by host and port.
_Own: TypeAlias = dict[tuple[bytes, int | None], httpcore.HTTPConnection]


class _Caller:
    """Calls one service."""

    def __init__(
        self,
        service: Service,
        endpoint: str,
        signer: Signer,
        connections: Connections,
        pause: Callable[[float], None],
    ) -> None:
        self._service = service
        self._url = httpcore.URL(f"{endpoint}/")
        self._signer = signer
        self._connections = connections
        self._pause = pause
        port = f":{self._url.port}" if self._url.port else ""
        self._host = self._url.host.decode() + port

    def call(self, operation: str, **request: Any) -> dict[str, Any]:
        """Call an operation; like botocore, up to three times where a repeat makes sense.

        Raises:
            ClientError: AWS says no.
            NoAnswer: it says nothing that can be read.
        """
        body = json.dumps(request, ensure_ascii=False, separators=(",", ":")).encode()
        for attempt in itertools.count(1):
            try:
                return self._attempt(operation, body)
            except AwsError as error:
                if attempt == _ATTEMPTS or not error.transient:
                    raise
            self._pause(_CHANCE.random() * 2 ** (attempt - 1))
        raise AssertionError

    def _attempt(self, operation: str, body: bytes) -> dict[str, Any]:
        headers = {
            "content-type": f"application/x-amz-json-{self._service.version}",
            "host": self._host,
            "x-amz-target": f"{self._service.target}.{operation}",
        }
        try:
            response = self._connections.own(self._url).request(
                "POST",
                self._url,
                headers=list(self._signer.signed(headers, body, time.time()).items()),
                content=body,
                extensions={"timeout": _TIMEOUTS},
            )
            answer: dict[str, Any] = json.loads(response.content or b"{}")
        except (
            httpcore.NetworkError,
            httpcore.ProtocolError,
            httpcore.TimeoutException,
            ValueError,
        ) as error:
            raise NoAnswer(f"{operation} got no answer ({type(error).__name__})") from None
        if response.status != _OK:
            raise error_of(operation, response.status, answer)
        return answer
