"""``refundctl pause``, ``resume``, ``sending``, ``carry-over`` and ``queues``."""

from __future__ import annotations

from typing import Annotated

import typer

from refundctl.connection import Target
from refundctl.output import Output
from refundctl.parameters import CancelTypes, duration


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


def resume(target: Target, output: Output, *, cancel_types: CancelTypes = None) -> None:
    """Send again."""
    from refundctl.actions import switching

    switching.resume(target, output, cancel_types or ())


def sending(target: Target, output: Output) -> None:
    """Whether each cancel type is sending or paused."""
    from refundctl.actions import switching

    switching.sending(target, output)


def carry_over(
    target: Target,
    output: Output,
    *,
    cancel_types: CancelTypes = None,
    older_than: Annotated[
        str, typer.Option("--older-than", metavar="AGE", help="In the queue for at least: 90s, 15m, 2h, 3d.")
    ] = "0s",
    yes: Annotated[
        bool, typer.Option("--yes", help="Do it; without it you are only told what waits.")
    ] = False,
) -> None:
    """Give the waiting messages of paused queues fresh copies: their four days begin anew.

    Each copy is sent before its original is deleted; of one that is there twice, one is carried out. Every
    message that is looked at and stays uses up a receive.
    """
    oldest = duration(older_than)
    from refundctl.actions import carrying

    carrying.carry_over(target, output, cancel_types or (), oldest, yes=yes)


def queues(target: Target, output: Output, *, cancel_types: CancelTypes = None) -> None:
    """How many messages wait in each queue and dead-letter queue, and for how long."""
    from refundctl.actions import queueing

    queueing.queues(target, output, cancel_types or ())
