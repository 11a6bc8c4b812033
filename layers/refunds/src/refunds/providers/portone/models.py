"""PortOne V1's answers, as far as something is decided or told by them.

Sources: docs/providers.md and, of PortOne's V1 specification, ``PaymentAnnotation``,
``PaymentCancelAnnotation``, ``ExternalReceiptAnnotation``, ``PagedPaymentAnnotation`` and
``AuthAnnotation``.

What nobody here asks for is not read: the buyer's name, address, card and account least of all.

Strict: what identifies a payment and what its money is computed from. Every other field is
``None`` when it is absent, null or of another type than documented. Times are UNIX seconds,
and ``0`` where the event has not happened. Personal data stays out of ``repr``.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Final

from pydantic import BeforeValidator, Field, StringConstraints

from refunds.contracts.money import fits
from refunds.providers.http.fields import (
    Amount,
    ForgivingMany,
    Identifier,
    Number,
    OptionalAddress,
    OptionalNumber,
    OptionalReference,
    OptionalText,
    ProviderModel,
    Whole,
    Word,
)

_DONE: Final = frozenset({"succeeded", "success", "cancelled", "canceled", "completed", "complete", "done"})


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

    @property
    def is_done(self) -> bool:
        """Whether it has no status of its own, or one that says so: anything else is no proof."""
        return self.status is None or self.status.lower() in _DONE

    @property
    def name(self) -> str:
        """Its id; of one that has none, what else tells it from others."""
        return self.cancellation_id or f"{self.pg_tid}/{self.amount}/{self.cancelled_at}"


class Payment(ProviderModel):
    """A payment (``PaymentAnnotation``).

    ``status`` is ``ready``, ``paid``, ``cancelled`` or ``failed``; a partial cancellation may
    report ``cancelled`` too, so money is judged by the amounts. An answer without ``currency`` means KRW
    (the specification's default). Of a deposit it matters only that there is one.
    """

    imp_uid: Identifier
    merchant_uid: Identifier
    amount: Amount
    cancelled: Amount = Field(alias="cancel_amount")
    status: Word
    history: Annotated[tuple[CancelHistoryEntry, ...], BeforeValidator(_nothing_is_empty)] = Field(
        default=(), alias="cancel_history"
    )

    currency: Annotated[str | None, BeforeValidator(_currency)] = None
    pay_method: OptionalText = None
    pg_provider: OptionalReference = None
    pg_tid: OptionalReference = None
    paid_at: OptionalNumber = None
    deposit_history: Annotated[tuple[ProviderModel, ...], ForgivingMany] = ()

    @property
    def money_is_in(self) -> str:
        """The currency as PortOne names it; no ISO 4217 code where the amounts are none of that currency."""
        named = "KRW" if self.currency is None else self.currency
        exact = fits(self.amount, named) and fits(self.cancelled, named)
        return named if exact else f"{named}, amounts with more decimals than it has"

    @property
    def cancellable(self) -> Decimal:
        """What is left to cancel, in the payment's currency."""
        return self.amount - self.cancelled


class PaymentPage(ProviderModel):
    """One page of payments (``PagedPaymentAnnotation``); ``next`` is 0 on the last one."""

    total: Whole
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
    next: Whole
    payments: Annotated[
        tuple[Annotated[Payment | UnreadablePayment, Field(union_mode="left_to_right")], ...],
        BeforeValidator(_nothing_is_empty),
    ] = Field(default=(), alias="list")


class Receipt(ProviderModel):
    """A cash receipt issued outside PortOne (``ExternalReceiptAnnotation``).

    ``cancelled_at`` is strict: it alone shows a revocation, and one that cannot be read is not
    one that did not happen.
    """

    merchant_uid: Identifier
    cancelled_at: Number | None = None
    receipt_tid: OptionalText = None
    apply_num: OptionalText = None
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
