"""``order_cancel``: EBP_API_232 ``POST /api/v2/payment/cancel`` (docs/providers.md, section EBP).

EBP documents no idempotency key and no compare-and-set for this call. What may have been sent is
therefore never sent again: it is proven by EBP_API_237, or it is parked for a person.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

from refunds.contracts.inbound import Cancellation, misfit
from refunds.contracts.money import fits
from refunds.contracts.naming import EBP
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
from refunds.errors import ErrorCode, InvalidRequest, LookupFailed, Refused, ResponseMismatch
from refunds.providers.cancel_type import CancelType
from refunds.providers.ebp.client import EbpClient
from refunds.providers.ebp.models import UNREADABLE_CURRENCY, CancelData, OrderDetail
from refunds.providers.ebp.refusals import is_authentication
from refunds.providers.ebp.verification import difference, tax

POLICY: Final = Policy(
    cancel_type="order_cancel",
    detail_type="OrderCancelRequested",
    contract=OrderCancellation,
    naming=EBP,
    moves_money=True,
    resend_unproven=False,
)

#: The list of statuses is not public; only these spellings are certain (docs/providers.md).
_CANCELLED: Final = frozenset({"CANCELLED", "CANCELED"})
_REQUESTED: Final = "REQUESTED"
_UNCHANGED: Final = frozenset({_REQUESTED, "APPROVED"})
_NOT_FOUND: Final = 404

#: What a cancellation of all of an order is held as: there is one of an order.
_WHOLE: Final = "whole"

#: Beside a refusal's code in ``Baseline.suspects``: the order did not look as the refusal says.
_CONTRADICTED: Final = "contradicted"


@dataclass(frozen=True)
class OrderCancel:
    """Cancellation by order, by item or by amount.

    ``Baseline.cancellable`` is the order's total, while nothing of it is cancelled;
    ``Baseline.cancellation_ids`` is EBP's last ``pgCancelTransactionId``, and ``None`` where EBP does not
    show the order; ``Baseline.suspects`` is what the answer of our only attempt was, where a later
    question could not know it: the code of a refusal, and whether the order contradicted it, or (with
    ``accepted``) our own code of a success that was not one of this request.
    """

    client: EbpClient

    def subject(self, request: OrderCancelRequest) -> str | None:
        """The order."""
        return request.order_no

    def amount(self, cancellation: Cancellation[OrderCancelRequest], baseline: Baseline) -> Money:
        """The request always names it."""
        return Money(cancellation.request.total_cancel_amount, self._currency(baseline))

    def warm_up(self, deadline: Deadline) -> None:
        """The keys."""
        self.client.warm_up(deadline)

    def needs_precheck(self, _request: OrderCancelRequest) -> bool:
        """Yes: only a change of the order's status can prove a cancellation."""
        return True

    def precheck(self, attempt: Attempt[OrderCancelRequest], _chosen: str | None) -> Baseline | Failure:
        """Currency, amounts and body, and then the order's status, where EBP shows it."""
        request, currency = attempt.request, self.client.currency
        baseline = Baseline(subject=request.order_no, currency=currency)
        believed = attempt.cancellation.effective_currency(currency)
        if believed != currency:
            message = f"the event is in {believed}, this deployment's EBP in {currency}; nothing was sent"
            return _failure(baseline, ErrorCode.CURRENCY_MISMATCH, message)
        problem = misfit(request, currency)
        if problem is not None:
            raise InvalidRequest(problem)
        self.client.check(_body(request))
        detail = self._detail(attempt)
        return baseline if detail is None else _seen(baseline, detail)

    def sends_alone(self, _baseline: Baseline) -> bool:
        """EBP keeps the balance itself."""
        return False

    def send(self, attempt: Attempt[OrderCancelRequest], baseline: Baseline) -> Effect:
        """Cancel, and check order, items, amounts and taxes of the answer."""
        request = attempt.request
        data = self.client.cancel(
            _body(request), deadline=attempt.deadline, secrets=request.personal_values()
        )
        foreign = data.foreign(self._currency(baseline))
        if foreign is not None:
            raise _mismatch(f"it is in another currency ({foreign})", ErrorCode.CURRENCY_MISMATCH)
        problem = difference(request, data)
        if problem is not None:
            raise _mismatch(problem, ErrorCode.RESPONSE_MISMATCH)
        return self._answered(request, baseline, data)

    def resolve(
        self, attempt: Attempt[OrderCancelRequest], baseline: Baseline, context: ResolveContext
    ) -> Resolution:
        """Proven for a full cancellation of an order that was seen, and not cancelled, before.

        A refusal of the only attempt is believed for as long as the order does not contradict it.
        """
        if baseline.accepted:
            return Unproven(
                "EBP answered success, but not to this request: only a person can tell what it did",
                unresolvable=True,
                code=ErrorCode(baseline.suspects[-1]) if baseline.suspects else ErrorCode.RESPONSE_MISMATCH,
            )
        refusal = context.refusal if context.only_attempt else None
        if refusal is not None:
            baseline = replace(baseline, suspects=(refusal.provider_code or "",))
        try:
            detail = self._detail(attempt)
        except LookupFailed as error:
            if refusal is None:
                raise
            return Unproven(str(error), baseline=baseline)
        foreign = None if detail is None else detail.foreign(self._currency(baseline))
        if foreign is not None:
            return Unproven(
                f"EBP shows the order in another currency ({foreign}) than it was cancelled in",
                unresolvable=True,
                baseline=baseline,
                code=ErrorCode.CURRENCY_MISMATCH,
            )
        if baseline.suspects:
            return _judge_refusal(baseline, detail, refusal)
        return self._judge_silence(attempt.request, baseline, detail, context)

    def _judge_silence(
        self,
        request: OrderCancelRequest,
        baseline: Baseline,
        detail: OrderDetail | None,
        context: ResolveContext,
    ) -> Resolution:
        """No answer, or one that says nothing: only the order itself can prove anything."""
        if not _is_full(request, baseline):
            return Unproven(
                "EBP cannot be asked whether a part of an order was cancelled: look in its console, "
                "then resolve it by hand",
                unresolvable=True,
            )
        if detail is None or not _shows_all_cancelled(detail, request, baseline):
            return Unproven("EBP does not show the whole order as cancelled; it may still become so")
        siblings = context.siblings()
        if (
            baseline.status in (None, _REQUESTED)
            or detail.pg_cancel_transaction_id in (baseline.cancellation_ids or ())
            or siblings.open_amounts
            or siblings.settled_by_hand
            or siblings.others_succeeded
        ):
            return Unproven(
                "the order is cancelled, but another cancellation may have done it", unresolvable=True
            )
        return Applied(self._inferred(request, baseline))

    def _answered(self, request: OrderCancelRequest, baseline: Baseline, data: CancelData) -> Effect:
        """A number that answers two requests was one cancellation; so was all of an order."""
        number = data.return_request_id
        names = [*([number] if number else []), *([_WHOLE] if _is_full(request, baseline) else [])]
        return Effect(
            provider=ProviderRefs(name="ebp", return_request_id=number),
            proof="the answer repeats order, items and amounts",
            money=self._moved(request, baseline, tax(data)),
            items=_items(request),
            held_as=names[0] if names else None,
            also_held_as=tuple(names[1:]),
        )

    def _inferred(self, request: OrderCancelRequest, baseline: Baseline) -> Effect:
        return Effect(
            provider=ProviderRefs(name="ebp"),
            proof="EBP shows the whole order cancelled",
            money=self._moved(request, baseline, None),
            items=_items(request),
            held_as=_WHOLE,
        )

    def _moved(self, request: OrderCancelRequest, baseline: Baseline, vat: Decimal | None) -> MoneyMoved:
        currency = self._currency(baseline)
        return MoneyMoved(
            currency=currency,
            cancelled=request.total_cancel_amount,
            vat=vat if vat is not None and fits(vat, currency) else None,
            settles=_settles(request),
        )

    def _currency(self, baseline: Baseline) -> str:
        """The currency at the precheck; an item of an earlier version does not say it."""
        return baseline.currency or self.client.currency

    def _detail(self, attempt: Attempt[OrderCancelRequest]) -> OrderDetail | None:
        """``None`` where EBP shows nothing of the order, or does not offer the query at all."""
        try:
            detail = self.client.detail(attempt.request.order_no, deadline=attempt.deadline)
        except LookupFailed as error:
            if error.status == _NOT_FOUND:
                return None
            raise
        return detail


def _body(request: OrderCancelRequest) -> dict[str, object]:
    return request.model_dump(exclude_none=True)


def _seen(baseline: Baseline, detail: OrderDetail) -> Baseline | Failure:
    """What EBP shows of the order before the first send."""
    number = detail.pg_cancel_transaction_id
    seen = replace(
        baseline,
        cancellable=None if number else detail.total_amount,
        cancellation_ids=(number,) if number else (),
        status=detail.payment_status,
    )
    foreign = detail.foreign(baseline.currency or "")
    if foreign is not None:
        message = f"EBP shows the order in another currency ({foreign}); nothing was sent"
        shown = None if foreign == UNREADABLE_CURRENCY else foreign
        return _failure(replace(seen, currency=shown), ErrorCode.CURRENCY_MISMATCH, message)
    if detail.payment_status in _CANCELLED and detail.order_no == baseline.subject:
        message = "EBP shows the order as cancelled already; nothing was sent"
        return _failure(seen, ErrorCode.ALREADY_CANCELLED, message)
    return seen


def _judge_refusal(baseline: Baseline, detail: OrderDetail | None, refusal: Refused | None) -> Resolution:
    """Of our only attempt, now or in an earlier delivery; nothing was ever sent again since."""
    code = baseline.suspects[0]
    if _has_vanished(baseline, detail):
        message = f"EBP refused it ({code}), but no longer shows the order that it showed before"
        return Unproven(message, baseline=baseline)
    if _CONTRADICTED in baseline.suspects or _has_changed(baseline, detail):
        return Unproven(
            f"EBP refused it ({code}), but the order has changed since: it may have been carried out "
            "all the same, or somebody else changed it",
            unresolvable=True,
            baseline=replace(baseline, suspects=(code, _CONTRADICTED)),
        )
    # Wrong keys are ours to mend: such a message waits instead of failing.
    rejects_keys = is_authentication(code)
    return Rejected(
        _failure(
            replace(baseline, suspects=()),
            ErrorCode.PROVIDER_AUTH if rejects_keys else ErrorCode.PROVIDER_REFUSED,
            "EBP refused the cancellation, and the order shows nothing else",
            code,
            refusal.provider_message if refusal else None,
        ),
        retry_later=rejects_keys,
    )


def _has_vanished(baseline: Baseline, detail: OrderDetail | None) -> bool:
    """What was seen before and is not seen now contradicts a refusal: knowing less proves nothing."""
    if detail is None:
        return _was_shown(baseline)
    return baseline.status is not None and detail.payment_status is None


def _was_shown(baseline: Baseline) -> bool:
    """An item of an earlier version has no ``cancellation_ids``."""
    return not (
        baseline.cancellation_ids is None and baseline.status is None and baseline.cancellable is None
    )


def _has_changed(baseline: Baseline, detail: OrderDetail | None) -> bool:
    """Whether the order is not what it was before the send, as far as both are known."""
    if detail is None:
        return False
    status, number = detail.payment_status, detail.pg_cancel_transaction_id
    if (
        status is not None
        and status != baseline.status
        and not (baseline.status is None and status in _UNCHANGED)
    ):
        return True
    known = baseline.cancellation_ids or ()
    if (number,) != (known or (None,)):
        return True
    return None not in (baseline.cancellable, detail.total_amount) and (
        baseline.cancellable != detail.total_amount
    )


def _is_full(request: OrderCancelRequest, baseline: Baseline) -> bool:
    return baseline.cancellable is not None and baseline.cancellable == request.total_cancel_amount


def _shows_all_cancelled(detail: OrderDetail, request: OrderCancelRequest, baseline: Baseline) -> bool:
    """In so many words, by the PG's own number, for this order and not for another amount."""
    return (
        detail.payment_status in _CANCELLED
        and bool(detail.pg_cancel_transaction_id)
        and detail.order_no == request.order_no
        and detail.total_amount in (None, Decimal(0), baseline.cancellable)
    )


def _mismatch(problem: str, code: ErrorCode) -> ResponseMismatch:
    return ResponseMismatch(
        f"EBP answered success, but {problem}: compare the order in EBP's console with this request",
        code=code,
        suspects=(code.value,),
    )


def _failure(
    baseline: Baseline,
    code: ErrorCode,
    message: str,
    provider_code: str | None = None,
    provider_message: str | None = None,
) -> Failure:
    currency = baseline.currency
    return Failure(
        code=code,
        message=message,
        provider=ProviderRefs(name="ebp"),
        money=None if currency is None else MoneyMoved(currency=currency, cancelled=Decimal(0)),
        provider_code=provider_code,
        provider_message=provider_message,
        # There was one attempt, and it is the one that was refused.
        excludes_late_attempts=provider_code is not None,
        baseline=baseline,
    )


def _items(request: OrderCancelRequest) -> tuple[CancelledItem, ...]:
    return tuple(
        CancelledItem(
            seq=item.seq,
            itemType=item.item_type,
            itemId=item.item_id,
            quantity=item.quantity,
            amount=item.amount,
            taxAmount=item.tax_amount,
        )
        for item in request.items
    )


def _settles(request: OrderCancelRequest) -> Settles:
    """An accepted application: paid to the account on the next business day, else whenever the PG does."""
    return "next_business_day" if request.refund_account is not None else "later"


CANCEL_TYPE: Final = CancelType(POLICY, lambda clients: OrderCancel(clients.ebp()))
