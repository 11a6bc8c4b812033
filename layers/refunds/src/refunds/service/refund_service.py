"""One cancellation, processed: what the protocol ends with decides what is done with its message."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Generic, TypeVar

from refunds.contracts.inbound import Cancellation, Identity, ProviderRequest, identity_of
from refunds.domain.disposition import DeadLetter, Disposition, Publish, Reason, Redeliver
from refunds.domain.entry import Entry
from refunds.domain.limits import Limits
from refunds.domain.operation import Attempt, Operation
from refunds.domain.outcomes import Trouble
from refunds.domain.policy import Policy
from refunds.domain.tag import tag_of
from refunds.errors import DuplicateKey, ErrorCode, Fenced, InvalidRequest, LedgerError
from refunds.ledger.claims import Ledger
from refunds.service.guard import Guard
from refunds.service.parts import Delivery, Parts, Timing
from refunds.service.protocol import Execution
from refunds.service.unfinished import Unfinished

__all__ = ["Delivery", "RefundService"]

RequestT = TypeVar("RequestT", bound=ProviderRequest)


class RefundService(Generic[RequestT]):
    """Carries out the cancellations of one type.

    Args:
        new_owner: makes an owner token, unique per claim.
        guard: keeps back what this deployment must not send; without one, everything may be sent.
    """

    def __init__(
        self,
        policy: Policy,
        operation: Operation[RequestT],
        ledger: Ledger,
        *,
        timing: Timing,
        new_owner: Callable[[], str],
        guard: Guard | None = None,
    ) -> None:
        self._parts = Parts(policy, operation, ledger, guard or Guard(Limits()), timing, new_owner)

    def process(self, cancellation: Cancellation[RequestT], delivery: Delivery) -> Disposition:
        """Carry out one valid cancellation, or find out what became of it.

        Never raises for anything the provider does. AWS errors pass through: the message was not
        processed and comes again.
        """
        tag = tag_of(self._parts.policy.cancel_type, cancellation.cancel_request_id)
        attempt = Attempt(cancellation, tag, delivery.deadline)
        try:
            return Execution(self._parts, attempt, delivery).run()
        except DuplicateKey as error:
            return DeadLetter(Reason(error.code, str(error)))
        except InvalidRequest as error:
            return self.reject(identity_of(cancellation), error)
        except LedgerError as error:
            return self._overtaken(cancellation, delivery, error)

    def stored(self, cancellation: Cancellation[RequestT]) -> Disposition | None:
        """What is to become of a message that needs no provider; ``None`` if it does.

        For messages that are held back: one read, and no question to a provider.
        """
        try:
            return Unfinished(self._parts, cancellation).stored()
        except DuplicateKey as error:
            return DeadLetter(Reason(error.code, str(error)))

    def park_unfinished(self, cancellation: Cancellation[RequestT], reason: Reason) -> Disposition:
        """Tell accounting of a message whose last receive did not end properly; no provider is asked.

        Raises:
            Fenced: another worker changed the item meanwhile. AWS errors pass through as well.
        """
        try:
            return Unfinished(self._parts, cancellation).park(reason)
        except DuplicateKey as error:
            return DeadLetter(Reason(error.code, str(error)))

    def published(self, mark: Entry) -> None:
        """Note that the accounting bus has the outcome of an item that was marked as unpublished."""
        with suppress(Fenced):  # somebody else noted it, or the item says something newer by now
            self._parts.ledger.published(mark)

    def _overtaken(
        self, cancellation: Cancellation[RequestT], delivery: Delivery, error: LedgerError
    ) -> Disposition:
        """Another worker has the item, or nobody can work with it; the last receive leaves a note."""
        reason = Reason(ErrorCode.OUTCOME_UNKNOWN, str(error))
        if not delivery.final_receive:
            return Redeliver(reason)
        return self.park_unfinished(cancellation, reason)

    def reject(self, identity: Identity | None, error: InvalidRequest) -> Disposition:
        """Park a message that breaks the contract, at once and without a ledger item.

        If its key is known already, the message only goes to the DLQ: what accounting knows of that
        key stays true.
        """
        reason = Reason(error.code, str(error))
        if identity is None or self._parts.ledger.get(self._parts.key(identity.cancel_request_id)):
            return DeadLetter(reason)
        trouble = Trouble(error.code, str(error), may_have_been_applied=False)
        return Publish(self._parts.outcomes(identity).parked(trouble, 0, None), dead_letter=reason)
