"""``payment_cancel``: PortOne V1 ``POST /payments/cancel``.

A repeat is made safe by ``checksum``, the cancellable balance before the cancellation: the provider
does nothing if it has moved. ``checksum`` is therefore always sent. At a PG that books later than it
accepts the balance does not move in time: nothing is sent there a second time.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from refunds.contracts.inbound import Cancellation
from refunds.contracts.money import CURRENCY_PATTERN
from refunds.contracts.naming import PORTONE
from refunds.contracts.outbound import MoneyMoved, ProviderRefs, Settles
from refunds.contracts.payment_cancel import PaymentCancellation, PaymentCancelRequest
from refunds.domain.attribution import (
    Own,
    Search,
    Unclear,
    adds_up,
    confirm_own,
    find_own,
    moved,
    unseen,
    with_tag,
)
from refunds.domain.deadline import Deadline
from refunds.domain.operation import (
    Accepted,
    Applied,
    Attempt,
    Baseline,
    Effect,
    Failure,
    Money,
    Rejected,
    Resolution,
    ResolveContext,
    SentBefore,
    Unapplied,
    Unproven,
)
from refunds.domain.policy import Policy
from refunds.domain.tag import reason_with
from refunds.errors import ErrorCode, InvalidRequest, LookupFailed, Refused, ResponseMismatch
from refunds.providers.cancel_type import CancelType
from refunds.providers.portone.client import PortOneClient
from refunds.providers.portone.gateways import Gateway, books_late, gateway
from refunds.providers.portone.models import CancelHistoryEntry, Payment
from refunds.providers.portone.texts import may_be_done, means_later

_Own = Own[CancelHistoryEntry]
_SHOWN: Final = ("merchant_uid", "pg_provider", "pay_method")


def _books_late(baseline: Baseline) -> bool:
    """As far as somebody has looked."""
    looked = baseline.cancellation_ids is not None
    return looked and books_late(baseline.shown.get("pg_provider"), baseline.shown.get("pay_method"))


def _may_book_later(baseline: Baseline | None) -> bool:
    """A gateway that nobody has seen, because the event brought its own checksum, may be a late one."""
    if baseline is None or baseline.accepted or baseline.cancellation_ids is None:
        return True
    return _books_late(baseline)


POLICY: Final = Policy(
    cancel_type="payment_cancel",
    detail_type="PaymentCancelRequested",
    contract=PaymentCancellation,
    naming=PORTONE,
    moves_money=True,
    resend_unproven=True,
    may_book_later=_may_book_later,
)

_PAID = frozenset({"paid", "cancelled"})  # a partly cancelled payment may report either
_DEFAULT_CURRENCY: Final = "KRW"
_CLOCKS_DIFFER: Final = 60  # seconds by which the order service's clock and PortOne's may differ


@dataclass(frozen=True)
class PaymentCancel:
    """Full and partial cancellations, and refunds of virtual-account payments."""

    client: PortOneClient

    def subject(self, request: PaymentCancelRequest) -> str | None:
        """``imp_uid``; a ``merchant_uid`` may name several payments."""
        return request.imp_uid

    def amount(self, cancellation: Cancellation[PaymentCancelRequest], baseline: Baseline) -> Money:
        """What is asked for, or all that is left."""
        amount = cancellation.request.amount or baseline.cancellable or Decimal(0)
        return Money(amount, baseline.currency or cancellation.effective_currency(_DEFAULT_CURRENCY))

    def warm_up(self, deadline: Deadline) -> None:
        """The access token."""
        self.client.warm_up(deadline)

    def needs_precheck(self, request: PaymentCancelRequest) -> bool:
        """Unless the event brings the payment and its balance."""
        return request.checksum is None or request.imp_uid is None

    def precheck(
        self, attempt: Attempt[PaymentCancelRequest], chosen: str | None
    ) -> Baseline | SentBefore | Failure:
        """The balance and the cancellations so far, or what forbids cancelling."""
        request = attempt.request
        if request.checksum is not None and request.imp_uid is not None:
            baseline = Baseline(subject=request.imp_uid, cancellable=request.checksum)
        else:
            payment = self._find(attempt, chosen)
            if payment is None:
                return _not_found(attempt, "no such payment at PortOne; nothing was sent")
            baseline = _seen(payment)
            if own := with_tag(payment.history, attempt.tag):
                return SentBefore(_before(own, baseline))
            obstacle = _obstacle(attempt, payment)
            if obstacle is not None:
                return replace(obstacle, baseline=baseline)
        self.client.check(tier=request.tier, subject=baseline.subject, body=_body(attempt, baseline))
        return baseline

    def sends_alone(self, baseline: Baseline) -> bool:
        """At a PG that books later the balance still shows what an earlier cancellation is about to take."""
        return _books_late(baseline)

    def send(self, attempt: Attempt[PaymentCancelRequest], baseline: Baseline) -> Effect | Accepted:
        """Cancel, and check that the balance moved by exactly ours."""
        pg = gateway(baseline.shown.get("pg_provider"))
        payment = self.client.cancel(
            _body(attempt, baseline),
            tier=attempt.request.tier,
            deadline=attempt.deadline,
            repeatable="pg_provider" in baseline.shown and _may_repeat(pg, baseline),
            secrets=attempt.request.personal_values(),
        )
        if not _is_the_payment(payment, baseline):
            raise ResponseMismatch(
                "PortOne answered success for another payment: compare the payment in PortOne's console "
                "with this request"
            )
        if payment.money_is_in != _currency(attempt, baseline):
            raise ResponseMismatch(_wrong_currency(attempt, payment), code=ErrorCode.CURRENCY_MISMATCH)
        search = _search(attempt, baseline)
        own = confirm_own(payment, baseline, search)
        if own is not None and not own.tagged and books_late(payment.pg_provider, payment.pay_method):
            # It may be another request's, booked just now: whoever asks later sees more.
            return _accepted(attempt, payment, baseline)
        if own is not None and _is_booked(payment, own, baseline):
            return _effect(attempt.request, payment, own, baseline)
        if _books_it_later(payment, baseline, search):
            return _accepted(attempt, payment, baseline)
        raise ResponseMismatch(
            "PortOne answered success, but the amounts in the answer are not those of this cancellation: "
            "compare the payment in PortOne's console with this request"
        )

    def resolve(
        self, attempt: Attempt[PaymentCancelRequest], baseline: Baseline, context: ResolveContext
    ) -> Resolution:
        """Find our cancellation in the payment's history, or show that it cannot be there."""
        payment = self.client.payment(baseline.subject, tier=attempt.request.tier, deadline=attempt.deadline)
        contradiction = _contradiction(payment, baseline)
        if contradiction:
            return Unproven(contradiction)
        if payment is None:
            return _unknown_payment(attempt, context)
        found = find_own(payment, baseline, _search(attempt, baseline), context)
        if (unresolvable := _unresolvable(attempt, payment, baseline, found, context)) is not None:
            return unresolvable
        if isinstance(found, Own) and _is_booked(payment, found, baseline):
            return Applied(_effect(attempt.request, payment, found, baseline))
        if isinstance(found, Own) or baseline.accepted:
            return _accepted(attempt, payment, baseline)
        return _unowned(attempt, payment, baseline, context, found)

    def _find(self, attempt: Attempt[PaymentCancelRequest], chosen: str | None) -> Payment | None:
        """The payment that is meant; what was chosen once, named, or cancelled by us, stays chosen."""
        request, deadline = attempt.request, attempt.deadline
        imp_uid = request.imp_uid or chosen
        if imp_uid is not None:
            payment = self.client.payment(imp_uid, tier=request.tier, deadline=deadline)
            if payment is None and request.imp_uid is None:
                raise LookupFailed("PortOne no longer knows a payment it showed before")
            return payment
        found = self.client.payments_of(request.merchant_uid or "", tier=request.tier, deadline=deadline)
        marked = [payment for payment in found if with_tag(payment.history, attempt.tag)]
        meant = marked[:1] or [payment for payment in found if not _is_newer(payment, attempt)]
        return _the_cancellable_one(meant) if meant else None


def _is_newer(payment: Payment, attempt: Attempt[PaymentCancelRequest]) -> bool:
    """Paid after the event was made, which cannot have meant it."""
    made = attempt.cancellation.requested_at.astimezone(UTC)
    paid = datetime.fromtimestamp(payment.paid_at or 0, UTC)
    return (paid - made).total_seconds() > _CLOCKS_DIFFER


def _the_cancellable_one(payments: list[Payment]) -> Payment:
    """A ``merchant_uid`` may repeat; failed and fully cancelled tries do not make it ambiguous."""
    live = [p for p in payments if p.status in _PAID and p.cancellable > 0]
    if len(live) > 1:
        raise InvalidRequest(
            f"merchant_uid names {len(live)} cancellable payments: add the imp_uid of the one meant"
        )
    if live:
        return live[0]
    cancelled = [p for p in payments if p.status in _PAID]
    return (cancelled or payments)[0]


def _seen(payment: Payment) -> Baseline:
    return Baseline(
        subject=payment.imp_uid,
        currency=payment.money_is_in,
        cancellable=payment.cancellable,
        cancellation_ids=tuple(e.cancellation_id for e in payment.history if e.cancellation_id),
        status=payment.status,
        shown={name: said for name in _SHOWN if (said := getattr(payment, name)) is not None},
    )


def _before(own: list[CancelHistoryEntry], baseline: Baseline) -> Baseline:
    """What was there before these entries."""
    ids = {entry.cancellation_id for entry in own}
    return replace(
        baseline,
        cancellable=(baseline.cancellable or Decimal(0)) + sum(entry.amount for entry in own),
        cancellation_ids=tuple(one for one in baseline.cancellation_ids or () if one not in ids),
        accepted=True,
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
        "reason": _reason(attempt, baseline),
        "refund_holder": request.refund_holder,
        "refund_bank": request.refund_bank,
        "refund_account": request.refund_account,
        "refund_tel": request.refund_tel,
        "retain_promotion": request.retain_promotion,
        "extra": {"requester": requester},
    }
    return {name: value for name, value in fields.items() if value is not None}


def _reason(attempt: Attempt[PaymentCancelRequest], baseline: Baseline) -> str:
    tag = attempt.tag if gateway(baseline.shown.get("pg_provider")).takes_tag else ""
    return reason_with(tag, attempt.cancellation.reason)


def _search(attempt: Attempt[PaymentCancelRequest], baseline: Baseline) -> Search:
    amount = attempt.request.amount if attempt.request.amount is not None else baseline.cancellable
    return Search(amount or Decimal(0), attempt.tag, _reason(attempt, baseline))


def _currency(attempt: Attempt[PaymentCancelRequest], baseline: Baseline) -> str:
    """The payment's currency at the precheck, or what the event says that it is."""
    return baseline.currency or attempt.cancellation.effective_currency(_DEFAULT_CURRENCY)


def _wrong_currency(attempt: Attempt[PaymentCancelRequest], payment: Payment) -> str:
    believed = attempt.cancellation.effective_currency(_DEFAULT_CURRENCY)
    shown = (
        payment.money_is_in
        if _is_currency(payment.money_is_in)
        else "no ISO 4217 code, or amounts it has not"
    )
    return f"the order service believed the payment to be in {believed}, PortOne shows {shown}"


def _is_currency(text: str) -> bool:
    return re.fullmatch(CURRENCY_PATTERN, text) is not None


def _is_the_payment(payment: Payment, baseline: Baseline) -> bool:
    same_order = payment.merchant_uid == baseline.shown.get("merchant_uid", payment.merchant_uid)
    return payment.imp_uid == baseline.subject and same_order


def _may_repeat(pg: Gateway, baseline: Baseline) -> bool:
    """Whether the checksum prevents a double: only where a cancellation moves the balance at once."""
    return pg.books_at_once and not pg.is_late(baseline.shown.get("pay_method")) and not baseline.accepted


def _is_booked(payment: Payment, own: _Own, baseline: Baseline) -> bool:
    """Whether an entry is more than a request that still waits: only the balance or the status shows that."""
    if not gateway(payment.pg_provider).is_late(payment.pay_method) and not baseline.accepted:
        return True
    # Others may have been booked beside it, or have waited when somebody looked: then the whole adds up.
    grown = adds_up(payment) or (
        moved(payment, baseline) == sum((e.amount for e in _new(payment, baseline, own)), Decimal(0))
    )
    became_cancelled = payment.status == "cancelled" and baseline.status not in (None, "cancelled")
    return grown or became_cancelled


def _books_it_later(payment: Payment, baseline: Baseline, search: Search) -> bool:
    """The PG said yes and shows nothing yet: the answer neither proves nor contradicts anything."""
    if any(entry.amount != search.amount for entry in with_tag(payment.history, search.tag)):
        return False  # it shows ours, and another amount
    growth = moved(payment, baseline)
    if gateway(payment.pg_provider).is_late(payment.pay_method):
        return growth in (0, search.amount)
    if baseline.cancellation_ids is None:
        return growth == 0 and not with_tag(payment.history, search.tag)
    return growth == 0 and not unseen(payment, baseline)


def _accepted(attempt: Attempt[PaymentCancelRequest], payment: Payment, baseline: Baseline) -> Accepted:
    return Accepted(
        provider=_refs(payment),
        proof="PortOne accepted the cancellation; the payment gateway has not booked it yet",
        money=MoneyMoved(
            currency=payment.money_is_in,
            cancelled=_search(attempt, baseline).amount,
            tax_free=attempt.request.tax_free,
            vat=attempt.request.vat_amount,
            cancellable_before=baseline.cancellable,
            settles="later",
        ),
    )


def _contradiction(payment: Payment | None, baseline: Baseline) -> str | None:  # noqa: PLR0911 - one per contradiction
    """An answer that contradicts what was seen before is no answer."""
    if baseline.cancellation_ids is None:
        return None
    if payment is None:
        return "PortOne no longer knows a payment it showed before"
    if payment.imp_uid != baseline.subject:
        return "PortOne shows another payment than the one asked for"
    if baseline.currency is not None and payment.money_is_in != baseline.currency:
        return "the payment's currency is another one than before"
    if baseline.cancellable is not None and payment.cancellable > baseline.cancellable:
        return "the cancellable balance grew"
    if {*baseline.cancellation_ids} - {entry.cancellation_id for entry in payment.history}:
        return "a cancellation that was in the payment's history is gone"
    if payment.status not in _PAID:
        return f"a payment that was paid is {payment.status} now"
    return None


def _unresolvable(
    attempt: Attempt[PaymentCancelRequest],
    payment: Payment,
    baseline: Baseline,
    found: _Own | Unclear | None,
    context: ResolveContext,
) -> Unproven | None:
    """What a person has to look at: asking again does not change it."""
    if payment.money_is_in != _currency(attempt, baseline) and (found or not context.only_attempt):
        wrong = _wrong_currency(attempt, payment)
        return Unproven(wrong, unresolvable=True, code=ErrorCode.CURRENCY_MISMATCH)
    if isinstance(found, Unclear) and found.for_ever:
        return Unproven(found.message, unresolvable=True, code=ErrorCode.RESPONSE_MISMATCH)
    return None


def _unknown_payment(attempt: Attempt[PaymentCancelRequest], context: ResolveContext) -> Resolution:
    if context.refusal is None or not context.only_attempt:
        return Unproven("PortOne does not know the payment, and an attempt of ours is unaccounted for")
    failure = _not_found(attempt, "PortOne refused, and knows no such payment")
    return Rejected(_quoting(failure, context.refusal))


def _unowned(
    attempt: Attempt[PaymentCancelRequest],
    payment: Payment,
    baseline: Baseline,
    context: ResolveContext,
    unclear: Unclear | None,
) -> Resolution:
    """Nothing in the history is proven to be ours."""
    if unclear is not None:
        learnt = replace(baseline, suspects=unclear.suspects) if unclear.suspects else None
        return Unproven(unclear.message, baseline=learnt)
    obstacle = _obstacle(attempt, payment)
    pg = gateway(payment.pg_provider)
    at_once = pg.books_at_once and not pg.is_late(payment.pay_method)
    if obstacle is None and (undecided := _undecided(baseline, context, at_once=at_once)) is not None:
        return undecided
    if context.refusal is not None and context.only_attempt:
        return _after_refusal(payment, baseline, context.refusal, obstacle, at_once=at_once)
    if obstacle is None:
        if context.refusal is not None and moved(payment, baseline) == 0:
            return Unproven("refused, and an earlier attempt is unaccounted for")
        return Unapplied(_seen(payment))
    # An attempt under way carries a checksum that may still match: not once the balance is below it, but
    # a balance above it (the event's checksum was too low) can still come down to it.
    below = baseline.cancellable is not None and payment.cancellable < baseline.cancellable
    return Rejected(replace(obstacle, excludes_late_attempts=below and at_once))


def _undecided(baseline: Baseline, context: ResolveContext, *, at_once: bool) -> Unproven | None:
    """What may still be booked, whatever was answered: it is asked about and never sent again."""
    if not at_once:
        message = "the payment gateway may book later what it got: it is asked about and never sent again"
    elif context.refusal is not None and may_be_done(context.refusal.provider_message):
        message = "refused as if it had been carried out, which the payment does not show"
    else:
        return None
    return Unproven(message, unresolvable=True, baseline=replace(baseline, accepted=True))


def _after_refusal(
    payment: Payment, baseline: Baseline, refusal: Refused, obstacle: Failure | None, *, at_once: bool
) -> Resolution:
    """The only attempt was refused, and the history accounts for all that moved."""
    if obstacle is not None:
        below = baseline.cancellable is not None and payment.cancellable < baseline.cancellable
        return Rejected(replace(_quoting(obstacle, refusal), excludes_late_attempts=below and at_once))
    if moved(payment, baseline) != 0:
        return Unapplied(_seen(payment))
    failure = _failure(
        payment,
        ErrorCode.PROVIDER_REFUSED,
        "refused by the payment gateway; nothing of this cancellation is in the payment's history",
    )
    return Rejected(_quoting(failure, refusal), retry_later=means_later(refusal.provider_message))


def _obstacle(attempt: Attempt[PaymentCancelRequest], payment: Payment) -> Failure | None:
    """Why this payment, as it is now, cannot be cancelled as asked."""
    request, balance = attempt.request, payment.cancellable
    if payment.status not in _PAID:
        return _failure(payment, ErrorCode.NOT_CANCELLABLE, f"the payment is {payment.status}, not paid")
    if payment.money_is_in != attempt.cancellation.effective_currency(_DEFAULT_CURRENCY):
        return _failure(payment, ErrorCode.CURRENCY_MISMATCH, _wrong_currency(attempt, payment))
    if balance <= 0:
        return _failure(payment, ErrorCode.ALREADY_CANCELLED, "the payment is fully cancelled already")
    currency = payment.money_is_in
    if request.checksum is not None and request.checksum != balance:
        return _failure(
            payment,
            ErrorCode.CHECKSUM_MISMATCH,
            f"the order service believed {request.checksum} {currency} cancellable, PortOne has {balance}",
        )
    if request.amount is not None and request.amount > balance:
        return _failure(
            payment,
            ErrorCode.AMOUNT_EXCEEDS_CANCELLABLE,
            f"{request.amount} {currency} asked, {balance} cancellable",
        )
    return None


def _refs(payment: Payment) -> ProviderRefs:
    return ProviderRefs(
        name="portone",
        imp_uid=payment.imp_uid,
        merchant_uid=payment.merchant_uid,
        pg_provider=payment.pg_provider,
        pg_tid=payment.pg_tid,
    )


def _failure(payment: Payment, code: ErrorCode, message: str) -> Failure:
    left = max(payment.cancellable, Decimal(0))
    return Failure(
        code=code,
        message=message,
        provider=_refs(payment),
        money=MoneyMoved(
            currency=payment.money_is_in,
            cancelled=Decimal(0),
            cancellable_before=left,
            cancellable_after=left,
        )
        if _is_currency(payment.money_is_in)
        else None,
    )


def _not_found(attempt: Attempt[PaymentCancelRequest], message: str) -> Failure:
    request = attempt.request
    return Failure(
        code=ErrorCode.NOT_FOUND,
        message=message,
        provider=ProviderRefs(name="portone", imp_uid=request.imp_uid, merchant_uid=request.merchant_uid),
        money=MoneyMoved(
            currency=attempt.cancellation.effective_currency(_DEFAULT_CURRENCY), cancelled=Decimal(0)
        ),
    )


def _quoting(failure: Failure, refusal: Refused) -> Failure:
    return replace(failure, provider_code=refusal.provider_code, provider_message=refusal.provider_message)


def _effect(request: PaymentCancelRequest, payment: Payment, own: _Own, baseline: Baseline) -> Effect:
    balance = (
        baseline.cancellable if baseline.cancellable is not None else payment.cancellable + own.entry.amount
    )
    return Effect(
        provider=_refs(payment).model_copy(
            update={
                "cancellation_id": own.entry.cancellation_id,
                "pg_tid": own.entry.pg_tid,
                "receipt_url": own.entry.receipt_url,
            }
        ),
        proof=own.proof,
        money=MoneyMoved(
            currency=payment.money_is_in,
            cancelled=own.entry.amount,
            tax_free=request.tax_free,
            vat=request.vat_amount,
            cancellable_before=balance,
            cancellable_after=balance - own.entry.amount,
            settles=_settles(request, payment),
        ),
        held_as=own.held_as,
    )


def _settles(request: PaymentCancelRequest, payment: Payment) -> Settles:
    """Refunds to an account are paid out on the next business day, or later still."""
    pg = gateway(payment.pg_provider)
    return pg.settles(payment.pay_method, to_account=request.refund_account is not None)


def _new(payment: Payment, baseline: Baseline, own: _Own) -> list[CancelHistoryEntry]:
    """What was cancelled since the baseline; where nobody looked, ours alone."""
    return [own.entry] if baseline.cancellation_ids is None else unseen(payment, baseline)


CANCEL_TYPE: Final = CancelType(POLICY, lambda clients: PaymentCancel(clients.portone()))
