"""PortOne `POST /payments/cancel` (docs/providers.md)."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from local.simulator import pg_rules
from local.simulator.calls import Plan
from local.simulator.currencies import fits, money
from local.simulator.movements import Actor
from local.simulator.portone_state import PortOneState, failure, success

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal

    from local.simulator.payments import Payment
    from local.simulator.portone_booking import BookingDesk
    from local.simulator.records import Sight
    from local.simulator.wire import Reply

UNKNOWN_PAYMENT = "취소할 결제건이 존재하지 않습니다."  # docs/providers.md, code 1
ALREADY_CANCELLED = "이미 전액취소된 주문입니다."  # docs/providers.md, code 1

# The texts below are this simulator's own: no source documents them.
NOT_PAID = "결제완료 상태가 아닌 결제건은 취소할 수 없습니다."
CHECKSUM_MISMATCH = "취소 가능 잔액이 일치하지 않습니다."
OVER_AMOUNT = "취소 요청금액이 취소 가능 금액보다 큽니다."
WRONG_AMOUNT = "취소 요청금액이 올바르지 않습니다."


class CancelDesk:
    """Checks and carries out cancellations of payments."""

    def __init__(self, state: PortOneState, bookings: BookingDesk) -> None:
        self._state = state
        self._bookings = bookings

    def target(self, fields: Mapping[str, Any]) -> str:
        """The imp_uid a request means: its own, else the newest refundable one of its merchant_uid."""
        if fields.get("imp_uid"):
            return str(fields["imp_uid"])
        candidates = self._state.by_merchant.get(str(fields.get("merchant_uid") or ""), [])
        payments = self._state.payments.current
        refundable = [imp_uid for imp_uid in candidates if payments[imp_uid].refundable]
        return (refundable or candidates or [""])[-1]

    def plan(self, imp_uid: str, fields: Mapping[str, Any], _sight: Sight) -> Plan | Reply:
        """Check a cancellation: fully cancelled before, then checksum, then amount, then required fields."""
        payment = self._state.payments.current.get(imp_uid)
        if payment is None:
            return failure(200, 1, UNKNOWN_PAYMENT)
        if payment.paid_at and payment.cancellable == 0:
            return failure(200, 1, ALREADY_CANCELLED)
        if not payment.refundable:
            return failure(200, -1, NOT_PAID)
        try:
            checksum = None if fields.get("checksum") is None else money(fields["checksum"])
            amount = money(fields.get("amount") or 0) or payment.cancellable
        except ValueError:
            return failure(200, -1, WRONG_AMOUNT)
        refusal = self._refusal(payment, fields, checksum, amount)
        if refusal:
            return failure(200, -1, refusal)
        return Plan(
            reply=partial(self._reply, imp_uid), commit=partial(self._commit, payment, fields, amount)
        )

    def cancel_by_somebody_else(
        self, imp_uid: str, amount: Decimal | None, reason: str = "다른 경로의 취소"
    ) -> None:
        """Another channel cancels `amount`, never more than is left; None: all of it. Booked at once."""
        payment = self._state.payments.current.get(imp_uid)
        if payment is None or not payment.refundable:
            return
        share = payment.cancellable if amount is None else min(amount, payment.cancellable)
        self._bookings.book(payment, share, reason, Actor.SOMEBODY_ELSE)

    def _refusal(
        self, payment: Payment, fields: Mapping[str, Any], checksum: Decimal | None, amount: Decimal
    ) -> str | None:
        # A late-booking PG takes a second request while one waits, whatever its checksum: assume the worst.
        checked = checksum is not None and not self._bookings.waits(payment.imp_uid)
        if checked and checksum != payment.cancellable:
            return CHECKSUM_MISMATCH
        if amount < 0 or not fits(amount, payment.currency):
            return WRONG_AMOUNT
        if amount > payment.cancellable:
            return OVER_AMOUNT
        return pg_rules.objection(payment, fields, amount, self._state.clock())

    def _commit(self, payment: Payment, fields: Mapping[str, Any], amount: Decimal) -> None:
        choice = payment.retain_promotion
        if payment.promotion and choice is None:
            choice = pg_rules.truth(fields.get("retain_promotion"))
        payment, reason = replace(payment, retain_promotion=choice), str(fields.get("reason") or "")
        if payment.booking is None:
            self._bookings.book(payment, amount, reason, Actor.API)
        else:
            self._bookings.accept(payment, payment.booking, amount, reason)

    def _reply(self, imp_uid: str) -> Reply:
        return success(self._state.payments.current[imp_uid].annotation())
