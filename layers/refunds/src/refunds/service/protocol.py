"""The money-safety protocol (DESIGN section 6): what is done with a cancellation, whatever happened before.

::

    look ─▶ claim ─▶ send ─▶ verify ──────────────▶ record ─▶ (publish ─▶ acknowledge: refunds.messaging)
              │        │                              ▲
              │        ├─ refused ──┐                 │
              │        └─ unknown ──┤                 │
              └─ found in doubt ────┴─▶ resolve ──────┤
                                          └─ may be sent again ─▶ send

Nothing here knows an AWS client or an HTTP client. A crash at any line leaves the ledger item
``in_doubt``; the next delivery then asks the provider before it sends.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Final, Generic, TypeVar

from refunds.contracts.fingerprint import fingerprint
from refunds.contracts.inbound import Identity, ProviderRequest, format_timestamp, identity_of
from refunds.domain.disposition import Disposition, Publish, Reason, Redeliver, RetryClass, Source
from refunds.domain.entry import Entry, Key, State
from refunds.domain.operation import (
    Accepted,
    Applied,
    Attempt,
    Baseline,
    Effect,
    Failure,
    Operation,
    Rejected,
    ResolveContext,
    Unapplied,
    Unproven,
)
from refunds.domain.outcomes import OutcomeFactory, Trouble
from refunds.domain.policy import Policy
from refunds.domain.redaction import redact
from refunds.errors import (
    ConfigurationError,
    DuplicateKey,
    ErrorCode,
    LedgerError,
    LimitExceeded,
    LookupFailed,
    NotSent,
    OutcomeUnknown,
    ProviderError,
    Refused,
    ResponseMismatch,
)
from refunds.ledger.claims import AlreadyClaimed, Ledger
from refunds.service.guard import Guard

RequestT = TypeVar("RequestT", bound=ProviderRequest)
T = TypeVar("T")

#: Sends per delivery when other cancellations of the same payment keep moving the balance.
_MAX_SENDS: Final = 3


@dataclass(frozen=True)
class Timing:
    """Seconds: ``clock`` is UNIX time, ``send_budget`` what a send and its record may take."""

    clock: Callable[[], float]
    send_budget: float
    lease_margin: float


@dataclass(frozen=True)
class Parts(Generic[RequestT]):
    """What every execution of one cancel type works with. ``new_owner`` makes a token unique per claim."""

    policy: Policy
    operation: Operation[RequestT]
    ledger: Ledger
    guard: Guard
    timing: Timing
    new_owner: Callable[[], str]

    def key(self, cancel_request_id: str) -> Key:
        """The ledger key of a request of this type."""
        return Key(self.policy.cancel_type, cancel_request_id)

    def known(self, cancel_request_id: str) -> bool:
        """Whether the ledger has an item of that request."""
        return self.ledger.get(self.key(cancel_request_id)) is not None

    def outcomes(self, identity: Identity, personal: tuple[str, ...] = ()) -> OutcomeFactory:
        """Outcomes that occur now; nothing of ``personal`` is in them."""
        now = datetime.fromtimestamp(self.timing.clock(), UTC)
        mask = partial(redact, secrets=personal)
        return OutcomeFactory(self.policy, identity, format_timestamp(now), mask)


class Execution(Generic[RequestT]):
    """One run of the protocol for one delivery of one cancellation.

    Args:
        final_receive: no receive is left, so what stays open is parked.
    """

    def __init__(self, parts: Parts[RequestT], attempt: Attempt[RequestT], *, final_receive: bool) -> None:
        self._parts = parts
        self._operation = parts.operation
        self._ledger = parts.ledger
        self._guard = parts.guard
        self._timing = parts.timing
        self._attempt = attempt
        self._final_receive = final_receive

    def run(self) -> Disposition:
        """Step 2 and 3: look and claim, or go on from the item that is there.

        Raises:
            DuplicateKey: the key belongs to another payload.
            InvalidRequest: the payment or order contradicts the request.
            LedgerError: another worker took the item over, or AWS did not answer.
        """
        if self._operation.needs_precheck(self._attempt.request) or self._guard.counts:
            known = self._ledger.get(self._key)
            if known is not None:
                return self._continue(known)
        return self._begin()

    def _begin(self) -> Disposition:
        try:
            baseline_or_failure = self._precheck()
            if isinstance(baseline_or_failure, Failure):
                return self._claim_failed(baseline_or_failure)
            if (kept_back := self._kept_back(baseline_or_failure)) is not None:
                return self._park_unclaimed(kept_back, baseline_or_failure)
            entry = self._ledger.claim(self._new_entry(baseline=baseline_or_failure, in_doubt=True))
        except AlreadyClaimed as taken:
            return self._continue(taken.entry)
        except (LookupFailed, NotSent) as error:
            return self._park_unclaimed(error) if self._final_receive else _again(error)
        return self._send(entry, unresolved_before=False)

    def _continue(self, entry: Entry) -> Disposition:
        if entry.fingerprint != self._fingerprint:
            raise DuplicateKey(
                f"{entry.key} was used before for another payload; it stays {entry.state}. "
                "If this is a new cancellation, publish it under a new cancel_request_id"
            )
        if entry.state.terminal and entry.outcome is not None:
            return Publish(entry.outcome, source=Source.LEDGER)
        if entry.leased(self._timing.clock()):
            return self._wait_for_lease(entry)
        entry = self._ledger.take_over(entry, owner=self._parts.new_owner(), lease_until=self._lease())
        if entry.in_doubt:
            return self._resolve(entry, answer=None, unresolved_before=True)
        return self._restart(entry)

    def _restart(self, entry: Entry) -> Disposition:
        """Earlier deliveries provably sent nothing: begin again with the item that is there."""
        try:
            baseline_or_failure = self._precheck()
        except (LookupFailed, NotSent) as error:
            return self._nothing_sent(entry, error)
        if isinstance(baseline_or_failure, Failure):
            return self._fail(entry, baseline_or_failure)
        if not entry.limits_passed and (kept_back := self._kept_back(baseline_or_failure)) is not None:
            return self._park(entry, kept_back, may_have_been_applied=False)
        return self._send(self._renew(entry, baseline_or_failure), unresolved_before=False)

    def _kept_back(self, baseline: Baseline) -> LimitExceeded | None:
        """Ask the guard rails, once per request, before it is sent for the first time."""
        try:
            self._guard.admit(self._operation.amount(self._attempt.cancellation, baseline))
        except LimitExceeded as error:
            return error
        return None

    def _precheck(self) -> Baseline | Failure:
        """Refuse to begin what could not be finished and recorded in the time that is left."""
        if self._attempt.deadline.remaining() < self._timing.send_budget:
            raise NotSent("too little of the invocation was left to start; nothing was sent")
        return _configured(lambda: self._operation.precheck(self._attempt, None))

    def _send(self, entry: Entry, *, unresolved_before: bool, sends_left: int = _MAX_SENDS) -> Disposition:
        """Step 4 and 5: send once, verify."""
        sent_at = self._timing.clock()
        try:
            self._guard.permit_send()
            effect = _configured(lambda: self._operation.send(self._attempt, _baseline_of(entry)))
        except NotSent as error:
            return self._leave_open(entry, error) if unresolved_before else self._nothing_sent(entry, error)
        except (Refused, OutcomeUnknown) as answer:
            return self._resolve(
                entry,
                answer=answer,
                unresolved_before=unresolved_before,
                sent_at=sent_at,
                sends_left=sends_left - 1,
            )
        except ResponseMismatch as error:
            return self._park(entry, error, may_have_been_applied=True)
        if isinstance(effect, Accepted):
            return self._pend(entry, effect)
        return self._succeed(entry, effect)

    def _pend(self, entry: Entry, accepted: Accepted) -> Disposition:
        outcome = self._outcomes.pending(accepted, entry.attempt)
        self._ledger.record(entry, State.PENDING, outcome, in_doubt=True, proof=accepted.proof)
        return Publish(outcome)

    def _resolve(  # noqa: PLR0911 - one return per verdict
        self,
        entry: Entry,
        *,
        answer: Refused | OutcomeUnknown | None,
        unresolved_before: bool,
        sent_at: float = 0.0,
        sends_left: int = _MAX_SENDS,
    ) -> Disposition:
        """Step 6: ask what is true. ``answer`` is what this worker's own send came back with, if it sent."""
        refusal = answer if isinstance(answer, Refused) else None
        only_attempt = refusal is not None and not unresolved_before
        source = Source.ANSWER if only_attempt else Source.QUESTION
        context = ResolveContext(
            refusal,
            only_attempt=only_attempt,
            siblings=lambda: self._ledger.siblings(entry),
            sent_at=sent_at if only_attempt else entry.begun_at,
        )
        try:
            resolution = _configured(
                lambda: self._operation.resolve(self._attempt, _baseline_of(entry), context)
            )
        except (LookupFailed, NotSent) as error:
            return self._leave_open(entry, answer or error, sent=answer is not None)
        match resolution:
            case Applied(effect):
                return self._succeed(entry, effect, source)
            case Rejected(failure, retry_later) if only_attempt or failure.excludes_late_attempts:
                return self._not_today(entry, failure) if retry_later else self._fail(entry, failure, source)
            case Unapplied(baseline) if self._may_send(answer, only_attempt=only_attempt) and sends_left > 0:
                renewed = self._renew(entry, baseline)
                return self._send(renewed, unresolved_before=unresolved_before, sends_left=sends_left)
            case Accepted() as accepted:
                return self._pend(entry, accepted)
            case Unproven(message, unresolvable=True):
                return self._park(entry, OutcomeUnknown(message), may_have_been_applied=True)
            case Unproven(baseline=Baseline() as learnt):
                entry = self._ledger.learn(entry, baseline=learnt)
            case Unapplied() if only_attempt:
                return self._nothing_sent(
                    entry, NotSent("the payment's balance kept moving; nothing was sent")
                )
        return self._leave_open(entry, answer or _unproven(resolution), sent=answer is not None)

    def _may_send(self, answer: ProviderError | None, *, only_attempt: bool) -> bool:
        """After a lost answer of our own the provider gets until the lease ends to finish what it got."""
        if isinstance(answer, OutcomeUnknown):
            return False
        return only_attempt or self._parts.policy.resend_unproven

    def _succeed(self, entry: Entry, effect: Effect, source: Source = Source.ANSWER) -> Disposition:
        outcome = self._outcomes.succeeded(effect, entry.attempt)
        self._ledger.record(entry, State.SUCCEEDED, outcome, in_doubt=False, proof=effect.proof)
        return Publish(outcome, source=source)

    def _fail(self, entry: Entry, failure: Failure, source: Source = Source.ANSWER) -> Disposition:
        outcome = self._outcomes.failed(failure, entry.attempt)
        self._ledger.record(entry, State.FAILED, outcome, in_doubt=False, proof=failure.message)
        return Publish(outcome, source=source)

    def _claim_failed(self, failure: Failure) -> Disposition:
        """What the look already rules out needs one write: it ends as it begins."""
        outcome = self._outcomes.failed(failure, 1)
        entry = self._new_entry(baseline=failure.baseline)
        self._ledger.claim(replace(entry, state=State.FAILED, outcome=outcome, proof=failure.message))
        return Publish(outcome)

    def _not_today(self, entry: Entry, failure: Failure) -> Disposition:
        error = NotSent(
            failure.message,
            code=failure.code,
            provider_code=failure.provider_code,
            provider_message=failure.provider_message,
        )
        return self._nothing_sent(entry, error, RetryClass.LATER)

    def _nothing_sent(
        self, entry: Entry, error: ProviderError, retry_class: RetryClass = RetryClass.SOON
    ) -> Disposition:
        """It is proven that no attempt of this request was carried out or can still be."""
        if self._final_receive:
            return self._park(entry, error, may_have_been_applied=False)
        self._ledger.release(entry, in_doubt=False)
        return _again(error, retry_class)

    def _leave_open(self, entry: Entry, error: ProviderError, *, sent: bool = False) -> Disposition:
        """Nobody knows yet. A worker that sent keeps its lease: what it sent may still arrive."""
        if self._final_receive:
            return self._park(entry, error, may_have_been_applied=True)
        if not sent:
            self._ledger.release(entry, in_doubt=True)
            return _again(error)
        return _again(error, not_before=entry.lease_until - self._timing.clock())

    def _park(self, entry: Entry, error: ProviderError, *, may_have_been_applied: bool) -> Disposition:
        trouble = _trouble(error, may_have_been_applied=may_have_been_applied)
        outcome = self._outcomes.parked(trouble, entry.attempt, entry.baseline)
        self._ledger.record(
            entry, State.PARKED, outcome, in_doubt=may_have_been_applied, proof=trouble.message
        )
        return Publish(outcome, dead_letter=Reason(trouble.code, trouble.message))

    def _park_unclaimed(self, error: ProviderError, baseline: Baseline | None = None) -> Disposition:
        trouble = _trouble(error, may_have_been_applied=False)
        outcome = self._outcomes.parked(trouble, 1, baseline)
        entry = replace(
            self._new_entry(baseline=baseline),
            state=State.PARKED,
            outcome=outcome,
            proof=trouble.message,
            lease_until=0.0,
        )
        try:
            self._ledger.claim(entry)
        except AlreadyClaimed as taken:
            return self._continue(taken.entry)
        return Publish(outcome, dead_letter=Reason(trouble.code, trouble.message))

    def _wait_for_lease(self, entry: Entry) -> Disposition:
        message = f"{entry.key} is being carried out by another worker; its lease has not ended"
        return Redeliver(
            Reason(ErrorCode.OUTCOME_UNKNOWN, message),
            not_before=entry.lease_until - self._timing.clock(),
        )

    def _renew(self, entry: Entry, baseline: Baseline) -> Entry:
        return self._ledger.renew(entry, baseline=baseline, lease_until=self._lease())

    def _new_entry(self, *, baseline: Baseline | None = None, in_doubt: bool = False) -> Entry:
        cancellation = self._attempt.cancellation
        subject = baseline.subject if baseline else self._operation.subject(cancellation.request)
        return Entry(
            key=self._key,
            fingerprint=self._fingerprint,
            order_id=cancellation.order_id,
            requested_by=cancellation.requested_by,
            requested_at=format_timestamp(cancellation.requested_at),
            request=cancellation.request.public(),
            payment_ref=subject,
            owner=self._parts.new_owner(),
            lease_until=self._lease(),
            baseline=baseline,
            in_doubt=in_doubt,
            limits_passed=in_doubt,
        )

    def _lease(self) -> float:
        """UNIX seconds at which this worker has certainly been stopped."""
        return self._timing.clock() + max(self._attempt.deadline.remaining(), 0.0) + self._timing.lease_margin

    @property
    def _key(self) -> Key:
        return self._parts.key(self._attempt.cancellation.cancel_request_id)

    @property
    def _fingerprint(self) -> str:
        return fingerprint(self._parts.policy.cancel_type, self._attempt.cancellation)

    @property
    def _outcomes(self) -> OutcomeFactory:
        cancellation = self._attempt.cancellation
        return self._parts.outcomes(identity_of(cancellation), cancellation.request.personal_values())


def _configured(call: Callable[[], T]) -> T:
    """Without usable credentials nothing is sent; the message waits until the secret is mended."""
    try:
        return call()
    except ConfigurationError as error:
        raise NotSent(str(error), code=ErrorCode.PROVIDER_AUTH) from None


def _again(
    error: ProviderError, retry_class: RetryClass = RetryClass.SOON, *, not_before: float = 0.0
) -> Redeliver:
    reason = Reason(error.code, str(error))
    return Redeliver(reason, retry_class, not_before=max(not_before, error.retry_after or 0.0))


def _trouble(error: ProviderError, *, may_have_been_applied: bool) -> Trouble:
    """A doubt outranks its cause, except a mismatch: that is what an operator has to look at."""
    code = error.code
    if may_have_been_applied and code is not ErrorCode.RESPONSE_MISMATCH:
        code = ErrorCode.OUTCOME_UNKNOWN
    return Trouble(
        code,
        str(error),
        may_have_been_applied=may_have_been_applied,
        provider_code=error.provider_code,
        provider_message=error.provider_message,
    )


def _unproven(resolution: object) -> OutcomeUnknown:
    message = (
        resolution.message
        if isinstance(resolution, Unproven)
        else "not carried out so far, but it may still be"
    )
    return OutcomeUnknown(message)


def _baseline_of(entry: Entry) -> Baseline:
    if entry.baseline is None:
        raise LedgerError(f"{entry.key} was claimed without a yardstick: settle it by hand")
    return entry.baseline
