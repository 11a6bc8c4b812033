"""What `make package` makes is the same wherever and whenever it is made."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from samtranslator.yaml_helper import yaml_parse

from local.stack.toolchain import clean_environment, uv
from tests.template.expansion import unrolled

PROJECT = Path(__file__).resolve().parents[2]
SOURCES = ("Makefile", "template.yaml", "samconfig.toml", "functions", "layers")
FUNCTION_TYPE = "AWS::Serverless::Function"


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_package(copy_of_sources(tmp_path_factory.mktemp("one") / "project"))


@pytest.fixture(scope="module")
def other_package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made elsewhere, later, from files of other ages, after the tests have run there."""
    sources = copy_of_sources(tmp_path_factory.mktemp("another") / "with" / "a longer path" / "project")
    for path in sources.rglob("*.py"):
        os.utime(path, (1_000_000_000, 1_000_000_000))
    for folder in (sources / "functions" / "payment_cancel", sources / "layers/refunds/src/refunds"):
        (folder / "__pycache__").mkdir()
        (folder / "__pycache__" / "app.cpython-311.pyc").write_bytes(b"left over")
    return make_package(sources)


def copy_of_sources(target: Path) -> Path:
    target.mkdir(parents=True)
    for name in SOURCES:
        source = PROJECT / name
        if source.is_dir():
            shutil.copytree(source, target / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)
    return target


def make_package(sources: Path) -> Path:
    """The folder of the built template."""
    run(["make", "package", "ENVIRONMENTS=", f"SAM={PROJECT / '.venvs/sam/bin/sam'}"], sources)
    return sources / ".aws-sam" / "package"


def make_layer(target: Path, platform: str) -> dict[str, str]:
    sources = copy_of_sources(target / "project") / "layers" / "refunds"
    artifacts = target / "artifacts"
    variables = [f"PYTHON_PLATFORM={platform}", f"ARTIFACTS_DIR={artifacts}"]
    run(["make", "build-RefundsLayer", *variables], sources)
    return content(artifacts)


def run(command: list[str], folder: Path) -> None:
    environment = clean_environment(UV=uv(), AWS_DEFAULT_REGION="ap-northeast-2")
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def content(folder: Path) -> dict[str, str]:
    """Every file with its hash and whether it can be executed: all that is in an artefact's archive."""
    return {
        str(
            path.relative_to(folder)
        ): f"{hashlib.sha256(path.read_bytes()).hexdigest()} {os.access(path, os.X_OK)}"
        for path in folder.rglob("*")
        if path.is_file()
    }


def functions_of(build: Path) -> dict[str, dict[str, str]]:
    """What each function would be deployed with."""
    template = unrolled(yaml_parse((build / "template.yaml").read_text(encoding="utf-8")))
    return {
        name: content((build / resource["Properties"]["CodeUri"]).resolve())
        for name, resource in template["Resources"].items()
        if resource["Type"] == FUNCTION_TYPE
    }


def test_two_packages_are_the_same(package: Path, other_package: Path) -> None:
    """Layer and template are equal to the byte, wherever the project lies and whatever ran there before."""
    layer = content(package / "RefundsLayer")
    assert len(layer) > 500
    assert layer == content(other_package / "RefundsLayer")
    assert (package / "template.yaml").read_bytes() == (other_package / "template.yaml").read_bytes()


def test_functions_are_their_source(package: Path, other_package: Path) -> None:
    """All are deployed with one folder: a file for each of them, and nothing that tests left beside it."""
    functions = functions_of(package)
    assert functions == functions_of(other_package)
    folder = PROJECT / "functions"
    source = {str(path.relative_to(folder)) for path in folder.glob("*/app.py")}
    assert len(functions) == len(source)
    assert all(set(files) == source for files in functions.values())


def test_a_package_knows_nothing_of_where_it_was_made(package: Path) -> None:
    """No path of the machine that builds is in the layer, compiled code included."""
    place = str(package.parents[1]).encode()
    found = [path for path in package.rglob("*") if path.is_file() and place in path.read_bytes()]
    assert found == []


def test_architectures_differ_in_native_code_only(tmp_path: Path, package: Path) -> None:
    """The layer for x86_64 is made of the same lock: other than compiled libraries every file is the same."""
    arm = content(package / "RefundsLayer")
    intel = make_layer(tmp_path, "x86_64-manylinux2014")
    native = re.compile(r"\.so$|\.dist-info/(WHEEL|sboms/.*)$")
    assert {path: value for path, value in arm.items() if not native.search(path)} == {
        path: value for path, value in intel.items() if not native.search(path)
    }
    for files, machine in ((arm, "aarch64"), (intel, "x86_64")):
        libraries = [path for path in files if path.endswith(".so")]
        assert libraries
        assert all(f"cpython-313-{machine}" in path or "cpython" not in path for path in libraries)
