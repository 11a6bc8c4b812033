"""`sam deploy` of the built template to a local AWS."""

from __future__ import annotations

import json
import subprocess
import tomllib
from collections.abc import Mapping
from pathlib import Path

import yaml

from local.stack.toolchain import PROJECT, StackError, clean_environment, tool

REGION = "ap-northeast-2"
STACK_NAME = "refunds-local"


def local_parameters() -> dict[str, str]:
    """The template parameters of samconfig.toml's environment `local`."""
    config = tomllib.loads((PROJECT / "samconfig.toml").read_text(encoding="utf-8"))
    overrides: list[str] = config["local"]["deploy"]["parameters"]["parameter_overrides"]
    return dict(override.split("=", 1) for override in overrides)


def deploy(template: Path, environment: Mapping[str, str], parameters: Mapping[str, str]) -> None:
    """Create or update the stack with samconfig.toml's environment `local` and these parameters.

    ``environment`` leads to the local AWS: ``Stack.environment``.

    Raises:
        StackError: the template has no such parameter, or `sam deploy` failed; with its output.
    """
    overrides = local_parameters() | dict(parameters)
    known = yaml.safe_load(template.read_text(encoding="utf-8"))["Parameters"]
    if unknown := sorted(overrides.keys() - known.keys()):
        raise StackError(f"the template has no parameter {', '.join(unknown)}")
    finished = subprocess.run(
        [
            *(tool("sam", "sam"), "deploy"),
            *("--config-file", str(PROJECT / "samconfig.toml"), "--config-env", "local"),
            *("--template-file", str(template), "--stack-name", STACK_NAME),
            *("--parameter-overrides", *(f"{name}={_quoted(value)}" for name, value in overrides.items())),
        ],
        cwd=PROJECT,
        env=clean_environment(SAM_CLI_TELEMETRY="0", SAM_CLI_POLL_DELAY="0.2", **environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if finished.returncode != 0:
        raise StackError(f"sam deploy failed:\n{finished.stdout}")


def _quoted(value: str) -> str:
    """As SAM reads a value with quotes in it, JSON for instance."""
    return json.dumps(value) if '"' in value else value
