from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import refunds

PACKAGE = Path(refunds.__file__).parent
FUNCTIONS = Path(__file__).parents[2] / "functions"

# The order of imports, from the bottom up: every folder and root module of the layer (docs/architecture.md).
# A row imports from rows above it in this table, and nothing from beside it.
ORDER = (
    ("__init__", "errors"),
    ("contracts",),
    ("domain",),
    ("aws", "ledger", "providers", "telemetry"),
    ("service", "cancel_types"),
    ("messaging",),
    ("settings",),
    ("operators",),
    ("application",),
    ("functions",),
)
LEVELS = {part: level for level, row in enumerate(ORDER) for part in row}

AWS = {"botocore", "boto3"}
HTTP = {"httpx", "httpcore", "certifi"}
POWERTOOLS = {"aws_lambda_powertools"}
MAY_IMPORT = {
    "aws": AWS,
    "providers": HTTP | POWERTOOLS,
    "messaging": POWERTOOLS,  # the shapes of triggers
    "telemetry": POWERTOOLS,
    "application": POWERTOOLS,
    "operators": POWERTOOLS,
}
# One for the cancel types' functions, and one for the operators' scheduled ones.
COMPOSITION_ROOTS = {"refunds.application", "refunds.operators.functions"}
# Besides those: what the layer's contracts are written in.
EVERYWHERE = {"pydantic", "pydantic_core", "typing_extensions"}


@dataclass(frozen=True)
class Edge:
    """One import."""

    importer: str
    imported: str
    line: int
    for_types_only: bool

    @property
    def part(self) -> str:
        """The module or package right below ``refunds`` that makes it."""
        return part_of(self.importer)

    def __str__(self) -> str:
        return f"{self.importer}:{self.line} imports {self.imported}"


def part_of(module: str) -> str:
    """The folder or module right below ``refunds``, or what stands beside it."""
    first, _, rest = module.partition(".")
    return first if first != "refunds" else rest.partition(".")[0] or "__init__"


def modules() -> dict[str, Path]:
    root = PACKAGE.parent
    found = {
        ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__"): path
        for path in PACKAGE.rglob("*.py")
    }
    found |= {f"functions.{path.parent.name}": path for path in FUNCTIONS.glob("*/app.py")}
    return found


MODULES = modules()


def _imports(tree: ast.AST, *, typing: bool = False) -> Iterator[tuple[str, str | None, int, bool]]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            yield from _imports(node, typing=True)
        elif isinstance(node, ast.Import):
            yield from ((alias.name, None, node.lineno, typing) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            assert node.module is not None
            yield from ((node.module, alias.name, node.lineno, typing) for alias in node.names)
        else:
            yield from _imports(node, typing=typing)


def edges() -> Iterator[Edge]:
    for module, path in MODULES.items():
        for source, name, line, typing in _imports(ast.parse(path.read_text(encoding="utf-8"))):
            submodule = f"{source}.{name}"
            yield Edge(module, submodule if submodule in MODULES else source, line, typing)


EDGES = list(edges())
INTERNAL = [edge for edge in EDGES if edge.imported in MODULES]


def test_the_table_knows_every_part() -> None:
    """Every folder and every root module has its place in the order, and nothing else has."""
    assert {part_of(module) for module in MODULES} == LEVELS.keys()


def test_imports_point_down() -> None:
    """No part imports from a row above its own or from beside itself, not even for types."""
    wrong = [
        str(edge)
        for edge in INTERNAL
        if edge.part != part_of(edge.imported) and LEVELS[part_of(edge.imported)] >= LEVELS[edge.part]
    ]
    assert wrong == []


def test_no_cycles() -> None:
    """No module imports itself through others."""
    graph: dict[str, set[str]] = {module: set() for module in MODULES}
    for edge in INTERNAL:
        graph[edge.importer].add(edge.imported)
    assert len(list(TopologicalSorter(graph).static_order())) == len(MODULES)


def test_clients_stay_in_adapters() -> None:
    """AWS and HTTP libraries are imported where they are adapted, and nowhere by service or contracts."""
    allowed = sys.stdlib_module_names | EVERYWHERE | {"refunds"}
    foreign = [
        str(edge)
        for edge in EDGES
        if (library := edge.imported.partition(".")[0]) not in allowed | MAY_IMPORT.get(edge.part, set())
        and not (edge.for_types_only and library.startswith("types_boto3"))
    ]
    assert foreign == []


@pytest.mark.parametrize("path", sorted(FUNCTIONS.glob("*/app.py")), ids=lambda path: path.parent.name)
def test_functions_know_a_composition_root_only(path: Path) -> None:
    """A function of a few lines imports what puts it together and nothing else of the layer."""
    (imported,) = {edge.imported for edge in EDGES if edge.importer == f"functions.{path.parent.name}"}
    assert imported in COMPOSITION_ROOTS
    assert len(path.read_text(encoding="utf-8").splitlines()) < 10


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("refunds.service.refund_service", [*AWS, *HTTP, *POWERTOOLS]),
        ("refunds.providers.clients", [*AWS, *POWERTOOLS, "refunds.ledger"]),
        ("refunds.ledger.claims", [*HTTP, *POWERTOOLS, "refunds.providers"]),
    ],
)
def test_nothing_comes_along(module: str, absent: list[str]) -> None:
    """Importing a part for real brings none of what it must not know, through whatever chain."""
    check = f"import sys, {module}; print(*sorted(set({absent!r}) & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
