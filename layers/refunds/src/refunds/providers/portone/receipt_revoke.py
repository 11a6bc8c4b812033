"""``receipt_revoke``: PortOne V1 ``DELETE /receipts/external/{merchant_uid}``."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

from refunds.contracts.inbound import Cancellation
from refunds.contracts.naming import PORTONE
from refunds.contracts.outbound import ProviderRefs
from refunds.contracts.receipt_revoke import ReceiptRevocation, ReceiptRevokeRequest
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
from refunds.errors import ErrorCode, OutcomeUnknown, Refused, ResponseMismatch
from refunds.providers.cancel_type import CancelType
from refunds.providers.portone.client import PortOneClient
from refunds.providers.portone.models import Receipt
from refunds.providers.portone.texts import means_later

POLICY: Final = Policy(
    cancel_type="receipt_revoke",
    detail_type="ReceiptRevokeRequested",
    contract=ReceiptRevocation,
    naming=PORTONE,
    moves_money=False,
    resend_unproven=True,
)


@dataclass(frozen=True)
class ReceiptRevoke:
    """Revoke a cash receipt; ``cancelled_at`` shows that it is revoked."""

    client: PortOneClient

    def subject(self, request: ReceiptRevokeRequest) -> str | None:
        """The order number the receipt was issued under."""
        return request.merchant_uid

    def amount(self, _cancellation: Cancellation[ReceiptRevokeRequest], _baseline: Baseline) -> Money:
        """A receipt is no money."""
        return Money(Decimal(0), "KRW")

    def warm_up(self, deadline: Deadline) -> None:
        """The access token."""
        self.client.warm_up(deadline)

    def needs_precheck(self, _request: ReceiptRevokeRequest) -> bool:
        """No: a repeat is harmless."""
        return False

    def precheck(self, attempt: Attempt[ReceiptRevokeRequest], _chosen: str | None) -> Baseline | Failure:
        """There is nothing to ask: a repeat is harmless."""
        uid = attempt.request.merchant_uid
        self.client.check(tier=attempt.request.tier, subject=uid)
        return Baseline(subject=uid, shown={"merchant_uid": uid})

    def sends_alone(self, _baseline: Baseline) -> bool:
        """No: revoking twice is harmless."""
        return False

    def send(self, attempt: Attempt[ReceiptRevokeRequest], baseline: Baseline) -> Effect:
        """Revoke it; an answer that does not say so itself is checked by asking."""
        request = attempt.request
        receipt = self.client.revoke_receipt(baseline.subject, tier=request.tier, deadline=attempt.deadline)
        if receipt.merchant_uid != baseline.subject:
            raise ResponseMismatch(
                "PortOne answered success for another receipt: compare both receipts in its console"
            )
        if _is_another(receipt, baseline):
            raise ResponseMismatch(
                "PortOne answered success for a receipt that was issued anew: compare both in its console"
            )
        if not receipt.revoked:
            raise OutcomeUnknown("PortOne answered success without saying when the receipt was revoked")
        return _effect(receipt, "the answer shows when the receipt was revoked")

    def resolve(
        self, attempt: Attempt[ReceiptRevokeRequest], baseline: Baseline, context: ResolveContext
    ) -> Resolution:
        """Revoked or not."""
        receipt = self.client.receipt(baseline.subject, tier=attempt.request.tier, deadline=attempt.deadline)
        if receipt is None:
            return _no_receipt(baseline, context)
        if receipt.merchant_uid != baseline.subject:
            return Unproven("PortOne shows another receipt than the one asked for")
        issued_anew = not receipt.revoked and _is_newer(receipt, context)
        if _is_another(receipt, baseline) or ("receipt_id" not in baseline.shown and issued_anew):
            return Unproven(
                "a receipt was issued anew under this merchant_uid: whether the one meant was revoked by "
                "this request cannot be seen",
                unresolvable=True,
            )
        if receipt.revoked:
            return Applied(_effect(receipt, "the receipt shows when it was revoked"))
        if context.refusal is None:
            return Unapplied(replace(baseline, shown={**baseline.shown, "receipt_id": _name(receipt)}))
        code = context.refusal.code
        unsupported = code is ErrorCode.UNSUPPORTED_BY_PG  # so is every other attempt
        message = "refused; the receipt is still valid"
        failure = _failure(baseline, context.refusal, code, message, excludes_late_attempts=unsupported)
        return Rejected(failure, retry_later=means_later(context.refusal.provider_message))


def _name(receipt: Receipt) -> str:
    """Which receipt it is: those of one order share its number, and not every PG gives them an id."""
    return receipt.receipt_tid or f"{receipt.apply_num}/{receipt.applied_at}"


def _is_another(receipt: Receipt, baseline: Baseline) -> bool:
    return baseline.shown.get("receipt_id", _name(receipt)) != _name(receipt)


def _is_newer(receipt: Receipt, context: ResolveContext) -> bool:
    """Issued after our claim: not the one that was asked for, which somebody must have revoked."""
    return bool(context.sent_at) and (receipt.applied_at or 0) > context.sent_at


def _no_receipt(baseline: Baseline, context: ResolveContext) -> Resolution:
    if context.refusal is None:
        return Unapplied(baseline)
    message = "PortOne knows no receipt issued under this merchant_uid"
    # A revoked receipt may vanish: after an attempt of unknown fate this ends nothing.
    return Rejected(_failure(baseline, context.refusal, ErrorCode.NOT_FOUND, message))


def _failure(
    baseline: Baseline,
    refusal: Refused,
    code: ErrorCode,
    message: str,
    *,
    excludes_late_attempts: bool = False,
) -> Failure:
    return Failure(
        code=code,
        message=message,
        provider=ProviderRefs(name="portone", merchant_uid=baseline.subject),
        provider_code=refusal.provider_code,
        provider_message=refusal.provider_message,
        excludes_late_attempts=excludes_late_attempts,
    )


def _effect(receipt: Receipt, proof: str) -> Effect:
    return Effect(
        provider=ProviderRefs(
            name="portone", merchant_uid=receipt.merchant_uid, receipt_url=receipt.receipt_url
        ),
        proof=proof,
    )


CANCEL_TYPE: Final = CancelType(POLICY, lambda clients: ReceiptRevoke(clients.portone()))
