"""The oracle in one line per payment, receipt or order and currency."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from local.simulator.currencies import NOTHING
from local.simulator.movements import MovementKind

if TYPE_CHECKING:
    from decimal import Decimal

    from local.simulator.movements import MoneyLedger, Movement


@dataclass(frozen=True, slots=True)
class SummaryLine:
    """`refunded` is what is with the customer: refunds without what came back. `voids` move no money.

    `accepted` counts what a late-booking PG ever took, `waiting` what of it has not ended, in `currency`.
    """

    subject: str
    currency: str
    refunded: Decimal = NOTHING
    refunds: int = 0
    reversals: int = 0
    voids: int = 0
    accepted: int = 0
    waiting: Decimal = NOTHING


def summary(money: MoneyLedger, subject: str | None = None) -> list[SummaryLine]:
    """A line per subject and currency, in the order of their first movement."""
    lines: dict[tuple[str, str], SummaryLine] = {}
    for movement in money.movements:
        key = (movement.subject, movement.currency)
        lines[key] = _with_movement(lines.get(key, SummaryLine(*key)), movement)
    for acceptance in money.acceptances.values():
        key = (acceptance.subject, acceptance.currency)
        line = lines.get(key, SummaryLine(*key))
        waits = acceptance.amount if acceptance.state == "waiting" else NOTHING
        lines[key] = replace(line, accepted=line.accepted + 1, waiting=line.waiting + waits)
    return [line for line in lines.values() if subject in (None, line.subject)]


def _with_movement(line: SummaryLine, movement: Movement) -> SummaryLine:
    match movement.kind:
        case MovementKind.REFUND:
            return replace(line, refunded=line.refunded + movement.amount, refunds=line.refunds + 1)
        case MovementKind.REFUND_REVERSAL:
            return replace(line, refunded=line.refunded - movement.amount, reversals=line.reversals + 1)
        case MovementKind.DEPOSIT:
            return line
        case _:
            return replace(line, voids=line.voids + 1)
