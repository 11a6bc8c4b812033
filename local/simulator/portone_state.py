"""The books of the simulated PortOne, and the envelope of its answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from local.simulator.currencies import NOTHING
from local.simulator.movements import Actor, MoneyLedger, Movement, MovementKind
from local.simulator.records import Records
from local.simulator.wire import Reply

if TYPE_CHECKING:
    from collections.abc import Callable
    from decimal import Decimal

    from local.simulator.late_booking import WaitingBooking
    from local.simulator.payments import Payment
    from local.simulator.receipts import Receipt
    from local.simulator.tokens import AccessTokens


@dataclass(slots=True)
class PortOneState:
    """Payments, receipts and tokens. `clock` gives UNIX seconds, `next_id` a new id for a prefix."""

    clock: Callable[[], float]
    next_id: Callable[[str], str]
    money: MoneyLedger
    tokens: AccessTokens
    payments: Records[Payment] = field(default_factory=Records)
    receipts: Records[Receipt] = field(default_factory=Records)
    by_merchant: dict[str, list[str]] = field(default_factory=dict)
    waiting: list[WaitingBooking] = field(default_factory=list)

    def seed_payment(self, payment: Payment) -> None:
        """Put a payment, replacing one with the same imp_uid."""
        known = self.payments.current.get(payment.imp_uid)
        self.waiting = [w for w in self.waiting if w.acceptance.subject != payment.imp_uid]
        if known:
            self.by_merchant[known.merchant_uid].remove(known.imp_uid)
        self.payments.seed(payment.imp_uid, payment)
        self.by_merchant.setdefault(payment.merchant_uid, []).append(payment.imp_uid)

    def imp_uid_of(self, subject: str) -> str:
        """The imp_uid a subject means: itself, or the newest payment of that merchant_uid."""
        if subject in self.payments.current or not self.by_merchant.get(subject):
            return subject
        return self.by_merchant[subject][-1]

    def record(
        self, kind: MovementKind, subject: str, who: Actor, amount: Decimal = NOTHING, **texts: str
    ) -> None:
        """Tell the oracle; `texts` are the text fields of `Movement`."""
        told = {"provider": "portone", "cancellation_id": "", "reason": "", **texts}
        self.money.record(
            Movement(
                at=self.clock(),
                kind=kind,
                subject=subject,
                amount=amount,
                who=who,
                **told,
            )
        )


def success(response: dict[str, Any]) -> Reply:
    """HTTP 200 with code 0; `message` is null on success, as in recorded payloads."""
    return Reply(200, {"code": 0, "message": None, "response": response})


def failure(status: int, code: int, message: str) -> Reply:
    """A failure: `response` is null, `message` carries the reason."""
    return Reply(status, {"code": code, "message": message, "response": None})
