"""JSON in which money survives: numbers with a fraction become ``Decimal``, and nothing is guessed."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Final, Never

_MAX_EXPONENT: Final = 60  # decimal digits before or after the point


class NotStrictJson(ValueError):
    """The text is not JSON, or is JSON that two readers could understand differently."""


def loads(text: str | bytes) -> object:
    """Parse JSON; integers stay ``int``, other numbers become ``Decimal``, never ``float``.

    Raises:
        NotStrictJson: not JSON, NaN or Infinity, the same key twice in one object, a number or a
            nesting beyond what can be handled. The message never contains the text.
    """
    try:
        return json.loads(
            text, parse_float=_fraction, parse_constant=_refuse_constant, object_pairs_hook=_unique
        )
    except NotStrictJson:
        raise
    except UnicodeDecodeError:
        raise NotStrictJson("not UTF-8 text") from None
    except json.JSONDecodeError as error:
        raise NotStrictJson(f"not JSON (line {error.lineno}, column {error.colno})") from None
    except RecursionError:
        raise NotStrictJson("nested too deeply") from None
    except (ArithmeticError, ValueError):
        raise NotStrictJson("a number has too many digits") from None


def _fraction(text: str) -> Decimal:
    """Ten characters can write a number of a billion digits; whoever asks for its integer hangs."""
    number = Decimal(text)
    if not number:
        return Decimal(0)
    if abs(number.adjusted()) > _MAX_EXPONENT:
        raise NotStrictJson("a number has too many digits")
    return number


def _refuse_constant(_name: str) -> Never:
    raise NotStrictJson("NaN and Infinity are not JSON numbers")


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise NotStrictJson("the same key appears twice in one object")
    return found


def dumps(value: object) -> str:
    """Canonical JSON: sorted keys, no spaces, whole ``Decimal`` as integers, others in plain notation."""
    return json.dumps(
        _plain(value), ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False
    )


def _plain(value: object) -> object:
    if isinstance(value, Decimal):
        whole = int(value)
        if whole != value:
            raise ValueError("only whole amounts are written as JSON")
        return whole
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value
