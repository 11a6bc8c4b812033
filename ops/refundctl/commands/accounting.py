"""``refundctl republish`` and ``refundctl reconcile``."""

from __future__ import annotations

from typing import Annotated

import typer

from refundctl.connection import Target
from refundctl.output import Output
from refundctl.parameters import CancelTypes


def republish(  # noqa: PLR0913 - one option each
    target: Target,
    output: Output,
    *,
    since: Annotated[
        str,
        typer.Option(
            "--since",
            metavar="TIME",
            help="Recorded since: 2026-11-21T05:00:00+09:00, or how long ago: 2h.",
        ),
    ],
    until: Annotated[str, typer.Option("--until", metavar="TIME", help="Recorded before; likewise.")] = "0s",
    cancel_types: CancelTypes = None,
    rate: Annotated[float, typer.Option("--rate", metavar="N", min=0.1, help="Outcomes per second.")] = 50.0,
    yes: Annotated[bool, typer.Option("--yes", help="Publish; without it they are only counted.")] = False,
) -> None:
    """Publish stored outcomes again, with the same outcome_id, for an accounting system that lost them."""
    from refundctl.actions import accounting

    order = accounting.Republishing(since, until, tuple(cancel_types or ()), rate, yes)
    accounting.republish(target, output, order)


def reconcile(  # noqa: PLR0913 - one option each
    target: Target,
    output: Output,
    *,
    day: Annotated[
        str | None,
        typer.Option("--date", metavar="DATE", help="First day, 2026-11-20; else yesterday."),
    ] = None,
    days: Annotated[int, typer.Option("--days", metavar="N", min=1, max=90, help="How many days.")] = 1,
    utc_offset: Annotated[
        str, typer.Option("--utc-offset", metavar="OFFSET", help="Where the days begin and end.")
    ] = "+09:00",
    tiers: Annotated[
        list[str] | None,
        typer.Option("--tier", metavar="TIER", help="Sub-merchant to list too; repeatable."),
    ] = None,
    csv_path: Annotated[
        str | None,
        typer.Option(
            "--csv", metavar="FILE", help="Write the differences to this file, - for standard output."
        ),
    ] = None,
) -> None:
    """Compare PortOne's cancellations of a day with the ledger. Exit code 3 if they differ, 0 if not."""
    if output.as_json and csv_path == "-":
        raise typer.BadParameter("--csv - and --json would mix on standard output: name a file")
    from refundctl.actions import accounting

    order = accounting.Comparison(day, days, utc_offset, tuple(tiers or ()), csv_path)
    accounting.reconcile(target, output, order)
