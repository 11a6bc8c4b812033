"""Extracts from the providers' documents what the contract tests need, so that they run without them.

    python tests/contract/extract_spec.py ../shared/reference           # write tests/contract/data
    python tests/contract/extract_spec.py ../shared/reference --check   # compare, and fail if they differ

`portone-v1.json` keeps the operations the refund handler calls and the definitions they need, without
texts. Numbers that the specification writes as text (`"maxLength": "32"`) become numbers. `documents.json`
holds every JSON sample of the providers' API documents, by document.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any, Final

DATA: Final = Path(__file__).parent / "data"
OPERATIONS: Final = {
    "/users/getToken": ["post"],
    "/payments/cancel": ["post"],
    "/payments/{imp_uid}": ["get"],
    "/payments/find/{merchant_uid}/{payment_status}": ["get"],
    "/payments/findAll/{merchant_uid}/{payment_status}": ["get"],
    "/payments/status/{payment_status}": ["get"],
    "/vbanks/{imp_uid}": ["delete"],
    "/cvs/{imp_uid}": ["delete"],
    "/receipts/external/{merchant_uid}": ["get", "delete"],
}
_TEXTS: Final = {"description", "summary", "tags", "example"}
_NUMBERS: Final = {"maxLength", "minLength", "maximum", "minimum"}
_REFERENCE: Final = "#/definitions/"


def extract(reference: Path) -> dict[str, object]:
    """File name and content of everything in `data`."""
    specification = json.loads((reference / "portone-v1.openapi.json").read_text("utf-8"))
    documents = {path.name[:3]: samples_in(path.read_text("utf-8")) for path in _documents(reference)}
    return {"portone-v1.json": _needed(specification), "documents.json": documents}


def _documents(reference: Path) -> list[Path]:
    return sorted((reference / "api-docs").glob("*.txt"))


def _needed(specification: dict[str, Any]) -> dict[str, Any]:
    paths = {
        path: {method: _plain(specification["paths"][path][method]) for method in methods}
        for path, methods in OPERATIONS.items()
    }
    definitions: dict[str, Any] = {}
    missing = _references(paths)
    while missing:
        for name in missing:
            definitions[name] = _plain(specification["definitions"][name])
        missing = _references(definitions) - set(definitions)
    return {"swagger": specification["swagger"], "paths": paths, "definitions": definitions}


def _plain(value: Any, *, named: bool = False) -> Any:
    """Without texts and extensions; the names inside `properties` are fields, whatever they are called."""
    if isinstance(value, list):
        return [_plain(element) for element in value]
    if not isinstance(value, dict):
        return value
    kept = {
        name: _plain(member, named=name == "properties")
        for name, member in value.items()
        if named or not (name in _TEXTS or name.startswith("x-"))
    }
    if named:
        return kept
    return {
        name: int(member) if name in _NUMBERS and isinstance(member, str) else member
        for name, member in kept.items()
    }


def _references(value: Any) -> set[str]:
    if isinstance(value, list):
        return set().union(*(_references(element) for element in value))
    if not isinstance(value, dict):
        return set()
    own = {value["$ref"].removeprefix(_REFERENCE)} if isinstance(value.get("$ref"), str) else set()
    return own.union(*(_references(member) for member in value.values()))


def samples_in(text: str) -> list[dict[str, Any]]:
    """Every JSON object that stands in the text."""
    decoder = json.JSONDecoder()
    samples: list[dict[str, Any]] = []
    at = text.find("{")
    while at >= 0:
        try:
            sample, end = decoder.raw_decode(text, at)
        except json.JSONDecodeError:
            end = at + 1
        else:
            samples.append(sample)
        at = text.find("{", end)
    return samples


def main() -> int:
    """Write the files, or say which of them differ."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("reference", type=Path, help="the folder with portone-v1.openapi.json and api-docs")
    parser.add_argument("--check", action="store_true", help="compare with what is committed")
    arguments = parser.parse_args()
    different = []
    for name, content in extract(arguments.reference).items():
        text = json.dumps(content, ensure_ascii=False, indent=1, sort_keys=True) + "\n"
        if not arguments.check:
            (DATA / name).write_text(text, "utf-8")
        elif (DATA / name).read_text("utf-8") != text:
            different.append(name)
    if different:
        sys.stderr.write(f"{', '.join(different)}: not what the reference says; run this without --check\n")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
