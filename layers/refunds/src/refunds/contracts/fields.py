"""Field types shared by the contracts: identifiers, each with its only alphabet, and counts."""

from __future__ import annotations

import re
from typing import Annotated, Final

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    StringConstraints,
    WithJsonSchema,
)

from refunds.contracts.money import MAX_AMOUNT, exact_number

ID_PATTERN: Final = r"^[A-Za-z0-9._:-]+$"
"""The alphabet of every id that an event brings."""

TIER_PATTERN: Final = r"^[A-Z0-9]{3}$"

_ID: Final = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_TIER: Final = re.compile(TIER_PATTERN[1:-1])


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


def is_path_id(text: str) -> bool:
    """Whether an id may become a segment of a URL path, as it stands."""
    return _ID.fullmatch(text) is not None and text != "." and ".." not in text


def is_tier(text: str) -> bool:
    """Whether a sub-merchant's code may become a header."""
    return _TIER.fullmatch(text) is not None


def _whole(value: object) -> int:
    number = exact_number(value)
    if number < 1:
        raise ValueError("must be greater than zero")
    # The exponent first: a number of a billion digits is not computed with.
    if number.adjusted() > MAX_AMOUNT.adjusted() or number > MAX_AMOUNT:
        raise ValueError(f"must be at most {MAX_AMOUNT}")
    if number != int(number):
        raise ValueError("must be a whole number")
    return int(number)


Count = Annotated[
    int,
    BeforeValidator(_whole),
    WithJsonSchema({"type": "number", "multipleOf": 1, "minimum": 1, "maximum": int(MAX_AMOUNT)}),
]
"""A whole number of things, at least one; ``2`` and ``2.0`` are the same."""

CancelRequestId = Annotated[
    str, StringConstraints(strict=True, min_length=1, max_length=64, pattern=ID_PATTERN)
]
"""The idempotency key (docs/protocol.md)."""

OrderId = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=64, pattern=ID_PATTERN)]
"""An order number of the order service or of EBP."""

ImpUid = Annotated[
    str,
    StringConstraints(strict=True, min_length=1, max_length=32, pattern=ID_PATTERN),
    AfterValidator(_not_a_path),
    Field(json_schema_extra=_NOT_A_PATH_SCHEMA),
]
"""PortOne's payment id, String(32) in PortOne's specification; becomes a URL path segment."""

MerchantUid = Annotated[
    str,
    StringConstraints(strict=True, min_length=1, max_length=40, pattern=ID_PATTERN),
    AfterValidator(_not_a_path),
    Field(json_schema_extra=_NOT_A_PATH_SCHEMA),
]
"""The shop's order number at PortOne, String(40) in PortOne's specification; becomes a URL path segment."""

Tier = Annotated[str, StringConstraints(strict=True, pattern=TIER_PATTERN)]
"""A PortOne sub-merchant, sent as the ``Tier`` header (docs/providers.md)."""
