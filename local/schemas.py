"""The published contracts as JSON Schema files: written from the models, or compared with them.

::

    python -m local.schemas --check    # says what differs, exit status 1 if anything does
    python -m local.schemas --write

JSON Schema says less than the models: it cannot add amounts up, compare two fields, or tell ``1`` from
``1.0``. What it can say, it says as strictly as the models do.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic.json_schema import GenerateJsonSchema
from typing_extensions import override

from refunds.cancel_types import all_cancel_types
from refunds.contracts.outbound import SCHEMA_VERSION, Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pydantic import BaseModel
    from pydantic.json_schema import JsonSchemaMode, JsonSchemaValue
    from pydantic_core import core_schema

DIRECTORY = Path(__file__).parents[1] / "events" / "schemas"


@dataclass(frozen=True)
class Contract:
    """One published event detail: its model, and what names it to other systems."""

    name: str
    direction: Literal["inbound", "outbound"]
    title: str
    model: type[BaseModel]

    @property
    def file_name(self) -> str:
        """Its file in the schema directory."""
        return f"{self.name}.json"

    def schema(self) -> dict[str, Any]:
        """Its JSON Schema."""
        mode: JsonSchemaMode = "validation" if self.direction == "inbound" else "serialization"
        generated = self.model.model_json_schema(mode=mode, schema_generator=_Generator)
        generated.pop("title")
        return {
            "$schema": _Generator.schema_dialect,
            "$id": f"urn:refund-handler:{self.direction}:{self.name}:{SCHEMA_VERSION}",
            "title": self.title,
            "description": _one_line(generated.pop("description")),
            **generated,
        }


def contracts() -> Iterator[Contract]:
    """Every published contract."""
    for kind in all_cancel_types():
        policy = kind.policy
        yield Contract(policy.cancel_type, "inbound", policy.detail_type, policy.contract)
    yield Contract(
        "outcome", "outbound", "CancelSucceeded, CancelFailed, CancelPending or CancelParked", Outcome
    )


def texts() -> dict[str, str]:
    """The files as they should be, by name."""
    return {
        contract.file_name: json.dumps(contract.schema(), ensure_ascii=False, indent=2) + "\n"
        for contract in contracts()
    }


def differences(directory: Path = DIRECTORY) -> list[str]:
    """What of the committed files is not what the models say, one line each."""
    expected = texts()
    found = {path.name: path.read_text(encoding="utf-8") for path in directory.glob("*.json")}
    return [
        *_missing_or_different(expected, found),
        *(f"{name}: no contract" for name in found - expected.keys()),
    ]


def write(directory: Path = DIRECTORY) -> None:
    """Write every file, and remove those of contracts that are gone."""
    directory.mkdir(parents=True, exist_ok=True)
    expected = texts()
    for path in directory.glob("*.json"):
        if path.name not in expected:
            path.unlink()
    for name, text in expected.items():
        (directory / name).write_text(text, encoding="utf-8")


def _missing_or_different(expected: Mapping[str, str], found: Mapping[str, str]) -> Iterator[str]:
    for name, text in expected.items():
        if name not in found:
            yield f"{name}: missing"
        elif found[name] != text:
            yield f"{name}: differs from its model"


class _Generator(GenerateJsonSchema):
    """Pydantic's generator without its noise, and with patterns that mean the same everywhere."""

    @override
    def field_title_should_be_set(self, schema: Any) -> bool:
        """Titles made from field names say nothing that the names do not."""
        return False

    @override
    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        """``null`` as a default means absent."""
        generated = super().default_schema(schema)
        if "default" in generated and generated["default"] is None:
            del generated["default"]
        return generated

    @override
    def generate(
        self, schema: core_schema.CoreSchema, mode: JsonSchemaMode = "validation"
    ) -> JsonSchemaValue:
        generated = super().generate(schema, mode)
        _close_patterns(generated)
        return generated

    @override
    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        generated = super().model_schema(schema)
        if "description" in generated:
            generated["description"] = _one_line(generated["description"])
        return generated


def _close_patterns(schema: Any) -> None:
    """For some validators (Python's) ``$`` also matches before a final line break; in the models never."""
    if isinstance(schema, list):
        for part in schema:
            _close_patterns(part)
    if isinstance(schema, dict):
        for part in schema.values():
            _close_patterns(part)
        pattern = schema.get("pattern")
        if isinstance(pattern, str) and pattern.endswith("$"):
            schema["pattern"] = pattern + r"(?!\n)"


def _one_line(text: str) -> str:
    """A docstring as a sentence or two: unwrapped, without the marks of its markup."""
    return " ".join(text.replace("``", "").split())


def main(arguments: Sequence[str] | None = None) -> int:
    """Check or write; the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m local.schemas", description="JSON Schema files of the events"
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
