"""``refundctl status``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import closing
from typing import Annotated, Any

import typer

from refundctl.connection import Target
from refundctl.option_groups import with_option_groups
from refundctl.output import Output, age_of, iso
from refunds.domain.entry import Entry, Key, State
from refunds.errors import ErrorCode
from refunds.operators.dead_letters import DeadLetterMessage, Selection
from refunds.operators.operations import Operations
from refunds.operators.sweeper import claimed_at


@with_option_groups
def status(
    identifier: Annotated[str, typer.Argument(help="cancel_request_id, order_id, imp_uid or merchant_uid.")],
    target: Target,
    output: Output,
    *,
    dlq: Annotated[bool, typer.Option(help="Look through the dead-letter queues for its messages.")] = True,
) -> None:
    """Tell what is known of a request, an order or a payment, and where the messages are."""
    operations = target.operations()
    entries = operations.ledger_queries.find(identifier)
    letters = _letters(operations, identifier, entries) if dlq else []
    found = {entry.key for entry in entries}
    # A message may carry the id of another order's request: then that request is part of its story.
    entries += operations.ledger_queries.entries(
        key for key in map(_key, letters) if key and key not in found
    ).values()
    for entry in entries:
        own = [dead_letter for dead_letter in letters if _key(dead_letter) == entry.key]
        where = _whereabouts(entry, own, looked=dlq)
        _show(operations, entry, where, _next_step(entry, operations.clock(), waits=bool(own)), output)
    known = {entry.key for entry in entries}
    strays = [dead_letter for dead_letter in letters if _key(dead_letter) not in known]
    for dead_letter in strays:
        _show_stray(dead_letter, operations.clock(), output)
    if not entries and not strays:
        output.remark(f"nothing is known of {identifier}: no ledger item, no dead letter")
        raise typer.Exit(1)


def _letters(operations: Operations, identifier: str, entries: Sequence[Entry]) -> list[DeadLetterMessage]:
    """The dead letters of the entries found, and those that name the identifier themselves."""
    names = frozenset({identifier, *(entry.key.cancel_request_id for entry in entries)})
    with closing(operations.dead_letters.letters(operations.all_queues, Selection(names=names))) as receives:
        return [dead_letter for letters in receives for dead_letter in letters]


def _key(dead_letter: DeadLetterMessage) -> Key | None:
    return (
        Key(dead_letter.queues.cancel_type, dead_letter.cancel_request_id)
        if dead_letter.cancel_request_id
        else None
    )


def _whereabouts(entry: Entry, letters: Sequence[DeadLetterMessage], *, looked: bool) -> str:
    if letters:
        oldest = min(letters, key=lambda dead_letter: dead_letter.sent_at)
        return f"in the dead-letter queue since {iso(oldest.sent_at)} ({oldest.error_code})"
    if not looked:
        return "not looked for (--dlq)"
    if entry.state.terminal:
        return "not in the dead-letter queue: acknowledged, or still to be"
    if entry.state is State.STARTED:
        return "in its queue or with a function"
    return "not in the dead-letter queue: replayed, or expired"


def _next_step(entry: Entry, now: float, *, waits: bool) -> tuple[str, ...] | None:
    """What an operator may do about it: a sentence and commands. ``waits``: a message is in the DLQ."""
    request_id = entry.key.cancel_request_id
    replay = f"refundctl dlq replay --id {request_id}"
    if entry.state.terminal:
        return (
            ("It has ended. Replaying its message empties the dead-letter queue:", replay) if waits else None
        )
    if entry.state is State.STARTED or entry.leased(now):
        return None
    error = entry.outcome.error if entry.outcome else None
    if error is not None and error.code is ErrorCode.LIMIT_EXCEEDED:
        return ("A limit keeps it back: docs/runbook.md, LIMIT_EXCEEDED.",)
    if entry.in_doubt:
        return (
            "Nobody knows yet whether it was carried out. To ask the provider:",
            f"refundctl resolve {request_id}",
        )
    if waits:
        return ("Nothing was sent. What replaying it would do:", replay)
    return ("Nothing was sent, and no message waits: the order service has to publish the event again.",)


def _show(
    operations: Operations, entry: Entry, where: str, step: tuple[str, ...] | None, output: Output
) -> None:
    audit = operations.audit.of(str(entry.key))
    facts = _facts(entry, operations.clock()) | {"message": where}
    output.row("request", **facts, **_details(entry), audit=audit)
    output.facts(str(entry.key), facts.items())
    story = [line.split(" ", 1) for line in sorted([*entry.timeline, *audit])]
    output.facts("What happened", [(moment, event) for moment, event in story])
    if entry.outcome is not None:
        text = entry.outcome.model_dump_json(indent=2, exclude_none=True)
        output.facts(f"Outcome{' (not published yet)' if entry.unpublished else ''}", ())
        output.say(text)
    if step is not None:
        output.suggest(*step)


def _facts(entry: Entry, now: float) -> dict[str, Any]:
    leased = entry.leased(now)
    return {
        "cancel_type": entry.key.cancel_type,
        "cancel_request_id": entry.key.cancel_request_id,
        "order_id": entry.order_id,
        "payment_ref": entry.payment_ref,
        "requested": f"{entry.requested_at} by {entry.requested_by}",
        "age": age_of(claimed_at(entry), now),
        "state": entry.state.value,
        "attempts": entry.attempt,
        "may_have_been_applied": entry.in_doubt,
        "lease": f"a worker has it for another {int(entry.lease_until - now) + 1} s" if leased else None,
        "proof": entry.proof,
    }


def _details(entry: Entry) -> dict[str, Any]:
    baseline = entry.baseline
    return {
        "request": dict(entry.request),
        "before": None if baseline is None else {k: v for k, v in vars(baseline).items() if v is not None},
        "admitted": entry.limits_passed,
        "unpublished": entry.unpublished,
        "outcome": json.loads(entry.outcome.model_dump_json()) if entry.outcome else None,
        "timeline": list(entry.timeline),
    }


def _show_stray(dead_letter: DeadLetterMessage, now: float, output: Output) -> None:
    """A message that never got a ledger item: nothing was sent for it."""
    facts = {
        "cancel_type": dead_letter.queues.cancel_type,
        "cancel_request_id": dead_letter.cancel_request_id,
        "message_id": dead_letter.message_id,
        "order_id": dead_letter.order_id,
        "age": age_of(dead_letter.sent_at, now),
        "error_code": dead_letter.error_code,
        "why": dead_letter.error_message,
    }
    output.row("dead_letter", **facts)
    output.facts("In the dead-letter queue, unknown to the ledger: nothing was sent", facts.items())
    output.suggest(
        f"docs/runbook.md, {dead_letter.error_code}. What replaying it would do:",
        f"refundctl dlq replay --id {dead_letter.message_id}",
    )
