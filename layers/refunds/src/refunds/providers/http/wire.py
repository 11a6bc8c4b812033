"""JSON as it crosses the wire: numbers stay exact in both directions.

The standard encoder writes no ``Decimal`` and its decoder reads every fraction as a binary
float, which turns 0.1 into 0.1000000000000000055; money may go through neither.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from refunds.contracts import strict_json
from refunds.errors import InvalidRequest

#: Made once: ``json.dumps`` makes a new encoder for every text that needs options.
_encoded: Final = json.JSONEncoder(ensure_ascii=False).encode


def encode(value: object) -> bytes:
    """Serialise a request body: UTF-8, no spaces, integral decimals without ``.0``.

    Raises:
        InvalidRequest: a number is not finite, or a text is not Unicode (half a surrogate pair).
        TypeError: the value holds a float (amounts are ``Decimal`` or ``int``) or another
            type that JSON does not know.
    """
    try:
        return _text(value).encode("utf-8")
    except UnicodeEncodeError:
        problem = "a text in the request is not valid Unicode"
    raise InvalidRequest(problem)


def _text(value: object) -> str:
    if isinstance(value, Decimal):
        return _number(value)
    if isinstance(value, Mapping):
        members = (f"{_key(name)}:{_text(member)}" for name, member in value.items())
        return "{" + ",".join(members) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(_text(element) for element in value) + "]"
    if value is None or isinstance(value, str | int):
        return _encoded(value)
    raise TypeError(f"a request body holds a {type(value).__name__}, which is not sent as JSON")


def _key(name: object) -> str:
    if not isinstance(name, str):
        raise TypeError("a request body has a key that is not text")
    return _encoded(name)


def _number(value: Decimal) -> str:
    if not value.is_finite():
        raise InvalidRequest("a number in the request is not finite")
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def decode(body: bytes) -> dict[str, object] | None:
    """Read an answer: a JSON object, or ``None`` when it is anything else.

    Whole numbers become ``int``, all others ``Decimal``. Text that two readers would understand
    differently is not JSON here; see ``strict_json.loads``.
    """
    try:
        # Decoded first: given bytes, the parser would guess among UTF-8, UTF-16 and UTF-32.
        value = strict_json.loads(body.decode("utf-8"))
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
