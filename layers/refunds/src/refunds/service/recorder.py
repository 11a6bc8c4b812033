"""Writes what became of a cancellation into the ledger, and says what is to become of its message.

Every outcome is recorded before it is published. Where no later delivery would publish it again, the item
is marked as unpublished, and the batch takes the mark away once the accounting bus has the outcome.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Generic, TypeVar

from refunds.contracts.inbound import Cancellation, ProviderRequest, identity_of
from refunds.contracts.outbound import Outcome
from refunds.domain.disposition import DeadLetter, Disposition, Publish, Reason, Redeliver, RetryClass, Source
from refunds.domain.entry import Entry, State
from refunds.domain.operation import Accepted, Baseline, Effect, Failure
from refunds.domain.outcomes import OutcomeFactory, Trouble, as_recorded
from refunds.errors import (
    ErrorCode,
    InvalidRequest,
    LedgerError,
    NotSent,
    OutcomeUnknown,
    ProviderError,
    ResponseMismatch,
)
from refunds.service.parts import Delivery, Parts

RequestT = TypeVar("RequestT", bound=ProviderRequest)


class Recorder(Generic[RequestT]):
    """The ways out of one execution."""

    def __init__(
        self, parts: Parts[RequestT], cancellation: Cancellation[RequestT], delivery: Delivery
    ) -> None:
        self._ledger = parts.ledger
        self._parts = parts
        self._cancellation = cancellation
        self._delivery = delivery

    # --- it has ended

    def succeed(self, entry: Entry, effect: Effect, source: Source = Source.ANSWER) -> Disposition:
        """``CancelSucceeded``, unless what proves it belongs to another request."""
        if not hold(self._parts, entry, effect):
            taken = "what proves this cancellation at the provider is held by another request"
            if source is Source.ANSWER:
                return self.contradicted(entry, ResponseMismatch(taken))
            return self.leave_open(entry, OutcomeUnknown(taken))
        outcome = self._outcomes.succeeded(effect, entry.attempt)
        return self._record(entry, State.SUCCEEDED, outcome, effect.proof, source=source)

    def fail(self, entry: Entry, failure: Failure, source: Source = Source.ANSWER) -> Disposition:
        """``CancelFailed``: it is proven that nothing was carried out, and that nothing will be."""
        outcome = self._outcomes.failed(failure, entry.attempt)
        return self._record(
            entry, State.FAILED, outcome, failure.message, source=source, baseline=failure.baseline
        )

    def refuse(self, entry: Entry, failure: Failure, source: Source, *, retry_later: bool) -> Disposition:
        """``CancelFailed``, or another try where the refusal says "not now"."""
        if not retry_later:
            return self.fail(entry, failure, source)
        error = NotSent(
            failure.message,
            code=failure.code,
            provider_code=failure.provider_code,
            provider_message=failure.provider_message,
        )
        return self.nothing_sent(entry, error, RetryClass.LATER)

    def claim_failed(self, failure: Failure) -> Disposition:
        """What the precheck already rules out needs one write: it ends as it begins."""
        entry = replace(self._parts.new_entry(self._cancellation, failure.baseline), state=State.FAILED)
        return self._claim(entry, self._outcomes.failed(failure, 1), failure.message)

    # --- a provider books it later

    def pend(self, entry: Entry, accepted: Accepted, source: Source = Source.ANSWER) -> Disposition:
        """``CancelPending``; nothing is ever sent again, whatever the payment shows."""
        baseline = None if entry.baseline is None else replace(entry.baseline, accepted=True)
        outcome = self._outcomes.pending(accepted, entry.attempt)
        return self._record(
            entry, State.PENDING, outcome, accepted.proof, source=source, baseline=baseline, in_doubt=True
        )

    # --- it is open

    def nothing_sent(
        self, entry: Entry, error: ProviderError, retry_class: RetryClass = RetryClass.SOON
    ) -> Disposition:
        """It is proven that no attempt of this request was carried out or can still be."""
        if self._delivery.final_receive:
            return self.park(entry, error, may_have_been_applied=False)
        self._ledger.release(entry, in_doubt=False)
        return again(error, retry_class)

    def leave_open(
        self,
        entry: Entry,
        error: ProviderError,
        *,
        sent: bool = False,
        learnt: Baseline | None = None,
        not_before: float = 0.0,
    ) -> Disposition:
        """Not known yet. A worker that sent keeps its lease, for what it sent may still arrive.

        ``not_before``: seconds for which asking again is of no use.
        """
        if self._delivery.final_receive:
            return self.park(entry, error, may_have_been_applied=True, baseline=learnt)
        if not sent:
            self._ledger.release(entry, in_doubt=True, baseline=learnt)
            return again(error, not_before=not_before)
        if learnt is not None:
            self._ledger.learn(entry, baseline=learnt)
        lease = entry.lease_until - self._parts.timing.clock()
        return again(error, not_before=max(lease, not_before))

    # --- it is parked

    def park(
        self,
        entry: Entry,
        error: ProviderError | InvalidRequest,
        *,
        may_have_been_applied: bool,
        baseline: Baseline | None = None,
    ) -> Disposition:
        """``CancelParked``: the message waits in the DLQ."""
        trouble = _trouble(error, may_have_been_applied=may_have_been_applied)
        outcome = self._outcomes.parked(trouble, entry.attempt, baseline or entry.baseline)
        return self._record(
            entry,
            State.PARKED,
            outcome,
            trouble.message,
            dead_letter=Reason(trouble.code, trouble.message),
            in_doubt=may_have_been_applied,
            baseline=baseline,
        )

    def contradicted(self, entry: Entry, error: ResponseMismatch) -> Disposition:
        """A success that contradicts what was asked is parked. It is never sent again."""
        said_yes = entry.baseline
        if said_yes is not None:
            suspects = (*said_yes.suspects, *error.suspects)
            said_yes = replace(said_yes, accepted=True, suspects=suspects)
        return self.park(entry, error, may_have_been_applied=True, baseline=said_yes)

    def claim_parked(
        self, error: ProviderError, baseline: Baseline | None = None, *, may_have_been_applied: bool = False
    ) -> Disposition:
        """The same for a request that has no item yet; for this item nothing was sent.

        ``may_have_been_applied``: an item that the ledger has forgotten may have been carried out.

        Raises:
            AlreadyClaimed: it has one by now.
        """
        trouble = _trouble(error, may_have_been_applied=may_have_been_applied)
        entry = replace(
            self._parts.new_entry(self._cancellation, baseline),
            state=State.PARKED,
            in_doubt=may_have_been_applied,
        )
        outcome = self._outcomes.parked(trouble, 1, baseline)
        return self._claim(entry, outcome, trouble.message, dead_letter=Reason(trouble.code, trouble.message))

    # --- it was recorded before

    def repeat(self, entry: Entry) -> Publish | None:
        """The stored outcome of an item that needs no further work, or ``None``."""
        if not (entry.state.terminal or entry.state is State.PENDING):
            return None
        if entry.outcome is None:
            raise LedgerError(f"{entry.key} is {entry.state} without an outcome: resolve it by hand")
        return Publish(entry.outcome, source=Source.LEDGER, mark=entry if entry.unpublished else None)

    def wait_for_lease(self, entry: Entry) -> Disposition:
        """Another worker has it, or what that one sent may still arrive."""
        message = f"{entry.key} is being carried out by another worker; its lease has not ended"
        reason = Reason(ErrorCode.OUTCOME_UNKNOWN, message)
        if self._delivery.final_receive:
            return self.leave(entry, reason)
        return Redeliver(reason, not_before=entry.lease_until - self._parts.timing.clock())

    def leave(self, entry: Entry, reason: Reason) -> Disposition:
        """The message leaves for the DLQ although nothing came of it now: what was recorded is told again.

        A worker that parks it may die before it publishes that. Where nothing was recorded, whoever has the
        item records it; it is noted as open, in case that worker dies.

        Raises:
            Fenced: the item is not as ``entry`` saw it.
        """
        if entry.state is State.STARTED:
            # Whoever has it may give it back: no message would bring it then, so the sweeper tells.
            self._ledger.note_open(replace(entry, unpublished=True))
            return DeadLetter(reason)
        if entry.state is State.UNKNOWN or entry.outcome is None:
            return DeadLetter(reason)
        mark = entry if entry.unpublished else self._ledger.mark_unpublished(entry)
        dead_letter = reason if entry.state is State.PARKED else None
        return Publish(entry.outcome, dead_letter, Source.LEDGER, mark=mark)

    def _record(  # noqa: PLR0913 - one call of the ledger
        self,
        entry: Entry,
        state: State,
        outcome: Outcome,
        proof: str,
        *,
        source: Source = Source.ANSWER,
        dead_letter: Reason | None = None,
        in_doubt: bool = False,
        baseline: Baseline | None = None,
    ) -> Disposition:
        recorded = as_recorded(outcome, entry)
        unpublished = self._delivery.unpublished
        written = self._ledger.record(
            entry,
            state,
            recorded,
            in_doubt=in_doubt,
            proof=proof,
            unpublished=unpublished,
            baseline=baseline,
        )
        return Publish(recorded, dead_letter, source, mark=written if unpublished else None)

    def _claim(
        self, entry: Entry, outcome: Outcome, proof: str, *, dead_letter: Reason | None = None
    ) -> Disposition:
        recorded, unpublished = as_recorded(outcome, entry), self._delivery.unpublished
        claimed = self._ledger.claim(replace(entry, outcome=recorded, proof=proof, unpublished=unpublished))
        return Publish(recorded, dead_letter, mark=claimed if unpublished else None)

    @property
    def _outcomes(self) -> OutcomeFactory:
        cancellation = self._cancellation
        return self._parts.outcomes(identity_of(cancellation), cancellation.request.personal_values())


def hold(parts: Parts[RequestT], entry: Entry, effect: Effect) -> bool:
    """Note that what proves ``effect`` is this request's; false when it is another's.

    Only where no mark of ours is on it. The note is strongly consistent, unlike the index that says which
    cancellations a payment has.
    """
    if effect.held_as is None or entry.baseline is None:
        return True
    subject = entry.baseline.subject
    return all(
        parts.ledger.hold_entry(entry, parts.policy.provider, subject, name)
        for name in (effect.held_as, *effect.also_held_as)
    )


def again(
    error: ProviderError, retry_class: RetryClass = RetryClass.SOON, *, not_before: float = 0.0
) -> Redeliver:
    """Let the message come again."""
    reason = Reason(error.code, str(error))
    return Redeliver(reason, retry_class, not_before=max(not_before, error.retry_after or 0.0))


_OUTRANK_DOUBT = frozenset(
    {ErrorCode.RESPONSE_MISMATCH, ErrorCode.CURRENCY_MISMATCH, ErrorCode.LIMIT_EXCEEDED}
)
"""What an operator has to look at, whatever else is not known."""


def _trouble(error: ProviderError | InvalidRequest, *, may_have_been_applied: bool) -> Trouble:
    """Not knowing the outcome outranks the error behind it, except what an operator has to look at."""
    if isinstance(error, InvalidRequest):
        code = ErrorCode.OUTCOME_UNKNOWN if may_have_been_applied else error.code
        return Trouble(code, str(error), may_have_been_applied=may_have_been_applied)
    code = error.code
    if may_have_been_applied and code not in _OUTRANK_DOUBT:
        code = ErrorCode.OUTCOME_UNKNOWN
    return Trouble(
        code,
        str(error),
        may_have_been_applied=may_have_been_applied,
        provider_code=error.provider_code,
        provider_message=error.provider_message,
    )
