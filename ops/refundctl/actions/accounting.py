"""Publishes outcomes again, and compares a provider's books with the ledger."""

from __future__ import annotations

import csv
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final, TextIO

import typer

from refundctl.connection import Target
from refundctl.endings import EXIT_DIFFERENCES, EXIT_INTERRUPTED, EXIT_LEFT
from refundctl.output import Output, iso, utc
from refundctl.parameters import moment
from refunds.operators.functions import offset
from refunds.operators.rate_limiter import RateLimiter
from refunds.operators.reconciliation import Difference, Window
from refunds.operators.republication import Period

_NAMED: Final = 5  # ledger items named in a sentence


@dataclass(frozen=True)
class Republishing:
    """Which outcomes are meant, and how they are published."""

    since: str
    until: str
    cancel_types: tuple[str, ...]
    rate: float
    yes: bool


def republish(target: Target, output: Output, order: Republishing) -> None:
    """Publish stored outcomes again; without ``yes`` they are only counted."""
    operations = target.operations()
    now = operations.clock()
    period = Period(moment(order.since, now), moment(order.until, now), order.cancel_types)
    counts: Counter[tuple[str, str]] = Counter()
    failed = 0
    if not order.yes:
        for outcome in operations.republication.outcomes(period):
            counts[outcome.cancel_type, outcome.outcome] += 1
        _tell_published(output, period, counts, failed, published=False)
        return
    try:
        with output.progress() as progress:
            task = progress.add_task("published", total=None)
            for outcome, taken in operations.republication.run(period, RateLimiter(order.rate)):
                counts[outcome.cancel_type, outcome.outcome] += taken
                failed += not taken
                progress.advance(task)
    except KeyboardInterrupt:
        _tell_published(output, period, counts, failed, published=True)
        output.remark("Interrupted. Type it again: what accounting has already, it recognises.")
        raise typer.Exit(EXIT_INTERRUPTED) from None
    _tell_published(output, period, counts, failed, published=True)
    if operations.unreadable:
        names = ", ".join(map(str, list(operations.unreadable)[:_NAMED]))
        output.remark(
            f"{len(operations.unreadable)} ledger items cannot be read and were passed over: {names}"
        )
    if failed:
        output.remark(f"EventBridge did not take {failed} outcomes: run it again")
    if failed or operations.unreadable:
        raise typer.Exit(EXIT_LEFT)


def _tell_published(
    output: Output, period: Period, counts: Counter[tuple[str, str]], failed: int, *, published: bool
) -> None:
    title = f"{'Published' if published else 'To be published'}: {iso(period.since)} … {iso(period.until)}"
    rows = [(count, *key) for key, count in sorted(counts.items())]
    if rows:
        output.table(title, ["count", "type", "outcome"], rows)
    else:
        output.say(f"No outcome was recorded between {iso(period.since)} and {iso(period.until)}.")
    for (kind, ending), count in sorted(counts.items()):
        output.row("outcomes", cancel_type=kind, outcome=ending, count=count)
    output.row("republication", published=published, total=counts.total(), failed=failed)
    if rows and not published:
        output.say("Nothing was published: add --yes.")


@dataclass(frozen=True)
class Comparison:
    """What is compared, and where the differences are written."""

    day: str | None
    days: int
    utc_offset: str
    tiers: tuple[str, ...]
    csv_path: str | None


def reconcile(target: Target, output: Output, order: Comparison) -> None:
    """Compare PortOne's cancellations of some days with the ledger."""
    zone = offset(order.utc_offset)
    yesterday = (datetime.now(UTC).astimezone(zone) - timedelta(days=1)).date()
    first = _date(order.day) if order.day else yesterday
    operations = target.operations()
    found: list[Difference] = []
    window = Window.of_days(first, order.days, zone)
    for difference in operations.reconciliation(order.tiers).run(window):
        found.append(difference)
        output.row("difference", **_values(difference))
    kinds = Counter(difference.kind.value for difference in found)
    output.row("reconciliation", date=first.isoformat(), days=order.days, differences=dict(kinds))
    if order.csv_path is not None:
        _write_csv(order.csv_path, found)
    if order.csv_path != "-":
        last = first + timedelta(days=order.days - 1)
        _show(output, f"{first}" if order.days == 1 else f"{first} … {last}", found)
    if found:
        raise typer.Exit(EXIT_DIFFERENCES)


def _values(difference: Difference) -> dict[str, Any]:
    """As a row: amounts are numbers, the time is in UTC."""
    found = asdict(difference)
    return found | {"kind": difference.kind.value, "at": utc(difference.at) if difference.at else None}


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no date such as 2026-11-20") from None


def _show(output: Output, period: str, found: Sequence[Difference]) -> None:
    if not found:
        output.say(f"PortOne and the ledger agree ({period}).")
        return
    columns = ["difference", "imp_uid", "PortOne", "ledger", "", "what"]
    rows = [(one.kind.value, one.imp_uid, *_amounts(one), one.currency, _in_words(one)) for one in found]
    output.table(f"{len(found)} differences, {period}", columns, rows, words=True)
    headings = sorted({f"reconcile-{one.kind.value.replace('_', '-')}" for one in found})
    output.suggest("What to do:", *(f"refundctl explain {heading}" for heading in headings))


def _amounts(one: Difference) -> tuple[str, str]:
    """Both, with thousands set apart."""
    first, second = (
        "" if amount is None else f"{amount:,f}" for amount in (one.provider_amount, one.ledger_amount)
    )
    return first, second


def _in_words(one: Difference) -> str:
    names = (
        ("", one.cancel_request_id),
        ("cancellation ", one.cancellation_id),
        ("at ", one.at and utc(one.at)),
    )
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
        writer.writerow({name: _safe(value) for name, value in _values(difference).items()})


def _safe(value: object) -> object:
    """A spreadsheet takes text that begins like a formula for one."""
    return f"'{value}" if isinstance(value, str) and value[:1] in "=+-@" else value
