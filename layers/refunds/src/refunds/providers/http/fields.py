"""Field types for providers' answers: strict where money depends on it, forgiving elsewhere.

The documents contradict the specification (``paid_at`` is text in one and a number in the
other) and payment gateways fill fields as they like. An odd ``pay_method`` must not make the
proof of a refund unreadable; an odd amount must.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    GetCoreSchemaHandler,
    StringConstraints,
    ValidationError,
)
from pydantic_core import CoreSchema, core_schema

MAX_AMOUNT = Decimal(10) ** 15
"""Above any amount and any time stamp; what is larger is not one and costs time to compute with."""

_DECIMALS = 3
_NOISE = Decimal("0.000001")
_DIGITS = re.compile(r"[0-9]{1,15}")

M = TypeVar("M", bound=BaseModel)


class ProviderModel(BaseModel):
    """Immutable; unknown fields are ignored; errors do not show the values found."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


def _amount(value: object) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise ValueError("not a number")  # noqa: TRY004 - pydantic collects ValueError only
    amount = Decimal(value)
    if not amount.is_finite() or not 0 <= amount < MAX_AMOUNT:
        raise ValueError("not an amount")
    return _without_noise(amount)


def _without_noise(amount: Decimal) -> Decimal:
    """A sender that computes in binary fractions writes 544.68 as 544.6800000000001."""
    plain = round(amount, _DECIMALS)
    return plain if amount != plain and abs(amount - plain) < _NOISE else amount


def _whole(value: object) -> int:
    amount = _amount(value)
    if amount != amount.to_integral_value():
        raise ValueError("not a whole number")
    return int(amount)


def _number(value: object) -> int:
    if isinstance(value, str) and _DIGITS.fullmatch(value):
        return int(value)
    return _whole(value)


@dataclass(frozen=True)
class _Otherwise:
    """Reads ``value`` where the field's own type cannot be read.

    By pydantic's core: a validator in Python would be called for each field.
    """

    value: object

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_default_schema(handler(source), default=self.value, on_error="default")


Amount = Annotated[Decimal, BeforeValidator(_amount)]
"""Money in the payment's currency (won, unless it says otherwise): a JSON number, never text."""

Whole = Annotated[int, BeforeValidator(_whole)]
"""A count or a number of seconds: a JSON number without a fraction (``2.0`` is ``2``)."""

Identifier = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=256)]
"""Longer than any id there is; the ledger, which keeps some of them, takes no item beyond 400 KB."""

Word = Annotated[str, StringConstraints(strict=True, pattern=r"^[A-Za-z_]{1,40}$")]
"""A status or the like. Events and the ledger repeat it, so nothing else may stand in its place."""

Code = Annotated[str, StringConstraints(strict=True, pattern=r"^[A-Za-z0-9_-]{1,40}$")]
"""A result code as EBP writes them (``0``, ``EBP-C-0010``); repeated like a ``Word``."""

Reference = Annotated[str, StringConstraints(strict=True, pattern=r"^[!-~]{1,128}$")]
"""A transaction id or a name of a PG. Events and the ledger repeat it: neither a name of a person nor a text
that no event can hold may stand in its place."""

Address = Annotated[str, StringConstraints(strict=True, pattern=r"^[!-~]{1,1024}$")]
"""Where a receipt can be seen; repeated like a ``Reference``."""

Forgiving = _Otherwise(None)
ForgivingMany = _Otherwise(())

OptionalText = Annotated[str | None, Forgiving]
OptionalWord = Annotated[Word | None, Forgiving]
OptionalReference = Annotated[Reference | None, Forgiving]
OptionalAddress = Annotated[Address | None, Forgiving]
OptionalAmount = Annotated[Amount | None, Forgiving]
OptionalWhole = Annotated[Whole | None, Forgiving]
Number = Annotated[int, BeforeValidator(_number)]
"""A whole number, also written as text (``"1700000000"``), as the documents type time stamps."""

OptionalNumber = Annotated[Number | None, Forgiving]


def read_as(model: type[M], value: object) -> tuple[M | None, str]:
    """Read ``value`` as ``model``; if it is not usable, ``None`` and the names of the fields at fault."""
    try:
        return model.model_validate(value), ""
    except ValidationError as error:
        places = (".".join(map(str, fault["loc"])) for fault in error.errors(include_input=False))
        return None, ", ".join(dict.fromkeys(place or "the object itself" for place in places))
