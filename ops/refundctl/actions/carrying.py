"""Carries waiting messages over, which SQS would delete at the end of their queue's retention."""

from __future__ import annotations

from collections.abc import Sequence

import typer

from refundctl.actions.depths import depth
from refundctl.connection import Target
from refundctl.endings import EXIT_INTERRUPTED, EXIT_LEFT
from refundctl.output import Output
from refunds.operators.cancel_queues import CancelQueues, chosen
from refunds.operators.carry_over import CarriedOver
from refunds.operators.operations import Operations
from refunds.operators.pause import Sending


def carry_over(
    target: Target, output: Output, cancel_types: Sequence[str], older_than: float, *, yes: bool
) -> None:
    """Tell what waits; with ``yes``, give what is older than so many seconds a fresh copy."""
    operations = target.operations()
    all_queues = chosen(operations.all_queues, cancel_types)
    if not yes:
        _forecast(operations, all_queues, output)
        return
    done: list[CarriedOver] = []
    try:
        for queues in all_queues:
            done += operations.carry_over.run([queues], older_than=older_than)
    except KeyboardInterrupt:
        _report(done, output)
        output.say("Interrupted: nothing is lost. Type the same command again to go on.")
        raise typer.Exit(EXIT_INTERRUPTED) from None
    _report(done, output)
    unseen = sum(one.unseen for one in done)
    if unseen:
        output.remark(f"Incomplete: SQS did not show about {unseen} messages. Type it again.")
        raise typer.Exit(EXIT_LEFT)


def _forecast(operations: Operations, all_queues: Sequence[CancelQueues], output: Output) -> None:
    states = {one.cancel_type: one.state for one in operations.sending.state(all_queues)}
    rows = [
        (one.cancel_type, states[one.cancel_type], depth(operations, one.queue_url).total)
        for one in all_queues
    ]
    for kind, state, waiting in rows:
        output.row("waiting", cancel_type=kind, state=state.value, messages=waiting)
    output.table("Waiting", ["type", "state", "messages"], [(k, s.value, w) for k, s, w in rows])
    running = any(state is not Sending.PAUSED for state in states.values())
    output.say(f"\nNothing was carried over: {'pause first, then add' if running else 'add'} --yes.")


def _report(done: Sequence[CarriedOver], output: Output) -> None:
    for one in done:
        output.row("carried_over", cancel_type=one.cancel_type, messages=one.messages, unseen=one.unseen)
    output.table("Carried over", ["type", "messages"], [(one.cancel_type, one.messages) for one in done])
