"""Field types shared by the contracts: identifiers and amounts of money."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Final

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    PlainSerializer,
    StringConstraints,
    WithJsonSchema,
)

#: Won. Far above any real refund; a larger number is a mistake upstream, not a refund.
MAX_WON: Final = Decimal(999_999_999_999)
_MAX_FLOAT_DIGITS: Final = 15

_ID = r"^[A-Za-z0-9._:-]+$"


class ContractModel(BaseModel):
    """Immutable, ignores unknown fields, and never repeats an input value in an error.

    Fields have one name only, the one on the wire: a second spelling would be a second meaning.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="ignore",
        hide_input_in_errors=True,
        serialize_by_alias=True,
        json_schema_serialization_defaults_required=True,
    )


def _not_a_path(value: str) -> str:
    """The id becomes a URL path segment: ``.`` and ``..`` would name another resource."""
    if value == "." or ".." in value:
        raise ValueError("must not contain '..' or be '.'")
    return value


_NOT_A_PATH_SCHEMA: Final[dict[str, JsonValue]] = {"not": {"pattern": r"^\.$|\.\."}}


def _won(value: object) -> Decimal:
    """Whole won from a JSON number; ``1000`` and ``1000.0`` are the same amount."""
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        raise ValueError("must be a JSON number")  # noqa: TRY004 - pydantic turns ValueError into a field error
    amount = _exact(value)
    if not amount.is_finite():
        raise ValueError("must be a finite number")
    if amount < 0:
        raise ValueError("must not be negative")
    if amount.adjusted() > MAX_WON.adjusted() or amount > MAX_WON:
        raise ValueError(f"must be at most {MAX_WON} won")
    if amount.adjusted() < -_MAX_FLOAT_DIGITS and amount != 0:
        raise ValueError("must be a whole number of won")
    if amount != amount.to_integral_value():
        raise ValueError("must be a whole number of won")
    return Decimal(int(amount))


def _exact(value: float | Decimal) -> Decimal:
    """A float only comes from a trigger that Lambda's runtime parsed before us.

    Its shortest repr is exactly what the sender wrote up to 15 significant digits, three more
    than the largest amount accepted.
    """
    return Decimal(repr(value)) if isinstance(value, float) else Decimal(value)


def _positive(amount: Decimal) -> Decimal:
    if amount == 0:
        raise ValueError("must be greater than zero")
    return amount


WON_SCHEMA: Final[dict[str, JsonValue]] = {
    "type": "number",
    "multipleOf": 1,
    "minimum": 1,
    "maximum": int(MAX_WON),
}
"""JSON Schema of an amount greater than zero; ``1000.0`` is one."""

_AS_INTEGER = PlainSerializer(int, return_type=int)

WonOrZero = Annotated[
    Decimal,
    BeforeValidator(_won),
    _AS_INTEGER,
    WithJsonSchema({**WON_SCHEMA, "minimum": 0}),
]
"""An amount of KRW won, zero included."""

Won = Annotated[
    Decimal,
    AfterValidator(_positive),
    BeforeValidator(_won),
    _AS_INTEGER,
    WithJsonSchema(WON_SCHEMA),
]
"""An amount of KRW won greater than zero."""


def _whole(value: object) -> int:
    amount = _won(value)
    return int(amount)


Count = Annotated[
    int,
    AfterValidator(lambda n: int(_positive(Decimal(n)))),
    BeforeValidator(_whole),
    WithJsonSchema({"type": "number", "multipleOf": 1, "minimum": 1, "maximum": int(MAX_WON)}),
]
"""A whole number of things, at least one; ``2`` and ``2.0`` are the same."""

CancelRequestId = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=64, pattern=_ID)]
"""The idempotency key (DESIGN section 3)."""

OrderId = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=64, pattern=_ID)]
"""An order number of the order service or of EBP."""

ImpUid = Annotated[
    str,
    StringConstraints(strict=True, min_length=1, max_length=32, pattern=_ID),
    AfterValidator(_not_a_path),
    Field(json_schema_extra=_NOT_A_PATH_SCHEMA),
]
"""PortOne's payment id, String(32) in document 001; becomes a URL path segment."""

MerchantUid = Annotated[
    str,
    StringConstraints(strict=True, min_length=1, max_length=40, pattern=_ID),
    AfterValidator(_not_a_path),
    Field(json_schema_extra=_NOT_A_PATH_SCHEMA),
]
"""The shop's order number at PortOne, String(40) in document 001; becomes a URL path segment."""

Tier = Annotated[str, StringConstraints(strict=True, pattern=r"^[A-Za-z0-9]{3}$")]
"""A PortOne sub-merchant, sent as the ``Tier`` header (providers.md)."""
