"""The outbound contract, version 1.1: what became of a cancellation (docs/contracts.md)."""

from __future__ import annotations

import uuid
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
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


ProviderName = Literal["portone", "ebp"]
"""Who carries cancellations out; a provider's folder has its name."""


class ProviderRefs(ContractModel):
    """The provider's own ids of what was done."""

    name: ProviderName
    """Who carries it out."""
    imp_uid: str | None = None
    """PortOne's payment id: the request's own, or the one that was found under its merchant_uid."""
    merchant_uid: str | None = None
    """The shop's order number at PortOne."""
    cancellation_id: str | None = None
    """PortOne's id of this one cancellation, unique within it: what a settlement report is matched by."""
    pg_provider: str | None = None
    """PortOne's name of the payment gateway (PG)."""
    pg_tid: str | None = None
    """The PG's transaction id. It can be the payment's own, so it is no key of a cancellation."""
    receipt_url: str | None = None
    """Where the PG shows the receipt of the cancellation."""
    return_request_id: str | None = None
    """EBP's id of the return that it opened."""


class MoneyMoved(ContractModel):
    """Amounts in the currency that the provider showed.

    ``cancelled`` is what moved, or what is about to move while the outcome is pending; it is null while
    nobody can say whether money moved.
    """

    currency: _Currency
    """ISO 4217 code of all amounts here: what the provider showed, else what the event says or means."""
    cancelled: Amount | None
    """What moved (succeeded), 0 where nothing moved (failed, or parked before anything was sent), what is
    about to move (pending), and null where nobody can say yet."""
    tax_free: Amount | None = None
    """The part of it that is free of tax, as it was requested; null if not known."""
    vat: Amount | None = None
    """The VAT in it, as it was requested or as EBP tells it; null if not known."""
    cancellable_before: Amount | None = None
    """What could be cancelled of the payment before this cancellation; null if nobody looked."""
    cancellable_after: Amount | None = None
    """What can be cancelled of the payment after it; null if not known."""
    settles: _Settles | None = None
    """When the customer gets it: at once, on the next business day, or later than that. Null if not known."""


class CancelledItem(ContractModel):
    """One EBP order line that was cancelled; amounts are per unit."""

    seq: int
    """The line's number within the order."""
    item_type: str = Field(alias="itemType")
    """What kind of thing the line is, as the request named it."""
    item_id: str = Field(alias="itemId")
    """EBP's id of the thing."""
    quantity: int
    """How many of them were cancelled."""
    amount: Amount
    """What was cancelled for each of them, in the currency of money: per unit."""
    tax_amount: Amount | None = Field(default=None, alias="taxAmount")
    """The tax within that amount, per unit, in the same currency; null if the request named none."""


class OutcomeError(ContractModel):
    """Why it did not succeed. Free of personal data; ``provider_*`` are passed on for people, redacted."""

    code: _ErrorCode
    """What went wrong, for machines. A later minor version may add codes: decide by outcome, not by the
    code."""
    message: str
    """What went wrong, for people. Its wording may change at any time."""
    retryable: bool
    """Whether the same message may be tried again as it is. Always false when failed; parked messages wait in
    the handler's own dead-letter queue, so that nobody else has to send them again."""
    may_have_been_applied: bool
    """True only when parked: the provider may have carried it out. Neither book it nor repeat it: a
    CancelSucceeded or CancelFailed follows."""
    provider_code: str | None = None
    """The provider's own code, where it gave one. It proves nothing."""
    provider_message: str | None = None
    """The provider's own text, redacted. It proves nothing."""


class Outcome(ContractModel):
    """The detail of ``CancelSucceeded``, ``CancelFailed``, ``CancelPending`` and ``CancelParked``.

    ``order_id``, ``requested_by`` and ``requested_at`` are null only for a parked message so
    malformed that they cannot be read from it. ``revision`` is the version of the ledger item when this
    was recorded, 0 where there is none: of two statements the higher one is the later one.
    """

    schema_version: SchemaVersion = SCHEMA_VERSION
    """Version of this contract: 1 and a minor number. Unknown fields of a later minor are to be ignored."""
    outcome_id: _Uuid
    """Names the statement: a repetition of it has the same id, another statement about the request another
    one. It is what a consumer deduplicates by."""
    revision: Annotated[int, Field(ge=0)] = 0
    """Grows with every statement about a request; 0 where the handler keeps no record (an invalid message).
    The statement with the highest revision counts, and a succeeded or failed one counts for ever."""
    outcome: OutcomeKind
    """Where the cancellation stands: succeeded and failed are final, pending and parked are followed by one
    of them."""
    cancel_type: str
    """What kind of cancellation it is."""
    cancel_request_id: str
    """The order service's id of the cancellation, from the event."""
    order_id: str | None
    """The order service's order number, from the event; null if the message was unreadable."""
    requested_by: RequestedBy | None
    """Who asked for it, from the event; null if the message was unreadable."""
    requested_at: _Moment | None
    """When it was asked for, from the event; null if the message was unreadable."""
    occurred_at: _Moment
    """When the handler came to know it. A repetition keeps it."""
    attempts: int
    """How many attempts the handler made so far; 0 for an invalid message."""
    provider: ProviderRefs
    """Who carried it out, and the ids that lead to it there."""
    money: MoneyMoved | None = None
    """What moved; null for a revoke, which moves no money, and where not even the currency is known."""
    items: tuple[CancelledItem, ...] = ()
    """The order lines that were cancelled (order_cancel); else empty."""
    error: OutcomeError | None = None
    """Why it did not succeed; null when succeeded or pending."""

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

    ``number`` says how many different statements were made of the request, this one included: what is said
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
    return _named(statement)


@lru_cache(maxsize=512)  # an item's outcome is put together at each of its writes and reads
def _named(statement: str) -> str:
    return str(uuid.uuid5(_NAMESPACE, statement))
