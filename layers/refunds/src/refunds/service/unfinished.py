"""Messages that are not worked on: what accounting is told of them, from the ledger alone.

No provider is asked and nothing is sent. A message whose last receive ended in an error or in time that
ran out leaves for the DLQ, so accounting is told, or the ledger notes that it has not been.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Final, Generic, TypeVar

from refunds.contracts.inbound import Cancellation, ProviderRequest
from refunds.domain.deadline import Deadline
from refunds.domain.disposition import Disposition, Reason
from refunds.domain.entry import Entry, State
from refunds.errors import DuplicateKey, Fenced, NotSent, OutcomeUnknown
from refunds.ledger.claims import AlreadyClaimed
from refunds.service.parts import Delivery, Parts
from refunds.service.recorder import Recorder

RequestT = TypeVar("RequestT", bound=ProviderRequest)

#: How often another worker may be faster: the item says after each of them what there is to tell.
_RACES: Final = 3


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
            Fenced: other workers keep changing the item.
        """
        for _ in range(_RACES):
            with suppress(AlreadyClaimed, Fenced):  # another worker was faster: what it made of it counts
                return self._park(reason)
        return self._park(reason)

    def _park(self, reason: Reason) -> Disposition:
        entry = self._ledger.get(self._parts.key(self._cancellation.cancel_request_id))
        if entry is None:
            return self._recorder.claim_parked(NotSent(reason.message))
        if entry.state is not State.UNKNOWN:
            self._refuse_another_payload(entry)
        if entry.state is not State.STARTED or entry.leased(self._parts.timing.clock()):
            return self._recorder.leave(entry, reason)
        # Without a lease: nothing is begun here that somebody would have to wait for.
        taken = self._ledger.take_over(entry, owner=self._parts.new_owner(), lease_until=0.0)
        error = OutcomeUnknown(reason.message) if taken.in_doubt else NotSent(reason.message)
        return self._recorder.park(taken, error, may_have_been_applied=taken.in_doubt)

    def _refuse_another_payload(self, entry: Entry) -> None:
        if entry.fingerprint != self._parts.fingerprint(self._cancellation):
            raise DuplicateKey(f"{entry.key} was used before for another payload; it stays {entry.state}")
