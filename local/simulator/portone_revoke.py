"""PortOne `DELETE` of a virtual account, a store number and a cash receipt (docs/providers.md)."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from local.simulator.calls import Plan
from local.simulator.movements import Actor, MovementKind
from local.simulator.portone_state import PortOneState, failure, success
from local.simulator.receipts import RECEIPT_PG_PROVIDERS

if TYPE_CHECKING:
    from local.simulator.payments import Payment
    from local.simulator.receipts import Receipt
    from local.simulator.records import Sight
    from local.simulator.wire import Reply, Request

UNKNOWN = "존재하지 않는 결제정보입니다."  # docs/providers.md

# The texts below are this simulator's own.
NOT_VBANK = "가상계좌 결제 건이 아닙니다."
NOT_CVS = "편의점결제 건이 아닙니다."
NOT_READY = "입금대기 상태(ready)가 아닙니다."
WRONG_PG_API_KEY = "hashData 불일치 오류"
RECEIPT_UNKNOWN = "현금영수증이 발행된 적이 없는 주문번호입니다."
RECEIPT_REVOCATION_FAILED = "현금영수증 발행취소에 실패하였습니다."
RECEIPT_UNSUPPORTED = "현금영수증을 지원하지 않는 PG사입니다."

INICIS = "html5_inicis"


class RevokeDesk:
    """Voids unpaid numbers and cash receipts."""

    def __init__(self, state: PortOneState, pg_api_key: str) -> None:
        self._state = state
        self.pg_api_key = pg_api_key

    def vbank(self, request: Request, imp_uid: str, _sight: Sight) -> Plan | Reply:
        """Void an unpaid virtual account; 404 unknown, 400 not one or not ready."""
        payment = self._state.payments.current.get(imp_uid)
        if payment is None:
            return failure(404, -1, UNKNOWN)
        if payment.pay_method != "vbank":
            return failure(400, -1, NOT_VBANK)
        if payment.status != "ready":
            return failure(400, -1, NOT_READY)
        if payment.pg_provider == INICIS and request.query.get("pg_api_key") != self.pg_api_key:
            return failure(200, -1, WRONG_PG_API_KEY)
        return self._void(imp_uid)

    def cvs(self, imp_uid: str, _sight: Sight) -> Plan | Reply:
        """Documented statuses are 200 and 401 only, so a refusal is HTTP 200 with a code."""
        payment = self._state.payments.current.get(imp_uid)
        if payment is None:
            return failure(200, -1, UNKNOWN)
        if payment.pay_method != "cvs":
            return failure(200, -1, NOT_CVS)
        if payment.status != "ready":
            return failure(200, -1, NOT_READY)
        return self._void(imp_uid)

    def receipt(self, merchant_uid: str, _sight: Sight) -> Plan | Reply:
        """A revoked receipt cannot be revoked again: that too is "the revocation failed"."""
        receipt = self._state.receipts.current.get(merchant_uid)
        if receipt is None:
            return failure(404, -1, RECEIPT_UNKNOWN)
        if receipt.pg_provider not in RECEIPT_PG_PROVIDERS:
            return failure(501, -1, RECEIPT_UNSUPPORTED)
        if receipt.revocation_fails or receipt.cancelled_at:
            return failure(500, -1, RECEIPT_REVOCATION_FAILED)
        return Plan(
            reply=lambda: success(self._state.receipts.current[merchant_uid].annotation()),
            commit=partial(self.void_receipt, merchant_uid, Actor.API),
        )

    def void_receipt(self, merchant_uid: str, who: Actor) -> None:
        """Void a receipt that is still valid."""
        receipt = self._state.receipts.current.get(merchant_uid)
        if receipt is None or receipt.cancelled_at:
            return
        self._state.receipts.change(merchant_uid, receipt.voided(int(self._state.clock())))
        self._state.record(
            MovementKind.RECEIPT_VOID,
            merchant_uid,
            who,
            cancellation_id=self._state.next_id("void"),
            receipt_tid=receipt.receipt_tid,
        )

    def reissue(self, merchant_uid: str, receipt_tid: str | None, applied_at: int | None) -> Receipt:
        """The shop revokes its receipt, if it has not been, and issues another one for the same order."""
        self.void_receipt(merchant_uid, Actor.SOMEBODY_ELSE)
        now, old = int(self._state.clock()), self._state.receipts.current[merchant_uid]
        number = self._state.next_id("receipt")
        again = replace(
            old,
            receipt_tid=receipt_tid or number,
            apply_num=number,
            applied_at=max(now, old.cancelled_at + 1) if applied_at is None else applied_at,
            cancelled_at=0,
            former_end=old.cancelled_at if old.keeps_revocation else 0,
        )
        self._state.receipts.change(merchant_uid, again)
        return again

    def void_number(self, imp_uid: str, who: Actor) -> None:
        """Void a number that is still unpaid."""
        payment = self._unpaid(imp_uid)
        if payment is None:
            return
        kind = MovementKind.VBANK_VOID if payment.pay_method == "vbank" else MovementKind.CVS_VOID
        self._state.payments.change(imp_uid, payment.voided(int(self._state.clock())))
        self._state.record(kind, imp_uid, who, cancellation_id=self._state.next_id("void"))

    def deposit(self, imp_uid: str, who: Actor) -> None:
        """The customer pays into an unpaid number."""
        payment = self._unpaid(imp_uid)
        if payment is None:
            return
        self._state.payments.change(imp_uid, payment.deposited(int(self._state.clock())))
        self._state.record(MovementKind.DEPOSIT, imp_uid, who, payment.amount, currency=payment.currency)

    def _unpaid(self, imp_uid: str) -> Payment | None:
        payment = self._state.payments.current.get(imp_uid)
        return payment if payment and payment.status == "ready" else None

    def _void(self, imp_uid: str) -> Plan:
        return Plan(
            reply=lambda: success(self._state.payments.current[imp_uid].annotation()),
            commit=partial(self.void_number, imp_uid, Actor.API),
        )
