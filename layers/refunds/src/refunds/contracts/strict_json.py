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
        return _DECODER.decode(_as_text(text))
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


def _as_text(text: str | bytes) -> str:
    """As ``json.loads`` reads bytes: UTF-8, 16 or 32, by their look."""
    return text if isinstance(text, str) else text.decode(json.detect_encoding(text), "surrogatepass")


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
    return _ENCODER.encode(value)


def _whole(value: object) -> int:
    """What the encoder does not know itself."""
    if not isinstance(value, Decimal):
        raise TypeError(f"a {type(value).__name__} is not written as JSON")
    whole = int(value)
    if whole != value:
        raise ValueError("only whole amounts are written as JSON")
    return whole


# Made once: the functions of ``json`` make a new one for every text that needs options.
_DECODER: Final = json.JSONDecoder(
    parse_float=_fraction, parse_constant=_refuse_constant, object_pairs_hook=_unique
)
_ENCODER: Final = json.JSONEncoder(
    ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False, default=_whole
)
