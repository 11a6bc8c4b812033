"""The processes in which MiniStack runs the functions: what a crash test kills."""

from __future__ import annotations

import contextlib

import psutil

from local.stack.stack import MINISTACK, Stack

_WORKER_SCRIPT = "_worker.py"


def workers(stack: Stack, function_name: str) -> list[psutil.Process]:
    """The processes of a function, one per invocation that ever ran at the same time.

    MiniStack starts them as its children on
    ``…/ministack-lambda-<function name>-<random>/_worker.py``, keeps them warm, and kills one on
    a timeout or an exception of its handler.
    """
    found: list[psutil.Process] = []
    for child in psutil.Process(stack.pids[MINISTACK]).children():
        with contextlib.suppress(psutil.Error):
            script = " ".join(child.cmdline())  # empty once it is dead and not yet collected
            if script.endswith(_WORKER_SCRIPT) and f"ministack-lambda-{function_name}-" in script:
                found.append(child)
    return found


def kill_workers(stack: Stack, function_name: str) -> int:
    """SIGKILL every process of a function, as when its sandbox dies; return how many there were.

    What they worked on comes back after the queue's visibility timeout.
    """
    killed = workers(stack, function_name)
    for process in killed:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    return len(killed)
