"""The oracle: every movement of money at either provider, as a bank statement would show it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class MovementKind(StrEnum):
    """What happened. The voids move no money and are listed so that revokes can be proven too."""

    REFUND = "refund"
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
    """One line of the statement. `amount` is KRW won, 0 for a void; `at` is UNIX seconds.

    `subject` is the imp_uid, the receipt's merchant_uid or the orderNo; `reason` is the text as the caller
    sent it, whatever the PG keeps of it.
    """

    at: float
    provider: str
    kind: MovementKind
    subject: str
    amount: int
    cancellation_id: str
    reason: str
    who: Actor


@dataclass(slots=True)
class MoneyLedger:
    """Append-only list of movements."""

    movements: list[Movement] = field(default_factory=list)

    def record(self, movement: Movement) -> None:
        """Add a line to the statement."""
        self.movements.append(movement)

    def of(self, subject: str) -> list[Movement]:
        """The movements of one payment, receipt or order."""
        return [movement for movement in self.movements if movement.subject == subject]

    def refunded(self, subject: str) -> int:
        """Won refunded for one payment or order, by anybody."""
        return sum(m.amount for m in self.of(subject) if m.kind is MovementKind.REFUND)
