"""One cancellation, settled: whatever the protocol ends with becomes what is to be done with the message."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from refunds.contracts.inbound import Cancellation, Identity, ProviderRequest, identity_of
from refunds.domain.deadline import Deadline
from refunds.domain.disposition import DeadLetter, Disposition, Publish, Reason, Redeliver
from refunds.domain.limits import Limits
from refunds.domain.operation import Attempt, Operation
from refunds.domain.outcomes import Trouble
from refunds.domain.policy import Policy
from refunds.domain.tag import tag_of
from refunds.errors import DuplicateKey, ErrorCode, InvalidRequest, LedgerError
from refunds.ledger.claims import Ledger
from refunds.service.guard import Guard
from refunds.service.protocol import Execution, Parts, Timing

RequestT = TypeVar("RequestT", bound=ProviderRequest)


@dataclass(frozen=True)
class Delivery:
    """One receipt of a message. ``final_receive``: no receive is left, so what stays open is parked."""

    deadline: Deadline
    final_receive: bool = False


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
        settled and comes again.
        """
        attempt = Attempt(
            cancellation,
            tag_of(self._parts.policy.cancel_type, cancellation.cancel_request_id),
            delivery.deadline,
        )
        try:
            return Execution(self._parts, attempt, final_receive=delivery.final_receive).run()
        except DuplicateKey as error:
            return DeadLetter(Reason(error.code, str(error)))
        except InvalidRequest as error:
            return self.reject(identity_of(cancellation), error)
        except LedgerError as error:
            return Redeliver(Reason(ErrorCode.OUTCOME_UNKNOWN, str(error)))

    def reject(self, identity: Identity | None, error: InvalidRequest) -> Disposition:
        """Park a message that breaks the contract, at once and without a ledger item.

        If its key is known already, the message only goes to the DLQ: what accounting knows of that
        key stays true.
        """
        reason = Reason(error.code, str(error))
        if identity is None or self._parts.known(identity.cancel_request_id):
            return DeadLetter(reason)
        trouble = Trouble(error.code, str(error), may_have_been_applied=False)
        return Publish(self._parts.outcomes(identity).parked(trouble, 0, None), dead_letter=reason)
