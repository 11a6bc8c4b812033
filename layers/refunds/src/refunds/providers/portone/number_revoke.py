"""``vbank_revoke`` and ``cvs_revoke``: void a number nobody has paid to yet.

Naturally idempotent: a voided number can be voided again without harm. A number that was paid
meanwhile is ``ALREADY_PAID``; it is never turned into a refund.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Protocol

from refunds.contracts.inbound import Cancellation
from refunds.contracts.number_revoke import NumberRevokeRequest
from refunds.contracts.outbound import ProviderRefs
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
from refunds.errors import ErrorCode, OutcomeUnknown, Refused, ResponseMismatch
from refunds.providers.portone.client import PortOneClient
from refunds.providers.portone.models import Payment
from refunds.providers.portone.texts import means_later

_NOT_FOUND: Final = 404


class Revoke(Protocol):
    """``PortOneClient.revoke_vbank`` or ``revoke_cvs``."""

    def __call__(self, imp_uid: str, *, tier: str | None, deadline: Deadline) -> Payment:
        """Void the number."""
        ...


@dataclass(frozen=True)
class NumberRevoke:
    """``pay_method`` is what PortOne calls payments that have such a number."""

    client: PortOneClient
    revoke: Revoke
    pay_method: str

    def subject(self, request: NumberRevokeRequest) -> str | None:
        """The payment the number belongs to."""
        return request.imp_uid

    def amount(self, _cancellation: Cancellation[NumberRevokeRequest], _baseline: Baseline) -> Money:
        """Nothing was paid yet."""
        return Money(Decimal(0), "KRW")

    def warm_up(self, deadline: Deadline) -> None:
        """The access token."""
        self.client.warm_up(deadline)

    def needs_precheck(self, _request: NumberRevokeRequest) -> bool:
        """No: a repeat is harmless."""
        return False

    def precheck(self, attempt: Attempt[NumberRevokeRequest], _chosen: str | None) -> Baseline | Failure:
        """There is nothing to ask: a repeat is harmless."""
        self.client.check(tier=attempt.request.tier, subject=attempt.request.imp_uid)
        return Baseline(subject=attempt.request.imp_uid)

    def sends_alone(self, _baseline: Baseline) -> bool:
        """No: voiding twice is harmless."""
        return False

    def send(self, attempt: Attempt[NumberRevokeRequest], baseline: Baseline) -> Effect:
        """Void it, and check that the answer shows our payment neither waiting nor paid."""
        payment = self.revoke(baseline.subject, tier=attempt.request.tier, deadline=attempt.deadline)
        if payment.imp_uid != baseline.subject:
            raise ResponseMismatch(
                "PortOne answered success for another payment id: compare both payments in its console"
            )
        if _was_paid(payment) or not _voided(payment):
            raise OutcomeUnknown(f"PortOne answered success, but shows the payment as {payment.status}")
        return _effect(payment, "the answer shows the number voided")

    def resolve(
        self, attempt: Attempt[NumberRevokeRequest], baseline: Baseline, context: ResolveContext
    ) -> Resolution:
        """Voided, paid, or still waiting to be paid."""
        payment = self.client.payment(baseline.subject, tier=attempt.request.tier, deadline=attempt.deadline)
        if payment is None:
            return _unknown_number(attempt.request, context)
        if payment.imp_uid != baseline.subject:
            return Unproven("PortOne shows another payment than the one asked for")
        if _was_paid(payment):
            return Rejected(_paid(payment))
        if _voided(payment):
            return Applied(_effect(payment, "the payment is neither waiting nor paid"))
        if context.refusal is None:
            return Unapplied(baseline)
        return Rejected(
            self._refused(payment, context.refusal), retry_later=means_later(context.refusal.provider_message)
        )

    def _refused(self, payment: Payment, refusal: Refused) -> Failure:
        has_no_number = payment.pay_method not in (None, self.pay_method)
        if has_no_number:
            code, message = ErrorCode.NOT_CANCELLABLE, f"the payment has no {self.pay_method} number to void"
        else:
            code, message = ErrorCode.PROVIDER_REFUSED, "refused; the number can still be paid to"
        return Failure(
            code=code,
            message=message,
            provider=_refs(payment),
            provider_code=refusal.provider_code,
            provider_message=refusal.provider_message,
            excludes_late_attempts=has_no_number,
        )


def vbank_revoke(client: PortOneClient) -> NumberRevoke:
    """``DELETE /vbanks/{imp_uid}``."""
    return NumberRevoke(client, client.revoke_vbank, "vbank")


def cvs_revoke(client: PortOneClient) -> NumberRevoke:
    """``DELETE /cvs/{imp_uid}``."""
    return NumberRevoke(client, client.revoke_cvs, "cvs")


def _was_paid(payment: Payment) -> bool:
    """A number that was paid to is not void, even if the money was refunded afterwards."""
    return payment.status == "paid" or bool(payment.paid_at or payment.cancelled or payment.deposit_history)


def _voided(payment: Payment) -> bool:
    return payment.status not in ("ready", "paid")


def _unknown_number(request: NumberRevokeRequest, context: ResolveContext) -> Resolution:
    if context.refusal is None:
        return Unapplied(Baseline(subject=request.imp_uid))
    return Rejected(
        Failure(
            code=ErrorCode.NOT_FOUND,
            message="PortOne refused, and knows no such payment",
            provider=ProviderRefs(name="portone", imp_uid=request.imp_uid),
            provider_code=context.refusal.provider_code,
            provider_message=context.refusal.provider_message,
            excludes_late_attempts=context.refusal.status == _NOT_FOUND,
        )
    )


def _paid(payment: Payment) -> Failure:
    return Failure(
        code=ErrorCode.ALREADY_PAID,
        message="the number was paid to; refunding that is a payment_cancel under a new cancel_request_id",
        provider=_refs(payment),
        excludes_late_attempts=True,
    )


def _effect(payment: Payment, proof: str) -> Effect:
    return Effect(provider=_refs(payment), proof=proof)


def _refs(payment: Payment) -> ProviderRefs:
    return ProviderRefs(
        name="portone",
        imp_uid=payment.imp_uid,
        merchant_uid=payment.merchant_uid,
        pg_provider=payment.pg_provider,
        pg_tid=payment.pg_tid,
    )
