"""One event through `sam local invoke`: AWS's own layout, in Docker, against the local stack."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

from local.stack.build import build
from local.stack.clients import CREDENTIALS
from local.stack.stack import Stack
from local.stack.toolchain import PROJECT, StackError, host, tool

# What a container calls the machine it runs on.
CONTAINER_HOST = "host.docker.internal"
_LOCAL = re.compile(r"//(127\.0\.0\.1|localhost)(?=[:/])")


def invoke(stack: Stack, cancel_type: str, event: Path) -> int:
    """Invoke a function with the event; its answer and its log go to the terminal.

    The stack's services must listen where containers reach them: ``BIND_HOST=0.0.0.0 make up``.

    Returns:
        The exit status of `sam local invoke`.

    Raises:
        StackError: there is no such function or event.
    """
    logical_id = "".join(word.capitalize() for word in cancel_type.split("_"))
    function_name = stack.outputs.get(f"{logical_id}FunctionName")
    if function_name is None:
        raise StackError(f"no function for the cancel type {cancel_type}")
    if not event.exists():
        raise StackError(f"no event {event}: see events/")
    variables = stack.directory / "invoke-env.json"
    variables.write_text(json.dumps({"Parameters": _environment(stack, function_name)}), encoding="utf-8")
    machine = host()
    overrides = [f"PythonRuntime={machine.runtime}", f"Architecture={machine.architecture}"]
    command = [
        *(tool("sam", "sam"), "local", "invoke", f"{logical_id}Function"),
        *("--template", str(build(machine)), "--event", str(event), "--env-vars", str(variables)),
        *("--skip-pull-image", "--add-host", f"{CONTAINER_HOST}:host-gateway", "--region", stack.region),
        *("--parameter-overrides", *overrides),
    ]
    return subprocess.run(command, cwd=PROJECT, check=False).returncode


def _environment(stack: Stack, function_name: str) -> dict[str, str]:
    """The deployed function's environment, with this machine's services as a container reaches them."""
    configuration = stack.aws.functions.get_function_configuration(FunctionName=function_name)
    deployed = configuration["Environment"]["Variables"]
    endpoint = {"AWS_ENDPOINT_URL": stack.endpoint_url, "AWS_DEFAULT_REGION": stack.region, **CREDENTIALS}
    everything = {**deployed, **endpoint}
    return {name: _LOCAL.sub(f"//{CONTAINER_HOST}", value) for name, value in everything.items()}
