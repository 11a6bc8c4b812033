"""PortOne V1 state: payments with their cancellations."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from local.simulator import reasons
from local.simulator.currencies import DEFAULT_CURRENCY, NOTHING, fits, known_currency, money
from local.simulator.late_booking import LATE_PG_PROVIDERS, Acceptance, Booking, bookings_from_seed
from local.simulator.records import checked_seed, shown_without

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal

STATUSES = ("ready", "paid", "cancelled", "failed")


@dataclass(frozen=True, slots=True)
class Cancellation:
    """One entry of `cancel_history` (PaymentCancelAnnotation). `amount` is in the payment's currency.

    `cancelled_at` is UNIX seconds. A negative amount compensates an entry that was rejected later.
    """

    cancellation_id: str
    pg_tid: str
    amount: Decimal
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
    `keeps_reason` what the PG keeps of a reason (`reasons.RULES`); `real_reason` the only one it takes;
    `revoked_status` what a voided number reports; `extra` is merged into every answer about the payment, and
    `omits` names what no answer shows. `bookings`, seeded as `booking`, says how accepted cancellations are
    booked. `unsettled_until` (UNIX seconds) refuses for now. Amounts are in `currency`.
    """

    imp_uid: str
    merchant_uid: str
    amount: Decimal
    status: str = "paid"
    pay_method: str = "card"
    pg_provider: str = "tosspayments"
    pg_tid: str = ""
    currency: str = DEFAULT_CURRENCY
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
    omits: tuple[str, ...] = ()
    bookings: tuple[Booking, ...] = ()
    partial_cancellable: bool = True
    refund_contract: bool = True
    real_reason: str = ""
    unsettled_until: float = 0.0
    retain_promotion: bool | None = None
    cancel_amount: Decimal = NOTHING
    cancelled_at: int = 0
    updated_at: int = 0
    history: tuple[Cancellation, ...] = ()
    accepted: int = 0
    held: tuple[Acceptance, ...] = ()

    @property
    def shown_cancel_amount(self) -> Decimal:
        """What was cancelled, and what waits at a PG that moves the balance meanwhile."""
        return sum((acceptance.amount for acceptance in self.held), self.cancel_amount)

    @property
    def cancellable(self) -> Decimal:
        """What the balance shows as not cancelled yet."""
        return self.amount - self.shown_cancel_amount

    @property
    def unbooked(self) -> Decimal:
        """What has really not been cancelled yet, whatever the balance shows."""
        return self.amount - self.cancel_amount

    @property
    def refundable(self) -> bool:
        """Paid and something left: a partly cancelled payment may report "cancelled"."""
        return self.paid_at > 0 and self.cancellable > 0

    @property
    def booking(self) -> Booking | None:
        """How the next accepted cancellation is booked; None: at once."""
        return self.bookings[min(self.accepted, len(self.bookings) - 1)] if self.bookings else None

    def with_cancellation(self, cancellation: Cancellation) -> Payment:
        """The payment after a cancellation."""
        cancel_amount = self.cancel_amount + cancellation.amount
        return replace(
            self,
            cancel_amount=cancel_amount,
            history=(*self.history, cancellation),
            status="cancelled" if cancel_amount >= self.amount else self.partial_status,
            cancelled_at=cancellation.cancelled_at,
            updated_at=cancellation.cancelled_at,
        )

    def with_acceptance(self, acceptance: Acceptance, booking: Booking) -> Payment:
        """The payment after its PG took a cancellation that it books later."""
        held = (*self.held, acceptance) if booking.balance == "moved" else self.held
        return replace(self, accepted=self.accepted + 1, held=held)

    def without_held(self, acceptance_id: str) -> Payment:
        """The payment after a waiting cancellation ended, before it is booked."""
        return replace(self, held=tuple(a for a in self.held if a.acceptance_id != acceptance_id))

    def with_reversal(self, cancellation: Cancellation, shape: str, at: int) -> Payment:
        """The payment after a booked cancellation was rejected; see `reversal.SHAPES`."""
        history = self.history
        if shape == "removed":
            history = tuple(entry for entry in history if entry is not cancellation)
        elif shape == "entry":
            back = replace(cancellation, amount=-cancellation.amount, cancelled_at=at)
            history = (*history, replace(back, cancellation_id=f"{cancellation.cancellation_id}-back"))
        left = self.cancel_amount - cancellation.amount
        status = self.partial_status if left else "paid"
        return replace(self, history=history, cancel_amount=left, status=status, updated_at=at)

    def voided(self, at: int) -> Payment:
        """The unpaid number after its revocation."""
        if self.revoked_status == "failed":
            return replace(self, status="failed", failed_at=at, updated_at=at)
        return replace(self, status="cancelled", cancelled_at=at, updated_at=at)

    def deposited(self, at: int) -> Payment:
        """The number after the customer paid."""
        return replace(self, status="paid", paid_at=at, updated_at=at)

    def annotation(self, grown_by: Decimal = NOTHING) -> dict[str, Any]:
        """PaymentAnnotation. As recorded payloads do, what does not apply is null, 0 or an empty list."""
        last = self.history[-1] if self.history else None
        shown = {
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
            "cancel_amount": self.shown_cancel_amount,
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
        return shown_without(shown, self.omits)


_INTERNAL = frozenset(
    [
        "retain_promotion",
        "cancel_amount",
        "cancelled_at",
        "updated_at",
        "history",
        "accepted",
        "held",
        "bookings",
    ]
)


def payment_from_seed(seed: Mapping[str, Any], now: int) -> Payment:
    """A payment from its JSON form: `imp_uid`, `merchant_uid`, `amount`, `booking`, any switch of `Payment`.

    A status "cancelled" cannot be seeded: cancel it by somebody else. Raises ValueError.
    """
    named = dict(seed)
    booking = named.pop("booking", None)
    chosen = checked_seed(Payment, named, internal=_INTERNAL)
    if not {"imp_uid", "merchant_uid", "amount"} <= set(chosen):
        raise ValueError("a payment needs imp_uid, merchant_uid and amount")
    _check_switches(chosen)
    status = chosen.get("status", "paid")
    payment = Payment(
        **{
            "pg_tid": f"tid-{chosen['imp_uid']}",
            "started_at": now,
            "paid_at": now if status == "paid" else 0,
            "failed_at": now if status == "failed" else 0,
            "updated_at": now,
            **chosen,
            **_money_of(chosen),
            "omits": tuple(chosen.get("omits", ())),
        }
    )
    bookings = bookings_from_seed(booking, payment.pg_provider, payment.pay_method)
    return replace(payment, bookings=bookings)


def _money_of(chosen: Mapping[str, Any]) -> dict[str, Any]:
    """Amount and currency; a PG of `LATE_PG_PROVIDERS` (PayPal) never settles in won."""
    abroad = chosen.get("pg_provider") in LATE_PG_PROVIDERS
    currency = known_currency(chosen.get("currency", "USD" if abroad else DEFAULT_CURRENCY))
    amount = money(chosen["amount"])
    if abroad and currency == DEFAULT_CURRENCY:
        raise ValueError(f"{chosen['pg_provider']} has no payments in {DEFAULT_CURRENCY}")
    if amount <= 0 or not fits(amount, currency):
        raise ValueError(f"amount is positive and has no more decimals than {currency}")
    return {"amount": amount, "currency": currency}


def _check_switches(chosen: Mapping[str, Any]) -> None:
    if chosen.get("status", "paid") not in ("ready", "paid", "failed"):
        raise ValueError("status is ready, paid or failed")
    if chosen.get("partial_status", "paid") not in ("paid", "cancelled"):
        raise ValueError("partial_status is paid or cancelled")
    if chosen.get("revoked_status", "cancelled") not in ("cancelled", "failed"):
        raise ValueError("revoked_status is cancelled or failed")
    reasons.check_rule(str(chosen.get("keeps_reason", "verbatim")))
