from __future__ import annotations

import json
import re
import socket
import ssl
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import httpcore
import pytest
from botocore.session import get_session

from refunds.aws import direct, refund_clients
from refunds.aws.direct import SERVICES, Connections, DirectClients
from refunds.aws.errors import AwsError, ClientError, ConditionalCheckFailedException, NoAnswer
from refunds.aws.signature import Keys
from tests.unit.aws import dynamodb
from tests.unit.aws.endpoint import REGION, Aws
from tests.unit.aws.endpoint import AwsError as Refusal

KEYS = Keys("test", "test", "token")
ITEM = {"pk": {"S": "payment_cancel#cr-1"}, "reason": {"S": "고객 변심"}}


def no_pause(_seconds: float) -> None:
    """Repeat at once."""


@contextmanager
def connected(endpoint: str, region: str = REGION, **environment: str) -> Iterator[DirectClients]:
    """Clients whose connections are closed at the end of the block."""
    with Connections(ssl.create_default_context()) as connections:
        own = {"AWS_ENDPOINT_URL": endpoint, **environment}
        yield DirectClients(KEYS, region, own, connections, no_pause)


@contextmanager
def table(tables: dynamodb.Tables) -> Iterator[Any]:
    """A client of DynamoDB with these tables behind a socket."""
    with Aws({dynamodb.TARGET: tables}).listening() as endpoint, connected(endpoint) as clients:
        yield clients.make("dynamodb")


@dataclass
class Tcp:
    """A server that answers each connection's requests with the next bytes of its list, then hangs up."""

    answers: list[bytes]
    requests: list[bytes] = field(default_factory=list)
    connections: int = 0

    @contextmanager
    def listening(self) -> Iterator[str]:
        """Serve until the end of the block; gives the endpoint URL."""
        with socket.create_server(("127.0.0.1", 0)) as server:
            thread = threading.Thread(target=self._serve, args=(server,))
            thread.start()
            yield f"http://127.0.0.1:{server.getsockname()[1]}"
            server.shutdown(socket.SHUT_RDWR)
        thread.join()

    def _serve(self, server: socket.socket) -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            self.connections += 1
            with connection:
                self.requests.append(_request(connection))
                connection.sendall(self.answers.pop(0))


def _request(connection: socket.socket) -> bytes:
    """The body of one request."""
    received = b""
    while not (length := re.search(rb"(?i)content-length: (\d+)\r\n(.*\r\n)?\r\n", received, re.DOTALL)):
        received += connection.recv(65_536)
    while len(received) < length.end() + int(length[1]):
        received += connection.recv(65_536)
    return received[length.end() :]


def answer(status: int, content: object) -> bytes:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    head = f"HTTP/1.1 {status} Status\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return head.encode() + body


def call(*answers: bytes) -> tuple[Any, Tcp]:
    """PutItem against these answers: what it returned or raised."""
    server = Tcp(list(answers))
    with server.listening() as endpoint, connected(endpoint) as clients:
        try:
            return clients.make("dynamodb").put_item(TableName="ledger", Item=ITEM), server
        except AwsError as error:
            return error, server


def test_a_write_and_a_read() -> None:
    """Items come back as they were put, in DynamoDB's own notation."""
    with table(dynamodb.Tables(ledger="pk")) as client:
        client.put_item(TableName="ledger", Item=ITEM)
        assert client.get_item(TableName="ledger", Key={"pk": ITEM["pk"]}) == {"Item": ITEM}
        assert client.get_item(TableName="ledger", Key={"pk": {"S": "other"}}) == {}


def test_refused_condition() -> None:
    """A refused condition is the exception the client names, and brings the item that was in the way."""
    with table(dynamodb.Tables(ledger="pk")) as client:
        put = {
            "TableName": "ledger",
            "Item": ITEM,
            "ConditionExpression": "attribute_not_exists(pk)",
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
        client.put_item(**put)
        with pytest.raises(client.exceptions.ConditionalCheckFailedException) as refused:
            client.put_item(**put)
    assert refused.value.response["Item"] == ITEM
    assert refused.value.response["Error"]["Code"] == "ConditionalCheckFailedException"


def test_errors_are_named_by_code_alone() -> None:
    """AWS's own message can repeat what was sent, so no text shows it."""
    tables = dynamodb.Tables(ledger="pk")
    tables.disturb = _raise(Refusal("ValidationException", "account 110-123-456789 is invalid"))
    with table(tables) as client, pytest.raises(ClientError) as error:
        client.put_item(TableName="ledger", Item=ITEM)
    assert str(error.value) == "PutItem was answered with ValidationException"
    assert tables.items["ledger"] == {}


def _raise(error: Exception) -> Any:
    def disturb(_operation: str, _key: str) -> None:
        raise error

    return disturb


@pytest.mark.parametrize(
    "failure",
    [
        answer(500, {"__type": "com.amazonaws.dynamodb.v20120810#InternalServerError"}),
        answer(503, b"<html>"),
        answer(400, {"__type": "com.amazon.coral.availability#ThrottlingException"}),
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: close\r\n\r\n{",
    ],
    ids=["500", "503 without JSON", "throttled", "hangs up", "truncated", "no JSON"],
)
def test_what_is_repeated(failure: bytes) -> None:
    """A call that may succeed the next time is made again, unchanged."""
    result, server = call(failure, answer(200, {}))
    assert result == {}
    assert server.connections == 2
    assert json.loads(server.requests[0]) == {"TableName": "ledger", "Item": ITEM}
    assert server.requests[0] == server.requests[1]


def test_no_more_than_three_attempts() -> None:
    """After the third silence the caller learns that the call may have been carried out."""
    result, server = call(b"", b"", b"")
    assert isinstance(result, NoAnswer)
    assert server.connections == 3


@pytest.mark.parametrize(
    "code", ["AccessDeniedException", "ResourceNotFoundException", "ValidationException"]
)
def test_what_is_not_repeated(code: str) -> None:
    """An answer that will not change ends the call at once."""
    result, server = call(answer(400, {"__type": f"com.amazonaws#{code}", "message": "no"}))
    assert isinstance(result, ClientError)
    assert not isinstance(result, ConditionalCheckFailedException)
    assert result.response["Error"]["Code"] == code
    assert server.connections == 1


def test_an_answer_without_a_body() -> None:
    """An empty answer is an empty object, as SQS gives it."""
    assert call(answer(200, b""))[0] == {}


def test_connections_stay_open() -> None:
    """The calls of a thread follow each other on one connection, those of another thread use another."""
    with (
        Aws({dynamodb.TARGET: dynamodb.Tables(ledger="pk")}).listening() as endpoint,
        Connections(ssl.create_default_context()) as connections,
        ThreadPoolExecutor(1) as other_thread,
    ):
        client = DirectClients(KEYS, REGION, {"AWS_ENDPOINT_URL": endpoint}, connections).make("dynamodb")

        def read() -> set[httpcore.HTTPConnection]:
            used = set()
            for _ in range(3):
                client.get_item(TableName="ledger", Key={"pk": {"S": "other"}})
                used.add(connections.own(httpcore.URL(endpoint)))
            return used

        here, there = read(), other_thread.submit(read).result()
    assert len(here) == len(there) == 1
    assert here != there


def test_a_late_answer_is_not_the_next_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    """What arrives after a call was given up goes down with its connection; the repetition has its own."""
    monkeypatch.setattr(direct, "_TIMEOUTS", {"connect": 2.0, "read": 0.2, "write": 2.0, "pool": 2.0})
    over = threading.Event()

    def say(connection: socket.socket, item: object) -> None:
        connection.sendall(answer(200, {"Item": item}).replace(b"Connection: close\r\n", b""))

    def listen(connection: socket.socket) -> None:
        heard = b""
        while not heard.endswith(b"}}}"):
            heard += connection.recv(65_536)

    def serve(server: socket.socket) -> None:
        first, _ = server.accept()
        with first:
            listen(first)
            second, _ = server.accept()  # the client has given up
            with suppress(OSError):
                say(first, {"late": {"BOOL": True}})
            with second:
                for number in ("1", "2"):
                    listen(second)
                    say(second, {"n": {"N": number}})
                over.wait(5)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve, args=(server,))
        thread.start()
        with connected(f"http://127.0.0.1:{server.getsockname()[1]}") as clients:
            client = clients.make("dynamodb")
            items = [client.get_item(TableName="ledger", Key={"pk": {"S": "a"}})["Item"] for _ in range(2)]
            over.set()
        thread.join()
    assert items == [{"n": {"N": "1"}}, {"n": {"N": "2"}}]


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("region", ["ap-northeast-2", "us-east-1", "cn-north-1"])
def test_spoken_to_as_botocore_does(monkeypatch: pytest.MonkeyPatch, service: str, region: str) -> None:
    """Host, target, protocol version and operations are those of botocore's own description."""
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    described = SERVICES[service]
    theirs = get_session().create_client(
        service, region_name=region, aws_access_key_id="test", aws_secret_access_key="test"
    )
    model = theirs.meta.service_model
    with connected("", region) as clients:
        assert clients.endpoint(described) == theirs.meta.endpoint_url
    assert described.target == model.metadata["targetPrefix"]
    assert described.version == model.metadata["jsonVersion"]
    assert described.endpoint == model.signing_name
    assert {name: theirs.meta.method_to_api_mapping[name] for name in described.operations} == dict(
        described.operations
    )


def test_endpoint_of_one_service() -> None:
    """A service's own endpoint variable outranks the one for all."""
    own = {"AWS_ENDPOINT_URL_EVENTBRIDGE": "http://events.invalid"}
    with connected("http://all.invalid/", **own) as clients:
        assert clients.endpoint(SERVICES["events"]) == "http://events.invalid"
        assert clients.endpoint(SERVICES["sqs"]) == "http://all.invalid"


def test_botocore_where_the_environment_has_no_keys() -> None:
    """Without Lambda's keys in the environment the clients are botocore's, which know every other source."""
    tls = ssl.create_default_context()
    keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    for environment, botocore in [
        ({"AWS_REGION": REGION}, True),
        (keys, True),
        ({**keys, "AWS_REGION": REGION}, False),
        ({**keys, "AWS_DEFAULT_REGION": REGION}, False),
    ]:
        make = refund_clients(environment, tls, connections=1)
        assert isinstance(getattr(make, "__self__", None), DirectClients) is not botocore
