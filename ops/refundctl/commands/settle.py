"""``refundctl resolve`` and ``refundctl admit``."""

from __future__ import annotations

import json
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Final

import typer

from refundctl.connection import Target, principal
from refundctl.option_groups import with_option_groups
from refundctl.output import Output
from refunds.cancel_types import MODULES
from refunds.domain.entry import Entry, Key, State
from refunds.errors import ErrorCode, LookupFailed, NotSent
from refunds.ledger.audit import Actor
from refunds.operators.operations import Operations
from refunds.operators.resolution import Finding, ResolutionRefused, ResolutionReport

EXIT_OPEN: Final = 4

RequestId = Annotated[str, typer.Argument(help="cancel_request_id")]
CancelTypeOption = Annotated[
    str | None, typer.Option("--type", "-t", help="Cancel type, where the id was used in several.")
]


class Ending(StrEnum):
    """How a person says a request ended."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"


@with_option_groups
def resolve(  # noqa: PLR0913 - one option each
    request_id: RequestId,
    target: Target,
    output: Output,
    *,
    cancel_type: CancelTypeOption = None,
    ending: Annotated[
        Ending | None, typer.Option("--as", help="Settle by hand: what you know to be true.")
    ] = None,
    evidence: Annotated[
        str | None, typer.Option("--evidence", help="How you know: console, statement, ticket.")
    ] = None,
    by: Annotated[str | None, typer.Option("--by", help="Your name, for the request's history.")] = None,
    amount: Annotated[
        int | None, typer.Option("--amount", min=1, help="Won refunded, where the ledger cannot know.")
    ] = None,
    reference: Annotated[
        str | None,
        typer.Option("--reference", help="The provider's id: cancellation_id or returnRequestId."),
    ] = None,
    code: Annotated[
        ErrorCode, typer.Option("--code", help="Why it failed, with --as failed.")
    ] = ErrorCode.PROVIDER_REFUSED,
    confirm: Annotated[
        str | None, typer.Option("--confirm", help="The cancel_request_id again, instead of being asked.")
    ] = None,
) -> None:
    """Ask the provider what became of a request; or, with --as, settle it by hand. Never sends."""
    operations = target.operations()
    entry = _entry(operations, request_id, cancel_type)
    if ending is None:
        resolution = _ask(operations, entry)
    else:
        if not evidence or not by:
            raise typer.BadParameter("settling by hand needs --evidence and --by")
        _confirm(output, entry, ending, confirm)
        finding = Finding(
            ending is Ending.SUCCEEDED,
            evidence,
            None if amount is None else Decimal(amount),
            reference,
            code,
        )
        actor = Actor(by, principal(operations), "resolve")
        resolution = operations.resolver.by_hand(entry, finding, actor)
    _report(resolution, output)


@with_option_groups
def admit(
    request_id: RequestId,
    target: Target,
    output: Output,
    *,
    by: Annotated[str, typer.Option("--by", help="Your name.")],
    reason: Annotated[str, typer.Option("--reason", help="Why it may pass.")],
    cancel_type: CancelTypeOption = None,
) -> None:
    """Let one request pass that a limit keeps back (LIMIT_EXCEEDED); then replay its message."""
    operations = target.operations()
    entry = _entry(operations, request_id, cancel_type)
    if not _kept_back(entry):
        raise ResolutionRefused(f"{entry.key} is {entry.state}, and no limit keeps it back")
    limits_passed = operations.ledger.admit(entry, str(Actor(by, principal(operations), reason)))
    output.row("admitted", cancel_type=entry.key.cancel_type, cancel_request_id=request_id)
    output.say(f"{limits_passed.key} may pass now: refundctl dlq replay --id {request_id}")


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
    try:
        return operations.resolver.ask(entry)
    except (LookupFailed, NotSent) as error:
        return ResolutionReport(entry, f"The provider could not be asked now: {error}")


def _confirm(output: Output, entry: Entry, ending: Ending, confirm: str | None) -> None:
    """The second confirmation: the id again, typed or given."""
    wanted = entry.key.cancel_request_id
    if confirm is None:
        output.remark(
            f"{entry.key} is {entry.state}. You are about to record for ever, and tell accounting, "
            f"that it {ending}."
        )
        confirm = typer.prompt("Type its cancel_request_id to go on", err=True)
    if confirm != wanted:
        raise ResolutionRefused(f"not confirmed: {wanted} was left alone")


def _report(resolution: ResolutionReport, output: Output) -> None:
    entry = resolution.entry
    output.row(
        "resolution",
        cancel_type=entry.key.cancel_type,
        cancel_request_id=entry.key.cancel_request_id,
        state=entry.state.value,
        settled=resolution.settled,
        published=resolution.published,
        finding=resolution.finding,
        outcome=json.loads(entry.outcome.model_dump_json()) if entry.outcome else None,
    )
    output.say(f"{entry.key}: {entry.state}\n{resolution.finding}")
    if resolution.published:
        output.suggest(
            "Its outcome has been published. If its message is in the dead-letter queue, this removes it:",
            f"refundctl dlq replay --id {entry.key.cancel_request_id}",
        )
    elif not resolution.settled and entry.outcome and entry.outcome.error:
        output.suggest(f"What to do now: docs/runbook.md, {entry.outcome.error.code}.")
    if not resolution.settled or not resolution.published:
        raise typer.Exit(EXIT_OPEN)
