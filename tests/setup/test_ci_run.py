"""`.ci/run` gives its commands an environment that has nothing by hand."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]


def program(path: Path, script: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)


def ci(*command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), **variables}
    return subprocess.run(
        [str(PROJECT / ".ci" / "run"), *command],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def variables_inside(**variables: str) -> dict[str, str]:
    listed = ci("env", **variables)
    assert listed.returncode == 0, listed.stderr
    return dict(line.split("=", 1) for line in listed.stdout.splitlines() if "=" in line)


def test_uv_is_hidden_and_its_neighbours_are_not(tmp_path: Path) -> None:
    """A folder on PATH that holds uv is there without it, and with everything else."""
    program(tmp_path / "a folder" / "uv", "echo uv")
    program(tmp_path / "a folder" / "neighbour", "echo neighbour")
    path = f"{tmp_path / 'a folder'}:{os.environ['PATH']}"
    assert ci("sh", "-c", "neighbour", PATH=path).stdout == "neighbour\n"
    assert ci("sh", "-c", "command -v uv", PATH=path).stdout == ""


def test_places_of_the_home_are_new_and_gone_afterwards(tmp_path: Path) -> None:
    """HOME, its folders by XDG and the caches of pip and uv are temporary."""
    inside = variables_inside(PIP_CACHE_DIR=str(tmp_path), UV_CACHE_DIR=str(tmp_path), UV="/somewhere/uv")
    home = Path(inside["HOME"])
    assert home != Path.home()
    assert not home.exists()
    for name in ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "PIP_CACHE_DIR", "UV_CACHE_DIR"):
        assert inside[name].startswith(f"{home}/"), name
    assert "UV" not in inside


def test_what_names_package_indexes_is_kept_and_nothing_of_aws() -> None:
    """Indexes, proxies and certificates come along; keys, regions and whatever else is set do not."""
    kept = {
        "PIP_INDEX_URL": "https://pip.invalid/simple",
        "UV_INDEX_URL": "https://uv.invalid/simple",
        "npm_config_registry": "https://npm.invalid",
        "SSL_CERT_FILE": "/certificates.pem",
        "PIP_CERT": "/certificates.pem",
        "REQUESTS_CA_BUNDLE": "/certificates.pem",
        "https_proxy": "http://proxy.invalid",
        "NO_PROXY": "localhost",
    }
    dropped = {"AWS_ACCESS_KEY_ID": "made-up", "AWS_CA_BUNDLE": "/certificates.pem", "PYTHONPATH": "/here"}
    inside = variables_inside(**kept, **dropped)
    assert {name: inside.get(name) for name in kept} == kept
    assert not dropped.keys() & inside.keys()


def test_settings_of_pip_in_the_home_are_kept(tmp_path: Path) -> None:
    """The settings file of pip may name the index: it is used from where it lies."""
    settings = tmp_path / ".config" / "pip" / "pip.conf"
    settings.parent.mkdir(parents=True)
    settings.touch()
    assert variables_inside(HOME=str(tmp_path))["PIP_CONFIG_FILE"] == str(settings)


def test_python_is_found_behind_a_version_manager(tmp_path: Path) -> None:
    """A python3 that works only in its owner's HOME is replaced by the interpreter it stands for."""
    home = tmp_path / "home"
    home.mkdir()
    real = _interpreter()
    program(tmp_path / "shims" / "python3", f'[ "$HOME" = "{home}" ] && exec "{real}" "$@"; exit 1')
    path = f"{tmp_path / 'shims'}:{os.environ['PATH']}"
    asked = ci("python3", "-c", "import sys; print(sys.executable)", PATH=path, HOME=str(home))
    assert asked.stdout.strip() == real, asked.stderr


def _interpreter() -> str:
    return subprocess.run(
        ["python3", "-c", "import sys; print(sys.executable)"], capture_output=True, text=True, check=True
    ).stdout.strip()


@pytest.mark.parametrize(
    ("failing", "status"), [("", 0), ("environments", 2), ("demo", 2), ("check", 2), ("test", 2)], ids=str
)
def test_the_summary_is_the_last_line_and_any_failure_fails(
    tmp_path: Path, failing: str, status: int
) -> None:
    """All of them run whatever fails; pytest's summary comes last; one failure is enough."""
    program(
        tmp_path / "make",
        '[ "$1" != --jobs ] || shift 2; '
        f'echo "make $*" >> "{tmp_path}/called"; '
        '[ "$1" != test ] || { echo "== 7 passed in 1s =="; echo after; }; '
        f'[ "$1" != "{failing}" ] || exit 2',
    )
    done = ci(PATH=f"{tmp_path}:{os.environ['PATH']}")
    assert done.returncode == status
    assert done.stdout.splitlines()[-1] == "== 7 passed in 1s =="
    called = (tmp_path / "called").read_text(encoding="utf-8").splitlines()
    assert called[0] == "make environments"
    assert sorted(called[1:3]) == ["make check HOUSE_RULES=", "make demo"]
    assert called[3:] == ["make test"]
    assert all(f"make {one} failed" in done.stderr for one in [failing] if one not in {"", "test"})


def test_no_summary_is_a_failure(tmp_path: Path) -> None:
    """A run whose tests never came to a summary has not passed."""
    program(tmp_path / "make", "true")
    assert ci(PATH=f"{tmp_path}:{os.environ['PATH']}").returncode == 1
