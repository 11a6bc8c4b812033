"""AWS through boto3: one session per process, and each client once, when it is first needed."""

from __future__ import annotations

import os
import random
import re
import threading
from collections.abc import Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import cached_property
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, Self, overload

import boto3
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.exceptions import HTTPClientError

if TYPE_CHECKING:
    from botocore.model import OperationModel
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_events import EventBridgeClient
    from types_boto3_sqs import SQSClient

#: From the system: environments restored from one snapshot would all repeat one generator's numbers.
_JITTER: Final = random.SystemRandom()


#: Made by the layer's build.
_ROOTS_OF_AWS: Final = Path(__file__).with_name("roots_of_aws.pem")

#: The partition ``aws``: not China, not GovCloud, not the isolated ones.
_COMMERCIAL: Final = re.compile(r"(us|eu|ap|ca|sa|me|af|il|mx)-(north|south|east|west|central)+-\d")


class AwsClients:
    """The clients of one process; safe for concurrent use, which boto3's session is not.

    Region, keys and endpoint come from the environment, as for every AWS SDK (``AWS_ENDPOINT_URL`` names a
    local AWS, ``AWS_CA_BUNDLE`` its roots). As a context manager it closes its connections at the end;
    functions keep them.

    Args:
        connections: pooled connections of each client; as many as threads call it at once, and a few more.
        config: what differs from ``refund_config``.
        endpoint_url: where AWS is, instead of what the environment says.
        session: arguments of ``boto3.Session``, such as the region and keys.
        shows_messages: an error's text has AWS's own message, which can repeat what was sent: not for logs.
    """

    def __init__(
        self,
        *,
        connections: int,
        config: Config | None = None,
        endpoint_url: str | None = None,
        session: Mapping[str, Any] | None = None,
        shows_messages: bool = False,
    ) -> None:
        ours = refund_config(connections)
        self._config = ours.merge(config) if config else ours
        self._endpoint_url = endpoint_url
        self._session_arguments = session or {}
        self._shows_messages = shows_messages
        self._lock = threading.Lock()
        self._clients: dict[str, Any] = {}
        self._open = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    @overload
    def client(self, service: Literal["dynamodb"]) -> DynamoDBClient: ...
    @overload
    def client(self, service: Literal["events"]) -> EventBridgeClient: ...
    @overload
    def client(self, service: Literal["sqs"]) -> SQSClient: ...
    @overload
    def client(self, service: str) -> Any: ...
    def client(self, service: str) -> Any:
        """The client of the AWS service that boto3 knows by this name, such as ``dynamodb``."""
        with self._lock:
            if service not in self._clients:
                self._clients[service] = self._open.enter_context(closing(self._made(service)))
            return self._clients[service]

    def _made(self, service: str) -> Any:
        make: Any = self._session.client
        client: Any = make(
            service,
            config=self._config,
            endpoint_url=self._endpoint_url,
            verify=None if self._endpoint_url else _roots(os.environ, self._session.region_name),
        )
        client.meta.events.register(
            "needs-retry",
            _Complete(
                client.meta.config.retries["total_max_attempts"],
                json="json" in client.meta.service_model.resolved_protocol,
            ),
        )
        if not self._shows_messages:
            client.meta.events.register("after-call", _without_message)
        return client

    @cached_property
    def _session(self) -> boto3.Session:
        """Reads botocore's data files once."""
        return boto3.Session(**self._session_arguments)


@dataclass(frozen=True)
class _Complete:
    """Has a call repeated whose answer is not all there, and fails it at last.

    botocore compares no length, and reads what is no JSON as an empty answer. A ``GetItem`` whose answer is
    cut off would say that there is no such item, and a ``Query`` that nobody else holds a cancellation.
    What is streamed (what a function answers) is read later, and botocore compares its length.
    """

    attempts: int
    json: bool
    """Whether the service answers in JSON. STS and CloudFormation answer in XML, which botocore reads to its
    end or not at all."""

    def __call__(
        self, response: tuple[Any, Any] | None, attempts: int, operation: OperationModel, **_: object
    ) -> float | None:
        """Seconds to wait before the repetition, or ``None`` for none.

        Raises:
            HTTPClientError: there have been enough.
        """
        if response is None or operation.has_streaming_output:
            return None
        if _is_complete(response[0], json=self.json):
            return None
        if attempts >= self.attempts:
            raise HTTPClientError(error="the answer is cut off or not what the service answers")
        return _JITTER.random() * attempts


def _without_message(parsed: dict[str, Any], **_: object) -> None:
    """Take away AWS's own words before botocore makes an exception of them; the code stays."""
    if "Error" in parsed:
        parsed["Error"]["Message"] = "its message is not shown"


def _is_complete(answer: AWSResponse, *, json: bool) -> bool:
    body = answer.content
    length = answer.headers.get("Content-Length")
    if length is not None and length != str(len(body)):
        return False
    whole = not json or not body or (body.startswith(b"{") and body.endswith(b"}"))
    return whole or answer.status_code != HTTPStatus.OK


def _roots(environment: Mapping[str, str], region: str | None, roots: Path = _ROOTS_OF_AWS) -> str | None:
    """Whom to trust: the roots of AWS's own certificates, or ``None`` for whom every AWS SDK trusts.

    botocore reads its bundle anew for every connection it makes, and for all of certifi's roots that takes
    17 ms of processor time. AWS signs its endpoints by the five of Amazon Trust Services in its commercial
    regions; elsewhere, at a configured endpoint or with a configured bundle nothing is assumed.
    """
    configured = any(name == "AWS_CA_BUNDLE" or name.startswith("AWS_ENDPOINT_URL") for name in environment)
    commercial = region is not None and _COMMERCIAL.fullmatch(region)
    return str(roots) if commercial and not configured and roots.is_file() else None


def refund_config(connections: int) -> Config:
    """Short timeouts and few repeats: the message's own redelivery is the patient one.

    What would be done anew for every call and decides nothing is switched off: botocore puts its own
    ``User-Agent`` together twice, and compares arguments with its description before AWS does.
    """
    return Config(
        user_agent="refund-handler",
        parameter_validation=False,
        max_pool_connections=connections,
        connect_timeout=2,
        read_timeout=5,
        retries={"mode": "standard", "total_max_attempts": 3},
        tcp_keepalive=True,
    )
