"""The outbound contract, version 1: what became of a cancellation (DESIGN section 4)."""

from __future__ import annotations

import uuid
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Final, Literal

from pydantic import Field, PlainSerializer, WithJsonSchema

from refunds.contracts.fields import ContractModel
from refunds.contracts.inbound import RequestedBy
from refunds.errors import ErrorCode

SOURCE: Final = "refund-handler"
SCHEMA_VERSION: Final = "1.0"
#: Fixed for ever: consumers deduplicate by the ids derived from it.
_NAMESPACE: Final = uuid.UUID("8f0f3a52-6a53-5c0e-9b8e-2f6a0d5a7c11")


class OutcomeKind(StrEnum):
    """How a cancellation ended, and the detail-type that says so."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    PARKED = "parked"

    @property
    def detail_type(self) -> str:
        """The EventBridge ``detail-type``."""
        return f"Cancel{self.value.capitalize()}"


Settles = Literal["immediate", "next_business_day"]
Amount = Annotated[Decimal, PlainSerializer(int, return_type=int)]
"""Won, written as a JSON integer."""


_Uuid = Annotated[str, WithJsonSchema({"type": "string", "format": "uuid"})]
_Moment = Annotated[str, WithJsonSchema({"type": "string", "format": "date-time"})]
"""ISO 8601 with a time zone."""


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
    """Won. ``cancelled`` is null while nobody can say whether money moved."""

    currency: Literal["KRW"] = "KRW"
    cancelled: Amount | None
    tax_free: Amount | None = None
    vat: Amount | None = None
    cancellable_before: Amount | None = None
    cancellable_after: Amount | None = None
    settles: Settles | None = None


class CancelledItem(ContractModel):
    """One EBP order line that was cancelled; amounts are won per unit."""

    seq: int
    item_type: str = Field(alias="itemType")
    item_id: str = Field(alias="itemId")
    quantity: int
    amount: Amount
    tax_amount: Amount | None = Field(default=None, alias="taxAmount")


class OutcomeError(ContractModel):
    """Why it did not succeed. Free of personal data; ``provider_*`` are passed on for people, redacted."""

    code: ErrorCode
    message: str
    retryable: bool
    may_have_been_applied: bool
    provider_code: str | None = None
    provider_message: str | None = None


class Outcome(ContractModel):
    """The detail of ``CancelSucceeded``, ``CancelFailed`` and ``CancelParked``.

    ``order_id``, ``requested_by`` and ``requested_at`` are null only for a parked message so
    malformed that they cannot be read from it.
    """

    schema_version: Literal["1.0"] = SCHEMA_VERSION
    outcome_id: _Uuid
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


def outcome_id(cancel_type: str, cancel_request_id: str, kind: OutcomeKind) -> str:
    """The consumer's dedupe key: the same for every repetition of the same outcome."""
    return str(uuid.uuid5(_NAMESPACE, f"{cancel_type}#{cancel_request_id}#{kind.value}"))
