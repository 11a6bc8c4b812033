"""What money safety needs of botocore, over real sockets."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ConnectionClosedError, HTTPClientError
from botocore.parsers import ResponseParserError

from refunds.aws import AwsClients, _roots
from tests.fakes import dynamodb
from tests.fakes.endpoint import REGION, Aws

KEYS = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": REGION}
ITEM = {"pk": {"S": "payment_cancel#cr-1"}, "reason": {"S": "고객 변심"}}
PUT: dict[str, Any] = {
    "TableName": "ledger",
    "Item": ITEM,
    "ConditionExpression": "attribute_not_exists(pk)",
    "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
}
LEDGER_KEY = {"pk": {"S": "other"}}


CUT_OFF = (
    b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nConnection: close\r\n\r\n{}",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n5\r\n{}",
    b'HTTP/1.1 200 OK\r\nContent-Length: 9\r\nConnection: close\r\n\r\n{"Item": ',
)


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """Repeat at once."""
    monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=lambda _seconds: None))


def clients(endpoint: str, **config: Any) -> AwsClients:
    return AwsClients(connections=2, endpoint_url=endpoint, config=Config(**config), session=KEYS)


@contextmanager
def table(tables: dynamodb.Tables) -> Iterator[Any]:
    """A client of DynamoDB with these tables behind a socket."""
    with Aws({dynamodb.TARGET: tables}).listening() as endpoint, clients(endpoint) as aws:
        yield aws.client("dynamodb")


@dataclass
class Tcp:
    """A server whose ``serve`` has the listening socket for itself."""

    serve: Callable[[socket.socket], None]

    @contextmanager
    def listening(self) -> Iterator[str]:
        """Serve until the end of the block; gives the endpoint URL."""
        with socket.create_server(("127.0.0.1", 0)) as server:
            thread = threading.Thread(target=self._serve, args=(server,))
            thread.start()
            try:
                yield f"http://127.0.0.1:{server.getsockname()[1]}"
            finally:
                with suppress(OSError):
                    server.shutdown(socket.SHUT_RDWR)
                thread.join()

    def _serve(self, server: socket.socket) -> None:
        with suppress(OSError):
            self.serve(server)


@dataclass
class Script:
    """Answers each connection's one request with the next bytes of its list, then hangs up."""

    answers: list[bytes]
    requests: list[bytes] = field(default_factory=list)

    def __call__(self, server: socket.socket) -> None:
        """Serve."""
        while True:
            connection, _ = server.accept()
            with connection:
                self.requests.append(request(connection))
                connection.sendall(self.answers.pop(0))


def request(connection: socket.socket) -> bytes:
    """The body of one request; empty if the other side hangs up."""
    received = b""
    while not (length := re.search(rb"(?i)content-length: (\d+)\r\n(.*\r\n)?\r\n", received, re.DOTALL)):
        chunk = connection.recv(65_536)
        if not chunk:
            return b""
        received += chunk
    while len(received) < length.end() + int(length[1]):
        received += connection.recv(65_536)
    return received[length.end() :]


def answer(status: int, content: object, *, keep: bool = False) -> bytes:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    close = "" if keep else "Connection: close\r\n"
    return f"HTTP/1.1 {status} Status\r\nContent-Length: {len(body)}\r\n{close}\r\n".encode() + body


def item_of(refused: ClientError) -> Any:
    response: Any = refused.response
    return response["Item"]


def call(*answers: bytes) -> tuple[Any, Script]:
    """PutItem against these answers: what it returned or raised."""
    script = Script(list(answers))
    with Tcp(script).listening() as endpoint, clients(endpoint) as aws:
        try:
            return aws.client("dynamodb").put_item(TableName="ledger", Item=ITEM), script
        except (BotoCoreError, ClientError) as error:
            return error, script


def test_each_client_is_made_once() -> None:
    """However many threads ask at once, a service has one client, with connections for all of them."""
    with AwsClients(connections=7, session=KEYS) as aws, ThreadPoolExecutor(8) as threads:
        made = list(threads.map(lambda _: aws.client("sqs"), range(8)))
        config: Any = made[0].meta.config
    assert len(set(map(id, made))) == 1
    assert (config.connect_timeout, config.read_timeout) == (2, 5)
    assert (config.max_pool_connections, config.tcp_keepalive) == (7, True)
    assert config.retries == {"mode": "standard", "total_max_attempts": 3}


def test_endpoints_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service's own endpoint variable outranks the one for all; without either it is AWS's."""
    for variable, url in {"_URL_EVENTBRIDGE": "http://events.invalid", "_URL": "http://all.invalid"}.items():
        monkeypatch.setenv(f"AWS_ENDPOINT{variable}", url)
    with AwsClients(connections=1, session=KEYS) as aws:
        assert aws.client("events").meta.endpoint_url == "http://events.invalid"
        assert aws.client("sqs").meta.endpoint_url == "http://all.invalid"
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    with AwsClients(connections=1, session={**KEYS, "region_name": "cn-north-1"}) as aws:
        assert aws.client("sqs").meta.endpoint_url == "https://sqs.cn-north-1.amazonaws.com.cn"


def test_a_write_and_a_read() -> None:
    """Items come back as they were put, in DynamoDB's own notation."""
    with table(dynamodb.Tables(ledger="pk")) as client:
        client.put_item(TableName="ledger", Item=ITEM)
        assert client.get_item(TableName="ledger", Key={"pk": ITEM["pk"]})["Item"] == ITEM
        assert "Item" not in client.get_item(TableName="ledger", Key=LEDGER_KEY)


def test_refused_condition() -> None:
    """A refused condition is the exception the client names, and brings the item that was in the way."""
    with table(dynamodb.Tables(ledger="pk")) as client:
        client.put_item(**PUT)
        with pytest.raises(client.exceptions.ConditionalCheckFailedException) as refused:
            client.put_item(**PUT)
    assert item_of(refused.value) == ITEM
    assert refused.value.response["Error"]["Code"] == "ConditionalCheckFailedException"


@pytest.mark.parametrize(
    "failure",
    [
        answer(500, {"__type": "com.amazonaws.dynamodb.v20120810#InternalServerError"}),
        answer(503, b"<html>"),
        answer(400, {"__type": "com.amazon.coral.availability#ThrottlingException"}),
        b"",
        *CUT_OFF,
    ],
    ids=["500", "503 without JSON", "throttled", "hangs up", "cut off", "chunk cut off", "no JSON"],
)
def test_what_is_repeated(failure: bytes) -> None:
    """A call that may succeed the next time is made again, unchanged."""
    result, script = call(failure, answer(200, {}))
    assert result["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert script.requests[0] == script.requests[1]
    assert len(script.requests) == 2


def test_no_more_than_three_attempts() -> None:
    """After the third silence the caller learns that the call may have been carried out."""
    result, script = call(b"", b"", b"")
    assert isinstance(result, ConnectionClosedError)
    assert len(script.requests) == 3


@pytest.mark.parametrize("failure", CUT_OFF)
def test_half_an_answer_is_none(failure: bytes) -> None:
    """An answer that is cut off every time is never read as an empty one: no item, nobody else's entry."""
    result, script = call(failure, failure, failure)
    assert isinstance(result, HTTPClientError)
    assert len(script.requests) == 3


WHO = (
    b'<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>'
    b"<Arn>arn:aws:iam::000000000000:user/kim</Arn></GetCallerIdentityResult></GetCallerIdentityResponse>"
)


def test_what_a_function_answers_is_left_to_who_reads_it() -> None:
    """It is streamed, and may be any JSON; one that is cut off is noticed where it is read."""
    for content, whole in ((b"[1, 2]", True), (b"[1, ", False)):
        head = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\n"
        script = Script([head + content])
        with Tcp(script).listening() as endpoint, clients(endpoint) as aws:
            payload = aws.client("lambda").invoke(FunctionName="sweeper", Payload=b"{}")["Payload"]
            if whole:
                assert json.loads(payload.read()) == [1, 2]
            else:
                with pytest.raises(BotoCoreError):
                    payload.read()


def who(*answers: bytes) -> Any:
    """Ask STS, which answers in XML, as CloudFormation does."""
    with Tcp(Script(list(answers))).listening() as endpoint, clients(endpoint) as aws:
        return aws.client("sts").get_caller_identity()


def test_a_service_that_answers_in_xml_is_understood() -> None:
    """An operator's command asks such services who somebody is and what a stack has."""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: %d\r\n\r\n"
    assert who(head % len(WHO) + WHO)["Arn"] == "arn:aws:iam::000000000000:user/kim"


def test_half_of_an_answer_in_xml_is_none() -> None:
    """Cut off behind its length, or with a length that is right for the half: never an empty answer."""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"
    for length in (len(WHO), 150):
        with pytest.raises((BotoCoreError, ResponseParserError)):
            who(*[head % length + WHO[:150]] * 3)


def test_an_error_answer_that_is_no_json() -> None:
    """An error page is an error of AWS, by its status."""
    result, _ = call(*[answer(502, b"<html>")] * 3)
    assert isinstance(result, ClientError)
    assert result.response["Error"]["Code"] == "502"


@pytest.mark.parametrize("shown", [True, False])
def test_messages_of_aws(shown: bool) -> None:  # noqa: FBT001 - a parameter
    """AWS's own words can repeat what was sent: a function's errors have the code alone."""
    said = "One or more parameter values were invalid: 110-123-456789"
    script = Script([answer(400, {"__type": "com.amazonaws#ValidationException", "message": said})])
    with (
        Tcp(script).listening() as endpoint,
        AwsClients(connections=1, endpoint_url=endpoint, session=KEYS, shows_messages=shown) as aws,
        pytest.raises(ClientError, match="ValidationException") as error,
    ):
        aws.client("dynamodb").get_item(TableName="ledger", Key=LEDGER_KEY)
    assert (said in str(error.value)) is shown


@pytest.mark.parametrize(
    "code", ["AccessDeniedException", "ResourceNotFoundException", "ValidationException"]
)
def test_what_is_not_repeated(code: str) -> None:
    """An answer that will not change ends the call at once."""
    result, script = call(answer(400, {"__type": f"com.amazonaws#{code}", "message": "no"}))
    assert isinstance(result, ClientError)
    assert result.response["Error"]["Code"] == code
    assert len(script.requests) == 1


def test_a_conditional_write_whose_answer_was_lost() -> None:
    """It is repeated, and the refusal brings the item it wrote itself, which the ledger knows as its own."""
    tables = dynamodb.Tables(ledger="pk")

    def serve(server: socket.socket) -> None:
        for lost in (True, False):
            connection, _ = server.accept()
            with connection:
                status, payload = Aws({dynamodb.TARGET: tables}).answer(
                    f"{dynamodb.TARGET}.PutItem", request(connection)
                )
                if not lost:
                    connection.sendall(answer(status, payload))

    with Tcp(serve).listening() as endpoint, clients(endpoint) as aws:
        client = aws.client("dynamodb")
        with pytest.raises(client.exceptions.ConditionalCheckFailedException) as refused:
            client.put_item(**PUT)
    assert item_of(refused.value) == ITEM == tables.items["ledger"][ITEM["pk"]["S"]]


def test_calls_follow_each_other_on_one_connection() -> None:
    """A thread's calls need one connection."""
    accepted = []

    def serve(server: socket.socket) -> None:
        while True:
            connection, _ = server.accept()
            accepted.append(connection)
            with connection:
                while request(connection):
                    connection.sendall(answer(200, {}, keep=True))

    with Tcp(serve).listening() as endpoint, clients(endpoint) as aws:
        for _ in range(3):
            aws.client("dynamodb").get_item(TableName="ledger", Key=LEDGER_KEY)
    assert len(accepted) == 1


def test_an_idle_connection_that_was_closed() -> None:
    """A connection that AWS closed while it was idle is noticed before it is used: nothing is sent twice."""
    heard = []
    closed = threading.Event()

    def serve(server: socket.socket) -> None:
        for _ in range(2):
            connection, _ = server.accept()
            with connection:
                heard.append(request(connection))
                connection.sendall(answer(200, {}, keep=True))
            closed.set()

    with Tcp(serve).listening() as endpoint, clients(endpoint, retries={"total_max_attempts": 1}) as aws:
        client = aws.client("dynamodb")
        client.put_item(TableName="ledger", Item=ITEM)
        assert closed.wait(10)
        client.put_item(TableName="ledger", Item=ITEM)
    assert len(heard) == 2


def test_a_late_answer_is_not_the_next_calls() -> None:
    """What arrives after a call was given up goes down with its connection; the repetition has its own."""
    over = threading.Event()

    def serve(server: socket.socket) -> None:
        first, _ = server.accept()
        with first:
            request(first)
            second, _ = server.accept()  # the client has given up
            with suppress(OSError):
                first.sendall(answer(200, {"Item": {"late": {"BOOL": True}}}, keep=True))
            with second:
                for number in ("1", "2"):
                    request(second)
                    second.sendall(answer(200, {"Item": {"n": {"N": number}}}, keep=True))
                over.wait(10)

    with Tcp(serve).listening() as endpoint, clients(endpoint, read_timeout=0.2) as aws:
        client = aws.client("dynamodb")
        items = [client.get_item(TableName="ledger", Key=LEDGER_KEY)["Item"] for _ in range(2)]
        over.set()
    assert items == [{"n": {"N": "1"}}, {"n": {"N": "2"}}]


# Calls once, tells, and calls again when it is told to.
_FROZEN = """
import sys
from botocore.config import Config
from refunds.aws import AwsClients, _roots
config = Config(retries={"total_max_attempts": 1})
keys = dict(aws_access_key_id="test", aws_secret_access_key="test", region_name="ap-northeast-2")
client = AwsClients(connections=2, endpoint_url=sys.argv[1], config=config, session=keys).client("dynamodb")
for expected in ("1", "2"):
    item = client.get_item(TableName="ledger", Key={"pk": {"S": "a"}})["Item"]
    assert item == {"n": {"N": expected}}, item
    print(expected, flush=True)
    sys.stdin.readline()
"""


def test_a_frozen_and_thawed_process() -> None:
    """AWS hangs up while the process is frozen: after the thaw one request goes out, on a new connection."""
    heard: list[bytes] = []
    frozen, hung_up = threading.Event(), threading.Event()

    def serve(server: socket.socket) -> None:
        for number in ("1", "2"):
            connection, _ = server.accept()
            with connection:
                heard.append(request(connection))
                connection.sendall(answer(200, {"Item": {"n": {"N": number}}}, keep=True))
                frozen.wait(10)
            hung_up.set()

    with (
        Tcp(serve).listening() as endpoint,
        subprocess.Popen(
            [sys.executable, "-c", _FROZEN, endpoint],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as child,
    ):
        assert child.stdin is not None
        assert child.stdout is not None
        assert child.stdout.readline() == "1\n"
        child.send_signal(signal.SIGSTOP)
        frozen.set()
        assert hung_up.wait(10)
        child.send_signal(signal.SIGCONT)
        print(file=child.stdin, flush=True)
        assert child.stdout.readline() == "2\n"
        child.stdin.close()
        assert child.wait(30) == 0
    assert len(heard) == 2


@pytest.mark.parametrize(
    ("region", "environment", "own"),
    [
        ("ap-northeast-2", {}, True),
        ("us-east-1", {}, True),
        ("eu-central-1", {}, True),
        ("ap-southeast-4", {}, True),
        ("cn-north-1", {}, False),
        ("us-gov-west-1", {}, False),
        ("us-iso-east-1", {}, False),
        (None, {}, False),
        ("ap-northeast-2", {"AWS_CA_BUNDLE": "bundle.pem"}, False),
        ("ap-northeast-2", {"AWS_ENDPOINT_URL": "https://aws.invalid"}, False),
        ("ap-northeast-2", {"AWS_ENDPOINT_URL_SQS": "https://aws.invalid"}, False),
    ],
)
def test_whom_aws_is_trusted_by(
    tmp_path: Path,
    region: str | None,
    environment: dict[str, str],
    own: bool,  # noqa: FBT001 - a parameter
) -> None:
    """Amazon's roots suffice in its commercial regions; elsewhere nothing is assumed."""
    roots = tmp_path / "roots.pem"
    assert _roots(environment, region, roots) is None
    roots.touch()
    assert (_roots(environment, region, roots) == str(roots)) is own


def test_lambdas_lineage_is_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lambda is told which invocation a message comes from, so loops are detected (template.yaml)."""
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "payment-cancel")
    monkeypatch.setenv("_X_AMZN_TRACE_ID", "Root=1-5759e988-bd862e3fe1be46a994272793;Lineage=a87bd80c:1")
    heads: list[bytes] = []

    def serve(server: socket.socket) -> None:
        connection, _ = server.accept()
        with connection:
            heads.append(connection.recv(65_536))
            connection.sendall(answer(200, {"MessageId": "1"}))

    with Tcp(serve).listening() as endpoint, clients(endpoint, retries={"total_max_attempts": 1}) as aws:
        aws.client("sqs").send_message(QueueUrl=f"{endpoint}/queue", MessageBody="body")
    assert b"lineage=a87bd80c:1" in heads[0].lower()
