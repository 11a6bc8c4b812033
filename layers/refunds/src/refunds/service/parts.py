"""What every execution of one cancel type works with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Generic, TypeVar

from refunds.contracts.fingerprint import fingerprint
from refunds.contracts.inbound import Cancellation, Identity, ProviderRequest, format_timestamp
from refunds.domain.deadline import Deadline
from refunds.domain.entry import Entry, Key
from refunds.domain.operation import Baseline, Operation
from refunds.domain.outcomes import OutcomeFactory
from refunds.domain.policy import Policy
from refunds.ledger.claims import Ledger
from refunds.service.guard import Guard

RequestT = TypeVar("RequestT", bound=ProviderRequest)


@dataclass(frozen=True)
class Delivery:
    """One receipt of a message.

    Attributes:
        deadline: when the invocation is stopped.
        final_receive: no receive is left, so what stays open is parked.
        republished: a later delivery of the message publishes the outcome again, should that fail now.
    """

    deadline: Deadline
    final_receive: bool = False
    republished: bool = True

    @property
    def unpublished(self) -> bool:
        """Whether an outcome has to stay marked in the ledger until it is on the accounting bus."""
        return self.final_receive or not self.republished


@dataclass(frozen=True)
class Timing:
    """Seconds.

    Attributes:
        clock: UNIX time.
        send_budget: what a send and its record may take.
        under_way: for how long after a send of unknown fate it may still be carried out.
    """

    clock: Callable[[], float]
    send_budget: float
    lease_margin: float
    under_way: float = 0.0

    def lease(self, deadline: Deadline) -> float:
        """UNIX seconds at which a worker with this deadline has certainly been stopped."""
        return self.clock() + max(deadline.remaining(), 0.0) + self.lease_margin


@dataclass(frozen=True)
class Parts(Generic[RequestT]):
    """``new_owner`` makes a token unique per claim."""

    policy: Policy
    operation: Operation[RequestT]
    ledger: Ledger
    guard: Guard
    timing: Timing
    new_owner: Callable[[], str]

    def key(self, cancel_request_id: str) -> Key:
        """The ledger key of a request of this type."""
        return Key(self.policy.cancel_type, cancel_request_id)

    def outcomes(self, identity: Identity, personal: tuple[str, ...] = ()) -> OutcomeFactory:
        """Outcomes that occur now; nothing of ``personal`` is in them."""
        now = datetime.fromtimestamp(self.timing.clock(), UTC)
        return OutcomeFactory(self.policy, identity, format_timestamp(now), personal)

    def fingerprint(self, cancellation: Cancellation[RequestT]) -> str:
        """By which the item and a message of it recognise each other."""
        return fingerprint(self.policy.cancel_type, cancellation)

    def new_entry(self, cancellation: Cancellation[RequestT], baseline: Baseline | None) -> Entry:
        """The item of a request that has none, not leased by anybody."""
        subject = baseline.subject if baseline else self.operation.subject(cancellation.request)
        return Entry(
            key=self.key(cancellation.cancel_request_id),
            fingerprint=self.fingerprint(cancellation),
            order_id=cancellation.order_id,
            requested_by=cancellation.requested_by,
            requested_at=format_timestamp(cancellation.requested_at),
            request=cancellation.request.public(),
            payment_ref=subject,
            owner=self.new_owner(),
            currency=cancellation.currency,
            baseline=baseline,
        )
