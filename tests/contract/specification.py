"""PortOne's V1 specification, as far as it is used: checks requests and answers against it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from jsonschema import Draft4Validator

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_DATA: Final = Path(__file__).parent / "data"

#: Where the specification is wrong, by parameter: what PortOne's page on the cancellation and the
#: specification's own example say.
_CORRECTED_TYPES: Final = {"extra": "object"}

#: May be left out of the path with the slash before it; the providers' own clients do so.
_OPTIONAL_IN_PATH: Final = "{payment_status}"


def documents() -> dict[str, list[dict[str, Any]]]:
    """The JSON samples of the providers' API documents, by document."""
    found: dict[str, list[dict[str, Any]]] = json.loads((_DATA / "documents.json").read_text("utf-8"))
    return found


@dataclass(frozen=True)
class Operation:
    """One documented operation, and the values its path was called with."""

    operation_id: str
    parameters: list[dict[str, Any]]
    responses: dict[str, Any]
    consumes: list[str]
    path_values: dict[str, str]

    def parameters_in(self, place: str) -> dict[str, dict[str, Any]]:
        """The parameters of the path, the query or the body (`formData`), by name."""
        return {
            parameter["name"]: {
                **parameter,
                "type": _CORRECTED_TYPES.get(parameter["name"], parameter["type"]),
            }
            for parameter in self.parameters
            if parameter["in"] == place
        }


class Specification:
    """The extract in `data/portone-v1.json`."""

    def __init__(self) -> None:
        self._spec = json.loads((_DATA / "portone-v1.json").read_text("utf-8"))

    @property
    def operation_ids(self) -> set[str]:
        """Every operation of the extract."""
        methods = (method for path in self._spec["paths"].values() for method in path.values())
        return {method["operationId"] for method in methods}

    def fields_of(self, definition: str) -> set[str]:
        """The names of a definition's fields."""
        return set(self._spec["definitions"][definition]["properties"])

    def operation(self, method: str, path: str) -> Operation | None:
        """The operation that a request calls, if it is documented."""
        # A path without a parameter comes first: /payments/cancel is no payment called "cancel".
        for template, methods in sorted(self._spec["paths"].items(), key=lambda entry: "{" in entry[0]):
            matched = _pattern(template).fullmatch(path)
            if matched and method.lower() in methods:
                found = methods[method.lower()]
                return Operation(
                    operation_id=found["operationId"],
                    parameters=found["parameters"],
                    responses=found["responses"],
                    consumes=found["consumes"],
                    path_values={name: value for name, value in matched.groupdict().items() if value},
                )
        return None

    def request_problems(
        self, method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str], body: bytes
    ) -> list[str]:
        """What in a request is not as documented; an undocumented operation is a problem too."""
        operation = self.operation(method, path)
        if operation is None:
            return [f"{method} {path} is not documented"]
        problems = [
            *_text_problems(operation.parameters_in("path"), operation.path_values),
            *_text_problems(operation.parameters_in("query"), query),
        ]
        if not body:
            return problems + _missing(operation.parameters_in("formData"), {})
        if headers.get("content-type", "").partition(";")[0] not in operation.consumes:
            problems.append(f"content type {headers.get('content-type')}")
        return problems + list(_body_problems(operation.parameters_in("formData"), json.loads(body)))

    def answer_problems(self, method: str, path: str, status: int, payload: object) -> list[str]:
        """What in an answer is not as documented. An answer without a schema must have PortOne's frame."""
        operation = self.operation(method, path)
        if operation is None:
            return [f"{method} {path} is not documented"]
        response = operation.responses.get(str(status))
        if response is None:
            return [f"HTTP {status} is not documented"]
        schema = response.get("schema", {"$ref": "#/definitions/ResponseAnnotation"})
        return _schema_problems({**schema, "definitions": self._spec["definitions"]}, _without_nulls(payload))

    def definition_problems(self, definition: str, payload: object) -> list[str]:
        """What in an object is not as its definition says."""
        schema = {"$ref": f"#/definitions/{definition}", "definitions": self._spec["definitions"]}
        return _schema_problems(schema, _without_nulls(payload))


def _pattern(template: str) -> re.Pattern[str]:
    optional = template.endswith("/" + _OPTIONAL_IN_PATH) and template.count("{") > 1
    if optional:
        template = template.removesuffix("/" + _OPTIONAL_IN_PATH)
    expression = re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(template))
    return re.compile(expression + (r"(?:/(?P<payment_status>[^/]+))?" if optional else ""))


def _text_problems(parameters: Mapping[str, dict[str, Any]], values: Mapping[str, str]) -> list[str]:
    """Of a path or a query, where every value is text."""
    problems = []
    for name, text in values.items():
        if name not in parameters:
            problems.append(f"{name} is not documented")
            continue
        problems += _schema_problems(_schema(parameters[name]), _typed(text, parameters[name]["type"]), name)
    return problems


def _body_problems(parameters: Mapping[str, dict[str, Any]], body: dict[str, Any]) -> Iterator[str]:
    yield from _missing(parameters, body)
    for name, value in body.items():
        if name in parameters:
            yield from _schema_problems(_schema(parameters[name]), value, name)
        else:
            yield f"{name} is not documented"


def _missing(parameters: Mapping[str, dict[str, Any]], body: Mapping[str, Any]) -> list[str]:
    return [f"{name} is missing" for name, one in parameters.items() if one["required"] and name not in body]


def _schema(parameter: dict[str, Any]) -> dict[str, Any]:
    return {key: parameter[key] for key in ("type", "enum", "minimum", "maximum") if key in parameter}


def _typed(text: str, kind: str) -> object:
    if kind == "integer" and re.fullmatch(r"-?[0-9]+", text):
        return int(text)
    if kind == "boolean" and text in {"true", "false"}:
        return text == "true"
    return text


def _schema_problems(schema: dict[str, Any], value: object, name: str = "") -> list[str]:
    found = Draft4Validator(schema).iter_errors(value)
    return [f"{name}{'/'.join(map(str, error.absolute_path))}: {error.message}" for error in found]


def _without_nulls(value: Any) -> Any:
    """PortOne sends null for what does not apply, which its specification cannot express."""
    if isinstance(value, dict):
        return {name: _without_nulls(member) for name, member in value.items() if member is not None}
    return [_without_nulls(element) for element in value] if isinstance(value, list) else value
