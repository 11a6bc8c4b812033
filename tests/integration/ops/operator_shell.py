"""Runs refundctl as an operator does, against a local stack: in this process, or in one of its own."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from local.stack import Stack
from refundctl.__main__ import run
from tests.integration.ops.terminal import Terminal

_PROGRAM = (sys.executable, "-m", "refundctl")
_MEASURED = (sys.executable, str(Path(__file__).with_name("measured.py")))


@dataclass(frozen=True)
class Ended:
    """How a run ended."""

    code: int
    rows: list[dict[str, Any]]
    stdout: str
    stderr: str

    def of(self, kind: str) -> list[dict[str, Any]]:
        """The JSON lines of one type."""
        return [row for row in self.rows if row["type"] == kind]


@dataclass(frozen=True)
class Shell:
    """An operator's terminal."""

    stack_file: Path

    @classmethod
    def at(cls, stack: Stack) -> Shell:
        """A terminal that talks to ``stack``."""
        return cls(stack.directory / "stack.json")

    def elsewhere(
        self, folder: Path, *, outputs: Mapping[str, str] | None = None, endpoint_url: str | None = None
    ) -> Shell:
        """A terminal for which some of the stack's outputs, or its address, are others."""
        described = json.loads(self.stack_file.read_text(encoding="utf-8"))
        described["outputs"].update(outputs or {})
        described["endpoint_url"] = endpoint_url or described["endpoint_url"]
        folder.mkdir(exist_ok=True)
        path = folder / "stack.json"
        path.write_text(json.dumps(described), encoding="utf-8")
        return Shell(path)

    def start(self, *arguments: str, program: Sequence[str] = _PROGRAM) -> subprocess.Popen[bytes]:
        """Start refundctl and return at once."""
        return subprocess.Popen(
            [*program, *arguments, "--local"],
            env=os.environ | {"REFUNDCTL_LOCAL_STACK": str(self.stack_file)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def run(self, *arguments: str, code: int = 0) -> Ended:
        """Run refundctl with --json to its end, which must have this exit code."""
        ended, stdout, stderr = self._in_process(*arguments, "--json")
        found = Ended(ended, _json_lines(stdout), stdout, stderr)
        assert found.code == code, (found.code, found.stdout[-2000:], found.stderr[-2000:])
        return found

    def shown(self, *arguments: str, code: int = 0) -> str:
        """What refundctl shows people in a pipe; it must end with this exit code."""
        ended, stdout, stderr = self._in_process(*arguments)
        assert ended == code, (ended, stdout[-2000:], stderr[-2000:])
        return stdout + stderr

    def at_terminal(self, *arguments: str) -> Terminal:
        """Start refundctl where a person sees it."""
        environment = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
        return Terminal(
            [*_PROGRAM, *arguments, "--local"],
            environment | {"REFUNDCTL_LOCAL_STACK": str(self.stack_file)},
        )

    def _in_process(self, *arguments: str) -> tuple[int, str, str]:
        stdout, stderr = io.StringIO(), io.StringIO()
        with ExitStack() as stack:
            stack.enter_context(redirect_stdout(stdout))
            stack.enter_context(redirect_stderr(stderr))
            environment = stack.enter_context(pytest.MonkeyPatch.context())
            environment.setenv("REFUNDCTL_LOCAL_STACK", str(self.stack_file))
            of_a_deployment = arguments[0] != "explain"  # that one asks nobody
            ended = run([*arguments, *(["--local"] if of_a_deployment else [])])
        return ended, stdout.getvalue(), stderr.getvalue()

    def measured(self, *arguments: str) -> tuple[Ended, int]:
        """Run refundctl with --json in a process of its own; also its largest resident size in bytes."""
        ended = self.ended(self.start(*arguments, "--json", program=_MEASURED))
        assert ended.code == 0, (ended.code, ended.stderr[-2000:])
        return ended, int(ended.stderr.split()[-1])

    def ended(self, process: subprocess.Popen[bytes]) -> Ended:
        """Wait for a run with --json."""
        stdout, stderr = process.communicate()
        return Ended(process.returncode, _json_lines(stdout.decode()), stdout.decode(), stderr.decode())


def _json_lines(stdout: str) -> list[dict[str, Any]]:
    """Every line of standard output, which must be an object that names its type."""
    rows = [json.loads(line) for line in stdout.splitlines()]
    assert all(isinstance(row["type"], str) for row in rows)
    return rows
