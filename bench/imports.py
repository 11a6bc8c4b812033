"""What a cold start imports: ``python -X importtime`` on the function's module, package by package."""

from __future__ import annotations

import statistics
import subprocess
import sys
from collections import Counter, defaultdict
from dataclasses import dataclass

from bench.runtime import Function, environment_of
from local.stack.toolchain import StackError

_PREFIX = "import time:"
_STANDARD = "standard library"


@dataclass(frozen=True)
class Package:
    """One package's part: how many modules, and seconds of their own, without what they import."""

    modules: int
    seconds: float


@dataclass(frozen=True)
class Imports:
    """All packages that a function imports, the most expensive first."""

    packages: dict[str, Package]

    @property
    def modules(self) -> int:
        """How many are imported."""
        return sum(package.modules for package in self.packages.values())

    @property
    def seconds(self) -> float:
        """Of all of them; measuring makes each a little slower than it is."""
        return sum(package.seconds for package in self.packages.values())


def imports_of(function: Function, rounds: int) -> Imports:
    """Import the function's module in new interpreters; medians.

    Raises:
        StackError: it cannot be imported.
    """
    runs = [parse(_importtime(function)) for _ in range(rounds)]
    names = {name for run in runs for name in run}
    medians = {
        name: Package(
            max(run[name].modules for run in runs if name in run),
            statistics.median(run[name].seconds if name in run else 0.0 for run in runs),
        )
        for name in names
    }
    return Imports(dict(sorted(medians.items(), key=lambda pair: -pair[1].seconds)))


def parse(report: str, standard: frozenset[str] | None = None) -> dict[str, Package]:
    """Sum the interpreter's report up by top-level package.

    Args:
        report: its lines are ``import time: self [us] | cumulative | name``, nesting shown by indentation.
        standard: names that count as the standard library; by default those of this Python.
    """
    known = _standard_library() if standard is None else standard
    modules: Counter[str] = Counter()
    seconds: defaultdict[str, float] = defaultdict(float)
    for line in report.splitlines():
        if not line.startswith(_PREFIX) or "self [us]" in line:
            continue
        own, _, name = line.removeprefix(_PREFIX).split("|")
        package = name.strip().partition(".")[0]
        package = _STANDARD if package in known else package
        modules[package] += 1
        seconds[package] += int(own) / 1_000_000
    return {name: Package(modules[name], seconds[name]) for name in modules}


def _importtime(function: Function) -> str:
    done = subprocess.run(
        [str(function.python), "-X", "importtime", "-c", "import app"],
        cwd=function.folder,
        env=environment_of(function),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise StackError(f"{function.name} cannot be imported:\n{done.stderr[-2000:]}")
    return done.stderr


def _standard_library() -> frozenset[str]:
    # The site module's own helpers are no package of anybody's.
    return frozenset(sys.stdlib_module_names | {"sitecustomize", "usercustomize"})
