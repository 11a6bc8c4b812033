"""What goes over the wire: a request, the answer to it, and the ways an answer can get lost."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from local.simulator.currencies import as_number, money

if TYPE_CHECKING:
    from collections.abc import Mapping

JSON_HEADERS = {"content-type": "application/json; charset=utf-8"}


class LossKind(StrEnum):
    """How a connection dies, seen from the client."""

    REFUSED = "refused"
    """Never connected: nothing of the request was read."""
    RESET = "reset"
    """The peer sent RST instead of an answer."""
    CLOSED = "closed"
    """The peer closed in good order (FIN) instead of answering."""
    TRUNCATED = "truncated"
    """The body ended before its Content-Length."""
    HANG = "hang"
    """Connected and silent."""
    MALFORMED = "malformed"
    """A head without line ends: no HTTP, though every byte of the answer was sent."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete HTTP answer. `delay_seconds` is how long the provider takes before it sends it."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    delay_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Lost:
    """An answer that never arrives whole.

    `answer` is set for a truncated body, of which the transport sends `sent_bytes`, and for a malformed
    head. `delay_seconds` is how long the connection lives before it dies.
    """

    kind: LossKind
    answer: Answer | None = None
    sent_bytes: int = 0
    delay_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer before it is serialised, so that a fault can still distort it."""

    status: int
    payload: dict[str, Any]
    headers: Mapping[str, str] = field(default_factory=lambda: JSON_HEADERS)

    def encoded(self) -> Answer:
        """The answer as it goes over the wire."""
        return Answer(self.status, self.headers, json.dumps(self.payload, default=as_number).encode())


@dataclass(frozen=True, slots=True)
class Request:
    """One provider request. Header names are looked up in lower case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    def fields(self) -> dict[str, Any]:
        """The body as an object, from JSON or from a form; PHP-style `extra[requester]` becomes nested.

        Raises ValueError when it is neither.
        """
        if "application/x-www-form-urlencoded" in (self.headers.get("content-type") or ""):
            return _from_form(self.body)
        return parse_object(self.body)


def parse_object(body: bytes) -> dict[str, Any]:
    """A JSON object with fractions kept as Decimal; an empty body is an empty object.

    Raises ValueError for anything else.
    """
    if not body:
        return {}
    parsed = json.loads(body, parse_float=Decimal)
    if not isinstance(parsed, dict):
        raise ValueError("the body is not a JSON object")  # noqa: TRY004 wrong input, not a wrong call
    return parsed


def _from_form(body: bytes) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for name, value in parse_qsl(body.decode(), keep_blank_values=True):
        outer, bracket, inner = name.partition("[")
        if bracket and inner.endswith("]"):
            fields.setdefault(outer, {})[inner[:-1]] = value
        else:
            fields[name] = value
    return fields


def whole_number(value: Any) -> int:
    """A count from the wire as int: `2`, `2.0` and `"2"` are the same.

    Raises ValueError for fractions, for anything not finite and for anything not a number.
    """
    number = money(value)
    if number != number.to_integral_value():
        raise ValueError(f"not a whole number: {value!r}")
    return int(number)
