"""JSON in which money survives: numbers with a fraction become ``Decimal``, and nothing is guessed."""

from __future__ import annotations

import json
import json.encoder
from collections.abc import Mapping
from decimal import Decimal
from typing import Final, Never

_MAX_EXPONENT: Final = 60  # decimal digits before or after the point
_MAX_DIGITS: Final = 200  # characters of one number; every later step with it costs time by its length


class NotStrictJson(ValueError):
    """The text is not JSON, or is JSON that two readers could understand differently."""


def loads(text: str | bytes) -> object:
    """Parse JSON; integers stay ``int``, other numbers become ``Decimal``, never ``float``.

    Raises:
        NotStrictJson: not JSON, NaN or Infinity, the same key twice in one object, a number or a
            nesting beyond what can be handled. The message never contains the text.
    """
    return _read(_DECODER, text)


def loads_leniently(text: str | bytes) -> object:
    """Like ``loads``, but a number that cannot be represented is read as ``Decimal`` NaN.

    For finding out whom a broken message is about; never for what is to be carried out.

    Raises:
        NotStrictJson: as ``loads``, except for its numbers.
    """
    return _read(_LENIENT_DECODER, text)


def _read(decoder: json.JSONDecoder, text: str | bytes) -> object:
    try:
        return decoder.decode(_as_text(text))
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
    if len(text) > _MAX_DIGITS:
        raise NotStrictJson("a number has too many digits")
    number = Decimal(text)
    if not number:
        return Decimal(0)
    if abs(number.adjusted()) > _MAX_EXPONENT:
        raise NotStrictJson("a number has too many digits")
    return number


def _refuse_constant(_name: str) -> Never:
    raise NotStrictJson("NaN and Infinity are not JSON numbers")


def _fraction_if_readable(text: str) -> Decimal:
    try:
        return _fraction(text)
    except (NotStrictJson, ArithmeticError):
        return Decimal("NaN")


def _integer_if_readable(text: str) -> int | Decimal:
    try:
        return int(text)
    except ValueError:  # beyond sys.get_int_max_str_digits
        return Decimal("NaN")


def _not_a_number(_name: str) -> Decimal:
    return Decimal("NaN")


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise NotStrictJson("the same key appears twice in one object")
    return found


def dumps(value: object, *, sort_keys: bool = True) -> str:
    """The one way JSON is written here: no spaces, no ``float``, every ``Decimal`` exact in plain notation.

    Sorted keys make it canonical: what is equal is written the same. ``1000.0`` is written ``1000``.

    Raises:
        ValueError: a number is not finite or has too many digits.
        TypeError: the value holds a float or another type that has no exact JSON.
    """
    return _text(value, sort_keys=sort_keys)


def _text(value: object, *, sort_keys: bool) -> str:
    if isinstance(value, str):
        return _quoted(value)
    if value is None or isinstance(value, bool):
        return _CONSTANTS[value]
    if isinstance(value, int):
        return int.__repr__(value)
    if isinstance(value, Decimal):
        return _number(value)
    if isinstance(value, (list, tuple)):  # a union would be made anew at each call
        return "[" + ",".join([_text(element, sort_keys=sort_keys) for element in value]) + "]"
    if isinstance(value, dict) or isinstance(value, Mapping):  # noqa: SIM101 - an abstract class is slow to ask
        return _object(value, sort_keys=sort_keys)
    raise TypeError(f"a {type(value).__name__} is not written as JSON")


def _object(value: Mapping[str, object], *, sort_keys: bool) -> str:
    """A key that is not text is refused by ``_quoted``."""
    names = sorted(value) if sort_keys else value
    return "{" + ",".join([f"{_quoted(n)}:{_text(value[n], sort_keys=sort_keys)}" for n in names]) + "}"


def _number(value: Decimal) -> str:
    if not value.is_finite():
        raise ValueError("a number is not finite")
    if not value:
        return "0"
    if abs(value.adjusted()) > _MAX_EXPONENT:
        raise ValueError("a number has too many digits")
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


# Made once: the functions of ``json`` make a new one for every text that needs options.
_DECODER: Final = json.JSONDecoder(
    parse_float=_fraction, parse_constant=_refuse_constant, object_pairs_hook=_unique
)
_LENIENT_DECODER: Final = json.JSONDecoder(
    parse_int=_integer_if_readable,
    parse_float=_fraction_if_readable,
    parse_constant=_not_a_number,
    object_pairs_hook=_unique,
)
_quoted: Final = json.encoder.encode_basestring
_CONSTANTS: Final[dict[bool | None, str]] = {None: "null", True: "true", False: "false"}
