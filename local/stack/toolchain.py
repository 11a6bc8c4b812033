"""Where this project's tools are, and what the host is called by each of them."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from dataclasses import dataclass, replace
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
STATE_DIR = PROJECT / ".local"
LAMBDA_PYTHON = "3.13"


class StackError(Exception):
    """The local stack cannot do what was asked; the message says what to do."""


@dataclass(frozen=True)
class Host:
    """The machine and Python that run the functions locally, in the words of AWS and of uv."""

    python_version: str
    architecture: str
    python_platform: str

    @property
    def container(self) -> Host:
        """The same processor as Lambda's containers see it: Linux with the template's default Python."""
        processor = "aarch64" if self.architecture == "arm64" else "x86_64"
        return replace(self, python_version=LAMBDA_PYTHON, python_platform=f"{processor}-manylinux2014")

    @property
    def runtime(self) -> str:
        """Lambda's name of the Python version, for the template's ``PythonRuntime``."""
        return f"python{self.python_version}"


def host() -> Host:
    """Describe this machine.

    MiniStack runs the functions with its own environment's Python, made by the same ``make env``
    as the one asking.

    Raises:
        StackError: Lambda has no such processor, or uv's name of the system is not known here.
    """
    machine = platform.machine().lower()
    arm = machine in {"arm64", "aarch64"}
    if not arm and machine not in {"x86_64", "amd64"}:
        raise StackError(f"Lambda knows arm64 and x86_64, not this machine's {machine}")
    processor = "aarch64" if arm else "x86_64"
    systems = {"linux": f"{processor}-manylinux2014", "darwin": f"{processor}-apple-darwin"}
    if sys.platform not in systems:
        raise StackError(f"the local stack runs on Linux and macOS, not on {sys.platform}")
    return Host(
        python_version=f"{sys.version_info.major}.{sys.version_info.minor}",
        architecture="arm64" if arm else "x86_64",
        python_platform=systems[sys.platform],
    )


def tool(environment: str, name: str) -> str:
    """Path of a program in one of the environments that ``make env`` makes.

    Raises:
        StackError: it is not there.
    """
    path = PROJECT / ".venvs" / environment / "bin" / name
    if not path.exists():
        raise StackError(f"{path.relative_to(PROJECT)} is missing: run `make env`")
    return str(path)


def uv() -> str:
    """Path of uv: the Makefile's choice, the one on PATH, or the project's own.

    Raises:
        StackError: there is none.
    """
    found = (
        os.environ.get("UV") or shutil.which("uv") or shutil.which(PROJECT / ".venvs" / "uv" / "bin" / "uv")
    )
    if found is None:
        raise StackError("uv is missing: run `make env`")
    return found


def clean_environment(**extra: str) -> dict[str, str]:
    """A child's environment: enough to run, and nothing of the developer's AWS configuration.

    MiniStack hands its own environment down to the functions.
    """
    kept = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "SSL_CERT_FILE", "UV_CACHE_DIR", "PYENV_VERSION")
    return {name: os.environ[name] for name in kept if name in os.environ} | extra
