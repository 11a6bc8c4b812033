"""The oracle: every movement of money at either provider, as a bank statement would show it."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING

from local.simulator.currencies import DEFAULT_CURRENCY, NOTHING

if TYPE_CHECKING:
    from local.simulator.late_booking import Acceptance


class MovementKind(StrEnum):
    """What happened. The voids move no money and are listed so that revokes can be proven too."""

    REFUND = "refund"
    REFUND_REVERSAL = "refund_reversal"
    """A refund that had been booked was rejected afterwards: its money came back."""
    DEPOSIT = "deposit"
    VBANK_VOID = "vbank_void"
    CVS_VOID = "cvs_void"
    RECEIPT_VOID = "receipt_void"


class Actor(StrEnum):
    """Who moved it: a call to the API, or anybody else (console, PG, customer)."""

    API = "api"
    SOMEBODY_ELSE = "somebody else"


@dataclass(frozen=True, slots=True)
class Movement:
    """One line of the statement. `amount` is in `currency`, 0 for a void; `at` is UNIX seconds.

    `subject` is the imp_uid, the receipt's merchant_uid or the orderNo; `reason` is the text as the caller
    sent it, whatever the PG keeps of it. `acceptance_id` names the request of a PG that booked it later,
    `receipt_tid` the receipt that was voided: a merchant_uid may have had several.
    """

    at: float
    provider: str
    kind: MovementKind
    subject: str
    amount: Decimal
    cancellation_id: str
    reason: str
    who: Actor
    currency: str = DEFAULT_CURRENCY
    acceptance_id: str = ""
    receipt_tid: str = ""


@dataclass(slots=True)
class MoneyLedger:
    """Append-only list of movements, and every request a late-booking PG accepted, by its id."""

    movements: list[Movement] = field(default_factory=list)
    acceptances: dict[str, Acceptance] = field(default_factory=dict)

    def record(self, movement: Movement) -> None:
        """Add a line to the statement."""
        self.movements.append(movement)

    def accept(self, acceptance: Acceptance) -> None:
        """Note a request that a PG took and has not booked, or how it ended."""
        self.acceptances[acceptance.acceptance_id] = acceptance

    def of(self, subject: str) -> list[Movement]:
        """The movements of one payment, receipt or order."""
        return [movement for movement in self.movements if movement.subject == subject]

    def accepted(self, subject: str) -> list[Acceptance]:
        """What late-booking PGs accepted for one payment, in order."""
        return [acceptance for acceptance in self.acceptances.values() if acceptance.subject == subject]

    def refunded(self, subject: str) -> Decimal:
        """What was refunded of one payment or order by anybody, without what came back."""
        return sum((_signed(movement) for movement in self.of(subject)), NOTHING)


def _signed(movement: Movement) -> Decimal:
    if movement.kind is MovementKind.REFUND:
        return movement.amount
    return -movement.amount if movement.kind is MovementKind.REFUND_REVERSAL else NOTHING
