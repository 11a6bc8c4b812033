"""The emulators: each a process of its own, on a free port, in an environment of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import boto3
import psutil
from botocore.config import Config

from local.stack import processes
from local.stack.deployment import REGION
from local.stack.toolchain import clean_environment, tool
from tests.emulators.account import Account

HOST = "127.0.0.1"
KEYS = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
_ONCE = Config(retries={"mode": "standard", "total_max_attempts": 1})


@contextmanager
def moto(directory: Path) -> Iterator[str]:
    """The server of moto; gives its URL."""
    port = processes.free_port()
    command = [tool("moto", "moto_server"), "-H", HOST, "-p", str(port)]
    with _running("moto", command, port, directory, {}) as url:
        yield url


@contextmanager
def ministack(directory: Path) -> Iterator[str]:
    """MiniStack without a deployed stack; gives its URL."""
    port = processes.free_port()
    environment = {
        "GATEWAY_PORT": str(port),
        "BIND_HOST": HOST,
        "MINISTACK_HOST": HOST,
        "MINISTACK_REGION": REGION,
        "MINISTACK_ACCOUNT_ID": "000000000000",
        "STATE_DIR": str(directory),
        "TMPDIR": str(directory),
    }
    with _running("ministack", [tool("ministack", "ministack")], port, directory, environment) as url:
        yield url


@contextmanager
def _running(
    name: str, command: list[str], port: int, directory: Path, environment: Mapping[str, str]
) -> Iterator[str]:
    log = directory / f"{name}.log"
    child = processes.spawn(command, log, clean_environment(AWS_DEFAULT_REGION=REGION, **environment))
    try:
        processes.wait_until(lambda: processes.listening_address(child.pid, port), child, log)
        yield f"http://{HOST}:{port}"
    finally:
        processes.stop([psutil.Process(child.pid)])
        child.wait()


def account(name: str, url: str) -> Account:
    """An emulator's account."""
    session = boto3.Session(**KEYS, region_name=REGION)  # type: ignore[arg-type]
    return Account(
        name,
        session.client("dynamodb", endpoint_url=url, config=_ONCE),
        session.client("sqs", endpoint_url=url, config=_ONCE),
        session.client("events", endpoint_url=url, config=_ONCE),
    )
