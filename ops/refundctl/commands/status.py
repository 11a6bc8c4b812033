"""``refundctl status``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from refundctl.connection import Target
from refundctl.option_groups import with_option_groups
from refundctl.output import Output, age_of, iso
from refunds.ledger import Entry, State
from refunds.operators.dead_letters import Letter, Selection
from refunds.operators.desk import Desk
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
    desk = target.desk()
    entries = desk.books.find(identifier)
    letters = _letters(desk, identifier, entries) if dlq else []
    for entry in entries:
        own = [letter for letter in letters if letter.cancel_request_id == entry.key.cancel_request_id]
        _show(desk, entry, _whereabouts(entry, own, looked=dlq), output)
    known = {entry.key.cancel_request_id for entry in entries}
    strays = [letter for letter in letters if letter.cancel_request_id not in known]
    for letter in strays:
        _show_stray(letter, desk.clock(), output)
    if not entries and not strays:
        output.remark(f"nothing is known of {identifier}: no ledger item, no dead letter")
        raise typer.Exit(1)


def _letters(desk: Desk, identifier: str, entries: Sequence[Entry]) -> list[Letter]:
    """The dead letters of the entries found; without any, those that name the identifier themselves."""
    ids = frozenset({identifier, *(entry.key.cancel_request_id for entry in entries)})
    kinds = {entry.key.cancel_type for entry in entries}
    lanes = [lane for lane in desk.lanes if not kinds or lane.cancel_type in kinds]
    by_id = [one for letters in desk.dead_letters.letters(lanes, Selection(ids=ids)) for one in letters]
    if by_id or entries:
        return by_id
    by_order = Selection(orders=frozenset({identifier}))
    return [one for letters in desk.dead_letters.letters(lanes, by_order) for one in letters]


def _whereabouts(entry: Entry, letters: Sequence[Letter], *, looked: bool) -> str:
    if letters:
        oldest = min(letters, key=lambda letter: letter.sent_at)
        return f"in the dead-letter queue since {iso(oldest.sent_at)} ({oldest.error_code}): dlq replay"
    if entry.state.terminal:
        return "acknowledged, or still to be: the outcome stands either way"
    if entry.state is State.STARTED:
        return "in its queue or with a function"
    return "not in the dead-letter queue: replayed, or expired" if looked else "not looked for (--dlq)"


def _show(desk: Desk, entry: Entry, where: str, output: Output) -> None:
    audit = desk.audit.of(str(entry.key))
    facts = _facts(entry, desk.clock()) | {"message": where}
    output.row("request", **facts, **_details(entry), audit=audit)
    output.table(
        str(entry.key), ["", ""], [(name, value) for name, value in facts.items() if value is not None]
    )
    output.say("\n".join(["what happened", *(f"  {line}" for line in sorted([*entry.timeline, *audit]))]))
    if entry.outcome is not None:
        text = entry.outcome.model_dump_json(indent=2, exclude_none=True)
        output.say(f"outcome{' (not published yet)' if entry.unpublished else ''}\n{text}\n")


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
    before = entry.before
    return {
        "request": dict(entry.request),
        "before": None if before is None else {k: v for k, v in vars(before).items() if v is not None},
        "admitted": entry.admitted,
        "unpublished": entry.unpublished,
        "outcome": json.loads(entry.outcome.model_dump_json()) if entry.outcome else None,
        "timeline": list(entry.timeline),
    }


def _show_stray(letter: Letter, now: float, output: Output) -> None:
    """A message that never got a ledger item: nothing was sent for it."""
    facts = {
        "cancel_type": letter.lane.cancel_type,
        "cancel_request_id": letter.cancel_request_id,
        "message_id": letter.message_id,
        "order_id": letter.order_id,
        "age": age_of(letter.sent_at, now),
        "error_code": letter.error_code,
        "why": letter.error_message,
    }
    output.row("dead_letter", **facts)
    output.table(
        "In the dead-letter queue, unknown to the ledger: nothing was sent", ["", ""], list(facts.items())
    )
