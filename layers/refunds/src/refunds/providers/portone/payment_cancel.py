"""``payment_cancel``: PortOne V1 ``POST /payments/cancel`` (document 001).

A repeat is made safe by ``checksum``, the cancellable balance before the cancellation: the provider
does nothing if it has moved. ``checksum`` is therefore always sent.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

from refunds.contracts.inbound import Cancellation
from refunds.contracts.outbound import MoneyMoved, ProviderRefs, Settles
from refunds.contracts.payment_cancel import PaymentCancellation, PaymentCancelRequest
from refunds.domain.deadline import Deadline
from refunds.domain.operation import (
    Applied,
    Attempt,
    Baseline,
    Effect,
    Failure,
    Money,
    Rejected,
    Resolution,
    ResolveContext,
    Unapplied,
    Unproven,
)
from refunds.domain.policy import Policy
from refunds.domain.tag import reason_with
from refunds.errors import ErrorCode, InvalidRequest, Refused, ResponseMismatch
from refunds.providers.clients import ProviderClients
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

POLICY: Final = Policy(
    cancel_type="payment_cancel",
    detail_type="PaymentCancelRequested",
    contract=PaymentCancellation,
    provider="portone",
    moves_money=True,
    resend_unproven=True,
)

_PAID = frozenset({"paid", "cancelled"})  # a partly cancelled payment may report either
_CURRENCY = "KRW"


@dataclass(frozen=True)
class PaymentCancel:
    """Full and partial cancellations, and refunds of virtual-account payments."""

    client: PortOneClient

    def subject(self, request: PaymentCancelRequest) -> str | None:
        """``imp_uid``; a ``merchant_uid`` may name several payments."""
        return request.imp_uid

    def amount(self, cancellation: Cancellation[PaymentCancelRequest], baseline: Baseline) -> Money:
        """What is asked for, or all that is left."""
        return Money(
            cancellation.request.amount or baseline.cancellable or Decimal(0), baseline.currency or "KRW"
        )

    def warm_up(self, deadline: Deadline) -> None:
        """The access token."""
        self.client.warm_up(deadline)

    def needs_precheck(self, request: PaymentCancelRequest) -> bool:
        """Unless the event brings the payment and its balance."""
        return request.checksum is None or request.imp_uid is None

    def precheck(self, attempt: Attempt[PaymentCancelRequest], _chosen: str | None) -> Baseline | Failure:
        """The balance and the cancellations so far, or what forbids cancelling."""
        request = attempt.request
        if request.checksum is not None and request.imp_uid is not None:
            return Baseline(subject=request.imp_uid, cancellable=request.checksum)
        payment = self._find(attempt)
        if payment is None:
            return _not_found(request, "no such payment at PortOne; nothing was sent")
        baseline = _seen(payment)
        obstacle = _obstacle(request, payment)
        return replace(obstacle, baseline=baseline) if obstacle else baseline

    def send(self, attempt: Attempt[PaymentCancelRequest], baseline: Baseline) -> Effect:
        """Cancel, and check that the balance moved by exactly ours."""
        payment = self.client.cancel(
            _body(attempt, baseline),
            tier=attempt.request.tier,
            deadline=attempt.deadline,
            secrets=attempt.request.personal_values(),
        )
        own = confirm_own(payment, baseline, _search(attempt, baseline))
        if own is None or not _is_the_payment(payment, baseline):
            raise ResponseMismatch(
                "PortOne answered success, but the payment id or the amounts in the answer are not those "
                "of this cancellation: compare the payment in PortOne's console with this request"
            )
        return _effect(attempt.request, payment, own, baseline)

    def resolve(
        self, attempt: Attempt[PaymentCancelRequest], baseline: Baseline, context: ResolveContext
    ) -> Resolution:
        """Find our cancellation in the payment's history, or show that it cannot be there."""
        payment = self.client.payment(baseline.subject, tier=attempt.request.tier, deadline=attempt.deadline)
        contradiction = _contradiction(payment, baseline)
        if contradiction:
            return Unproven(contradiction)
        if payment is None:
            return _unknown_payment(attempt.request, context)
        match find_own(payment, baseline, _search(attempt, baseline), context):
            case Own() as own:
                return Applied(_effect(attempt.request, payment, own, baseline))
            case Unclear(message, suspects):
                learnt = replace(baseline, suspects=suspects) if suspects else None
                return Unproven(message, baseline=learnt)
        return _not_ours(attempt.request, payment, baseline, context)

    def _find(self, attempt: Attempt[PaymentCancelRequest]) -> Payment | None:
        request = attempt.request
        if request.imp_uid is not None:
            return self.client.payment(request.imp_uid, tier=request.tier, deadline=attempt.deadline)
        found = self.client.payments_of(
            request.merchant_uid or "", tier=request.tier, deadline=attempt.deadline
        )
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


def _seen(payment: Payment) -> Baseline:
    return Baseline(
        subject=payment.imp_uid,
        cancellable=payment.cancellable,
        cancellation_ids=tuple(e.cancellation_id for e in payment.cancel_history if e.cancellation_id),
        status=payment.status,
        merchant_uid=payment.merchant_uid,
        pg_provider=payment.pg_provider,
        pay_method=payment.pay_method,
    )


def _body(attempt: Attempt[PaymentCancelRequest], baseline: Baseline) -> dict[str, object]:
    """The request as PortOne names it. ``amount`` stays absent for "all": PGs treat that differently."""
    request = attempt.request
    requester = "customer" if attempt.cancellation.requested_by == "customer" else "admin"
    if request.extra and request.extra.requester:
        requester = request.extra.requester
    fields: dict[str, object | None] = {
        "imp_uid": baseline.subject,
        "amount": request.amount,
        "tax_free": request.tax_free,
        "vat_amount": request.vat_amount,
        "checksum": baseline.cancellable,
        "reason": reason_with(attempt.tag, attempt.cancellation.reason),
        "refund_holder": request.refund_holder,
        "refund_bank": request.refund_bank,
        "refund_account": request.refund_account,
        "refund_tel": request.refund_tel,
        "retain_promotion": request.retain_promotion,
        "extra": {"requester": requester},
    }
    return {name: value for name, value in fields.items() if value is not None}


def _search(attempt: Attempt[PaymentCancelRequest], baseline: Baseline) -> Search:
    amount = attempt.request.amount if attempt.request.amount is not None else baseline.cancellable
    return Search(amount or Decimal(0), attempt.tag, reason_with(attempt.tag, attempt.cancellation.reason))


def _is_the_payment(payment: Payment, baseline: Baseline) -> bool:
    same_order = baseline.merchant_uid is None or payment.merchant_uid == baseline.merchant_uid
    return payment.imp_uid == baseline.subject and same_order and payment.currency in (None, _CURRENCY)


def _contradiction(payment: Payment | None, baseline: Baseline) -> str | None:
    """An answer that contradicts what was seen before is no answer."""
    if baseline.cancellation_ids is None:
        return None
    if payment is None:
        return "PortOne no longer knows a payment it showed before"
    if payment.imp_uid != baseline.subject:
        return "PortOne shows another payment than the one asked for"
    if baseline.cancellable is not None and payment.cancellable > baseline.cancellable:
        return "the cancellable balance grew"
    if payment.status not in _PAID:
        return f"a payment that was paid is {payment.status} now"
    return None


def _unknown_payment(request: PaymentCancelRequest, context: ResolveContext) -> Resolution:
    if context.refusal is None or not context.only_attempt:
        return Unproven("PortOne does not know the payment, and an attempt of ours is unaccounted for")
    failure = _not_found(request, "PortOne refused, and knows no such payment")
    return Rejected(_quoting(failure, context.refusal))


def _not_ours(
    request: PaymentCancelRequest, payment: Payment, baseline: Baseline, context: ResolveContext
) -> Resolution:
    """Nothing of ours is in the history.

    An attempt under way carries a checksum that may still match: not once the balance is below it, but
    a balance above it (the event's checksum was too low) can still come down to it.
    """
    moved = payment.cancellable != baseline.cancellable
    obstacle = _obstacle(request, payment)
    if obstacle is not None:
        below = baseline.cancellable is not None and payment.cancellable < baseline.cancellable
        checked = replace(obstacle, excludes_late_attempts=below)
        return Rejected(_quoting(checked, context.refusal) if context.refusal else checked)
    if context.refusal is None or moved:
        return Unapplied(_seen(payment))
    failure = _failure(
        payment,
        ErrorCode.PROVIDER_REFUSED,
        "refused by the payment gateway; the payment is unchanged",
    )
    return Rejected(
        _quoting(failure, context.refusal), retry_later=means_later(context.refusal.provider_message)
    )


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


def _effect(request: PaymentCancelRequest, payment: Payment, own: Own, baseline: Baseline) -> Effect:
    balance = (
        baseline.cancellable if baseline.cancellable is not None else payment.cancellable + own.entry.amount
    )
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


def operation(clients: ProviderClients) -> PaymentCancel:
    """Made safe to repeat by ``checksum``."""
    return PaymentCancel(clients.portone())
