"""A function in a process of 512 MB, whose provider answers whatever it likes over a real socket.

Eight records are answered so at once, while eight others ask an honest provider.
"""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import zlib
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pytest

from tests.unit.providers.raw_server import RawServer, raw, trickle

if TYPE_CHECKING:
    from tests.unit.providers.raw_server import Act

if sys.platform != "linux":
    pytest.skip("the address space is limited on Linux", allow_module_level=True)

#: The server hangs up after each answer and says so: nobody uses such a connection again.
OK: Final = b"HTTP/1.1 200 OK\r\nConnection: close\r\n"
MEBI: Final = 1024 * 1024
CALLS: Final = 8
#: Seconds that the whole call may take in the child; what drips for longer is given up.
READ_TIMEOUT: Final = 3.0
#: Seconds in which a busy machine has ended it for certain; what drips would take ten times as long.
PATIENCE: Final = 60.0

# Asks each provider eight times at once, and an honest one as often meanwhile; tells how that ended.
CHILD: Final = """
import json, resource, sys, time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from refunds.application import LambdaFunction
from refunds.aws import AwsClients
from refunds.domain.deadline import Deadline
from refunds.errors import NotSent, OutcomeUnknown
from refunds.providers.http.provider_http import ProviderHttp, Timeouts, open_http

LambdaFunction("payment_cancel")  # and the rest of what is in a function's process
keys = dict(aws_access_key_id="a", aws_secret_access_key="b", region_name="ap-northeast-2")
aws = AwsClients(connections=2, session=keys)
for service in ("dynamodb", "events", "sqs", "secretsmanager"):
    aws.client(service)
attacks, honest, read_timeout, calls, limit = json.loads(sys.argv[1])
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
http = ProviderHttp(open_http(2 * calls), Timeouts(connect=5.0, read=read_timeout, lookup=read_timeout))

def ask(url, patience):
    deadline = Deadline(time.monotonic() + 300, time.monotonic)
    sent = dict(template="/", deadline=deadline, headers={"Authorization": "key"})
    started = time.monotonic()
    try:
        answer = http.send("GET", url + "/", read_timeout=patience, **sent)
        result = "body" if answer.body is not None else "no body"
    except OutcomeUnknown:
        result = "unknown"
    except NotSent:
        result = "not sent"
    return result, time.monotonic() - started

def peak():
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0])

def forget_the_peak():
    Path("/proc/self/clear_refs").write_text("5")

with ThreadPoolExecutor(2 * calls) as threads:
    def together(url, patience=read_timeout):
        return [threads.submit(ask, url, patience) for _ in range(calls)]

    assert {one.result()[0] for one in together(honest, 60.0)} == {"body"}
    normal = peak()
    found = {}
    for name, url in attacks.items():
        forget_the_peak()
        attacked, neighbours = together(url), together(honest, 60.0)
        found[name] = {
            "attacked": sorted({one.result()[0] for one in attacked}),
            "longest": max(one.result()[1] for one in attacked),
            "neighbours": sorted({one.result()[0] for one in neighbours}),
            "growth": peak() / normal,
        }
print(json.dumps(found))
"""


@dataclass(frozen=True)
class Found:
    """What the child tells."""

    attacked: list[str]
    neighbours: list[str]
    longest: float
    growth: float


def answered(body: bytes, *headers: bytes) -> bytes:
    return (
        OK
        + b"".join(header + b"\r\n" for header in headers)
        + b"Content-Length: %d\r\n\r\n" % len(body)
        + body
    )


def deep(opening: bytes, closing: bytes, times: int) -> bytes:
    return b'{"a":' + opening * times + closing * times + b"}"


ANSWERS: Final[dict[str, tuple[Act, str]]] = {
    "64 MB": (raw(answered(b'{"a": "' + b"x" * 64 * MEBI + b'"}')), "unknown"),
    "64 MB without a length": (raw(OK + b"\r\n" + b" " * 64 * MEBI), "unknown"),
    "a length that lies": (raw(OK + b"Content-Length: 99999999999\r\n\r\n{}"), "unknown"),
    "gzip of 130 MB": (raw(answered(gzip.compress(b" " * 130 * MEBI), b"Content-Encoding: gzip")), "unknown"),
    "deflate": (raw(answered(zlib.compress(b" " * 64 * MEBI), b"Content-Encoding: deflate")), "unknown"),
    "thousands of headers": (
        raw(OK + b"".join(b"X-%d: %s\r\n" % (n, b"x" * 50) for n in range(20_000)) + b"\r\n{}"),
        "unknown",
    ),
    "one endless header": (raw(OK + b"X: " + b"x" * 16 * MEBI), "unknown"),
    "a redirect": (
        raw(
            b"HTTP/1.1 302 Found\r\nConnection: close\r\n"
            b"Location: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"
        ),
        "no body",
    ),
    "depth": (raw(answered(deep(b"[", b"]", 500_000))), "no body"),
    "depth of objects": (raw(answered(deep(b'{"a":', b"}", 100_000)[:-1])), "no body"),
    "a million values": (raw(answered(b'{"a": [' + b"{}," * 340_000 + b"{}]}")), "no body"),
    "a number of a million digits": (raw(answered(b'{"amount": ' + b"9" * 1_000_000 + b"}")), "no body"),
    "a fraction of a million digits": (raw(answered(b'{"amount": 1.' + b"5" * 1_000_000 + b"}")), "no body"),
    "a huge exponent": (raw(answered(b'{"amount": 1e999999999}')), "no body"),
    "invalid UTF-8": (raw(answered(b'{"message": "' + b"\xff" * 500_000 + b'"}')), "no body"),
    "a dripping head": (trickle(OK + b"X: ", 10_000, b"\r\n\r\n{}"), "unknown"),
    "a dripping body": (trickle(OK + b"Content-Length: 10002\r\n\r\n", 10_000, b"{}"), "unknown"),
    "wide text": (raw(answered(('{"message": "' + "😀" * 200_000 + '"}').encode())), "body"),
}


@pytest.fixture(scope="module")
def ends() -> dict[str, Found]:
    """How each of them ends, one after the other in one process."""
    payment = json.dumps({"code": 0, "response": {"imp_uid": "imp_1", "amount": 1000}}).encode()
    with ExitStack() as servers:
        attacks = {name: servers.enter_context(RawServer(act)).url for name, (act, _) in ANSWERS.items()}
        honest = servers.enter_context(RawServer(raw(answered(payment)))).url
        work = json.dumps([attacks, honest, READ_TIMEOUT, CALLS, 512 * MEBI])
        done = subprocess.run(
            [sys.executable, "-c", CHILD, work],
            # One arena: each thread's own would reserve 64 MB of address space and use none of it.
            env={**os.environ, "MALLOC_ARENA_MAX": "1"},
            capture_output=True,
            text=True,
            timeout=500,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    return {name: Found(**found) for name, found in json.loads(done.stdout).items()}


@pytest.mark.parametrize("name", ANSWERS)
def test_a_hostile_answer(ends: dict[str, Found], name: str) -> None:
    """It ends in time as no answer, takes less than half of a normal process more, and disturbs nobody."""
    found = ends[name]
    assert found.attacked == [ANSWERS[name][1]]
    assert found.neighbours == ["body"]
    assert found.growth < 1.5
    assert found.longest < PATIENCE
