"""A function in a process of its own, as Lambda runs it: what it writes to its outputs is its log.

python -m tests.privacy.child CANCEL_TYPE ANSWERS < events.json
"""

from __future__ import annotations

import importlib.util
import json
import logging
import sys
import traceback
from pathlib import Path
from typing import Any

from local.trigger import Context

FUNCTIONS = Path(__file__).parents[2] / "functions"


def main() -> None:
    """Invoke the function with each event; an error is logged as Lambda logs it, with its traceback."""
    cancel_type, answers = sys.argv[1], Path(sys.argv[2])
    # Whatever a library logs at any level is seen, as under a log configuration that lets all of it through.
    logging.basicConfig(level=logging.DEBUG, stream=sys.stderr)
    handler = _handler(cancel_type)
    returned: list[object] = []
    for event in json.load(sys.stdin):
        try:
            returned.append(handler(event, Context()))
        except Exception as error:  # noqa: BLE001 - what Lambda's runtime does
            traceback.print_exc()
            returned.append({"errorMessage": str(error), "errorType": type(error).__name__})
    answers.write_text(json.dumps(returned, default=str, ensure_ascii=False), encoding="utf-8")


def _handler(cancel_type: str) -> Any:
    spec = importlib.util.spec_from_file_location("app", FUNCTIONS / cancel_type / "app.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.handler


if __name__ == "__main__":
    main()
