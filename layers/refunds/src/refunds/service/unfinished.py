"""What is said of a request without asking its provider.

It has ended before, or its message has no receive left.

A message must not leave for the DLQ before accounting was told of its request, or the ledger knows that
it was not.
"""

from __future__ import annotations

from typing import Any, Final

from refunds.contracts.fingerprint import fingerprint
from refunds.contracts.inbound import Cancellation, format_timestamp, identity_of
from refunds.contracts.outbound import Outcome
from refunds.domain.disposition import DeadLetter, Disposition, Publish, Reason, Source
from refunds.domain.entry import Entry, State
from refunds.domain.outcomes import OutcomeFactory, Trouble, same_statement
from refunds.errors import ErrorCode, Fenced, LedgerError
from refunds.ledger.claims import AlreadyClaimed
from refunds.service.protocol import Parts

#: Reads of an item that others keep changing; then the message is left as it is.
_ROUNDS: Final = 3


class Unfinished:
    """One request, as the ledger has it; nothing here sends anything or waits for a provider."""

    def __init__(self, parts: Parts[Any], cancellation: Cancellation[Any]) -> None:
        self._parts = parts
        self._ledger = parts.ledger
        self._cancellation = cancellation
        self._key = parts.key(cancellation.cancel_request_id)

    def stored(self) -> Disposition | None:
        """What an earlier delivery left to be said; ``None`` while there is something to do."""
        entry = self._ledger.get(self._key)
        if entry is None or entry.outcome is None or not _has_ended(entry):
            return None
        if self._is_other(entry):
            return self._duplicate(entry)
        return Publish(entry.outcome, source=Source.LEDGER, mark=entry if entry.unpublished else None)

    def park(self, reason: Reason) -> Disposition:
        """What to do with a message that has no receive left.

        Raises:
            LedgerError: others kept changing the item.
        """
        entry = self._ledger.get(self._key)
        for _ in range(_ROUNDS):
            try:
                return self._claim(reason) if entry is None else self._close(entry, reason)
            except AlreadyClaimed as taken:
                entry = taken.entry
            except Fenced:
                entry = self._ledger.get(self._key)
        raise LedgerError(f"{self._key} is changed by others all the time: it cannot be parked")

    def _close(self, entry: Entry, reason: Reason) -> Disposition:
        if self._is_other(entry):
            return DeadLetter(reason) if _repairable(entry) else self._duplicate(entry)
        if entry.outcome is not None and (_has_ended(entry) or entry.state is State.PARKED):
            mark = entry if entry.unpublished else self._ledger.mark_unpublished(entry)
            kept = reason if entry.state is State.PARKED else None
            return Publish(entry.outcome, dead_letter=kept, source=Source.LEDGER, mark=mark)
        if entry.state is State.UNKNOWN:
            return DeadLetter(reason)
        if entry.leased(self._parts.timing.clock()):
            # Whoever has it goes on undisturbed; should nothing come of it, the sweeper takes it up.
            self._ledger.note_open(entry)
            return DeadLetter(reason)
        return self._record(entry, reason)

    def _claim(self, reason: Reason) -> Disposition:
        """Nobody has begun: nothing was sent."""
        cancellation = self._cancellation
        trouble = Trouble(
            ErrorCode.PROVIDER_UNAVAILABLE, f"nothing was sent: {reason.message}", may_have_been_applied=False
        )
        outcome = self._outcomes.parked(trouble, 1, None).model_copy(update={"revision": 1})
        entry = Entry(
            key=self._key,
            fingerprint=self._fingerprint,
            order_id=cancellation.order_id,
            requested_by=cancellation.requested_by,
            requested_at=format_timestamp(cancellation.requested_at),
            request=cancellation.request.public(),
            payment_ref=self._parts.operation.subject(cancellation.request),
            state=State.PARKED,
            owner=self._parts.new_owner(),
            outcome=outcome,
            proof=trouble.message,
            unpublished=True,
        )
        return _parked(self._ledger.claim(entry), outcome, trouble)

    def _record(self, seen: Entry, reason: Reason) -> Disposition:
        """Whoever had it is gone: what may have been sent is still in doubt, and nothing else is."""
        entry = self._ledger.take_over(
            seen, owner=self._parts.new_owner(), lease_until=self._parts.timing.clock()
        )
        code = ErrorCode.OUTCOME_UNKNOWN if entry.in_doubt else ErrorCode.PROVIDER_UNAVAILABLE
        message = reason.message if entry.in_doubt else f"nothing was sent: {reason.message}"
        trouble = Trouble(code, message, may_have_been_applied=entry.in_doubt)
        outcome = _statement(entry, self._outcomes.parked(trouble, entry.attempt, entry.baseline))
        recorded = self._ledger.record(
            entry, State.PARKED, outcome, in_doubt=entry.in_doubt, proof=message, unpublished=True
        )
        return _parked(recorded, outcome, trouble)

    def _duplicate(self, entry: Entry) -> DeadLetter:
        message = (
            f"{entry.key} was used before for another payload; it stays {entry.state}. "
            "If this is a new cancellation, publish it under a new cancel_request_id"
        )
        return DeadLetter(Reason(ErrorCode.DUPLICATE_KEY_DIFFERENT_PAYLOAD, message))

    def _is_other(self, entry: Entry) -> bool:
        return entry.fingerprint != self._fingerprint

    @property
    def _fingerprint(self) -> str:
        return fingerprint(self._parts.policy.cancel_type, self._cancellation)

    @property
    def _outcomes(self) -> OutcomeFactory:
        cancellation = self._cancellation
        return self._parts.outcomes(identity_of(cancellation), cancellation.request.personal_values())


def _has_ended(entry: Entry) -> bool:
    """Whether nothing is left to do for a message: what is pending is asked about without one."""
    return entry.state.terminal or entry.state is State.PENDING


def _repairable(entry: Entry) -> bool:
    """Whether another payload may still take this one's place."""
    error = entry.outcome.error if entry.outcome else None
    invalid = error is not None and error.code == ErrorCode.INVALID_REQUEST
    return entry.state is State.PARKED and not entry.in_doubt and invalid


def _statement(entry: Entry, outcome: Outcome) -> Outcome:
    """What was said before is said again to the letter; anything else has the revision of its record."""
    if entry.outcome is not None and same_statement(entry.outcome, outcome):
        return entry.outcome
    return outcome.model_copy(update={"revision": entry.revision + 1})


def _parked(entry: Entry, outcome: Outcome, trouble: Trouble) -> Publish:
    return Publish(outcome, dead_letter=Reason(trouble.code, trouble.message), mark=entry)
