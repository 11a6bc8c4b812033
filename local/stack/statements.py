"""What accounting believes, by the rule of docs/contracts.md, and amounts as people read them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, Final

from local.simulator.currencies import DECIMALS, DEFAULT_CURRENCY

Statement = Mapping[str, Any]

_FINAL: Final = ("succeeded", "failed")


def is_final(statement: Statement) -> bool:
    """Whether no other statement about the request counts any more."""
    return statement["outcome"] in _FINAL


def believed(statements: Iterable[Statement]) -> Statement | None:
    """The one that counts: a final one, else the one with the highest revision; ``None`` if there is none."""
    return max(statements, key=lambda one: (is_final(one), one.get("revision", 0)), default=None)


def cancelled(statement: Statement) -> tuple[str, Decimal]:
    """What a succeeded one says that was refunded, with its currency; nothing for any other."""
    money = statement["money"]
    if statement["outcome"] != "succeeded" or money is None:
        return DEFAULT_CURRENCY, Decimal(0)
    return str(money["currency"]), Decimal(str(money["cancelled"]))


def by_currency(amounts: Iterable[tuple[str, Decimal]]) -> dict[str, Decimal]:
    """Sums by currency, won first; a currency in which nothing moved is left out."""
    sums: dict[str, Decimal] = {}
    for currency, amount in amounts:
        sums[currency] = sums.get(currency, Decimal(0)) + amount
    order = sorted(sums, key=lambda currency: (currency != DEFAULT_CURRENCY, currency))
    return {currency: sums[currency] for currency in order if sums[currency]}


def in_words(sums: Mapping[str, Decimal]) -> str:
    """``124,000 won, USD 181.56``; ``nothing`` if it is empty."""
    return ", ".join(_amount(currency, amount) for currency, amount in sums.items()) or "nothing"


def _amount(currency: str, amount: Decimal) -> str:
    number = f"{amount:,.{DECIMALS.get(currency, 2)}f}"
    return f"{number} won" if currency == DEFAULT_CURRENCY else f"{currency} {number}"
