"""The outbound contract, version 1.1: what became of a cancellation (docs/contracts.md)."""

from __future__ import annotations

import uuid
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Final, Literal, Self

from pydantic import BeforeValidator, Field, WithJsonSchema

from refunds.contracts import strict_json
from refunds.contracts.fields import ContractModel
from refunds.contracts.inbound import RequestedBy, SchemaVersion
from refunds.contracts.money import AS_NUMBER, CURRENCY_PATTERN, exact_number
from refunds.errors import ErrorCode

SOURCE: Final = "refund-handler"
SCHEMA_VERSION: Final = "1.1"
_WITHOUT_REVISION: Final = "1.0"
#: Fixed for ever: consumers deduplicate by the ids derived from it.
_NAMESPACE: Final = uuid.UUID("8f0f3a52-6a53-5c0e-9b8e-2f6a0d5a7c11")


class OutcomeKind(StrEnum):
    """Where a cancellation stands, and the detail-type that says so."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    PENDING = "pending"
    PARKED = "parked"

    @property
    def detail_type(self) -> str:
        """The EventBridge ``detail-type``."""
        return f"Cancel{self.value.capitalize()}"

    @property
    def final(self) -> bool:
        """Whether no other statement follows it."""
        return self in (OutcomeKind.SUCCEEDED, OutcomeKind.FAILED)


Settles = Literal["immediate", "next_business_day", "later"]

Amount = Annotated[Decimal, BeforeValidator(exact_number), AS_NUMBER, WithJsonSchema({"type": "number"})]
"""An amount of money in the currency that stands beside it, written as an exact JSON number."""

_Currency = Annotated[str, WithJsonSchema({"type": "string", "pattern": CURRENCY_PATTERN})]
_Uuid = Annotated[str, WithJsonSchema({"type": "string", "format": "uuid"})]
_Moment = Annotated[str, WithJsonSchema({"type": "string", "format": "date-time"})]
"""ISO 8601 with a time zone."""

# What a newer version wrote into the ledger is read as text, and published again as it was.
_Settles = Annotated[
    Settles | str,
    Field(union_mode="left_to_right"),
    WithJsonSchema({"type": "string", "enum": ["immediate", "next_business_day", "later"]}),
]
_ErrorCode = Annotated[
    ErrorCode | str,
    Field(union_mode="left_to_right"),
    WithJsonSchema({"type": "string", "enum": [code.value for code in ErrorCode]}),
]


class ProviderRefs(ContractModel):
    """The provider's own ids of what was done."""

    name: Literal["portone", "ebp"]
    imp_uid: str | None = None
    merchant_uid: str | None = None
    cancellation_id: str | None = None
    pg_provider: str | None = None
    pg_tid: str | None = None
    receipt_url: str | None = None
    return_request_id: str | None = None


class MoneyMoved(ContractModel):
    """Amounts in the currency that the provider showed.

    ``cancelled`` is what moved, or what is about to move while the outcome is pending; it is null while
    nobody can say whether money moved.
    """

    currency: _Currency
    cancelled: Amount | None
    tax_free: Amount | None = None
    vat: Amount | None = None
    cancellable_before: Amount | None = None
    cancellable_after: Amount | None = None
    settles: _Settles | None = None


class CancelledItem(ContractModel):
    """One EBP order line that was cancelled; amounts are per unit."""

    seq: int
    item_type: str = Field(alias="itemType")
    item_id: str = Field(alias="itemId")
    quantity: int
    amount: Amount
    tax_amount: Amount | None = Field(default=None, alias="taxAmount")


class OutcomeError(ContractModel):
    """Why it did not succeed. Free of personal data; ``provider_*`` are passed on for people, redacted."""

    code: _ErrorCode
    message: str
    retryable: bool
    may_have_been_applied: bool
    provider_code: str | None = None
    provider_message: str | None = None


class Outcome(ContractModel):
    """The detail of ``CancelSucceeded``, ``CancelFailed``, ``CancelPending`` and ``CancelParked``.

    ``order_id``, ``requested_by`` and ``requested_at`` are null only for a parked message so
    malformed that they cannot be read from it. ``revision`` is the version of the ledger item when this
    was recorded, 0 where there is none: of two statements the higher one is the later one.
    """

    schema_version: SchemaVersion = SCHEMA_VERSION
    outcome_id: _Uuid
    revision: Annotated[int, Field(ge=0)] = 0
    outcome: OutcomeKind
    cancel_type: str
    cancel_request_id: str
    order_id: str | None
    requested_by: RequestedBy | None
    requested_at: _Moment | None
    occurred_at: _Moment
    attempts: int
    provider: ProviderRefs
    money: MoneyMoved | None = None
    items: tuple[CancelledItem, ...] = ()
    error: OutcomeError | None = None

    def to_json(self) -> str:
        """The event detail, as it is published and stored: every field, amounts as exact numbers.

        An outcome that an earlier version recorded is written as that version wrote it.
        """
        written = self.model_dump()
        if self.schema_version == _WITHOUT_REVISION:
            del written["revision"]
        return strict_json.dumps(written, sort_keys=False)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """What ``to_json`` wrote, in this version or another one.

        Error codes and ``settles`` of a newer version stay the text they are; its other additions are
        left out. An outcome of version 1.0 has the revision 0.

        Raises:
            ValueError: no outcome of version 1.
        """
        return cls.model_validate(strict_json.loads(text))


def outcome_id(
    cancel_type: str,
    cancel_request_id: str,
    kind: OutcomeKind,
    error: OutcomeError | None = None,
    *,
    number: int = 1,
) -> str:
    """The consumer's dedupe key: the same for every repetition of the same statement.

    A parked request may be parked again for another reason, and that is another statement: its code and
    whether money may have moved are part of it.

    Args:
        number: how many different statements were made of the request, this one included. What is said
            again after something else was said in between is a new statement. A final one is said once.

    Raises:
        ValueError: parked without an error.
    """
    statement = f"{cancel_type}#{cancel_request_id}#{kind.value}"
    if kind is OutcomeKind.PARKED:
        if error is None:
            raise ValueError("a parked outcome says why")
        # `str.format` of an enum of text is its value, and of a code of another version the code.
        statement += f"#{error.code}#{'true' if error.may_have_been_applied else 'false'}"
    if number > 1 and not kind.final:
        statement += f"#{number}"
    return str(uuid.uuid5(_NAMESPACE, statement))
