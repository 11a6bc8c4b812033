"""The contracts in TypeScript: types generated from the JSON Schemas, and real events of these types."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from local.contract.catalogue import EVENTS, PROJECT, Contract, contracts, sample_events
from local.contract.outcome_samples import outcome_events

_PACKAGES = PROJECT / "requirements" / "typescript"
_GENERATOR = PROJECT / "local" / "contract" / "types.mjs"
_OPTIONS = (
    *("--noEmit", "--strict", "--pretty", "false"),
    *("--target", "es2020", "--skipLibCheck"),
)
_CONTRACTS = tuple(contracts())


@pytest.fixture(scope="module")
def types(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the types of every contract, and the compiler."""
    if shutil.which("npm") is None and not os.environ.get("CI"):
        pytest.skip("npm is not installed; where CI runs it has to be")
    folder = tmp_path_factory.mktemp("typescript")
    for name in ("package.json", "package-lock.json"):
        shutil.copy(_PACKAGES / name, folder)
    _run("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent", cwd=folder)
    schemas = [str(EVENTS / "schemas" / f"{contract.name}.json") for contract in _CONTRACTS]
    _run("node", str(_GENERATOR), *schemas, str(folder), cwd=folder)
    return folder


def _run(*command: str, cwd: Path) -> None:
    ended = subprocess.run(
        command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    assert ended.returncode == 0, ended.stdout


def _events(contract: Contract) -> tuple[dict[str, Any], ...]:
    if contract.direction == "inbound":
        return sample_events(contract.name)
    return tuple(outcome_events().values())


def _compile(folder: Path, name: str, details: Iterable[tuple[Contract, Any]]) -> set[int]:
    """Which of the details, by their number, the compiler refuses as what their contract's type is."""
    lines = [f'import type {{ {one.title} }} from "./{one.name}";' for one in _CONTRACTS]
    before = len(lines) + 1
    for number, (contract, detail) in enumerate(details):
        text = json.dumps(detail, ensure_ascii=False)
        lines.append(f"export const detail{number}: {contract.title} = {text};")
    source = folder / f"{name}.ts"
    source.write_text("\n".join(lines) + "\n", encoding="utf-8")
    command = ["node", str(folder / "node_modules" / "typescript" / "bin" / "tsc"), *_OPTIONS, source.name]
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    refused = re.findall(rf"^{source.name}\((\d+),", ended.stdout, re.MULTILINE)
    # Nothing but the details is refused: no type, and none of the lines before them.
    assert len(refused) == len(re.findall(r"^\S", ended.stdout, re.MULTILINE)), ended.stdout
    assert (ended.returncode == 0) == (not refused), ended.stdout + ended.stderr
    return {int(line) - before for line in refused}


def _each_leaf_wrong(value: Any) -> Iterator[Any]:
    """Copies of it in which one text, number or null is an object, each of them once."""
    if not isinstance(value, dict | list):
        yield {"wrong": True}
        return
    for place, part in value.items() if isinstance(value, dict) else enumerate(value):
        for wrong in _each_leaf_wrong(part):
            changed: Any = value.copy()
            changed[place] = wrong
            yield changed


def test_real_events_have_the_generated_types(types: Path) -> None:
    """Every sample event compiles as its contract's type."""
    details = [(contract, event["detail"]) for contract in _CONTRACTS for event in _events(contract)]
    assert {contract.name for contract, _ in details} == {contract.name for contract in _CONTRACTS}
    assert _compile(types, "samples", details) == set()


def test_the_generated_types_are_not_just_anything(types: Path) -> None:
    """A sample of which any field, at any depth, is of another type does not compile."""
    wrong = [
        (contract, detail)
        for contract in _CONTRACTS
        for detail in _each_leaf_wrong(_events(contract)[0]["detail"])
    ]
    refused = _compile(types, "wrong", wrong)
    assert [detail for number, (_, detail) in enumerate(wrong) if number not in refused] == []
