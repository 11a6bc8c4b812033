"""JSON Schema (draft 2020-12) of the contracts.

It says less than the models: it cannot add amounts up, compare two fields, or tell ``1`` from ``1.0``. What
it can say, it says as strictly as the models do, in patterns that every engine reads alike, RE2 included.
"""

from __future__ import annotations

import ast
import inspect
import sys
from functools import cache
from typing import TYPE_CHECKING, Any

from pydantic.json_schema import GenerateJsonSchema
from typing_extensions import override

from local.contract.catalogue import policies, sample_events
from local.contract.outcome_samples import outcome_events
from refunds.contracts.money import WHOLE_CURRENCIES
from refunds.contracts.outbound import SCHEMA_VERSION, OutcomeKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pydantic import BaseModel
    from pydantic.json_schema import JsonSchemaMode, JsonSchemaValue
    from pydantic_core import core_schema

    from local.contract.catalogue import Contract

_MAX_EXAMPLES = 3
_MONEY = ("cancelled", "tax_free", "vat", "cancellable_before", "cancellable_after")
_WHOLE = {"type": ["integer", "null"]}


def schema_of(contract: Contract) -> dict[str, Any]:
    """The schema of one contract's event detail."""
    mode: JsonSchemaMode = "validation" if contract.direction == "inbound" else "serialization"
    generated = contract.model.model_json_schema(mode=mode, schema_generator=_Generator)
    del generated["title"]
    if contract.direction == "outbound":
        generated["properties"]["cancel_type"] |= {"enum": [policy.cancel_type for policy in policies()]}
        generated["allOf"] = _outcome_rules()
    examples = details_of(contract)
    _show(generated, examples, generated)
    return {
        "$schema": _Generator.schema_dialect,
        "$id": f"urn:refund-handler:{contract.direction}:{contract.name}:{SCHEMA_VERSION}",
        "title": contract.title,
        "description": _one_line(generated.pop("description")),
        **generated,
        "examples": examples[:1],
    }


def details_of(contract: Contract) -> list[Any]:
    """Real details of the contract."""
    if contract.direction == "outbound":
        return [event["detail"] for event in outcome_events().values()]
    return [event["detail"] for event in sample_events(contract.name)]


def _outcome_rules() -> list[dict[str, Any]]:
    """How ``outcome``, ``error`` and ``money`` hang together."""
    without_money = [policy.cancel_type for policy in policies() if not policy.moves_money]
    good = [OutcomeKind.SUCCEEDED.value, OutcomeKind.PENDING.value]
    revoked = _where(cancel_type={"enum": without_money})
    return [
        {
            "if": _where(outcome={"enum": good}),
            "then": _where(error={"type": "null"}),
            "else": _where(error={"type": "object"}),
        },
        {
            "if": _where(outcome={"const": OutcomeKind.FAILED.value}),
            "then": _where(error=_where(may_have_been_applied={"const": False}, retryable={"const": False})),
        },
        {"if": revoked, "then": _where(money={"type": "null"})},
        {
            "if": {"allOf": [{"not": revoked}, _where(outcome={"enum": good})]},
            "then": _where(money={"type": "object"}),
        },
        {
            "if": _where(outcome={"const": OutcomeKind.SUCCEEDED.value}),
            "then": _where(money=_where(cancelled={"type": "number"})),
        },
        {
            "if": _where(error={"type": "object", **_where(may_have_been_applied={"const": True})}),
            "then": _where(money=_where(cancelled={"type": "null"})),
        },
        {
            "if": _where(money={"type": "object", **_where(currency={"enum": [*WHOLE_CURRENCIES]})}),
            "then": _where(
                money=_where(**dict.fromkeys(_MONEY, _WHOLE)),
                items={"items": _where(amount=_WHOLE, taxAmount=_WHOLE)},
            ),
        },
    ]


def _where(**properties: Any) -> dict[str, Any]:
    return {"properties": properties}


def _show(schema: dict[str, Any], values: Iterable[Any], root: dict[str, Any]) -> None:
    """Give every property the values that it has in real events."""
    values = [value for value in values if value is not None]
    for part in _parts(schema, root):
        for name, found in part.get("properties", {}).items():
            inside = [value[name] for value in values if isinstance(value, dict) and name in value]
            shown = dict.fromkeys(v for v in inside if isinstance(v, str | int | float))
            if shown and "const" not in found and "enum" not in found and "$ref" not in found:
                found["examples"] = list(shown)[:_MAX_EXAMPLES]
            _show(found, inside, root)
        if "items" in part:
            inside = [element for value in values if isinstance(value, list) for element in value]
            _show(part["items"], inside, root)


def _parts(schema: dict[str, Any], root: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The schema itself, and what it refers to or offers as a choice."""
    yield schema
    if "$ref" in schema:
        yield from _parts(root["$defs"][schema["$ref"].rpartition("/")[2]], root)
    for option in schema.get("anyOf", []):
        if option.keys() & {"$ref", "anyOf"}:
            yield from _parts(option, root)


class _Generator(GenerateJsonSchema):
    """Pydantic's generator without its noise, with the models' own words."""

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
        model = schema["cls"]
        words = _field_words(model)
        for name, field in model.model_fields.items():
            found = generated.get("properties", {}).get(field.serialization_alias or field.alias or name)
            if found is not None:
                found["description"] = words[name]
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
            forbidden = schema.get("not", {}).get("pattern")
            schema["not"] = {"pattern": rf"{forbidden}|\n" if forbidden else r"\n"}


def _field_words(model: type[BaseModel]) -> dict[str, str]:
    """What the docstrings below the fields say, those of its bases included."""
    found: dict[str, str] = {}
    for base in reversed(model.__mro__):
        found |= _words_of_module(base.__module__).get(base.__name__, {})
    return found


@cache
def _words_of_module(name: str) -> dict[str, dict[str, str]]:
    """By class and field."""
    module = sys.modules[name]
    if not name.startswith("refunds."):
        return {}
    classes = [node for node in ast.parse(inspect.getsource(module)).body if isinstance(node, ast.ClassDef)]
    return {node.name: dict(_words_of_class(node)) for node in classes}


def _words_of_class(node: ast.ClassDef) -> Iterator[tuple[str, str]]:
    for field, words in zip(node.body, node.body[1:], strict=False):
        if (
            isinstance(field, ast.AnnAssign)
            and isinstance(field.target, ast.Name)
            and isinstance(words, ast.Expr)
            and isinstance(words.value, ast.Constant)
        ):
            yield field.target.id, _one_line(str(words.value.value))


def _one_line(text: str) -> str:
    """A docstring as a sentence or two: unwrapped, without the marks of its markup."""
    return " ".join(text.replace("``", "").split())
