"""The money-safety protocol (docs/protocol.md): what is done with a cancellation, whatever happened before.

::

    precheck ─▶ claim ─▶ send ─▶ verify ──────────▶ record ─▶ (publish ─▶ acknowledge: refunds.messaging)
                 │        │                           ▲
                 │        ├─ refused ──┐              │
                 │        └─ unknown ──┤              │
                 └─ found in doubt ────┴─▶ resolve ───┤
                                             └─ may be sent again ─▶ send

Nothing here knows an AWS client or an HTTP client. A crash at any line leaves the ledger item
``in_doubt``; the next delivery then asks the provider before it sends. What is written, and what becomes
of the message, is ``refunds.service.recorder``'s part.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Final, Generic, TypeVar

from refunds.contracts.inbound import ProviderRequest
from refunds.domain.disposition import DeadLetter, Disposition, Reason, Redeliver, RetryClass, Source
from refunds.domain.entry import Entry, State
from refunds.domain.operation import (
    Accepted,
    Applied,
    Attempt,
    Baseline,
    Failure,
    Rejected,
    Resolution,
    ResolveContext,
    SentBefore,
    Unapplied,
    Unproven,
)
from refunds.errors import (
    ConfigurationError,
    DuplicateKey,
    ErrorCode,
    InvalidRequest,
    LedgerError,
    LimitExceeded,
    LookupFailed,
    NotSent,
    OutcomeUnknown,
    Refused,
    ResponseMismatch,
)
from refunds.ledger.claims import AlreadyClaimed
from refunds.service.parts import Delivery, Parts
from refunds.service.recorder import Recorder, again

RequestT = TypeVar("RequestT", bound=ProviderRequest)
T = TypeVar("T")

#: Sends per delivery when other cancellations of the same payment keep moving the balance.
_MAX_SENDS: Final = 3


@dataclass(frozen=True)
class _Sending:
    """What this worker knows of its own sends, and of those before it.

    ``unresolved_before``: an earlier worker may have sent something. ``answer``: what our latest send came
    back with, if it was no success; ``sent_at``: UNIX seconds at which it began. ``left``: sends that are
    still allowed in this delivery.
    """

    unresolved_before: bool
    answer: Refused | OutcomeUnknown | None = None
    sent_at: float = 0.0
    left: int = _MAX_SENDS

    @property
    def refusal(self) -> Refused | None:
        return self.answer if isinstance(self.answer, Refused) else None

    @property
    def only_attempt(self) -> bool:
        """Whether our refused send is all that ever was possibly sent."""
        return self.refusal is not None and not self.unresolved_before

    @property
    def source(self) -> Source:
        return Source.ANSWER if self.only_attempt else Source.QUESTION


class Execution(Generic[RequestT]):
    """One run of the protocol for one delivery of one cancellation."""

    def __init__(self, parts: Parts[RequestT], attempt: Attempt[RequestT], delivery: Delivery) -> None:
        self._parts = parts
        self._operation = parts.operation
        self._ledger = parts.ledger
        self._guard = parts.guard
        self._timing = parts.timing
        self._attempt = attempt
        self._delivery = delivery
        self._recorder = Recorder(parts, attempt.cancellation, delivery)

    def run(self) -> Disposition:
        """Precheck and claim, or go on from the item that is there.

        Raises:
            DuplicateKey: the key belongs to another payload.
            InvalidRequest: the request names no payment; it has no item.
            LedgerError: another worker took the item over, or AWS did not answer.
        """
        if self._delivery.deadline.remaining() <= 0:
            return Redeliver(Reason(ErrorCode.PROVIDER_UNAVAILABLE, "the invocation had no time left"))
        if self._operation.needs_precheck(self._attempt.request) or self._guard.counts:
            known = self._ledger.get(self._parts.key(self._attempt.cancellation.cancel_request_id))
            if known is not None:
                return self._continue(known)
        return self._begin()

    def _begin(self) -> Disposition:
        cancellation = self._attempt.cancellation
        try:
            if (
                forgotten := self._guard.forgotten(cancellation.requested_at, self._timing.clock())
            ) is not None:
                return self._recorder.claim_parked(forgotten, may_have_been_applied=True)
            found = self._precheck(chosen=None)
            if isinstance(found, Failure):
                return self._recorder.claim_failed(found)
            baseline = found.baseline if isinstance(found, SentBefore) else found
            if found is baseline and (kept_back := self._kept_back(baseline)) is not None:
                return self._recorder.claim_parked(kept_back, baseline)
            entry = self._ledger.claim(self._leased(self._parts.new_entry(cancellation, baseline)))
        except AlreadyClaimed as taken:
            return self._continue(taken.entry)
        except (LookupFailed, NotSent) as error:
            return self._not_begun(error)
        return self._first_send(entry) if found is baseline else self._resolve_unseen(entry)

    def _not_begun(self, error: LookupFailed | NotSent) -> Disposition:
        if not self._delivery.final_receive:
            return again(error)
        try:
            return self._recorder.claim_parked(error)
        except AlreadyClaimed as taken:
            return self._continue(taken.entry)

    def _continue(self, entry: Entry) -> Disposition:
        if entry.state is State.UNKNOWN:
            return self._leave_alone(entry)
        if (repaired := self._repaired(entry)) is None and self._is_another_payload(entry):
            raise DuplicateKey(
                f"{entry.key} was used before for another payload; it stays {entry.state}. "
                "If this is a new cancellation, publish it under a new cancel_request_id"
            )
        if (stored := self._recorder.repeat(entry)) is not None:
            return stored
        if entry.leased(self._timing.clock()):
            return self._recorder.wait_for_lease(entry)
        if (forgotten := self._forgotten_before(entry)) is not None:
            return self._recorder.leave(entry, Reason(forgotten.code, str(forgotten)))
        entry = self._ledger.take_over(
            entry, owner=self._parts.new_owner(), lease_until=self._lease(), repaired=repaired
        )
        self._attempt = replace(self._attempt, number=entry.attempt)
        if entry.in_doubt:
            return self._resolve_unseen(entry)
        return self._restart(entry)

    def _resolve_unseen(self, entry: Entry) -> Disposition:
        """Somebody else may have sent it."""
        return self._resolve(entry, _Sending(unresolved_before=True))

    def _leave_alone(self, entry: Entry) -> Disposition:
        """A newer version of this code wrote it: whatever it means, nothing may be sent for it here."""
        reason = Reason(
            ErrorCode.OUTCOME_UNKNOWN, f"{entry.key} is in a state that this version does not know"
        )
        return DeadLetter(reason) if self._delivery.final_receive else Redeliver(reason, RetryClass.LATER)

    def _is_another_payload(self, entry: Entry) -> bool:
        return entry.fingerprint != self._parts.fingerprint(self._attempt.cancellation)

    def _repaired(self, entry: Entry) -> Entry | None:
        """A message that was parked as invalid keeps its id when it is repaired; nothing of it was sent."""
        error = entry.outcome.error if entry.outcome else None
        invalid = error is not None and error.code == ErrorCode.INVALID_REQUEST
        if entry.state is not State.PARKED or entry.in_doubt or not invalid:
            return None
        if not self._is_another_payload(entry):
            return None
        return self._parts.new_entry(self._attempt.cancellation, None)

    def _restart(self, entry: Entry) -> Disposition:
        """Earlier deliveries provably sent nothing: begin again with the item that is there."""
        try:
            found = self._precheck(entry.baseline.subject if entry.baseline else None)
        except (LookupFailed, NotSent) as error:
            return self._recorder.nothing_sent(entry, error)
        except InvalidRequest as error:
            return self._recorder.park(entry, error, may_have_been_applied=False)
        if isinstance(found, Failure):
            return self._recorder.fail(entry, found)
        if isinstance(found, SentBefore):
            return self._resolve_unseen(self._renew(entry, found.baseline))
        kept_back = None if entry.limits_passed else self._kept_back(found)
        if kept_back is not None:
            return self._recorder.park(entry, kept_back, may_have_been_applied=False, baseline=found)
        return self._first_send(self._renew(entry, found))

    def _forgotten_before(self, entry: Entry) -> LimitExceeded | None:
        """Whether an earlier item of this request may have been forgotten when this one was made."""
        if entry.limits_passed:
            return None
        return self._guard.forgotten(self._attempt.cancellation.requested_at, entry.begun_at)

    def _first_send(self, entry: Entry) -> Disposition:
        """Nothing of this request was sent yet, so it can wait until nothing else is under way."""
        at_any_time = not self._operation.sends_alone(_baseline_of(entry))
        if at_any_time or not self._ledger.siblings(entry).open_amounts:
            return self._send(entry, _Sending(unresolved_before=False))
        waits = NotSent(
            "another cancellation of this payment is open at a payment gateway that books later: what is "
            "left is not known until it has ended; nothing was sent"
        )
        return self._recorder.nothing_sent(entry, waits, RetryClass.LATER)

    def _kept_back(self, baseline: Baseline) -> LimitExceeded | None:
        """Ask the guard rails, once per request, before it is sent for the first time."""
        cancellation = self._attempt.cancellation
        try:
            money = self._operation.amount(cancellation, baseline)
            self._guard.admit(money, self._parts.key(cancellation.cancel_request_id))
        except LimitExceeded as error:
            return error
        return None

    def _precheck(self, chosen: str | None) -> Baseline | SentBefore | Failure:
        """Refuse to begin what could not be finished and recorded in the time that is left."""
        if self._attempt.deadline.remaining() < self._timing.send_budget:
            raise NotSent("too little of the invocation was left to start; nothing was sent")
        return _configured(lambda: self._operation.precheck(self._attempt, chosen))

    def _send(self, entry: Entry, sending: _Sending) -> Disposition:
        """Send once, and verify the answer."""
        sending = replace(sending, sent_at=self._timing.clock(), left=sending.left - 1)
        try:
            self._guard.permit_send()
            answer = _configured(lambda: self._operation.send(self._attempt, _baseline_of(entry)))
        except (NotSent, InvalidRequest) as error:
            return self._unsent(entry, sending, error)
        except (Refused, OutcomeUnknown) as error:
            return self._resolve(entry, replace(sending, answer=error))
        except ResponseMismatch as error:
            return self._recorder.contradicted(entry, error)
        if isinstance(answer, Accepted):
            return self._recorder.pend(entry, answer)
        return self._recorder.succeed(entry, answer)

    def _unsent(self, entry: Entry, sending: _Sending, error: NotSent | InvalidRequest) -> Disposition:
        """Nothing left this time; whether an earlier worker sent something is another question."""
        if isinstance(error, InvalidRequest):
            return self._recorder.park(entry, error, may_have_been_applied=sending.unresolved_before)
        if sending.unresolved_before:
            return self._recorder.leave_open(entry, error)
        return self._recorder.nothing_sent(entry, error)

    def _resolve(self, entry: Entry, sending: _Sending) -> Disposition:
        """Ask what is true."""
        context = ResolveContext(
            sending.refusal,
            only_attempt=sending.only_attempt,
            siblings=cache(lambda: self._ledger.siblings(entry)),
            sent_at=sending.sent_at if sending.only_attempt else entry.begun_at,
        )
        try:
            resolution = _configured(
                lambda: self._operation.resolve(self._attempt, _baseline_of(entry), context)
            )
        except (LookupFailed, NotSent) as error:
            sent = sending.answer is not None
            return self._recorder.leave_open(entry, sending.answer or error, sent=sent)
        return self._conclude(entry, sending, resolution)

    def _conclude(self, entry: Entry, sending: _Sending, resolution: Resolution) -> Disposition:
        """What follows from what is true."""
        recorder = self._recorder
        match resolution:
            case Applied(effect):
                return recorder.succeed(entry, effect, Source.QUESTION)
            case Accepted() if not _was_parked(entry):
                return recorder.pend(entry, resolution, Source.QUESTION)
            case Rejected(failure, retry_later) if sending.only_attempt:
                return recorder.refuse(entry, failure, sending.source, retry_later=retry_later)
            case Rejected() | Unapplied() if (wait := self._under_way(entry, sending)) > 0:
                error = sending.answer or OutcomeUnknown("not carried out so far, but it may still be")
                sent = sending.answer is not None
                return recorder.leave_open(entry, error, sent=sent, not_before=wait)
        return self._absent(entry, sending, resolution)

    def _absent(self, entry: Entry, sending: _Sending, resolution: Resolution) -> Disposition:
        """Nothing of it is there, and no send is under way any more."""
        match resolution:
            case Rejected(failure, retry_later) if failure.excludes_late_attempts:
                return self._recorder.refuse(entry, failure, sending.source, retry_later=retry_later)
            case Unapplied(baseline) if self._may_send(sending):
                return self._send(self._renew(entry, baseline), sending)
            case Unapplied() if sending.only_attempt:
                moving = NotSent("the payment's balance kept moving; nothing was sent")
                return self._recorder.nothing_sent(entry, moving)
        return self._unproven(entry, sending, resolution)

    def _unproven(self, entry: Entry, sending: _Sending, resolution: Resolution) -> Disposition:
        """It cannot be proven: keep it open, or park it where asking again will not tell either."""
        match resolution:
            case Unproven(message, unresolvable, learnt, code):
                error = OutcomeUnknown(message, code=code)
            case Accepted(proof=proof):
                error, unresolvable, learnt = OutcomeUnknown(proof), True, None
            case _:
                error = OutcomeUnknown("not carried out so far, but it may still be")
                unresolvable, learnt = False, None
        if unresolvable:
            return self._recorder.park(entry, error, may_have_been_applied=True, baseline=learnt)
        sent = sending.answer is not None
        return self._recorder.leave_open(entry, sending.answer or error, sent=sent, learnt=learnt)

    def _may_send(self, sending: _Sending) -> bool:
        """After a lost answer of our own the provider gets until the lease ends to finish what it got."""
        if isinstance(sending.answer, OutcomeUnknown) or sending.left <= 0:
            return False
        return sending.only_attempt or self._parts.policy.resend_unproven

    def _under_way(self, entry: Entry, sending: _Sending) -> float:
        """Seconds for which a send of unknown fate may still be carried out.

        A checksum is compared when a request arrives. A gateway that works on it for long may carry it out
        beside a second one.
        """
        if sending.only_attempt or not self._parts.policy.moves_money:
            return 0.0
        return entry.sent_at + self._timing.under_way - self._timing.clock()

    def _leased(self, entry: Entry) -> Entry:
        """As it is claimed for a send: in doubt until the opposite is proven."""
        return replace(entry, lease_until=self._lease(), in_doubt=True, limits_passed=True)

    def _renew(self, entry: Entry, baseline: Baseline) -> Entry:
        return self._ledger.renew(entry, baseline=baseline, lease_until=self._lease())

    def _lease(self) -> float:
        return self._timing.lease(self._attempt.deadline)


def _configured(call: Callable[[], T]) -> T:
    """Without usable credentials nothing is sent; the message waits until the secret is mended."""
    try:
        return call()
    except ConfigurationError as error:
        raise NotSent(str(error), code=ErrorCode.PROVIDER_AUTH) from None


def _was_parked(entry: Entry) -> bool:
    """It was parked because it waited for too long: that it still waits is not told again."""
    return entry.outcome is not None and entry.outcome.outcome == "parked"


def _baseline_of(entry: Entry) -> Baseline:
    if entry.baseline is None:
        raise LedgerError(f"{entry.key} was claimed without a baseline: resolve it by hand")
    return entry.baseline
