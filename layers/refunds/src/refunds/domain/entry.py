"""A ledger entry: what is known of one cancellation, and where it stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from refunds.contracts.outbound import Outcome
from refunds.domain.operation import Baseline

#: The event of a timeline that says that another send begins.
SENDS: Final = "STARTED sends"

#: The end of the event that stands for those which a timeline has no room for; it has the time of the last.
LEFT_OUT: Final = " events left out)"


class State(StrEnum):
    """Where a cancellation stands."""

    STARTED = "STARTED"
    PENDING = "PENDING"
    """A provider accepted it and books it later."""
    PARKED = "PARKED"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    UNKNOWN = "UNKNOWN"
    """Written by a newer version of this code. It is never written: such an item is left alone."""

    @classmethod
    def of(cls, text: str) -> State:
        """The state of that name, or ``UNKNOWN``."""
        try:
            return cls(text)
        except ValueError:
            return cls.UNKNOWN

    @property
    def terminal(self) -> bool:
        """Whether the outcome is final."""
        return self in (State.SUCCEEDED, State.FAILED)


@dataclass(frozen=True)
class Key:
    """Partition key: the idempotency key within its cancel type."""

    cancel_type: str
    cancel_request_id: str

    @classmethod
    def of(cls, pk: str) -> Key:
        """Read the attribute; no cancel type has the sign in its name."""
        cancel_type, _, cancel_request_id = pk.partition("#")
        return cls(cancel_type, cancel_request_id)

    def __str__(self) -> str:
        return f"{self.cancel_type}#{self.cancel_request_id}"


@dataclass(frozen=True)
class Entry:
    """One ledger item. Times are UNIX seconds; ``request`` is free of personal data.

    ``payment_ref`` is the payment, receipt or order this cancels, once it is known. ``limits_passed`` says
    that it passed the guard rails (``refunds.service.guard``), or that a person let it pass: it is never
    counted again.
    """

    key: Key
    fingerprint: str
    order_id: str
    requested_by: str
    requested_at: str
    request: Mapping[str, object]
    payment_ref: str | None = None
    state: State = State.STARTED
    owner: str = ""
    lease_until: float = 0.0
    attempt: int = 1
    in_doubt: bool = False
    limits_passed: bool = False
    baseline: Baseline | None = None
    outcome: Outcome | None = None
    proof: str | None = None
    timeline: tuple[str, ...] = ()
    unpublished: bool = False
    """No later delivery publishes the outcome: the mark stays until it is on the accounting bus."""
    revision: int = 0
    """The version of the item: how often it was written."""
    currency: str | None = None
    """What the event believes its amounts are in, where it says so."""
    statement: int = 1
    """How many different statements were made of it, one after the other, the last one included."""

    @property
    def begun_at(self) -> float:
        """UNIX seconds of the first claim: nothing of this request was sent before it. 0 before that."""
        if not self.timeline:
            return 0.0
        return datetime.fromisoformat(self.timeline[0].partition(" ")[0]).timestamp()

    @property
    def sent_at(self) -> float:
        """UNIX seconds right before the last send; what was left out counts as one."""
        for event in reversed(self.timeline):
            time, _, what = event.partition(" ")
            if what == SENDS or what.endswith(LEFT_OUT):
                return datetime.fromisoformat(time).timestamp()
        return self.begun_at

    def leased(self, now: float) -> bool:
        """Whether a worker, or what it sent, may still be under way."""
        return not self.state.terminal and now < self.lease_until
