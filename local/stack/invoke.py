"""`make invoke`: `sam build` where something has changed, then `sam local invoke`, in Docker."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

from local.stack.build import fingerprint
from local.stack.sam_local import reachable_from_containers
from local.stack.stack import SAM_FOLDER, Stack
from local.stack.toolchain import PROJECT, StackError, host, tool, uv

_BUILT = PROJECT / ".aws-sam" / "build" / "template.yaml"


def invoke(stack: Stack, function: str, event: Path) -> int:
    """Invoke a function with the event; its answer and its log go to the terminal.

    An exported dead letter waits in its dead-letter queue already: the function puts no copy beside it.

    Args:
        stack: left running by ``make up``.
        function: its folder, as in ``payment_cancel``.
        event: file of the trigger event.

    Returns:
        The exit status of `sam build` or `sam local invoke`.

    Raises:
        StackError: there is no such function or event, no Docker, or containers cannot reach the stack.
    """
    _refuse_bad_event(event)
    logical_id = _logical_id(stack, function)
    if not reachable_from_containers(stack):
        raise StackError("containers cannot reach the stack: make down && BIND_HOST=0.0.0.0 make up")
    _refuse_without_docker()
    order = ["local", "invoke", logical_id, "--event", str(event.resolve())]
    if is_exported(event):
        order += ["--env-vars", str(_without_dead_letters(stack))]
    return _sam_build(stack) or _sam(*order)


def is_exported(event: Path) -> bool:
    """Whether `refundctl dlq export` wrote the file: its records have no receipt to act on."""
    content = json.loads(event.read_text(encoding="utf-8"))
    records = content.get("Records", []) if isinstance(content, dict) else []
    return bool(records) and all(record.get("receiptHandle") == "" for record in records)


def _without_dead_letters(stack: Stack) -> Path:
    """Every function's variables, without where dead letters go."""
    folder = stack.directory / SAM_FOLDER
    variables = json.loads((folder / "variables.json").read_text(encoding="utf-8"))
    path = folder / "variables-of-exported.json"
    path.write_text(
        json.dumps({name: {**values, "DLQ_URL": ""} for name, values in variables.items()}), encoding="utf-8"
    )
    return path


def _refuse_bad_event(event: Path) -> None:
    if not event.is_file():
        raise StackError(f"EVENT is {str(event)!r}, which is no file: see events/")
    try:
        json.loads(event.read_text(encoding="utf-8"))
    except ValueError as error:
        raise StackError(f"EVENT is {str(event)!r}, which is no JSON: {error}") from None


def _logical_id(stack: Stack, function: str) -> str:
    logical_id = f"{''.join(word.capitalize() for word in function.split('_'))}Function"
    variables = stack.directory / SAM_FOLDER / "variables.json"
    known = json.loads(variables.read_text(encoding="utf-8")) if variables.exists() else {}
    if logical_id not in known:
        folders = sorted(path.parent.name for path in (PROJECT / "functions").glob("*/app.py"))
        raise StackError(f"FUNCTION is {function!r}, which is none of {', '.join(folders)}")
    return logical_id


def _refuse_without_docker() -> None:
    docker = shutil.which("docker")
    if docker is None or subprocess.run([docker, "version"], capture_output=True, check=False).returncode:
        raise StackError("sam local invoke runs functions in Docker, and no Docker answers here: start it")


def _sam_build(stack: Stack) -> int:
    """Build into .aws-sam/build, as a plain `sam build` does, unless that has what would be built."""
    mark = stack.directory / SAM_FOLDER / "built"
    now = f"{fingerprint(host().container)} {_BUILT.stat().st_mtime_ns if _BUILT.exists() else 0}"
    if mark.exists() and mark.read_text(encoding="utf-8") == now:
        return 0
    status = _sam("build")
    if status == 0:
        now = f"{fingerprint(host().container)} {_BUILT.stat().st_mtime_ns}"
        mark.write_text(now, encoding="utf-8")
    return status


def _sam(*arguments: str) -> int:
    command = [tool("sam", "sam"), *arguments]
    environment = {"UV": uv(), "SAM_CLI_TELEMETRY": "0"}
    return subprocess.run(command, cwd=PROJECT, env=os.environ | environment, check=False).returncode
