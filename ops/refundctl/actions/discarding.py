"""Throws dead letters away whose requests never moved money and never will."""

from __future__ import annotations

from collections.abc import Sequence

import typer

from refundctl.actions.actor import actor as acting
from refundctl.actions.dead_letters import find, summary
from refundctl.actions.matching import Seen
from refundctl.connection import Target
from refundctl.endings import EXIT_INTERRUPTED, EXIT_LEFT
from refundctl.output import Output
from refundctl.parameters import Filters
from refunds.operators.dead_letters import DeadLetterMessage
from refunds.operators.discarding import Discarded, DiscardRefused
from refunds.operators.operations import Operations


def discard(target: Target, ids: Sequence[str], by: str, reason: str, output: Output, *, yes: bool) -> None:
    """Tell what discarding each of them would mean; with ``yes``, do it."""
    operations = target.operations()
    actor = acting(operations, by, reason) if yes else None
    filters = Filters(ids=list(ids))
    seen = Seen(filters)
    found = find(operations, operations.all_queues, filters.selection())
    for dead_letter in found:
        seen.add(dead_letter)
    left = 0
    for number, dead_letter in enumerate(found):
        try:
            discarding = operations.discarding
            result = discarding.discard(dead_letter, actor) if actor else discarding.forecast(dead_letter)
        except DiscardRefused as error:
            result = Discarded(str(error))
        except KeyboardInterrupt:
            output.say(f"Interrupted after {number} of {len(found)}. Type the same command again to go on.")
            raise typer.Exit(EXIT_INTERRUPTED) from None
        left += yes and not result.removed
        _tell(operations, dead_letter, result, output)
    if found and not yes:
        output.say("\nNothing was discarded: add --yes.")
    seen.check()
    if left:
        raise typer.Exit(EXIT_LEFT)


def _tell(operations: Operations, dead_letter: DeadLetterMessage, result: Discarded, output: Output) -> None:
    facts = summary(dead_letter, operations.clock())
    output.row("discarded", **facts, removed=result.removed, told=result.told, what=result.what)
    name = dead_letter.cancel_request_id or dead_letter.message_id
    output.say(f"{dead_letter.queues.cancel_type} {name}: {result.what}")
