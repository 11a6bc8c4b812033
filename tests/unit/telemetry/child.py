"""Functions in a process of their own, as Lambda runs them: what they write to standard output is their log.

python -m tests.unit.telemetry.child < jobs.json
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from pathlib import Path
from typing import Any

from local.trigger import Context

FUNCTIONS = Path(__file__).parents[3] / "functions"


def main() -> None:
    """Invoke function after function; one that other jobs used is warm, unless its environment changed."""
    warm: dict[str, Any] = {}
    for job in json.load(sys.stdin):
        os.environ.update(job["environment"])
        place = json.dumps([job["function"], job["environment"]], sort_keys=True)
        if place not in warm:
            warm[place] = _handler(job["function"])
        warm[place](job["event"], Context())


def _handler(function: str) -> Any:
    spec = importlib.util.spec_from_file_location(f"app_{function}", FUNCTIONS / function / "app.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.handler


if __name__ == "__main__":
    main()
