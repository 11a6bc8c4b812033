"""Where the processor time of a warm message goes, package by package."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from bench.events import Orders
from bench.measure import BATCH
from bench.runtime import Function, environment_of
from local.stack.toolchain import StackError

_CHILD = Path(__file__).with_name("profiled.py")


def profile_of(function: Function, orders: Orders, *, batches: int) -> dict[str, float]:
    """Seconds of processor time a message, by package, the most expensive first.

    The profiler itself takes time, the more the more functions a package calls: shares are what to look at.

    Raises:
        StackError: the function did not run through.
    """
    events = {
        "warm_up": [orders.batch(BATCH) for _ in range(2)],
        "measured": [orders.batch(BATCH) for _ in range(batches)],
    }
    done = subprocess.run(
        # Without the script's own folder, whose modules are named like some of the standard library's.
        [str(function.python), "-P", str(_CHILD)],
        cwd=function.folder,
        env=environment_of(function),
        input=json.dumps(events),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise StackError(f"{function.name} cannot be profiled:\n{done.stderr[-2000:]}")
    packages: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    messages = batches * BATCH
    return {name: packages[name] / messages for name in sorted(packages, key=lambda name: -packages[name])}
