"""The published contracts as files: written from the models, or compared with them.

::

    python -m local.schemas --check    # says what differs, exit status 1 if anything does
    python -m local.schemas --write

``events/schemas`` (JSON Schema), ``events/schemas/draft-04`` and ``schemas.yaml`` (EventBridge's registry),
``events/outcomes`` (a real outcome of every kind) and ``events/asyncapi.yaml``.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from local.contract import asyncapi, registry
from local.contract.catalogue import EVENTS, PROJECT, contracts
from local.contract.json_schema import schema_of
from local.contract.outcome_samples import outcome_events

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

DIRECTORY = EVENTS / "schemas"
DRAFT_4 = DIRECTORY / "draft-04"
OUTCOMES = EVENTS / "outcomes"
_FOLDERS = (DIRECTORY, DRAFT_4, OUTCOMES)


def texts() -> dict[Path, str]:
    """The files as they should be, by their paths within the project."""
    files = {DIRECTORY / f"{contract.name}.json": _json(schema_of(contract)) for contract in contracts()}
    for event in registry.registered_events():
        files[DRAFT_4 / f"{event.detail_type}.json"] = _json(event.schema)
    for name, outcome in outcome_events().items():
        files[OUTCOMES / name] = _json(outcome)
    files[EVENTS / "asyncapi.yaml"] = asyncapi.text()
    files[PROJECT / "schemas.yaml"] = registry.template()
    return {path.relative_to(PROJECT): text for path, text in files.items()}


def differences(project: Path = PROJECT) -> list[str]:
    """What of the committed files is not what the models say, one line each."""
    expected = texts()
    return [
        *_missing_or_different(expected, project),
        *(f"{path}: no contract" for path in sorted(_found(project) - expected.keys())),
    ]


def write(project: Path = PROJECT) -> None:
    """Write every file, and remove those of contracts that are gone."""
    expected = texts()
    for path in _found(project) - expected.keys():
        (project / path).unlink()
    for path, text in expected.items():
        (project / path).parent.mkdir(parents=True, exist_ok=True)
        (project / path).write_text(text, encoding="utf-8")


def _json(content: Any) -> str:
    return json.dumps(content, ensure_ascii=False, indent=2) + "\n"


def _found(project: Path) -> set[Path]:
    """What lies in folders that hold nothing but files written here."""
    folders = [project / folder.relative_to(PROJECT) for folder in _FOLDERS]
    return {path.relative_to(project) for folder in folders for path in folder.glob("*.json")}


def _missing_or_different(expected: Mapping[Path, str], project: Path) -> Iterator[str]:
    for path, text in expected.items():
        if not (project / path).exists():
            yield f"{path}: missing"
        elif (project / path).read_text(encoding="utf-8") != text:
            yield f"{path}: differs from its model"


def main(arguments: Sequence[str] | None = None) -> int:
    """Check or write; the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m local.schemas", description="The published contracts as files"
    )
    action = parser.add_mutually_exclusive_group(required=True)
    action.add_argument("--check", action="store_true", help="compare the committed files with the models")
    action.add_argument("--write", action="store_true", help="write the files from the models")
    if parser.parse_args(arguments).write:
        write()
        return 0
    different = differences()
    for line in different:
        print(line)
    if different:
        print("write them anew: python -m local.schemas --write", file=sys.stderr)
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
