"""Ends requests without their messages, and lets requests pass that a limit keeps back. Never sends."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

import typer

from refundctl.actions.telling import outcome_row
from refundctl.connection import Target, principal, questions
from refundctl.endings import EXIT_LEFT
from refundctl.output import Output
from refunds.cancel_types import MODULES
from refunds.domain.entry import Entry, Key, State
from refunds.errors import ErrorCode, LookupFailed
from refunds.ledger.audit import Actor
from refunds.operators.operations import Operations
from refunds.operators.resolution import Finding, ResolutionRefused, ResolutionReport


@dataclass(frozen=True)
class ByHand:
    """What a person says of the end of a request."""

    ending: Literal["succeeded", "failed"]
    evidence: str
    by: str
    amount: Decimal | None
    currency: str | None
    reference: str | None
    code: str
    never_booked: bool
    confirm: str | None

    def finding(self) -> Finding:
        """For the resolver."""
        return Finding(
            self.ending == "succeeded",
            self.evidence,
            self.amount,
            self.reference,
            ErrorCode(self.code),
            self.currency,
            self.never_booked,
        )


def resolve(
    request_id: str, target: Target, output: Output, cancel_type: str | None, by_hand: ByHand | None
) -> None:
    """Ask the provider what became of a request, or record what a person found out."""
    operations = target.operations()
    entry = _entry(operations, request_id, cancel_type)
    if by_hand is None:
        report = _ask(operations, entry)
    else:
        _confirm(output, entry, by_hand)
        actor = Actor(by_hand.by, principal(operations), "resolve")
        report = operations.resolver.by_hand(entry, by_hand.finding(), actor)
    _report(report, output)


def admit(
    request_id: str, target: Target, output: Output, cancel_type: str | None, by: str, reason: str
) -> None:
    """Let one request pass that a limit keeps back; then its message is to be replayed."""
    operations = target.operations()
    entry = _entry(operations, request_id, cancel_type)
    if not _kept_back(entry):
        raise ResolutionRefused(f"{entry.key} is {entry.state}, and no limit keeps it back")
    admitted = operations.ledger.admit(entry, str(Actor(by, principal(operations), reason)))
    output.row("admitted", cancel_type=entry.key.cancel_type, cancel_request_id=request_id)
    output.suggest(f"{admitted.key} may pass now:", f"refundctl dlq replay --id {request_id}")


def _kept_back(entry: Entry) -> bool:
    error = entry.outcome.error if entry.outcome else None
    return entry.state is State.PARKED and error is not None and error.code is ErrorCode.LIMIT_EXCEEDED


def _entry(operations: Operations, request_id: str, cancel_type: str | None) -> Entry:
    kinds = [cancel_type] if cancel_type else list(MODULES)
    found = operations.ledger_queries.entries(Key(kind, request_id) for kind in kinds)
    if len(found) > 1:
        names = ", ".join(key.cancel_type for key in found)
        raise ResolutionRefused(f"{request_id} was used in several cancel types ({names}): add --type")
    if not found:
        raise ResolutionRefused(
            f"the ledger has no {request_id}, so nothing was ever sent for it: "
            "look for its message with `refundctl status`"
        )
    return next(iter(found.values()))


def _ask(operations: Operations, entry: Entry) -> ResolutionReport:
    """Through the function, which may ask the provider, and has the ledger as it is afterwards."""
    try:
        found = questions(operations).ask(entry.key)
    except LookupFailed as error:
        return ResolutionReport(entry, _in_a_sentence(str(error)))
    return ResolutionReport(
        operations.ledger.get(entry.key) or entry, found.finding, found.settled, found.published
    )


def _in_a_sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _confirm(output: Output, entry: Entry, by_hand: ByHand) -> None:
    """The second confirmation: the id again, typed or given."""
    wanted, confirm = entry.key.cancel_request_id, by_hand.confirm
    if confirm is None:
        output.remark(
            f"{entry.key} is {entry.state}. You are about to record for ever, and tell accounting, "
            f"that it {by_hand.ending}."
        )
        confirm = typer.prompt("Type its cancel_request_id to go on", err=True)
    if confirm != wanted:
        raise ResolutionRefused(f"not confirmed: {wanted} was left alone")


def _report(report: ResolutionReport, output: Output) -> None:
    entry = report.entry
    output.row(
        "resolution",
        cancel_type=entry.key.cancel_type,
        cancel_request_id=entry.key.cancel_request_id,
        state=entry.state.value,
        resolved=report.settled,
        published=report.published,
        finding=report.finding,
        outcome=outcome_row(entry),
    )
    output.say(f"{entry.key}: {entry.state}\n{report.finding}")
    if report.published:
        output.suggest(
            "Its outcome has been published. If its message is in the dead-letter queue, this removes it:",
            f"refundctl dlq replay --id {entry.key.cancel_request_id}",
        )
    elif not report.settled and entry.outcome and entry.outcome.error:
        output.suggest("What to do now:", f"refundctl explain {entry.outcome.error.code}")
    if not report.settled or not report.published:
        raise typer.Exit(EXIT_LEFT)
