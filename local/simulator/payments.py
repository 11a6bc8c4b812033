"""PortOne V1 state: payments with their cancellations, and external cash receipts."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from local.simulator.records import checked_seed

if TYPE_CHECKING:
    from collections.abc import Mapping

STATUSES = ("ready", "paid", "cancelled", "failed")

RECEIPT_PG_PROVIDERS = frozenset(
    [
        "html5_inicis",
        "kcp",
        "settle",
        "nice",
        "kicc",
        "tosspayments",
        "nice_v2",
        "ksnet",
        "smartro_v2",
        "welcome",
    ]
)
"""PGs that revoke external receipts (portone-v1.openapi.json, DELETE /receipts/external); others: 501."""


@dataclass(frozen=True, slots=True)
class Cancellation:
    """One entry of `cancel_history` (PaymentCancelAnnotation). `amount` in won, `cancelled_at` in seconds."""

    cancellation_id: str
    pg_tid: str
    amount: int
    reason: str
    cancelled_at: int

    def annotation(self) -> dict[str, Any]:
        """PaymentCancelAnnotation."""
        return {
            "pg_tid": self.pg_tid,
            "amount": self.amount,
            "cancelled_at": self.cancelled_at,
            "reason": self.reason,
            "cancellation_id": self.cancellation_id,
            "receipt_url": f"https://receipts.invalid/{self.cancellation_id}",
        }


@dataclass(frozen=True, slots=True)
class Payment:
    """A payment, a virtual account (`pay_method` vbank) or a convenience-store number (cvs).

    Switches: `partial_status` is what a partly cancelled payment reports ("paid" or "cancelled");
    `keeps_reason` what the PG keeps of a reason ("verbatim", "dropped", "truncated:N", "replaced:TEXT");
    `revoked_status` what a voided number reports; `extra` is merged into every answer about the payment.
    """

    imp_uid: str
    merchant_uid: str
    amount: int
    status: str = "paid"
    pay_method: str = "card"
    pg_provider: str = "tosspayments"
    pg_tid: str = ""
    currency: str = "KRW"
    sandbox: bool = False
    name: str = "order"
    started_at: int = 0
    paid_at: int = 0
    failed_at: int = 0
    vat_amount: int | None = None
    promotion: bool = False
    partial_status: str = "paid"
    keeps_reason: str = "verbatim"
    revoked_status: str = "cancelled"
    extra: Mapping[str, Any] = field(default_factory=dict)
    retain_promotion: bool | None = None
    cancel_amount: int = 0
    cancelled_at: int = 0
    updated_at: int = 0
    history: tuple[Cancellation, ...] = ()

    @property
    def cancellable(self) -> int:
        """Won not cancelled yet."""
        return self.amount - self.cancel_amount

    @property
    def refundable(self) -> bool:
        """Paid and something left: a partly cancelled payment may report "cancelled"."""
        return self.paid_at > 0 and self.cancellable > 0

    def kept(self, reason: str) -> str:
        """What the PG keeps of a reason."""
        rule, _, argument = self.keeps_reason.partition(":")
        if rule == "dropped":
            return ""
        if rule == "truncated":
            return reason[: int(argument)]
        return argument if rule == "replaced" else reason

    def with_cancellation(self, cancellation: Cancellation) -> Payment:
        """The payment after a cancellation."""
        cancel_amount = self.cancel_amount + cancellation.amount
        return replace(
            self,
            cancel_amount=cancel_amount,
            history=(*self.history, cancellation),
            status="cancelled" if cancel_amount == self.amount else self.partial_status,
            cancelled_at=cancellation.cancelled_at,
            updated_at=cancellation.cancelled_at,
        )

    def voided(self, at: int) -> Payment:
        """The unpaid number after its revocation."""
        if self.revoked_status == "failed":
            return replace(self, status="failed", failed_at=at, updated_at=at)
        return replace(self, status="cancelled", cancelled_at=at, updated_at=at)

    def deposited(self, at: int) -> Payment:
        """The number after the customer paid."""
        return replace(self, status="paid", paid_at=at, updated_at=at)

    def annotation(self, grown_by: int = 0) -> dict[str, Any]:
        """PaymentAnnotation. As recorded payloads do, what does not apply is null, 0 or an empty list."""
        last = self.history[-1] if self.history else None
        return {
            "imp_uid": self.imp_uid,
            "merchant_uid": self.merchant_uid,
            "pay_method": self.pay_method,
            "channel": "pc",
            "pg_provider": self.pg_provider,
            "emb_pg_provider": None,
            "pg_tid": self.pg_tid,
            "pg_id": "simulator",
            "sandbox": self.sandbox,
            "escrow": False,
            "name": self.name,
            "amount": self.amount + grown_by,
            "cancel_amount": self.cancel_amount,
            "currency": self.currency,
            "buyer_name": None,
            "custom_data": None,
            "status": self.status,
            "started_at": self.started_at,
            "paid_at": self.paid_at,
            "failed_at": self.failed_at,
            "cancelled_at": self.cancelled_at if self.status == "cancelled" else 0,
            "fail_reason": None,
            "cancel_reason": last.reason if last else None,
            "receipt_url": f"https://receipts.invalid/{self.imp_uid}",
            "cancel_history": [cancellation.annotation() for cancellation in self.history],
            "cancel_receipt_urls": [],
            "cash_receipt_issued": False,
            "customer_uid": None,
            **self.extra,
        }


_PAYMENT_INTERNAL = frozenset({"retain_promotion", "cancel_amount", "cancelled_at", "updated_at", "history"})


def payment_from_seed(seed: Mapping[str, Any], now: int) -> Payment:
    """A payment from its JSON form: `imp_uid`, `merchant_uid`, `amount` and any switch of `Payment`.

    A status "cancelled" cannot be seeded: cancel it by somebody else. Raises ValueError.
    """
    chosen = checked_seed(Payment, seed, internal=_PAYMENT_INTERNAL)
    status = chosen.get("status", "paid")
    if not {"imp_uid", "merchant_uid", "amount"} <= set(chosen):
        raise ValueError("a payment needs imp_uid, merchant_uid and amount")
    if type(chosen["amount"]) is not int or chosen["amount"] <= 0:
        raise ValueError("amount is a positive whole number of won")
    if status not in ("ready", "paid", "failed"):
        raise ValueError("status is ready, paid or failed")
    times = {"started_at": now, "paid_at": now if status == "paid" else 0}
    times["failed_at"] = now if status == "failed" else 0
    _check_switches(chosen)
    defaults = {"pg_tid": f"tid-{chosen['imp_uid']}", "updated_at": now, **times}
    return Payment(**{**defaults, **chosen})


def _check_switches(chosen: Mapping[str, Any]) -> None:
    if chosen.get("partial_status", "paid") not in ("paid", "cancelled"):
        raise ValueError("partial_status is paid or cancelled")
    if chosen.get("revoked_status", "cancelled") not in ("cancelled", "failed"):
        raise ValueError("revoked_status is cancelled or failed")
    rule, _, argument = str(chosen.get("keeps_reason", "verbatim")).partition(":")
    if rule not in ("verbatim", "dropped", "replaced") and not (rule == "truncated" and argument.isdigit()):
        raise ValueError("keeps_reason is verbatim, dropped, truncated:N or replaced:TEXT")


@dataclass(frozen=True, slots=True)
class Receipt:
    """A cash receipt issued outside PortOne (ExternalReceiptAnnotation).

    `revocation_fails`: the PG refuses to revoke it, for ever (HTTP 500).
    """

    merchant_uid: str
    amount: int
    vat: int = 0
    type: str = "person"
    pg_provider: str = "kcp"
    apply_num: str = "000000001"
    applied_at: int = 0
    revocation_fails: bool = False
    cancelled_at: int = 0

    def voided(self, at: int) -> Receipt:
        """The receipt after its revocation."""
        return replace(self, cancelled_at=at)

    def annotation(self) -> dict[str, Any]:
        """ExternalReceiptAnnotation."""
        return {
            "merchant_uid": self.merchant_uid,
            "receipt_tid": f"receipt-{self.merchant_uid}",
            "apply_num": self.apply_num,
            "type": self.type,
            "amount": self.amount,
            "vat": self.vat,
            "receipt_url": f"https://receipts.invalid/cash/{self.merchant_uid}",
            "applied_at": self.applied_at,
            "cancelled_at": self.cancelled_at,
        }


def receipt_from_seed(seed: Mapping[str, Any], now: int) -> Receipt:
    """A receipt from its JSON form: `merchant_uid`, `amount`, any field of `Receipt`. Raises ValueError."""
    chosen = checked_seed(Receipt, seed, internal=frozenset({"cancelled_at"}))
    if not {"merchant_uid", "amount"} <= set(chosen):
        raise ValueError("a receipt needs merchant_uid and amount")
    return Receipt(**{"applied_at": now, **chosen})
