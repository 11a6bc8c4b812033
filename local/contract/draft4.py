"""JSON Schema draft 4, the only draft that EventBridge's schema registry takes."""

from __future__ import annotations

from typing import Any

_DIALECT = "http://json-schema.org/draft-04/schema#"


def in_draft_4(schema: dict[str, Any]) -> dict[str, Any]:
    """The same schema in the words of draft 4, without examples, which it does not know."""
    definitions = {name: _converted(part) for name, part in schema.get("$defs", {}).items()}
    converted: dict[str, Any] = {"$schema": _DIALECT}
    if "$id" in schema:
        converted["id"] = schema["$id"]
    rest = {name: value for name, value in schema.items() if name not in {"$schema", "$id", "$defs"}}
    converted |= _converted(rest)
    return {**converted, "definitions": definitions} if definitions else converted


def _converted(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_converted(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    found: dict[str, Any] = {}
    for name, value in schema.items():
        found |= _keyword(name, value)
    if "if" in schema:
        conditions = _conditions(schema)
        found["allOf"] = [*found.get("allOf", []), *conditions]
    return found


#: What draft 4 does not know; conditions become alternatives.
_UNKNOWN = ("examples", "if", "then", "else")

#: What is no schema and holds none.
_PLAIN = ("enum", "required", "title", "description")


def _keyword(name: str, value: Any) -> dict[str, Any]:
    if name in _UNKNOWN:
        return {}
    if name in _PLAIN:
        return {name: value}
    if name == "properties":  # its keys are names of fields, not of rules
        return {name: {field: _converted(part) for field, part in value.items()}}
    if name in {"exclusiveMinimum", "exclusiveMaximum"}:
        return {name.replace("exclusiveM", "m"): value, name: True}
    renamed: dict[str, dict[str, Any]] = {
        "const": {"enum": [value]},
        "$ref": {"$ref": str(value).replace("#/$defs/", "#/definitions/")},
    }
    return renamed.get(name, {name: _converted(value)})


def _conditions(schema: dict[str, Any]) -> list[dict[str, Any]]:
    """``if a then b else c`` is ``(not a or b) and (a or c)``."""
    condition = _converted(schema["if"])
    found = []
    if "then" in schema:
        found.append({"anyOf": [{"not": condition}, _converted(schema["then"])]})
    if "else" in schema:
        found.append({"anyOf": [condition, _converted(schema["else"])]})
    return found
