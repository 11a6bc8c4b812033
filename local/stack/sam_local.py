"""What plain `sam local` needs to know of a running stack, in files that samconfig.toml names."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import yaml

from local.stack.clients import CREDENTIALS
from local.stack.deployment import STACK_NAME
from local.stack.processes import listening_address
from local.stack.stack import MINISTACK, SAM_FOLDER, Stack
from local.stack.toolchain import host

# What a container calls the machine it runs on; samconfig.toml leads it there.
CONTAINER_HOST = "host.docker.internal"
_LOCAL = re.compile(r"//(127\.0\.0\.1|localhost)(?=[:/])")
_LOOPBACK = re.compile(r"127\.|::1$")


def reachable_from_containers(stack: Stack) -> bool:
    """Docker on Linux leads ``host.docker.internal`` to the machine's own address, not to its loopback."""
    port = urlsplit(stack.endpoint_url).port
    if sys.platform != "linux" or port is None:
        return True
    address = listening_address(stack.pids[MINISTACK], port)
    return address is None or _LOOPBACK.match(address) is None


def write(stack: Stack) -> None:
    """Write the template's parameters and every function's variables, as a container needs them."""
    folder = stack.directory / SAM_FOLDER
    folder.mkdir(exist_ok=True)
    machine = host().container
    parameters = {"PythonRuntime": machine.runtime, "Architecture": machine.architecture, "Stage": "local"}
    _write(folder / "parameters.yaml", yaml.safe_dump(parameters))
    _write(folder / "variables.json", json.dumps(_variables(stack), indent=2))


def _variables(stack: Stack) -> dict[str, dict[str, str]]:
    """By logical id, what the deployed functions have, with this machine seen from a container."""
    resources = stack.aws.cloudformation.describe_stack_resources(StackName=STACK_NAME)["StackResources"]
    return {
        resource["LogicalResourceId"]: seen_from_container(
            {**_deployed(stack, resource["PhysicalResourceId"]), **_local_aws(stack)}
        )
        for resource in resources
        if resource["ResourceType"] == "AWS::Lambda::Function"
    }


def _deployed(stack: Stack, function_name: str) -> dict[str, str]:
    configuration = stack.aws.functions.get_function_configuration(FunctionName=function_name)
    return dict(configuration["Environment"]["Variables"])


def _local_aws(stack: Stack) -> dict[str, str]:
    return {"AWS_ENDPOINT_URL": stack.endpoint_url, "AWS_DEFAULT_REGION": stack.region, **CREDENTIALS}


def seen_from_container(variables: Mapping[str, str]) -> dict[str, str]:
    """The same variables, with this machine's services under the name a container has for it."""
    return {name: _LOCAL.sub(f"//{CONTAINER_HOST}", value) for name, value in variables.items()}


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
