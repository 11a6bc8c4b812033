"""One event through `sam local invoke`: AWS's own layout, in Docker, against the local stack."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlsplit

import yaml

from local.stack.build import build
from local.stack.clients import CREDENTIALS
from local.stack.launch import LOOPBACK
from local.stack.processes import listening_address
from local.stack.stack import MINISTACK, Stack
from local.stack.toolchain import PROJECT, StackError, host, tool

# What a container calls the machine it runs on.
CONTAINER_HOST = "host.docker.internal"
_LOCAL = re.compile(r"//(127\.0\.0\.1|localhost)(?=[:/])")


def invoke(stack: Stack, cancel_type: str, event: Path) -> int:
    """Invoke a function with the event; its answer and its log go to the terminal.

    Returns:
        The exit status of `sam local invoke`.

    Raises:
        StackError: there is no such function or event, or containers cannot reach the stack.
    """
    _refuse_loopback(stack)
    logical_id = "".join(word.capitalize() for word in cancel_type.split("_"))
    function_name = stack.outputs.get(f"{logical_id}FunctionName")
    if function_name is None:
        raise StackError(f"no function for the cancel type {cancel_type}")
    if not event.exists():
        raise StackError(f"no event {event}: see events/")
    machine = host().container
    environment = _environment(stack, function_name)
    template = _with_variables(build(machine), logical_id, environment.keys())
    variables = stack.directory / "invoke-env.json"
    variables.write_text(json.dumps({"Parameters": environment}), encoding="utf-8")
    overrides = [f"PythonRuntime={machine.runtime}", f"Architecture={machine.architecture}"]
    command = [
        *(tool("sam", "sam"), "local", "invoke", f"{logical_id}Function"),
        *("--template", str(template), "--event", str(event), "--env-vars", str(variables)),
        *("--skip-pull-image", "--add-host", f"{CONTAINER_HOST}:host-gateway", "--region", stack.region),
        *("--parameter-overrides", *overrides),
    ]
    return subprocess.run(command, cwd=PROJECT, check=False).returncode


def _refuse_loopback(stack: Stack) -> None:
    """Docker on Linux leads `host.docker.internal` to the machine's own address, not to its loopback."""
    port = urlsplit(stack.endpoint_url).port
    if sys.platform == "linux" and port is not None:
        address = listening_address(stack.pids[MINISTACK], port)
        if address == LOOPBACK:
            raise StackError("containers cannot reach the stack: make down && BIND_HOST=0.0.0.0 make up")


def _with_variables(template: Path, logical_id: str, names: Iterable[str]) -> Path:
    """A copy of the built template whose function declares these variables.

    `sam local invoke` sets only declared ones, and the template has no AWS_ENDPOINT_URL: nothing
    deployed should be able to lead a function's AWS calls elsewhere.
    """
    built = yaml.safe_load(template.read_text(encoding="utf-8"))
    properties = built["Resources"][f"{logical_id}Function"]["Properties"]
    declared = properties.setdefault("Environment", {}).setdefault("Variables", {})
    declared.update({name: declared.get(name, "") for name in names})
    copy = template.with_name("invoke.yaml")
    copy.write_text(yaml.safe_dump(built), encoding="utf-8")
    return copy


def _environment(stack: Stack, function_name: str) -> dict[str, str]:
    """The deployed function's environment, with this machine's services as a container reaches them."""
    configuration = stack.aws.functions.get_function_configuration(FunctionName=function_name)
    deployed = configuration["Environment"]["Variables"]
    endpoint = {"AWS_ENDPOINT_URL": stack.endpoint_url, "AWS_DEFAULT_REGION": stack.region, **CREDENTIALS}
    everything = {**deployed, **endpoint}
    return {name: _LOCAL.sub(f"//{CONTAINER_HOST}", value) for name, value in everything.items()}
