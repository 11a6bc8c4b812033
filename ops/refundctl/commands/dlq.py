"""``refundctl dlq``: list, show, replay, discard, export."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from refundctl.choices import check_verdict, complete_verdict
from refundctl.connection import Target
from refundctl.output import Output
from refundctl.parameters import By, Filters, Reason

Shown = Annotated[
    int, typer.Option("--show", metavar="N", min=0, help="How many messages to show, the oldest first.")
]
Ask = Annotated[
    bool, typer.Option("--ask/--no-ask", help="Ask the providers for a verdict, not the ledger alone.")
]


def list_messages(target: Target, filters: Filters, output: Output, *, show: Shown = 20) -> None:
    """List dead letters by cancel type and error code, the oldest first. They stay where they are."""
    from refundctl.actions import listing

    listing.list_messages(target, filters, output, show)


def show_message(
    identifier: Annotated[str, typer.Argument(metavar="ID", help="cancel_request_id or message id.")],
    target: Target,
    output: Output,
    *,
    ask: Ask = True,
) -> None:
    """Show a dead letter, personal data masked, and what replaying it would do."""
    from refundctl.actions import listing

    listing.show_message(identifier, target, output, ask=ask)


def export(
    target: Target,
    filters: Filters,
    output: Output,
    *,
    to: Annotated[Path, typer.Option("--to", metavar="FOLDER", help="Folder to write to.")],
    raw: Annotated[
        bool, typer.Option("--raw", help="With personal data; else masked. Delete the files after use.")
    ] = False,
) -> None:
    """Write dead letters as SQS events for `sam local invoke --event`, one file each."""
    from refundctl.actions import listing

    listing.export(target, filters, output, to, raw=raw)


def replay(  # noqa: PLR0913 - one option each
    target: Target,
    filters: Filters,
    output: Output,
    *,
    yes: Annotated[
        bool, typer.Option("--yes", help="Replay; without it you are only told the verdicts.")
    ] = False,
    step: Annotated[
        bool, typer.Option("--step", help="Go through them one by one, and decide at each.")
    ] = False,
    limit: Annotated[
        int | None, typer.Option("--limit", metavar="N", min=1, help="The oldest so many only.")
    ] = None,
    rate: Annotated[
        float, typer.Option("--rate", metavar="N", min=0.1, max=1000, help="Messages per second.")
    ] = 10.0,
    verdicts: Annotated[
        list[str] | None,
        typer.Option(
            "--verdict",
            metavar="VERDICT",
            callback=check_verdict,
            autocompletion=complete_verdict,
            help="Replay these verdicts; else done, safe and unknown. Repeatable.",
        ),
    ] = None,
    reason: Reason = None,
    by: By = None,
    ask: Ask = True,
    edit: Annotated[
        bool,
        typer.Option("--edit", help="Correct the one invalid message chosen in $EDITOR, then replay it."),
    ] = False,
    patch: Annotated[
        str | None,
        typer.Option(
            "--patch",
            metavar="JSON",
            help="Correct it by this JSON merge patch of the event's detail (@FILE).",
        ),
    ] = None,
    show: Shown = 20,
) -> None:
    """Tell what replaying dead letters would do; with --yes, do it. Exit code 4 if any are left."""
    if (yes or step) and not reason:
        raise typer.BadParameter(f"{'--step' if step else '--yes'} needs a --reason, for the audit trail")
    if step and (yes or edit or patch is not None):
        raise typer.BadParameter("--step asks at each message: leave --yes, --edit and --patch out")
    from refundctl.actions import repairing, replaying, stepping

    order = replaying.ReplayOrder(yes, limit, rate, tuple(verdicts or ()), reason, by, ask, show)
    if step:
        stepping.step(target, filters, output, order)
    elif edit or patch is not None:
        repairing.repair(target, filters, output, order, patch)
    else:
        replaying.replay(target, filters, output, order)


def discard(
    target: Target,
    output: Output,
    *,
    ids: Annotated[
        list[str], typer.Option("--id", metavar="ID", help="cancel_request_id or message id; repeatable.")
    ],
    by: Annotated[str, typer.Option("--by", metavar="NAME", help="Your name.")],
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; for the audit trail.")],
    yes: Annotated[bool, typer.Option("--yes", help="Discard; without it you are only told.")] = False,
) -> None:
    """Throw messages away whose requests never moved money: they end as failed, and accounting is told."""
    from refundctl.actions import discarding

    discarding.discard(target, ids, by, reason, output, yes=yes)
