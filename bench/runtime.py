"""One Lambda execution environment: the function behind AWS's own runtime client and its emulator.

The emulator (``aws-lambda-rie``, which the SAM CLI ships) starts the process with the first
invocation, so that a cold start is one: interpreter, ``awslambdaric``, imports, first batch.
"""

from __future__ import annotations

import http.client
import json
import os
import platform
import signal
import subprocess
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from bench.process import child_of, cpu_clock
from bench.throttle import Throttle
from local.stack.processes import free_port
from local.stack.toolchain import PROJECT, StackError

TIMEOUT_SECONDS = 90
_INVOKE = "/2015-03-31/functions/function/invocations"
_STARTED_WITHIN = 10.0
_POLL = 0.002


class FunctionFailedError(Exception):
    """The function raised or did not settle what it was given."""


@dataclass(frozen=True)
class Function:
    """What is deployed: the folder of ``app.py``, its layers in the order of the path, its environment."""

    name: str
    folder: Path
    layers: tuple[Path, ...]
    environment: Mapping[str, str]
    python: Path


@dataclass(frozen=True)
class Invocation:
    """Seconds of wall time as the invoker sees it, and of processor time of the function's process."""

    wall: float
    cpu: float
    answer: Any


class Environment:
    """A running environment; close it, or use it in a ``with``.

    Args:
        function: what to run.
        log: where its output goes.
        cpu_share: of one processor; ``None`` leaves it alone.
    """

    def __init__(self, function: Function, log: Path, *, cpu_share: float | None = None) -> None:
        self._port = free_port()
        self.invocations = 0
        self._log = log.open("wb")
        self._rie = subprocess.Popen(
            [
                str(emulator()),
                *("--log-level", "error"),
                *("--runtime-interface-emulator-address", f"127.0.0.1:{self._port}"),
                *("--runtime-api-address", f"127.0.0.1:{free_port()}"),
                *(str(function.python), "-m", "awslambdaric", "app.handler"),
            ],
            cwd=function.folder,
            env=environment_of(function),
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._pid: int | None = None
        self._cpu_share = cpu_share
        self._wait_for_port()

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    def invoke(self, event: object) -> Invocation:
        """Invoke it and wait for the answer.

        Raises:
            FunctionFailedError: it raised, or messages of the batch were not settled.
        """
        body = json.dumps(event).encode()
        before = self.cpu() if self._pid is not None else 0.0
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=TIMEOUT_SECONDS + 30)
        with self._throttled():
            start = time.perf_counter()
            connection.request("POST", _INVOKE, body)
            answer = json.loads(connection.getresponse().read())
            wall = time.perf_counter() - start
        connection.close()
        if "errorMessage" in answer or answer.get("batchItemFailures"):
            raise FunctionFailedError(f"{answer}; its log is {self._log.name}")
        self.invocations += 1
        return Invocation(wall, self.cpu() - before, answer)

    def cpu(self) -> float:
        """Seconds of processor time its process has used, threads that ended included."""
        return time.clock_gettime(cpu_clock(self.pid))

    def logged(self) -> int:
        """Bytes its function and the emulator have logged."""
        return os.fstat(self._log.fileno()).st_size

    def peak_memory(self) -> int:
        """Bytes: the largest resident set its process has had."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
        raise StackError("the kernel reports no VmHWM: this benchmark runs on Linux")

    @property
    def pid(self) -> int:
        """Of the function's process; there is one once it has been invoked."""
        if self._pid is None:
            self._pid = child_of(self._rie.pid)
            if self._pid is None:
                raise FunctionFailedError(f"the function's process is gone; its log is {self._log.name}")
        return self._pid

    def close(self) -> None:
        """End it."""
        self._rie.terminate()
        try:
            self._rie.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._rie.kill()
            self._rie.wait()
        if self._pid is not None:
            with suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)
        self._log.close()

    def _throttled(self) -> AbstractContextManager[object]:
        if self._cpu_share is None:
            return nullcontext()
        return Throttle(lambda: child_of(self._rie.pid), self._cpu_share)

    def _wait_for_port(self) -> None:
        until = time.monotonic() + _STARTED_WITHIN
        while time.monotonic() < until:
            connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=1)
            with suppress(OSError):
                connection.connect()
                connection.close()
                return
            time.sleep(_POLL)
        raise StackError("aws-lambda-rie does not listen: run it by hand to see why")


def emulator() -> Path:
    """The runtime interface emulator for this machine.

    Raises:
        StackError: the SAM CLI's environment is not there.
    """
    architecture = "arm64" if platform.machine() in {"arm64", "aarch64"} else "x86_64"
    packages = PROJECT / ".venvs" / "sam" / "lib"
    found = sorted(packages.glob(f"python*/site-packages/samcli/local/rapid/aws-lambda-rie-{architecture}"))
    if not found:
        raise StackError("aws-lambda-rie is missing: run `make env`")
    return found[0]


def environment_of(function: Function) -> dict[str, str]:
    """What Lambda sets, the layers' path and the function's own variables."""
    path = os.pathsep.join(str(folder) for folder in function.layers)
    return {
        "PATH": os.environ["PATH"],
        "LANG": "C.UTF-8",
        "TZ": ":UTC",
        "HOME": str(function.folder),
        "PYTHONPATH": path,
        # /opt is read-only: what a layer does not bring compiled is compiled by every cold start.
        "PYTHONDONTWRITEBYTECODE": "1",
        "AWS_LAMBDA_FUNCTION_TIMEOUT": str(TIMEOUT_SECONDS),
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
        "AWS_LAMBDA_FUNCTION_NAME": function.name,
        "LAMBDA_TASK_ROOT": str(function.folder),
        "_HANDLER": "app.handler",
        "AWS_REGION": "ap-northeast-2",
        "AWS_DEFAULT_REGION": "ap-northeast-2",
        "AWS_ACCESS_KEY_ID": "bench",
        "AWS_SECRET_ACCESS_KEY": "bench",
        "AWS_SESSION_TOKEN": "bench",
        # The emulator has no X-Ray: without this the SDK would warn of each segment it cannot send.
        "POWERTOOLS_TRACE_DISABLED": "true",
        **function.environment,
    }
