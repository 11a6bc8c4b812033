"""``payment_cancel``: PortOne V1 ``POST /payments/cancel`` (document 001).

A repeat is made safe by ``checksum``, the cancellable balance before the cancellation: the provider
does nothing if it has moved. ``checksum`` is therefore always sent.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal

from refunds.contracts.outbound import MoneyMoved, ProviderRefs, Settles
from refunds.contracts.payment_cancel import PaymentCancelRequest
from refunds.deadline import Deadline
from refunds.errors import ErrorCode, InvalidRequest, Refused, ResponseMismatch
from refunds.operation import (
    Applied,
    Before,
    Case,
    Doubt,
    Effect,
    Failure,
    Rejected,
    Unapplied,
    Unproven,
    Verdict,
)
from refunds.providers.portone.attribution import (
    Own,
    Search,
    Unclear,
    confirm_own,
    find_own,
)
from refunds.providers.portone.client import PortOneClient
from refunds.providers.portone.models import Payment
from refunds.providers.portone.texts import means_later
from refunds.tag import reason_with

_PAID = frozenset({"paid", "cancelled"})  # a partly cancelled payment may report either
_CURRENCY = "KRW"


@dataclass(frozen=True)
class PaymentCancel:
    """Full and partial cancellations, and refunds of virtual-account payments."""

    client: PortOneClient

    def subject(self, request: PaymentCancelRequest) -> str | None:
        """``imp_uid``; a ``merchant_uid`` may name several payments."""
        return request.imp_uid

    def amount(self, request: PaymentCancelRequest, before: Before) -> Decimal:
        """What is asked for, or all that is left."""
        return request.amount or before.cancellable or Decimal(0)

    def warm_up(self, deadline: Deadline) -> None:
        """The access token."""
        self.client.warm_up(deadline)

    def looks_first(self, request: PaymentCancelRequest) -> bool:
        """Unless the event brings the payment and its balance."""
        return request.checksum is None or request.imp_uid is None

    def prepare(self, case: Case[PaymentCancelRequest]) -> Before | Failure:
        """The balance and the cancellations so far, or what forbids cancelling."""
        request = case.request
        if request.checksum is not None and request.imp_uid is not None:
            return Before(subject=request.imp_uid, cancellable=request.checksum)
        payment = self._find(case)
        if payment is None:
            return _not_found(request, "no such payment at PortOne; nothing was sent")
        before = _seen(payment)
        obstacle = _obstacle(request, payment)
        return replace(obstacle, before=before) if obstacle else before

    def send(self, case: Case[PaymentCancelRequest], before: Before) -> Effect:
        """Cancel, and check that the balance moved by exactly ours."""
        payment = self.client.cancel(
            _body(case, before),
            tier=case.request.tier,
            deadline=case.deadline,
            secrets=case.request.personal_values(),
        )
        own = confirm_own(payment, before, _search(case, before))
        if own is None or not _is_the_payment(payment, before):
            raise ResponseMismatch(
                "PortOne answered success, but the payment id or the amounts in the answer are not those "
                "of this cancellation: compare the payment in PortOne's console with this request"
            )
        return _effect(case.request, payment, own, before)

    def resolve(self, case: Case[PaymentCancelRequest], before: Before, doubt: Doubt) -> Verdict:
        """Find our cancellation in the payment's history, or show that it cannot be there."""
        payment = self.client.payment(before.subject, tier=case.request.tier, deadline=case.deadline)
        contradiction = _contradiction(payment, before)
        if contradiction:
            return Unproven(contradiction)
        if payment is None:
            return _unknown_payment(case.request, doubt)
        match find_own(payment, before, _search(case, before), doubt):
            case Own() as own:
                return Applied(_effect(case.request, payment, own, before))
            case Unclear(message, suspects):
                learnt = replace(before, suspects=suspects) if suspects else None
                return Unproven(message, before=learnt)
        return _not_ours(case.request, payment, before, doubt)

    def _find(self, case: Case[PaymentCancelRequest]) -> Payment | None:
        request = case.request
        if request.imp_uid is not None:
            return self.client.payment(request.imp_uid, tier=request.tier, deadline=case.deadline)
        found = self.client.payments_of(request.merchant_uid or "", tier=request.tier, deadline=case.deadline)
        if len(found) <= 1:
            return found[0] if found else None
        return _the_cancellable_one(found)


def _the_cancellable_one(payments: tuple[Payment, ...]) -> Payment:
    """A ``merchant_uid`` may repeat; failed and fully cancelled tries do not make it ambiguous."""
    live = [p for p in payments if p.status in _PAID and p.cancellable > 0]
    if len(live) > 1:
        raise InvalidRequest(
            f"merchant_uid names {len(live)} cancellable payments: add the imp_uid of the one meant"
        )
    if live:
        return live[0]
    cancelled = [p for p in payments if p.status in _PAID]
    return (cancelled or list(payments))[0]


def _seen(payment: Payment) -> Before:
    return Before(
        subject=payment.imp_uid,
        cancellable=payment.cancellable,
        cancellation_ids=tuple(e.cancellation_id for e in payment.cancel_history if e.cancellation_id),
        status=payment.status,
        merchant_uid=payment.merchant_uid,
        pg_provider=payment.pg_provider,
        pay_method=payment.pay_method,
    )


def _body(case: Case[PaymentCancelRequest], before: Before) -> dict[str, object]:
    """The request as PortOne names it. ``amount`` stays absent for "all": PGs treat that differently."""
    request = case.request
    requester = "customer" if case.cancellation.requested_by == "customer" else "admin"
    if request.extra and request.extra.requester:
        requester = request.extra.requester
    fields: dict[str, object | None] = {
        "imp_uid": before.subject,
        "amount": request.amount,
        "tax_free": request.tax_free,
        "vat_amount": request.vat_amount,
        "checksum": before.cancellable,
        "reason": reason_with(case.tag, case.cancellation.reason),
        "refund_holder": request.refund_holder,
        "refund_bank": request.refund_bank,
        "refund_account": request.refund_account,
        "refund_tel": request.refund_tel,
        "retain_promotion": request.retain_promotion,
        "extra": {"requester": requester},
    }
    return {name: value for name, value in fields.items() if value is not None}


def _search(case: Case[PaymentCancelRequest], before: Before) -> Search:
    amount = case.request.amount if case.request.amount is not None else before.cancellable
    return Search(amount or Decimal(0), case.tag, reason_with(case.tag, case.cancellation.reason))


def _is_the_payment(payment: Payment, before: Before) -> bool:
    same_order = before.merchant_uid is None or payment.merchant_uid == before.merchant_uid
    return payment.imp_uid == before.subject and same_order and payment.currency in (None, _CURRENCY)


def _contradiction(payment: Payment | None, before: Before) -> str | None:
    """An answer that contradicts what was seen before is no answer."""
    if before.cancellation_ids is None:
        return None
    if payment is None:
        return "PortOne no longer knows a payment it showed before"
    if payment.imp_uid != before.subject:
        return "PortOne shows another payment than the one asked for"
    if before.cancellable is not None and payment.cancellable > before.cancellable:
        return "the cancellable balance grew"
    if payment.status not in _PAID:
        return f"a payment that was paid is {payment.status} now"
    return None


def _unknown_payment(request: PaymentCancelRequest, doubt: Doubt) -> Verdict:
    if doubt.refusal is None or not doubt.sole:
        return Unproven("PortOne does not know the payment, and an attempt of ours is unaccounted for")
    failure = _not_found(request, "PortOne refused, and knows no such payment")
    return Rejected(_quoting(failure, doubt.refusal))


def _not_ours(request: PaymentCancelRequest, payment: Payment, before: Before, doubt: Doubt) -> Verdict:
    """Nothing of ours is in the history.

    An attempt under way carries a checksum that may still match: not once the balance is below it, but
    a balance above it (the event's checksum was too low) can still come down to it.
    """
    moved = payment.cancellable != before.cancellable
    obstacle = _obstacle(request, payment)
    if obstacle is not None:
        below = before.cancellable is not None and payment.cancellable < before.cancellable
        checked = replace(obstacle, rules_out_late=below)
        return Rejected(_quoting(checked, doubt.refusal) if doubt.refusal else checked)
    if doubt.refusal is None or moved:
        return Unapplied(_seen(payment))
    failure = _failure(
        payment,
        ErrorCode.PROVIDER_REFUSED,
        "refused by the payment gateway; the payment is unchanged",
    )
    return Rejected(_quoting(failure, doubt.refusal), later=means_later(doubt.refusal.provider_message))


def _obstacle(request: PaymentCancelRequest, payment: Payment) -> Failure | None:
    """Why this payment, as it is now, cannot be cancelled as asked."""
    balance = payment.cancellable
    if payment.status not in _PAID:
        return _failure(payment, ErrorCode.NOT_CANCELLABLE, f"the payment is {payment.status}, not paid")
    if balance <= 0:
        return _failure(payment, ErrorCode.ALREADY_CANCELLED, "the payment is fully cancelled already")
    if payment.currency not in (None, _CURRENCY):
        return _failure(
            payment,
            ErrorCode.NOT_CANCELLABLE,
            "the payment is not in KRW; this handler only moves won",
        )
    if request.checksum is not None and request.checksum != balance:
        return _failure(
            payment,
            ErrorCode.CHECKSUM_MISMATCH,
            f"the order service believed {request.checksum} won cancellable, PortOne has {balance}",
        )
    if request.amount is not None and request.amount > balance:
        return _failure(
            payment,
            ErrorCode.AMOUNT_EXCEEDS_CANCELLABLE,
            f"{request.amount} won asked, {balance} won cancellable",
        )
    return None


def _failure(payment: Payment, code: ErrorCode, message: str) -> Failure:
    return Failure(
        code=code,
        message=message,
        provider=ProviderRefs(
            name="portone",
            imp_uid=payment.imp_uid,
            merchant_uid=payment.merchant_uid,
            pg_provider=payment.pg_provider,
            pg_tid=payment.pg_tid,
        ),
        money=MoneyMoved(
            currency=_CURRENCY,
            cancelled=Decimal(0),
            cancellable_before=payment.cancellable,
            cancellable_after=payment.cancellable,
        ),
    )


def _not_found(request: PaymentCancelRequest, message: str) -> Failure:
    return Failure(
        code=ErrorCode.NOT_FOUND,
        message=message,
        provider=ProviderRefs(name="portone", imp_uid=request.imp_uid, merchant_uid=request.merchant_uid),
        money=MoneyMoved(currency=_CURRENCY, cancelled=Decimal(0)),
    )


def _quoting(failure: Failure, refusal: Refused) -> Failure:
    return replace(failure, provider_code=refusal.provider_code, provider_message=refusal.provider_message)


def _effect(request: PaymentCancelRequest, payment: Payment, own: Own, before: Before) -> Effect:
    balance = before.cancellable if before.cancellable is not None else payment.cancellable + own.entry.amount
    return Effect(
        provider=ProviderRefs(
            name="portone",
            imp_uid=payment.imp_uid,
            merchant_uid=payment.merchant_uid,
            cancellation_id=own.entry.cancellation_id,
            pg_provider=payment.pg_provider,
            pg_tid=own.entry.pg_tid,
            receipt_url=own.entry.receipt_url,
        ),
        proof=own.proof,
        money=MoneyMoved(
            currency=_CURRENCY,
            cancelled=own.entry.amount,
            tax_free=request.tax_free,
            vat=request.vat_amount,
            cancellable_before=balance,
            cancellable_after=balance - own.entry.amount,
            settles=_settles(request, payment),
        ),
    )


def _settles(request: PaymentCancelRequest, payment: Payment) -> Settles:
    """Virtual-account refunds are paid out on the next business day (document 001)."""
    by_transfer = payment.pay_method == "vbank" or request.refund_account is not None
    return "next_business_day" if by_transfer else "immediate"
