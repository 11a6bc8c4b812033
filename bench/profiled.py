"""Run by the function's own interpreter: carries batches out under cProfile and says what they took, as JSON.

It imports nothing of the project but the function's module, and reads the events from standard input: first
the batches that warm it up, then those that are measured.
"""

from __future__ import annotations

import cProfile
import importlib
import json
import os
import sys
import threading
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

_STANDARD = "standard library"
_LAYER = "/python/"


class Context:
    """What a function asks of Lambda."""

    aws_request_id = "profile"
    function_name = "profile"
    function_version = "1"
    memory_limit_in_mb = 512
    invoked_function_arn = "arn:aws:lambda:ap-northeast-2:123456789012:function:profile"

    def get_remaining_time_in_millis(self) -> int:
        """As at the beginning of an invocation."""
        return 90_000


def main() -> None:
    """Print seconds of processor time by package, in all threads."""
    profiles: list[cProfile.Profile] = []

    def begin(*_: object) -> None:
        # The processor time of the thread: what waits takes none.
        profiles.append(cProfile.Profile(time.thread_time))
        profiles[-1].enable()

    events = json.load(sys.stdin)
    threading.setprofile(begin)
    sys.path.insert(0, str(Path.cwd()))
    app = importlib.import_module("app")
    begin()
    for event in events["warm_up"]:
        app.handler(event, Context())
    before = _by_package(profiles)
    for event in events["measured"]:
        app.handler(event, Context())
    after = _by_package(profiles)
    print("\n" + json.dumps({name: after[name] - before.get(name, 0.0) for name in after}))
    # The function's threads and their profiles end here: nobody has to wait for them.
    sys.stdout.flush()
    os._exit(0)


def _by_package(profiles: list[cProfile.Profile]) -> dict[str, float]:
    """Own time; what is written in C counts for the package that calls it."""
    seconds: defaultdict[str, float] = defaultdict(float)
    for profile in list(profiles):
        for entry in profile.getstats():
            if isinstance(entry.code, str):
                continue
            package = _package(entry.code.co_filename)
            seconds[package] += entry.inlinetime
            calls: list[Any] = entry.calls or []
            seconds[package] += sum(call.inlinetime for call in calls if isinstance(call.code, str))
    return seconds


def _package(filename: str) -> str:
    """The top-level package in the layer; of this project's the folder too."""
    _, found, path = filename.rpartition(_LAYER)
    parts = path.split("/")
    if not found or len(parts) == 1:
        return _STANDARD
    return "/".join(parts[:2]) if parts[0] == "refunds" else parts[0]


if __name__ == "__main__":
    main()
