"""Set-up that cannot be caught: what make says, and what it keeps."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
_OF_MAKE = {"UV", "PYTHON", "MAKEFLAGS", "MAKELEVEL", "MFLAGS", "EVENT", "FUNCTION"}


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """The Makefile in a folder that nobody expected, with locks of nothing."""
    folder = tmp_path / "a folder (copy)"
    (folder / "requirements").mkdir(parents=True)
    shutil.copy(PROJECT / "Makefile", folder)
    shutil.copy(PROJECT / "pyproject.toml", folder)
    for name in ("dev", "sam", "ministack", "uv"):
        (folder / "requirements" / f"{name}.txt").touch()
    return folder


def make(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name not in _OF_MAKE} | variables
    return subprocess.run(
        ["make", *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def program(path: Path, script: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def fake_uv(folder: Path, installs: str = "true") -> Path:
    """A uv that makes environments of this interpreter; ``installs`` is what its pip does."""
    script = (
        f'case $1 in venv) for last; do :; done; "{sys.executable}" -m venv --without-pip "$last" ;; '
        f"pip) {installs} ;; esac"
    )
    return program(folder / "uv", script)


def test_help_fits_a_screen() -> None:
    """Every public target has its line, in groups, within 24 lines of 80 columns."""
    lines = make(PROJECT, "help").stdout.splitlines()
    assert 15 < len(lines) <= 24
    assert [line for line in lines if len(line) > 80] == []
    groups = [line.split("  ")[0] for line in lines if not line.startswith(" ")]
    assert groups == ["Set up", "Run", "Check", "Deploy"]
    targets = re.findall(r"^([a-z-]+):.* ## ", (PROJECT / "Makefile").read_text("utf-8"), re.MULTILINE)
    assert [line[8:].split()[0] for line in lines] == targets


@pytest.mark.parametrize("python", ["old", "absent"])
def test_an_old_python_is_told_and_nothing_made(clone: Path, tmp_path: Path, python: str) -> None:
    """Python below 3.11, or none, is one sentence; no environment is begun."""
    if python == "old":
        program(tmp_path / "python", "exit 1")
    uv = fake_uv(tmp_path)
    done = make(clone, "env", PYTHON=str(tmp_path / "python"), UV=str(uv))
    said = [line for line in done.stderr.splitlines() if not line.startswith("make: ***")]
    assert done.returncode != 0
    assert said == [
        f"this needs Python 3.11 or newer, which {tmp_path / 'python'} is not: make … PYTHON=python3.13"
    ]
    assert not (clone / ".venv").exists()


def test_an_environment_is_made_in_any_folder(clone: Path, tmp_path: Path) -> None:
    """Spaces and parentheses in the clone's path put nothing beside the clone."""
    before = {path.name for path in tmp_path.iterdir()} | {"uv"}
    done = make(clone, "env", UV=str(fake_uv(tmp_path)), PYTHON=sys.executable)
    assert done.returncode == 0, done.stderr
    assert (clone / ".venvs" / "sam" / ".ready").exists()
    assert {path.name for path in tmp_path.iterdir()} == before


def test_what_fails_half_way_is_not_kept(clone: Path, tmp_path: Path) -> None:
    """An environment whose packages could not be installed is gone, and the next call makes it whole."""
    done = make(clone, ".venv/.ready", UV=str(fake_uv(tmp_path, "exit 1")), PYTHON=sys.executable)
    assert done.returncode != 0
    assert "the environment .venv could not be made: the reason is above" in done.stderr
    assert not (clone / ".venv").exists()
    done = make(clone, ".venv/.ready", UV=str(fake_uv(tmp_path)), PYTHON=sys.executable)
    assert done.returncode == 0, done.stderr


def test_a_broken_environment_is_made_again(clone: Path, tmp_path: Path) -> None:
    """A stamp without a Python behind it counts for nothing."""
    uv = str(fake_uv(tmp_path))
    assert make(clone, ".venv/.ready", UV=uv, PYTHON=sys.executable).returncode == 0
    (clone / ".venv" / "bin" / "python").unlink()
    (clone / ".venv" / "bin" / "python").symlink_to(tmp_path / "gone")
    assert make(clone, ".venv/.ready", UV=uv, PYTHON=sys.executable).returncode == 0
    assert os.access(clone / ".venv" / "bin" / "python", os.X_OK)


def test_uv_is_the_callers_then_paths_then_our_own(clone: Path, tmp_path: Path) -> None:
    """Which uv is used can be said, and is found without being said."""
    bare = os.defpath
    plan = make(clone, "-n", ".venv/.ready", UV="/given/uv", PATH=bare).stdout
    assert '"/given/uv" pip install' in plan
    plan = make(clone, "-n", ".venv/.ready", PATH=f"{fake_uv(tmp_path / 'bin').parent}:{bare}").stdout
    assert f'"{tmp_path}/bin/uv" pip install' in plan
    plan = make(clone, "-n", ".venv/.ready", PATH=bare).stdout
    assert f'"{clone}/.venvs/uv/bin/uv" pip install' in plan
    assert "environment .venvs/uv" in plan


def test_an_event_may_have_any_name(clone: Path) -> None:
    """EVENT reaches the command as it is, spaces and quotes included."""
    for stamp in (".venv", ".venvs/sam", ".venvs/ministack"):
        program(clone / stamp / "bin" / "python", 'printf "%s|" "$@"')
        (clone / stamp / ".ready").touch()
    event = """an "event" it's $HOME.json"""
    done = make(clone, "invoke", "FUNCTION=sweeper", EVENT=event, UV="/given/uv")
    assert done.stdout == f"-m|local.stack|invoke|sweeper|{event}|"
    assert (
        "|payment_cancel|events/payment_cancel/eventbridge.json|"
        in make(clone, "invoke", UV="/given/uv").stdout
    )
