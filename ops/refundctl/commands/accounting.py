"""``refundctl republish`` and ``refundctl reconcile``."""

from __future__ import annotations

import csv
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, fields
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Final, TextIO

import typer

from refundctl.connection import Target
from refundctl.option_groups import with_option_groups
from refundctl.output import Output, iso
from refundctl.parameters import moment
from refunds.operators.cancel_queues import chosen
from refunds.operators.functions import offset
from refunds.operators.rate_limiter import RateLimiter
from refunds.operators.reconciliation import Difference, Window
from refunds.operators.republication import Period

EXIT_DIFFERENCES: Final = 3
EXIT_UNPUBLISHED: Final = 4


@with_option_groups
def republish(  # noqa: PLR0913 - one option each
    target: Target,
    output: Output,
    *,
    since: Annotated[
        str, typer.Option("--since", help="Recorded since: 2026-11-21T05:00:00+09:00, or how long ago: 2h.")
    ],
    until: Annotated[str, typer.Option("--until", help="Recorded before; likewise.")] = "0s",
    cancel_types: Annotated[
        list[str] | None, typer.Option("--cancel-type", "-t", help="Cancel type; repeatable.")
    ] = None,
    rate: Annotated[float, typer.Option("--rate", min=0.1, help="Outcomes per second.")] = 50.0,
    yes: Annotated[bool, typer.Option("--yes", help="Publish; without it they are only counted.")] = False,
) -> None:
    """Publish stored outcomes again, with the same outcome_id, for an accounting system that lost them."""
    operations = target.operations()
    now = operations.clock()
    kinds = tuple(queues.cancel_type for queues in chosen(operations.all_queues, cancel_types or ()))
    period = Period(moment(since, now), moment(until, now), kinds if cancel_types else ())
    counts: Counter[tuple[str, str]] = Counter()
    failed = 0
    if not yes:
        for outcome in operations.republication.outcomes(period):
            counts[outcome.cancel_type, outcome.outcome] += 1
    else:
        with output.progress() as progress:
            task = progress.add_task("published", total=None)
            for outcome, taken in operations.republication.run(period, RateLimiter(rate)):
                counts[outcome.cancel_type, outcome.outcome] += taken
                failed += not taken
                progress.advance(task)
    title = f"{'Published' if yes else 'To be published'}: {iso(period.since)} … {iso(period.until)}"
    output.table(
        title, ["count", "type", "outcome"], [(count, *key) for key, count in sorted(counts.items())]
    )
    for (kind, ending), count in sorted(counts.items()):
        output.row("outcomes", cancel_type=kind, outcome=ending, count=count)
    output.row("republication", published=yes, total=counts.total(), failed=failed)
    if not yes:
        output.say("Nothing was published: add --yes.")
    if failed:
        output.remark(f"EventBridge did not take {failed} outcomes: run it again")
        raise typer.Exit(EXIT_UNPUBLISHED)


@with_option_groups
def reconcile(  # noqa: PLR0913 - one option each
    target: Target,
    output: Output,
    *,
    day: Annotated[str | None, typer.Option("--date", help="First day, 2026-11-20; else yesterday.")] = None,
    days: Annotated[int, typer.Option("--days", min=1, max=90, help="How many days.")] = 1,
    utc_offset: Annotated[str, typer.Option("--utc-offset", help="Where the days begin and end.")] = "+09:00",
    tiers: Annotated[
        list[str] | None, typer.Option("--tier", help="Sub-merchant to list too; repeatable.")
    ] = None,
    csv_path: Annotated[
        str | None, typer.Option("--csv", help="Write the differences to this file, - for standard output.")
    ] = None,
) -> None:
    """Compare PortOne's cancellations of a day with the ledger. Exit code 3 if they differ, 0 if not."""
    if output.as_json and csv_path == "-":
        raise typer.BadParameter("--csv - and --json would mix on standard output: name a file")
    zone = offset(utc_offset)
    yesterday = (datetime.now(UTC).astimezone(zone) - timedelta(days=1)).date()
    first = _date(day) if day else yesterday
    operations = target.operations()
    found: list[Difference] = []
    for difference in operations.reconciliation(tiers or ()).run(Window.of_days(first, days, zone)):
        found.append(difference)
        output.row("difference", **asdict(difference))
    kinds = Counter(difference.kind.value for difference in found)
    output.row("reconciliation", date=first.isoformat(), days=days, differences=dict(kinds))
    if csv_path is not None:
        _write_csv(csv_path, found)
    if csv_path != "-":
        last = first + timedelta(days=days - 1)
        _show(output, f"{first}" if days == 1 else f"{first} … {last}", found)
    if found:
        raise typer.Exit(EXIT_DIFFERENCES)


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no date such as 2026-11-20") from None


def _show(output: Output, period: str, found: Sequence[Difference]) -> None:
    if not found:
        output.say(f"PortOne and the ledger agree ({period}).")
        return
    columns = ["difference", "imp_uid", "PortOne", "ledger", "what"]
    rows = [
        (one.kind.value, one.imp_uid, one.provider_amount, one.ledger_amount, _in_words(one)) for one in found
    ]
    output.table(f"{len(found)} differences, {period}", columns, rows, words=True)
    headings = sorted({f"reconcile-{one.kind.value.replace('_', '-')}" for one in found})
    output.suggest(f"docs/runbook.md says what to do: {', '.join(headings)}.")


def _in_words(one: Difference) -> str:
    names = (("", one.cancel_request_id), ("cancellation ", one.cancellation_id), ("at ", one.at))
    known = [f"{name}{value}" for name, value in names if value is not None]
    return f"{one.note} ({', '.join(known)})"


def _write_csv(path: str, found: Iterable[Difference]) -> None:
    if path == "-":
        _csv(sys.stdout, found)
        return
    with Path(path).open("w", newline="", encoding="utf-8") as file:
        _csv(file, found)


def _csv(file: TextIO, found: Iterable[Difference]) -> None:
    writer = csv.DictWriter(file, [field.name for field in fields(Difference)])
    writer.writeheader()
    for difference in found:
        writer.writerow({name: _safe(value) for name, value in asdict(difference).items()})


def _safe(value: object) -> object:
    """A spreadsheet takes text that begins like a formula for one."""
    return f"'{value}" if isinstance(value, str) and value[:1] in "=+-@" else value
