"""`pip install .`: what an operator needs, and nothing else."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from importlib.metadata import packages_distributions, requires
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[2]
OURS = {"refunds", "refundctl"}


def project() -> dict[str, Any]:
    described: dict[str, Any] = tomllib.loads((PROJECT / "pyproject.toml").read_text("utf-8"))["project"]
    return described


def imported() -> Iterator[str]:
    """Top-level packages that the operators' command and what it imports name."""
    for folder in ("ops/refundctl", "layers/refunds/src/refunds"):
        for path in (PROJECT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.Import):
                    yield from (alias.name.partition(".")[0] for alias in node.names)
                elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                    yield node.module.partition(".")[0]


def distributions(names: set[str]) -> set[str]:
    known = packages_distributions()
    foreign = names - OURS - set(sys.stdlib_module_names)
    return {known[name][0].lower().replace("_", "-") for name in foreign if name in known}


def test_dependencies_are_what_is_imported() -> None:
    """Each dependency is imported; what else is imported comes with one of them."""
    declared = {re.split(r"[^\w.-]", one)[0].lower() for one in project()["dependencies"]}
    used = distributions({name for name in imported() if not name.startswith("types_boto3")})
    brought = {
        re.split(r"[^\w.-]", need)[0].lower()
        for one in declared | used
        for need in requires(one) or []
        if "extra ==" not in need
    }
    assert declared - used <= {"boto3"}
    assert used - declared <= brought | {"snapshot-restore-py"}


def test_a_wheel_holds_the_command_the_package_and_the_licence(tmp_path: Path) -> None:
    """Neither the local stack nor the benchmark nor the tests are installed."""
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)],
        cwd=PROJECT,
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.partition("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == OURS
    assert any(name.endswith("/LICENSE") for name in names)
    assert project()["license"] == "MIT"


def test_generated_files_are_marked() -> None:
    """Reviews fold what a command wrote; each generated file says so to git."""
    generated = [
        *("requirements/dev.txt", "layers/refunds/requirements.txt", "events/schemas/outcome.json"),
        *("docs/performance.md", "docs/images/dashboard.svg", ".secrets.baseline"),
    ]
    checked = subprocess.run(
        ["git", "check-attr", "linguist-generated", *generated, "README.md", "template.yaml"],
        cwd=PROJECT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    marked = {line.split(":")[0] for line in checked.splitlines() if line.endswith(": true")}
    assert marked == set(generated)
