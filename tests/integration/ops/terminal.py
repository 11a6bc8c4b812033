"""A terminal of 80 columns with somebody in front of it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence
from typing import Self

COLUMNS = 80
_LINES = 24
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def without_control(shown: str) -> str:
    """What can be read."""
    return _CONTROL.sub("", shown)


class Terminal:
    """A process whose standard streams are a terminal. As a context manager it leaves nothing behind."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self._ours, theirs = os.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", _LINES, COLUMNS, 0, 0))
        self._process = subprocess.Popen(
            command,
            env={**environment, "TERM": "xterm"},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        self._shown = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._ours)

    @property
    def shown(self) -> str:
        """All that it has shown so far, control sequences included."""
        return self._shown.decode(errors="replace")

    def wait_for(self, text: str, seconds: float) -> None:
        """Read until it has shown this."""
        until = time.monotonic() + seconds
        while text not in self.shown:
            assert time.monotonic() < until, self.shown
            self._read(until - time.monotonic())

    def type(self, line: str) -> None:
        """Type a line and press Return."""
        os.write(self._ours, f"{line}\n".encode())

    def end(self) -> int:
        """Read to the end of the process; returns its exit code."""
        with contextlib.suppress(OSError):  # so Linux says that nobody is at the other end any more
            while self._read(None):
                pass
        return self._process.wait()

    def _read(self, seconds: float | None) -> bytes:
        ready, _, _ = select.select([self._ours], [], [], seconds)
        part = os.read(self._ours, 65_536) if ready else b""
        self._shown += part
        return part
