"""Money as the providers write it: exact amounts, and as many decimals as the currency has (ISO 4217)."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

DECIMALS: Mapping[str, int] = {"KRW": 0, "JPY": 0, "VND": 0, "USD": 2, "EUR": 2}
DEFAULT_CURRENCY = "KRW"
NOTHING = Decimal(0)


def money(value: Any) -> Decimal:
    """An amount from the wire or from a seed: `1000`, `1000.0` and `"1000"` are the same.

    Raises ValueError for anything not finite and for anything not a number.
    """
    if isinstance(value, int | float | str | Decimal) and not isinstance(value, bool):
        try:
            number = Decimal(str(value))
        except InvalidOperation:
            number = Decimal("NaN")
        if number.is_finite():
            return number
    raise ValueError(f"not an amount: {value!r}")


def known_currency(code: Any) -> str:
    """The currency itself. Raises ValueError for one the simulator does not know."""
    if code not in DECIMALS:
        raise ValueError(f"currency is one of {sorted(DECIMALS)}")
    return str(code)


def fits(amount: Decimal, currency: str) -> bool:
    """Whether an amount has no more decimals than its currency; an unknown currency has two."""
    step = Decimal(1).scaleb(-DECIMALS.get(currency, 2))
    return amount % step == 0


def as_number(amount: Any) -> int | float:
    """A Decimal as JSON number: `1000`, `726.24`. Serves `json.dumps` as `default`.

    A double prints up to 15 digits as they were written. Nothing is ever computed with it.
    """
    if not isinstance(amount, Decimal):
        raise TypeError(f"not JSON: {amount!r}")
    return int(amount) if amount == amount.to_integral_value() else float(amount)
