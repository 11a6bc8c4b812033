"""``refundctl pause``, ``refundctl resume``, ``refundctl sending`` and ``refundctl queues``."""

from __future__ import annotations

from typing import Annotated

import typer

from refundctl.connection import Target
from refundctl.option_groups import with_option_groups
from refundctl.output import Output
from refundctl.parameters import CancelTypes


@with_option_groups
def pause(
    target: Target,
    output: Output,
    *,
    cancel_types: CancelTypes = None,
    single_events: Annotated[
        bool,
        typer.Option(
            "--single-events",
            help="Also stop events that invoke functions directly; they go to the DLQ: replay it after.",
        ),
    ] = False,
) -> None:
    """Stop sending. Everything stays queued, no receive is used up; what was received already ends."""
    from refundctl.actions import switching

    switching.pause(target, output, cancel_types or (), single_events=single_events)


@with_option_groups
def resume(target: Target, output: Output, *, cancel_types: CancelTypes = None) -> None:
    """Send again."""
    from refundctl.actions import switching

    switching.resume(target, output, cancel_types or ())


@with_option_groups
def sending(target: Target, output: Output) -> None:
    """Whether each cancel type is sending or paused."""
    from refundctl.actions import switching

    switching.sending(target, output)


@with_option_groups
def queues(target: Target, output: Output, *, cancel_types: CancelTypes = None) -> None:
    """How many messages wait in each queue and dead-letter queue, and for how long."""
    from refundctl.actions import queueing

    queueing.queues(target, output, cancel_types or ())
