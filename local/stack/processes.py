"""Background processes that outlive the command which started them."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import psutil

from local.stack.toolchain import PROJECT, StackError

T = TypeVar("T")
_STOP_SECONDS = 5.0
_POLL_SECONDS = 0.05
_LOG_TAIL_LINES = 20


def free_port(host: str = "127.0.0.1") -> int:
    """A TCP port nobody listens on at this moment."""
    with socket.create_server((host, 0)) as server:
        return int(server.getsockname()[1])


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Whether nobody listens on the port."""
    try:
        with socket.create_server((host, port)):
            return True
    except OSError:
        return False


def is_here(host: str) -> bool:
    """Whether a server can listen on that address of this machine."""
    try:
        with socket.create_server((host, 0)):
            return True
    except (OSError, UnicodeError):  # a name that cannot be one does not reach the resolver
        return False


def listening_address(pid: int, port: int) -> str | None:
    """The address on which this very process listens on the port; ``None`` while it does not."""
    with contextlib.suppress(psutil.Error):
        for connection in psutil.Process(pid).net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port:
                return str(connection.laddr.ip)
    return None


def spawn(
    command: Sequence[str], log: Path, environment: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Start a process in a session of its own, so that Ctrl-C here does not stop it.

    Both output streams go to ``log``, which starts empty.
    """
    with log.open("wb") as output:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=PROJECT,
            env=environment,
            start_new_session=True,
        )


def wait_until(
    ready: Callable[[], T | None], process: subprocess.Popen[bytes], log: Path, seconds: float = 120.0
) -> T:
    """Poll ``ready`` until it answers.

    Raises:
        StackError: the process ended, or the time is over; with the end of its log.
    """
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        answer = ready()
        if answer is not None:
            return answer
        if process.poll() is not None:
            break
        time.sleep(_POLL_SECONDS)
    state = "is not ready" if process.poll() is None else f"ended with status {process.returncode}"
    lines = log.read_text(errors="replace").splitlines()[-_LOG_TAIL_LINES:]
    raise StackError("\n".join([f"{log.stem} {state}; the end of {log}:", *lines]))


def running(pid: int, marker: str) -> psutil.Process | None:
    """The process, if it lives and still is the one meant: ``marker`` is part of its command line."""
    with contextlib.suppress(psutil.Error):
        process = psutil.Process(pid)
        if _lives(process) and marker in " ".join(process.cmdline()):
            return process
    return None


def stop(processes: Sequence[psutil.Process]) -> None:
    """Kill processes and their children: what a local stack knows is in memory, and nobody wants it kept.

    Each is frozen first, so that no child is born after its children were counted.
    """
    family: list[psutil.Process] = []
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.suspend()
            family += [process, *process.children(recursive=True)]
    for process in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    until = time.monotonic() + _STOP_SECONDS
    while any(map(_lives, family)) and time.monotonic() < until:
        time.sleep(_POLL_SECONDS)


def _lives(process: psutil.Process) -> bool:
    """A zombie does not: whoever has to collect it may take his time."""
    with contextlib.suppress(psutil.Error):
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    return False


def remove_unattended(folder: Path) -> None:
    """Put a folder out of the way at once, and let a process of its own delete it while nobody waits."""
    if folder.exists():
        aside = Path(tempfile.mkdtemp(prefix=f"{folder.name}-", dir=folder.parent))
        folder.rename(aside / folder.name)
        # Its streams are nobody's: who waits for the end of a pipe does not wait for it.
        command = ["/bin/sh", "-c", 'rm -rf "$1" </dev/null >/dev/null 2>&1 &', "sh", str(aside)]
        subprocess.run(command, check=True)
