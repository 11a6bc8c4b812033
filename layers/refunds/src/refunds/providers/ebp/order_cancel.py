"""``order_cancel``: EBP_API_232 ``POST /api/v2/payment/cancel`` (document 004).

EBP documents no idempotency key and no compare-and-set for this call. What may have been sent is
therefore never sent again: it is proven by EBP_API_237, or it is parked for a person.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from refunds.contracts.inbound import Cancellation
from refunds.contracts.order_cancel import OrderCancellation, OrderCancelRequest
from refunds.contracts.outbound import CancelledItem, MoneyMoved, ProviderRefs, Settles
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
    Unproven,
)
from refunds.domain.policy import Policy
from refunds.errors import ErrorCode, LookupFailed, Refused, ResponseMismatch
from refunds.providers.clients import ProviderClients
from refunds.providers.ebp.client import EbpClient
from refunds.providers.ebp.models import CancelData, OrderDetail

POLICY: Final = Policy(
    cancel_type="order_cancel",
    detail_type="OrderCancelRequested",
    contract=OrderCancellation,
    provider="ebp",
    moves_money=True,
    resend_unproven=False,
)

#: The list of statuses is not public; only these spellings are certain (providers.md, "Query").
_CANCELLED: Final = frozenset({"CANCELLED", "CANCELED"})
_NOT_FOUND: Final = 404


@dataclass(frozen=True)
class OrderCancel:
    """Cancellation by order, by item or by amount."""

    client: EbpClient

    def subject(self, request: OrderCancelRequest) -> str | None:
        """The order."""
        return request.order_no

    def amount(self, cancellation: Cancellation[OrderCancelRequest], _baseline: Baseline) -> Money:
        """The request always names it."""
        return Money(cancellation.request.total_cancel_amount, "KRW")

    def warm_up(self, deadline: Deadline) -> None:
        """The keys."""
        self.client.warm_up(deadline)

    def needs_precheck(self, _request: OrderCancelRequest) -> bool:
        """Yes: only a change of the order's status can prove a cancellation."""
        return True

    def precheck(self, attempt: Attempt[OrderCancelRequest], _chosen: str | None) -> Baseline | Failure:
        """The order's status, where EBP shows it."""
        order_no = attempt.request.order_no
        detail = self._detail(attempt)
        if detail is None:
            return Baseline(subject=order_no)
        baseline = Baseline(subject=order_no, cancellable=detail.total_amount, status=detail.payment_status)
        if detail.payment_status in _CANCELLED:
            message = "EBP shows the order as cancelled already; nothing was sent"
            return _failure(baseline, ErrorCode.ALREADY_CANCELLED, message)
        return baseline

    def send(self, attempt: Attempt[OrderCancelRequest], baseline: Baseline) -> Effect:  # noqa: ARG002 - EBP compares nothing
        """Cancel, and check order, items and totals of the answer."""
        request = attempt.request
        data = self.client.cancel(
            request.model_dump(exclude_none=True),
            deadline=attempt.deadline,
            secrets=request.personal_values(),
        )
        difference = _difference(request, data)
        if difference is not None:
            raise ResponseMismatch(
                f"EBP answered success, but {difference} differs from the request: "
                "compare both in EBP's console"
            )
        proof = "the answer repeats order, items and total"
        return _effect(request, proof, data.return_request_id, _tax(data))

    def resolve(
        self, attempt: Attempt[OrderCancelRequest], baseline: Baseline, context: ResolveContext
    ) -> Resolution:
        """Proven for a full cancellation of an order that was not cancelled before."""
        detail = self._detail(attempt)
        cancelled = detail is not None and detail.payment_status in _CANCELLED
        if (
            context.only_attempt
            and context.refusal is not None
            and (not cancelled or baseline.status is None)
        ):
            return _refused(baseline, context.refusal, cancelled=cancelled)
        if detail is None or not cancelled:
            return self._unproven(attempt.request, baseline)
        if not _is_full(attempt.request, baseline) or not detail.pg_cancel_transaction_id:
            return self._unproven(attempt.request, baseline)
        siblings = context.siblings()
        if (
            context.only_attempt
            or baseline.status is None
            or siblings.open_amounts
            or siblings.others_succeeded
        ):
            return Unproven(
                "the order is cancelled, but another cancellation may have done it", unresolvable=True
            )
        return Applied(_effect(attempt.request, "EBP shows the whole order cancelled", None, None))

    def _unproven(self, request: OrderCancelRequest, baseline: Baseline) -> Unproven:
        if _is_full(request, baseline):
            return Unproven("EBP does not show the order as cancelled; it may still become so")
        return Unproven(
            "EBP cannot be asked whether a part of an order was cancelled: look in its console, "
            "then settle by hand",
            unresolvable=True,
        )

    def _detail(self, attempt: Attempt[OrderCancelRequest]) -> OrderDetail | None:
        """``None`` where EBP shows nothing of the order, or does not offer the query at all."""
        try:
            detail = self.client.detail(attempt.request.order_no, deadline=attempt.deadline)
        except LookupFailed as error:
            if error.status == _NOT_FOUND:
                return None
            raise
        return detail


def _is_full(request: OrderCancelRequest, baseline: Baseline) -> bool:
    return baseline.cancellable is not None and baseline.cancellable == request.total_cancel_amount


def _difference(request: OrderCancelRequest, data: CancelData) -> str | None:
    """Which part of a success answer contradicts the request; ``None`` if none does."""
    if data.order_no != request.order_no:
        return "the order number"
    if data.total_product_amount + data.total_delivery_amount != request.total_cancel_amount:
        return "the total"
    asked = {item.seq: item for item in request.items}
    if len(data.items) != len(asked) or data.processed_count not in (None, len(asked)):
        return "the number of items"
    for item in data.items:
        own = asked.get(item.seq)
        if own is None or (own.item_id, own.quantity) != (item.item_id, item.quantity):
            return f"item {item.seq}"
        if item.amount is not None and item.amount != own.amount:
            return f"the amount of item {item.seq}"
    return None


def _tax(data: CancelData) -> Decimal | None:
    product, delivery = data.total_product_tax_amount, data.total_delivery_tax_amount
    if product is None and delivery is None:
        return None
    return (product or Decimal(0)) + (delivery or Decimal(0))


def _refused(baseline: Baseline, refusal: Refused, *, cancelled: bool) -> Resolution:
    """Wrong keys are ours to mend: such a message waits instead of failing."""
    if cancelled:
        code, message = ErrorCode.ALREADY_CANCELLED, "refused; EBP shows the order as cancelled already"
    else:
        code, message = refusal.code, "EBP refused the cancellation; the order is unchanged"
    failure = _failure(baseline, code, message, refusal)
    return Rejected(failure, retry_later=code is ErrorCode.PROVIDER_AUTH)


def _failure(baseline: Baseline, code: ErrorCode, message: str, refusal: Refused | None = None) -> Failure:
    return Failure(
        code=code,
        message=message,
        provider=ProviderRefs(name="ebp"),
        money=MoneyMoved(currency="KRW", cancelled=Decimal(0)),
        provider_code=refusal.provider_code if refusal else None,
        provider_message=refusal.provider_message if refusal else None,
        baseline=baseline,
    )


def _effect(
    request: OrderCancelRequest, proof: str, return_request_id: str | None, tax: Decimal | None
) -> Effect:
    return Effect(
        provider=ProviderRefs(name="ebp", return_request_id=return_request_id),
        proof=proof,
        money=MoneyMoved(
            currency="KRW", cancelled=request.total_cancel_amount, vat=tax, settles=_settles(request)
        ),
        items=tuple(
            CancelledItem(
                seq=item.seq,
                itemType=item.item_type,
                itemId=item.item_id,
                quantity=item.quantity,
                amount=item.amount,
                taxAmount=item.tax_amount,
            )
            for item in request.items
        ),
    )


def _settles(request: OrderCancelRequest) -> Settles:
    """A refund to a bank account is a transfer; everything else is reversed at the PG."""
    return "next_business_day" if request.refund_account is not None else "immediate"


def operation(clients: ProviderClients) -> OrderCancel:
    """Never sent twice while unproven: EBP has neither an idempotency key nor a compare-and-set."""
    return OrderCancel(clients.ebp())
