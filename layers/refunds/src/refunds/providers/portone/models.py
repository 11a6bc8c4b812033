"""PortOne V1's answers, every field of them.

Sources: docs/providers.md and, of PortOne's V1 specification, ``PaymentAnnotation``,
``PaymentCancelAnnotation``, ``VbankDepositAnnotation``, ``ExternalReceiptAnnotation``,
``PagedPaymentAnnotation`` and ``AuthAnnotation``.

Strict: what identifies a payment and what its money is computed from. Every other field is
``None`` when it is absent, null or of another type than documented. Times are UNIX seconds,
and ``0`` where the event has not happened. Personal data stays out of ``repr``.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from pydantic import BeforeValidator, Field, StringConstraints

from refunds.contracts.money import fits
from refunds.providers.http.fields import (
    Amount,
    Forgiving,
    ForgivingMany,
    Identifier,
    Number,
    OptionalAddress,
    OptionalAmount,
    OptionalFlag,
    OptionalNumber,
    OptionalReference,
    OptionalText,
    ProviderModel,
    Whole,
    Word,
)


def _nothing_is_empty(value: object) -> object:
    return () if value is None else value


def _blank_is_none(value: object) -> object:
    return None if value == "" else value


def _currency(value: object) -> str | None:
    """Exactly as it is written: nothing about money is guessed."""
    if value is None:
        return None
    return value[:16] if isinstance(value, str) else "unreadable"


def _word(value: object) -> str | None:
    """A status as text; anything else is kept as a text that matches no status."""
    if value is None:
        return None
    return value[:40] if isinstance(value, str) and value.isascii() and value.isalpha() else "unreadable"


class CancelHistoryEntry(ProviderModel):
    """One entry of ``cancel_history`` (``PaymentCancelAnnotation``).

    ``cancellation_id`` is the only id that is unique to it: ``pg_tid`` can be the payment's.
    The documents of 2023 do not know it yet, the specification requires it. No document of V1 knows a
    ``status`` of an entry, V2 does: one that says so of itself is believed only if it says that it is done.
    """

    cancellation_id: Annotated[Identifier | None, BeforeValidator(_blank_is_none)] = None
    amount: Amount
    pg_tid: OptionalReference = None
    reason: OptionalText = Field(default=None, repr=False)
    cancelled_at: OptionalNumber = None
    receipt_url: OptionalAddress = None
    status: Annotated[str | None, BeforeValidator(_word)] = None


class Deposit(ProviderModel):
    """One payment into a fixed virtual account (``VbankDepositAnnotation``)."""

    pg_tid: OptionalReference = None
    amount: OptionalAmount = None
    reason: OptionalText = None
    depositor_name: OptionalText = Field(default=None, repr=False)
    deposited_at: OptionalNumber = None


class Promotion(ProviderModel):
    """The promotion a payment was made with, and its discount."""

    id: OptionalText = None
    discount: OptionalAmount = None


class Payment(ProviderModel):
    """A payment (``PaymentAnnotation``).

    ``status`` is ``ready``, ``paid``, ``cancelled`` or ``failed``; a partial cancellation may
    report ``cancelled`` too, so money is judged by the amounts. An answer without ``currency`` means KRW
    (the specification's default).
    """

    imp_uid: Identifier
    merchant_uid: Identifier
    amount: Amount
    cancel_amount: Amount
    status: Word
    cancel_history: Annotated[tuple[CancelHistoryEntry, ...], BeforeValidator(_nothing_is_empty)] = ()

    currency: Annotated[str | None, BeforeValidator(_currency)] = None
    sandbox: OptionalFlag = None
    pay_method: OptionalText = None
    channel: OptionalText = None
    pg_provider: OptionalReference = None
    emb_pg_provider: OptionalText = None
    pg_tid: OptionalReference = None
    pg_id: OptionalText = None
    escrow: OptionalFlag = None
    apply_num: OptionalText = None
    bank_code: OptionalText = None
    bank_name: OptionalText = None
    card_code: OptionalText = None
    card_name: OptionalText = None
    card_issuer_code: OptionalText = None
    card_issuer_name: OptionalText = None
    card_publisher_code: OptionalText = None
    card_publisher_name: OptionalText = None
    card_quota: OptionalNumber = None
    card_number: OptionalText = Field(default=None, repr=False)
    card_type: OptionalNumber = None
    vbank_code: OptionalText = None
    vbank_name: OptionalText = None
    vbank_num: OptionalText = Field(default=None, repr=False)
    vbank_holder: OptionalText = Field(default=None, repr=False)
    vbank_date: OptionalNumber = None
    vbank_issued_at: OptionalNumber = None
    name: OptionalText = None
    buyer_name: OptionalText = Field(default=None, repr=False)
    buyer_email: OptionalText = Field(default=None, repr=False)
    buyer_tel: OptionalText = Field(default=None, repr=False)
    buyer_addr: OptionalText = Field(default=None, repr=False)
    buyer_postcode: OptionalText = Field(default=None, repr=False)
    custom_data: OptionalText = Field(default=None, repr=False)
    user_agent: OptionalText = Field(default=None, repr=False)
    started_at: OptionalNumber = None
    paid_at: OptionalNumber = None
    failed_at: OptionalNumber = None
    cancelled_at: OptionalNumber = None
    fail_reason: OptionalText = Field(default=None, repr=False)
    cancel_reason: OptionalText = Field(default=None, repr=False)
    receipt_url: OptionalAddress = None
    deposit_history: Annotated[tuple[Deposit, ...], ForgivingMany] = ()
    cancel_receipt_urls: Annotated[tuple[str, ...], ForgivingMany] = ()
    cash_receipt_issued: OptionalFlag = None
    customer_uid: OptionalText = Field(default=None, repr=False)
    customer_uid_usage: OptionalText = None
    promotion: Annotated[Promotion | None, Forgiving] = None

    @property
    def money_is_in(self) -> str:
        """The currency as PortOne names it; no ISO 4217 code where the amounts are none of that currency."""
        named = "KRW" if self.currency is None else self.currency
        exact = fits(self.amount, named) and fits(self.cancel_amount, named)
        return named if exact else f"{named}, amounts with more decimals than it has"

    @property
    def cancellable(self) -> Decimal:
        """What is left to cancel, in the payment's currency."""
        return self.amount - self.cancel_amount


class PaymentPage(ProviderModel):
    """One page of payments (``PagedPaymentAnnotation``); ``next`` is 0 on the last one."""

    total: Whole
    previous: Whole
    next: Whole
    payments: Annotated[tuple[Payment, ...], BeforeValidator(_nothing_is_empty)] = Field(
        default=(), alias="list"
    )


class UnreadablePayment(ProviderModel):
    """One that is not written as a payment is; ``imp_uid`` where that much can be read."""

    imp_uid: OptionalReference = None


class CancelledPage(ProviderModel):
    """One page of the payments cancelled in a period; one that cannot be read does not spoil the others."""

    total: Whole
    previous: Whole
    next: Whole
    payments: Annotated[
        tuple[Annotated[Payment | UnreadablePayment, Field(union_mode="left_to_right")], ...],
        BeforeValidator(_nothing_is_empty),
    ] = Field(default=(), alias="list")


class Receipt(ProviderModel):
    """A cash receipt issued outside PortOne (``ExternalReceiptAnnotation``), amounts in won.

    ``cancelled_at`` is strict: it alone shows a revocation, and one that cannot be read is not
    one that did not happen.
    """

    merchant_uid: Identifier
    cancelled_at: Number | None = None
    receipt_tid: OptionalText = None
    apply_num: OptionalText = None
    type: OptionalText = None
    amount: OptionalAmount = None
    vat: OptionalAmount = None
    receipt_url: OptionalAddress = None
    applied_at: OptionalNumber = None

    @property
    def revoked(self) -> bool:
        """Whether the receipt has been revoked; one issued again may show its forerunner's end."""
        return bool(self.cancelled_at) and (self.applied_at or 0) <= (self.cancelled_at or 0)


class Token(ProviderModel):
    """An access token (``AuthAnnotation``). Both times are the server's clock, UNIX seconds."""

    access_token: Annotated[str, StringConstraints(strict=True, min_length=1, pattern=r"^[\x21-\x7e]+$")] = (
        Field(repr=False)
    )
    expired_at: Whole
    now: Whole
