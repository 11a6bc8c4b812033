"""``refundctl pause``, ``refundctl resume`` and ``refundctl sending``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from refundctl.connection import Target
from refundctl.option_groups import with_option_groups
from refundctl.output import Output
from refunds.operators.cancel_queues import chosen
from refunds.operators.operations import Operations
from refunds.operators.pause import SendingSwitch, Switched

CancelTypes = Annotated[
    list[str] | None, typer.Option("--type", "-t", help="Cancel type; again for more. Without it, every one.")
]


@with_option_groups
def pause(
    target: Target,
    output: Output,
    *,
    cancel_type: CancelTypes = None,
    single_events: Annotated[
        bool,
        typer.Option(
            "--single-events",
            help="Also stop events that invoke functions directly; they go to the DLQ: replay it after.",
        ),
    ] = False,
) -> None:
    """Stop sending. Everything stays queued, no receive is used up; what was received already ends."""
    operations = target.operations()
    all_queues = chosen(operations.all_queues, cancel_type or ())
    _report(_switch(operations).pause(all_queues, single_events=single_events), output)
    output.say("Queues keep messages for 4 days. `refundctl resume` goes on.")


@with_option_groups
def resume(target: Target, output: Output, *, cancel_type: CancelTypes = None) -> None:
    """Send again."""
    operations = target.operations()
    _report(_switch(operations).resume(chosen(operations.all_queues, cancel_type or ())), output)


@with_option_groups
def sending(target: Target, output: Output) -> None:
    """Whether each cancel type is sending or paused."""
    operations = target.operations()
    _report(_switch(operations).state(operations.all_queues), output)


def _switch(operations: Operations) -> SendingSwitch:
    return SendingSwitch(operations.aws("lambda"), operations.aws("sqs"))


def _report(switched: Sequence[Switched], output: Output) -> None:
    for one in switched:
        output.row("sending", cancel_type=one.cancel_type, state=one.state.value)
    output.table(
        "Sending", ["cancel type", "state"], [(one.cancel_type, one.state.value) for one in switched]
    )
