"""PortOne `POST /payments/cancel` (document 001)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from local.simulator.calls import Plan
from local.simulator.movements import Actor, MovementKind
from local.simulator.payments import Cancellation, Payment
from local.simulator.portone_state import PortOneState, failure, success
from local.simulator.wire import Reply, whole_number

if TYPE_CHECKING:
    from local.simulator.records import Sight

UNKNOWN_PAYMENT = "취소할 결제건이 존재하지 않습니다."  # providers.md, code 1
ALREADY_CANCELLED = "이미 전액취소된 주문입니다."  # providers.md, code 1

# The texts below are this simulator's own: no source documents them.
NOT_PAID = "결제완료 상태가 아닌 결제건은 취소할 수 없습니다."
CHECKSUM_MISMATCH = "취소 가능 잔액이 일치하지 않습니다."
OVER_AMOUNT = "취소 요청금액이 취소 가능 금액보다 큽니다."
WRONG_AMOUNT = "취소 요청금액이 올바르지 않습니다."
MISSING_REFUND_ACCOUNT = "환불계좌 정보가 누락되었습니다."
MISSING_VAT = "부가세 금액이 누락되었습니다."
MISSING_REQUESTER = "네이버페이는 extra.requester와 reason이 필수입니다."
PROMOTION_CHOICE_CHANGED = "retain_promotion은 최초 취소와 같아야 합니다."

VAT_PG_PROVIDERS = frozenset({"nice", "html5_inicis", "welcome", "nice_v2"})
PHONE_PG_PROVIDERS = frozenset({"smartro"})
NAVERPAY = "naverpay"
REFUND_ACCOUNT_FIELDS = ("refund_holder", "refund_bank", "refund_account")


class CancelDesk:
    """Checks and carries out cancellations of payments."""

    def __init__(self, state: PortOneState) -> None:
        self._state = state

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
            checksum = None if fields.get("checksum") is None else whole_number(fields["checksum"])
            amount = whole_number(fields.get("amount") or 0) or payment.cancellable
        except ValueError:
            return failure(200, -1, WRONG_AMOUNT)
        refusal = self._refusal(payment, fields, checksum, amount)
        if refusal:
            return failure(200, -1, refusal)
        return Plan(
            reply=partial(self._reply, imp_uid), commit=partial(self._commit, payment, fields, amount)
        )

    def cancel_by_somebody_else(
        self, imp_uid: str, amount: int | None, reason: str = "다른 경로의 취소"
    ) -> None:
        """Another channel cancels `amount` won, never more than is left; None: all of it."""
        payment = self._state.payments.current.get(imp_uid)
        if payment is None or not payment.refundable:
            return
        share = payment.cancellable if amount is None else min(amount, payment.cancellable)
        self._apply(payment, share, reason, Actor.SOMEBODY_ELSE)

    def _refusal(
        self, payment: Payment, fields: Mapping[str, Any], checksum: int | None, amount: int
    ) -> str | None:
        if checksum is not None and checksum != payment.cancellable:
            return CHECKSUM_MISMATCH
        if amount < 0:
            return WRONG_AMOUNT
        if amount > payment.cancellable:
            return OVER_AMOUNT
        return _missing_field(payment, fields)

    def _commit(self, payment: Payment, fields: Mapping[str, Any], amount: int) -> None:
        choice = payment.retain_promotion
        if payment.promotion and choice is None:
            choice = _truth(fields.get("retain_promotion"))
        self._apply(
            replace(payment, retain_promotion=choice), amount, str(fields.get("reason") or ""), Actor.API
        )

    def _apply(self, payment: Payment, amount: int, reason: str, who: Actor) -> None:
        cancellation_id = self._state.next_id("cancellation")
        at = int(self._state.clock())
        # The PG's number is the payment's own: only cancellation_id is unique (providers.md).
        cancellation = Cancellation(cancellation_id, payment.pg_tid, amount, payment.kept(reason), at)
        self._state.payments.change(payment.imp_uid, payment.with_cancellation(cancellation))
        self._state.record(MovementKind.REFUND, payment.imp_uid, amount, cancellation_id, reason, who)

    def _reply(self, imp_uid: str) -> Reply:
        return success(self._state.payments.current[imp_uid].annotation())


def _missing_field(payment: Payment, fields: Mapping[str, Any]) -> str | None:
    if payment.pay_method == "vbank":
        needed = REFUND_ACCOUNT_FIELDS + (
            ("refund_tel",) if payment.pg_provider in PHONE_PG_PROVIDERS else ()
        )
        if not all(fields.get(name) for name in needed):
            return MISSING_REFUND_ACCOUNT
    if (
        payment.vat_amount is not None
        and payment.pg_provider in VAT_PG_PROVIDERS
        and fields.get("vat_amount") is None
    ):
        return MISSING_VAT
    if payment.pg_provider == NAVERPAY:
        extra = fields.get("extra")
        if not (isinstance(extra, Mapping) and extra.get("requester") and fields.get("reason")):
            return MISSING_REQUESTER
    if payment.retain_promotion not in (None, _truth(fields.get("retain_promotion"))):
        return PROMOTION_CHOICE_CHANGED
    return None


def _truth(value: Any) -> bool:
    return value is True or value == "true"
