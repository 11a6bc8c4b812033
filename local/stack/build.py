"""The unedited template, built by `sam build` for the host."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
from pathlib import Path

from local.stack.toolchain import PROJECT, STATE_DIR, Host, StackError, clean_environment, tool, uv

_KEPT_BUILDS = 3


def build(host: Host) -> Path:
    """Build if anything changed since the last time; return the built template's path.

    A build is never changed once complete, so that stacks may be deployed from it while another
    one is made. The functions are deployed from their folders and are no part of it.

    Raises:
        StackError: `sam build` failed; with its output.
    """
    builds = STATE_DIR / "build"
    builds.mkdir(parents=True, exist_ok=True)
    folder = builds / fingerprint(host)
    template = folder / "template.yaml"
    with (builds / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not template.exists():
            _sam_build(host, folder)
        _drop_old(builds, keep=folder)
    return template


def fingerprint(host: Host) -> str:
    """A name for what a build for this host would be made of."""
    digest = hashlib.sha256(repr(host).encode())
    layer = PROJECT / "layers" / "refunds"
    sources = [
        path for path in sorted(layer.rglob("*")) if path.is_file() and "__pycache__" not in path.parts
    ]
    for path in [PROJECT / "template.yaml", *sources]:
        digest.update(f"\0{path.relative_to(PROJECT)}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def _sam_build(host: Host, folder: Path) -> None:
    scratch = folder.with_suffix(".unfinished")
    shutil.rmtree(scratch, ignore_errors=True)
    command = [tool("sam", "sam"), "build", "--template", "template.yaml", "--build-dir", str(scratch)]
    overrides = [f"PythonRuntime={host.runtime}", f"Architecture={host.architecture}"]
    finished = subprocess.run(
        [*command, "--parameter-overrides", *overrides],
        cwd=PROJECT,
        env=clean_environment(
            UV=uv(),
            PYTHON_VERSION=host.python_version,
            PYTHON_PLATFORM=host.python_platform,
            SAM_CLI_TELEMETRY="0",
            AWS_DEFAULT_REGION="ap-northeast-2",
        ),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if finished.returncode != 0:
        raise StackError(f"sam build failed:\n{finished.stdout}")
    scratch.rename(folder)


def _drop_old(builds: Path, keep: Path) -> None:
    keep.touch()
    finished = [path for path in builds.iterdir() if path.is_dir()]
    for path in sorted(finished, key=lambda found: found.stat().st_mtime, reverse=True)[_KEPT_BUILDS:]:
        shutil.rmtree(path)
