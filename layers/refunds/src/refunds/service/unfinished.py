"""Messages that are not worked on: what accounting is told of them, from the ledger alone.

No provider is asked and nothing is sent. A message whose last receive ended in an error or in time that
ran out leaves for the DLQ, so accounting is told, or the ledger notes that it has not been.
"""

from __future__ import annotations

from typing import Generic, TypeVar

from refunds.contracts.inbound import Cancellation, ProviderRequest
from refunds.domain.deadline import Deadline
from refunds.domain.disposition import DeadLetter, Disposition, Publish, Reason, Source
from refunds.domain.entry import Entry, State
from refunds.errors import DuplicateKey, NotSent, OutcomeUnknown
from refunds.ledger.claims import AlreadyClaimed
from refunds.service.parts import Delivery, Parts
from refunds.service.recorder import Recorder

RequestT = TypeVar("RequestT", bound=ProviderRequest)


class Unfinished(Generic[RequestT]):
    """One message that is not worked on."""

    def __init__(self, parts: Parts[RequestT], cancellation: Cancellation[RequestT]) -> None:
        self._parts = parts
        self._ledger = parts.ledger
        self._cancellation = cancellation
        over = Deadline(0.0, lambda: 0.0)
        self._recorder = Recorder(parts, cancellation, Delivery(over, final_receive=True))

    def stored(self) -> Disposition | None:
        """What is to become of a message that needs no provider; ``None`` if it does."""
        entry = self._ledger.get(self._parts.key(self._cancellation.cancel_request_id))
        if entry is None or entry.state in (State.STARTED, State.PARKED, State.UNKNOWN):
            return None
        self._refuse_another_payload(entry)
        return self._recorder.repeat(entry)

    def park(self, reason: Reason) -> Disposition:
        """``CancelParked`` for what has not ended; ``reason`` is why its message leaves for the DLQ.

        Raises:
            DuplicateKey: the key belongs to another payload.
            Fenced: another worker changed the item meanwhile.
        """
        entry = self._ledger.get(self._parts.key(self._cancellation.cancel_request_id))
        if entry is None:
            try:
                return self._recorder.claim_parked(NotSent(reason.message))
            except AlreadyClaimed as taken:
                entry = taken.entry
        if entry.state is State.UNKNOWN:
            return DeadLetter(reason)
        self._refuse_another_payload(entry)
        if entry.state is State.STARTED:
            return self._park_started(entry, reason)
        return self._tell_again(entry, reason)

    def _park_started(self, entry: Entry, reason: Reason) -> Disposition:
        if entry.leased(self._parts.timing.clock()):
            self._ledger.note_open(entry)
            return DeadLetter(reason)
        # Without a lease: nothing is begun here that somebody would have to wait for.
        try:
            taken = self._ledger.take_over(entry, owner=self._parts.new_owner(), lease_until=0.0)
        except AlreadyClaimed as faster:
            return self._left_to(faster.entry, reason)
        error = OutcomeUnknown(reason.message) if taken.in_doubt else NotSent(reason.message)
        return self._recorder.park(taken, error, may_have_been_applied=taken.in_doubt)

    def _left_to(self, entry: Entry, reason: Reason) -> Disposition:
        """Another worker took the item over at the same moment: what it made of it is told."""
        if entry.state in (State.STARTED, State.UNKNOWN):
            self._ledger.note_open(entry)
            return DeadLetter(reason)
        return self._tell_again(entry, reason)

    def _tell_again(self, entry: Entry, reason: Reason) -> Disposition:
        """It is pending, parked or at its end: what was recorded is published once more."""
        if entry.outcome is None:
            return DeadLetter(reason)
        mark = entry if entry.unpublished else self._ledger.mark_unpublished(entry)
        dead_letter = reason if entry.state is State.PARKED else None
        return Publish(entry.outcome, dead_letter, Source.LEDGER, mark=mark)

    def _refuse_another_payload(self, entry: Entry) -> None:
        if entry.fingerprint != self._parts.fingerprint(self._cancellation):
            raise DuplicateKey(f"{entry.key} was used before for another payload; it stays {entry.state}")
