"""Upper bounds of what one cancel type may move."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Final

from refunds.contracts import money, strict_json
from refunds.errors import ConfigurationError

#: Instead of bounds: they are left out on purpose.
NONE: Final = "none"

_CURRENCY: Final = re.compile(money.CURRENCY_PATTERN)
_RESTORED_AT: Final = "restored_at"
_BOUNDS: Final = frozenset({"largest", "per_hour", "amount_per_hour"})
_UNBOUNDED: Final = Decimal(10) ** 15
"""Of any currency, and of an hour: beyond what requests can name together."""


@dataclass(frozen=True)
class Limits:
    """Upper bounds of one cancel type. An hour is one of the clock, in UTC.

    Where amounts are bounded in some currency, a request in another one is kept back: nobody has said
    what it may move.

    Attributes:
        largest: what one request may move, by currency; empty is no bound.
        per_hour: requests sent in an hour; ``None`` is no bound.
        amount_per_hour: what the requests of an hour may move together, by currency; empty is no bound.
        restored_at: UNIX seconds at which the ledger was restored. A request that was asked for before and
            has no item may have been carried out, and its item lost. ``None``: it never was.
    """

    largest: Mapping[str, Decimal] = field(default_factory=dict)
    per_hour: int | None = None
    amount_per_hour: Mapping[str, Decimal] = field(default_factory=dict)
    restored_at: float | None = None

    @property
    def hourly(self) -> bool:
        """Whether requests have to be counted."""
        return self.per_hour is not None or bool(self.amount_per_hour)


def limits_of_json(text: str, cancel_types: Collection[str]) -> dict[str, Limits]:
    """Read a deployment's limits, by cancel type and currency; a type that they leave out is left out.

    ::

        {"payment_cancel": {"KRW": {"largest": 1000000, "per_hour": 100, "amount_per_hour": 50000000},
                            "USD": {"largest": 726.24}},
         "vbank_revoke": "none"}

    A currency that is named and lacks a bound has none. ``per_hour`` is of the cancel type, whatever the
    currency: of several, the smallest holds. ``none`` instead of everything is for every type.

    After the ledger was restored, ``restored_at`` stands beside the types, and then all of them are named.

    Raises:
        ConfigurationError: it is not of that form; the text says where.
    """
    if not text:
        return {}
    if text == NONE:
        return dict.fromkeys(cancel_types, Limits())
    try:
        found = strict_json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise ConfigurationError(f"LIMITS is neither a JSON object nor {NONE}")
    restored = found.pop(_RESTORED_AT, None)
    if unknown := found.keys() - set(cancel_types):
        raise ConfigurationError(f"LIMITS names {', '.join(sorted(unknown))}: there is no such cancel type")
    limits = {name: _limits(name, bounds) for name, bounds in found.items()}
    if restored is None:
        return limits
    restored_at = _restored_at(restored, found, cancel_types)
    return {name: replace(one, restored_at=restored_at) for name, one in limits.items()}


def _restored_at(text: object, named: Collection[str], cancel_types: Collection[str]) -> float:
    """One type without limits would be one that sends again what it cannot remember."""
    if missing := set(cancel_types) - set(named):
        absent = ", ".join(sorted(missing))
        raise ConfigurationError(f"LIMITS with {_RESTORED_AT} name every cancel type: {absent}")
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise ConfigurationError(f"LIMITS: {_RESTORED_AT} is no ISO 8601 time with a time zone")
    return moment.timestamp()


def _limits(cancel_type: str, by_currency: object) -> Limits:
    if by_currency == NONE:
        return Limits()
    if not isinstance(by_currency, dict) or not by_currency:
        raise ConfigurationError(f"LIMITS of {cancel_type} are neither bounds by currency nor {NONE}")
    bounds = {currency: _bounds(cancel_type, currency, found) for currency, found in by_currency.items()}
    rates = [int(found["per_hour"]) for found in bounds.values() if "per_hour" in found]
    hourly = any("amount_per_hour" in found for found in bounds.values())
    return Limits(
        # Every currency is in it that is named at all: the others are kept back.
        largest={currency: found.get("largest", _UNBOUNDED) for currency, found in bounds.items()},
        per_hour=min(rates, default=None),
        amount_per_hour={
            currency: found.get("amount_per_hour", _UNBOUNDED) for currency, found in bounds.items() if hourly
        },
    )


def _bounds(cancel_type: str, currency: str, found: object) -> dict[str, Decimal]:
    place = f"LIMITS of {cancel_type} in {currency}"
    if not _CURRENCY.fullmatch(currency):
        raise ConfigurationError(f"{place}: that is no currency of ISO 4217")
    if not isinstance(found, dict) or found.keys() - _BOUNDS:
        raise ConfigurationError(f"{place} are not an object of {', '.join(sorted(_BOUNDS))}")
    return {name: _bound(f"{place}: {name}", bound, currency) for name, bound in found.items()}


def _bound(place: str, bound: object, currency: str) -> Decimal:
    try:
        number = money.exact_number(bound)
    except ValueError:
        number = Decimal(0)
    whole = place.endswith("per_hour") and not place.endswith("amount_per_hour")
    if not 0 < number < _UNBOUNDED or not (number == int(number) if whole else money.fits(number, currency)):
        raise ConfigurationError(f"{place} is not a number above zero that the currency can have")
    return number
