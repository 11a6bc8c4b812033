"""Runs refundctl as an operator does, against a local stack: in this process, or in one of its own."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import ExitStack, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from local.stack import Stack
from refundctl.__main__ import run

_PROGRAM = (sys.executable, "-m", "refundctl")


@dataclass(frozen=True)
class Ended:
    """How a run ended; ``peak`` is the largest resident size in bytes of a process of its own."""

    code: int
    rows: list[dict[str, Any]]
    stdout: str
    stderr: str
    peak: int

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

    def with_outputs(self, folder: Path, outputs: Mapping[str, str]) -> Shell:
        """A terminal for which some of the stack's outputs are others."""
        described = json.loads(self.stack_file.read_text(encoding="utf-8"))
        described["outputs"].update(outputs)
        path = folder / "stack.json"
        path.write_text(json.dumps(described), encoding="utf-8")
        return Shell(path)

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start refundctl and return at once."""
        return subprocess.Popen(
            [*_PROGRAM, *arguments, "--local"],
            env=os.environ | {"REFUNDCTL_LOCAL_STACK": str(self.stack_file), "COLUMNS": "200"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def run(self, *arguments: str, code: int = 0) -> Ended:
        """Run refundctl with --json to its end, which must have this exit code."""
        stdout, stderr = io.StringIO(), io.StringIO()
        with ExitStack() as stack:
            stack.enter_context(redirect_stdout(stdout))
            stack.enter_context(redirect_stderr(stderr))
            environment = stack.enter_context(pytest.MonkeyPatch.context())
            environment.setenv("REFUNDCTL_LOCAL_STACK", str(self.stack_file))
            environment.setenv("COLUMNS", "200")
            ended = run([*arguments, "--local", "--json"])
        found = _read(ended, stdout.getvalue(), stderr.getvalue(), peak=0)
        assert found.code == code, (found.code, found.stdout[-2000:], found.stderr[-2000:])
        return found

    def measured(self, *arguments: str) -> Ended:
        """Run refundctl with --json in a process of its own, which must end well."""
        ended = self.ended(self.start(*arguments, "--json"))
        assert ended.code == 0, (ended.code, ended.stderr[-2000:])
        return ended

    def ended(self, process: subprocess.Popen[bytes]) -> Ended:
        """Wait for a run."""
        assert process.stdout is not None
        assert process.stderr is not None
        with process.stdout, process.stderr:
            stdout, stderr = process.stdout.read().decode(), process.stderr.read().decode()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        return _read(process.returncode, stdout, stderr, peak=usage.ru_maxrss * 1024)


def _read(code: int, stdout: str, stderr: str, peak: int) -> Ended:
    rows = [json.loads(line) for line in stdout.splitlines() if line.startswith('{"type"')]
    return Ended(code, rows, stdout, stderr, peak)
