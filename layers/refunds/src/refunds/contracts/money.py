"""Amounts of money and the currencies they are in.

An amount is a ``Decimal`` from the first byte to the last. It has as many decimals as its currency:
KRW none, USD two. A binary float is only ever read from a trigger that Lambda's runtime parsed before us.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Final

from pydantic import (
    AfterValidator,
    BeforeValidator,
    JsonValue,
    PlainSerializer,
    SerializationInfo,
    StringConstraints,
    WithJsonSchema,
)

#: In any currency. Far above any real refund; a larger number is a mistake upstream, not a refund.
MAX_AMOUNT: Final = Decimal(999_999_999_999)

#: No currency has more decimals (ISO 4217, without units of account).
MAX_DECIMALS: Final = 3

DEFAULT_DECIMALS: Final = 2

#: ISO 4217, "minor unit": every currency whose amounts do not have two decimals.
_DECIMALS: Final[dict[str, int]] = {
    **dict.fromkeys(
        "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF".split(),  # noqa: SIM905 - a table
        0,
    ),
    **dict.fromkeys("BHD IQD JOD KWD LYD OMR TND".split(), 3),  # noqa: SIM905 - a table
}

#: The currencies whose amounts are whole numbers.
WHOLE_CURRENCIES: Final = tuple(sorted(code for code, places in _DECIMALS.items() if places == 0))

CURRENCY_PATTERN: Final = r"^[A-Z]{3}$"

Currency = Annotated[str, StringConstraints(strict=True, pattern=CURRENCY_PATTERN)]
"""An ISO 4217 code. Only its form is checked: which currencies there are is the provider's business."""


def decimals(currency: str) -> int:
    """How many decimals an amount in ``currency`` may have; two for a code that is not known."""
    return _DECIMALS.get(currency, DEFAULT_DECIMALS)


def fits(amount: Decimal, currency: str) -> bool:
    """Whether a finite ``amount`` has no more decimals than ``currency``."""
    return _places(amount) <= decimals(currency)


def exact_number(value: object) -> Decimal:
    """A JSON number as it was written, whoever parsed it.

    A float only comes from a trigger that Lambda's runtime parsed before us. Its shortest repr is exactly
    what the sender wrote up to 15 significant digits, as many as the largest amount has.

    Raises:
        ValueError: not a number, or not a finite one.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise ValueError("must be a JSON number")  # noqa: TRY004 - pydantic turns ValueError into a field error
    number = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    if not number.is_finite():
        raise ValueError("must be a finite number")
    return number


def read_amount(value: object) -> Decimal:
    """An amount of zero or more from a JSON number; ``1000`` and ``1000.0`` are the same amount.

    Raises:
        ValueError: no amount of any currency.
    """
    amount = exact_number(value)
    if not amount:
        return Decimal(0)
    if amount < 0:
        raise ValueError("must not be negative")
    # The exponent first: a number of a billion digits is not computed with.
    if amount.adjusted() > MAX_AMOUNT.adjusted() or amount > MAX_AMOUNT:
        raise ValueError(f"must be at most {MAX_AMOUNT}")
    if amount.adjusted() < -MAX_DECIMALS or _places(amount) > MAX_DECIMALS:
        raise ValueError(f"must have at most {MAX_DECIMALS} decimals")
    return _canonical(amount)


def plain_number(amount: Decimal) -> int | Decimal:
    """The same number, ``int`` where it is whole: how amounts are stored, compared and written."""
    return int(amount) if _places(amount) == 0 else _canonical(amount)


def _places(amount: Decimal) -> int:
    """Decimals after the point, without zeros at the end."""
    _sign, digits, exponent = amount.as_tuple()
    if not isinstance(exponent, int):
        raise ValueError("must be a finite number")  # noqa: TRY004 - the exponent of NaN is text
    if exponent >= 0 or not amount:
        return 0
    zeros = 0
    while zeros < len(digits) and digits[-1 - zeros] == 0:
        zeros += 1
    return max(0, -exponent - zeros)


def _canonical(amount: Decimal) -> Decimal:
    """Without zeros at the end and without exponent."""
    places = _places(amount)
    return Decimal(int(amount)) if places == 0 else Decimal(f"{amount:.{places}f}")


def _positive(amount: Decimal) -> Decimal:
    if amount == 0:
        raise ValueError("must be greater than zero")
    return amount


def _written(amount: Decimal, info: SerializationInfo) -> int | float | Decimal:
    """Exact in Python. Pydantic's JSON knows floats only; the shortest repr of one is the amount."""
    number = plain_number(amount)
    return float(number) if info.mode_is_json() and isinstance(number, Decimal) else number


AS_NUMBER: Final = PlainSerializer(_written)

AMOUNT_SCHEMA: Final[dict[str, JsonValue]] = {"type": "number", "minimum": 0, "maximum": int(MAX_AMOUNT)}

POSITIVE_AMOUNT_SCHEMA: Final[dict[str, JsonValue]] = {
    "type": "number",
    "exclusiveMinimum": 0,
    "maximum": int(MAX_AMOUNT),
}
"""JSON Schema of an amount greater than zero; ``1000.0`` is one."""

Amount = Annotated[Decimal, BeforeValidator(read_amount), AS_NUMBER, WithJsonSchema(AMOUNT_SCHEMA)]
"""An amount of money in its request's currency, zero included."""

PositiveAmount = Annotated[
    Decimal,
    AfterValidator(_positive),
    BeforeValidator(read_amount),
    AS_NUMBER,
    WithJsonSchema(POSITIVE_AMOUNT_SCHEMA),
]
"""An amount of money in its request's currency, greater than zero."""
