"""Corrected copies of invalid messages."""

from __future__ import annotations

from pathlib import Path

import typer

from refundctl.actions.actor import actor as acting
from refundctl.actions.dead_letters import find, pretty
from refundctl.actions.editor import edited
from refundctl.actions.matching import Seen
from refundctl.actions.replaying import ReplayOrder, told
from refundctl.connection import Target
from refundctl.endings import EXIT_LEFT
from refundctl.output import Output
from refundctl.parameters import Filters
from refunds.contracts import strict_json
from refunds.operators.cancel_queues import chosen
from refunds.operators.repair import NotRepairable, check, patched


def repair(target: Target, filters: Filters, output: Output, order: ReplayOrder, patch: str | None) -> None:
    """Correct one invalid message, by ``patch`` or in an editor, and replay the copy in its place."""
    operations = target.operations()
    actor = acting(operations, order.by, order.reason) if order.yes else None
    found = find(operations, chosen(operations.all_queues, filters.cancel_types or ()), filters.selection())
    seen = Seen(filters)
    for dead_letter in found:
        seen.add(dead_letter)
    seen.check()
    if len(found) != 1:
        raise NotRepairable(f"{len(found)} messages are chosen: choose one with --id")
    dead_letter = found[0]
    body = edited(pretty(dead_letter.body)) if patch is None else patched(dead_letter, _patch(patch))
    changed = check(dead_letter, body)
    output.say(f"{dead_letter.message_id}: corrected in {', '.join(changed)}")
    if actor is None:
        output.row("repair", message_id=dead_letter.message_id, changed=changed, replayed=False)
        output.say("It is valid now. Nothing was replayed: add --yes and --reason.")
        return
    one = operations.replay(asks=order.ask).replace(dead_letter, body, actor, changed)
    output.row("repair", changed=changed, **told(one, operations.clock()))
    output.say(f"{one.judgement.verdict}: {one.judgement.why}")
    if not one.replayed:
        output.remark(one.failure or "it was not replayed, and is still in the dead-letter queue")
        raise typer.Exit(EXIT_LEFT)
    output.suggest(
        "The corrected copy was replayed in its place. What became of it:",
        f"refundctl status {dead_letter.cancel_request_id or one.dead_letter.cancel_request_id}",
    )


def _patch(text: str) -> object:
    source = Path(text[1:]).read_text(encoding="utf-8") if text.startswith("@") else text
    try:
        return strict_json.loads(source)
    except strict_json.NotStrictJson as error:
        raise typer.BadParameter(f"--patch is {error}") from None
