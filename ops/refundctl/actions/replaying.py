"""Verdicts, and replays by them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, Final

import typer

from refundctl.actions.actor import actor as acting
from refundctl.actions.dead_letters import expected, summary, tell_unseen
from refundctl.actions.leftovers import Leftovers
from refundctl.actions.matching import Seen
from refundctl.actions.spool import Spool
from refundctl.connection import Target
from refundctl.endings import EXIT_INTERRUPTED, EXIT_LEFT
from refundctl.output import Output, span
from refundctl.parameters import Filters
from refunds.operators.cancel_queues import chosen
from refunds.operators.dead_letters import Selection
from refunds.operators.operations import Operations
from refunds.operators.rate_limiter import RateLimiter
from refunds.operators.replay import USUAL, Judged, Plan
from refunds.operators.replay_verdicts import ReplayVerdict

_NOBODY: Final = frozenset({""})


@dataclass(frozen=True)
class ReplayOrder:
    """What was typed besides the filters."""

    yes: bool
    limit: int | None
    rate: float
    verdicts: tuple[str, ...]
    reason: str | None
    by: str | None
    ask: bool
    show: int


@dataclass
class Tally:
    """What a replay came to so far; ``whys`` is the first reason given for each verdict."""

    seen: Seen
    leftovers: Leftovers
    verdicts: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    whys: dict[tuple[str, str, str], str] = field(default_factory=dict)
    replayed: int = 0
    failed: int = 0
    unanswered: int = 0

    def add(self, one: Judged) -> None:
        """One message that was judged, and perhaps replayed."""
        key = (one.dead_letter.queues.cancel_type, one.dead_letter.error_code, one.judgement.verdict.value)
        self.seen.add(one.dead_letter)
        self.verdicts[key] += 1
        self.whys.setdefault(key, one.judgement.why)
        self.replayed += one.replayed
        self.failed += one.failure is not None
        self.unanswered += one.judgement.unanswered
        self.leftovers.add(one)


def replay(target: Target, filters: Filters, output: Output, order: ReplayOrder) -> None:
    """Tell what replaying would do; with ``yes``, do it."""
    operations = target.operations()
    all_queues = chosen(operations.all_queues, filters.cancel_types or ())
    selection = filters.selection()
    actor = acting(operations, order.by, order.reason) if order.yes else None
    if order.limit is not None:
        oldest = operations.dead_letters.oldest(all_queues, selection, order.limit)
        selection = Selection(ids=oldest or _NOBODY)
    worker = operations.replay(asks=order.ask)
    total = order.limit or expected(operations, all_queues, selection)
    tally = Tally(Seen(_asked_for(filters, order)), Leftovers())
    if actor is None:
        _forecast(worker.forecast(all_queues, selection), total, operations, tally, output, show=order.show)
        return
    plan = Plan(selection, actor, frozenset(map(ReplayVerdict, order.verdicts)) or USUAL)
    try:
        _carry_out(worker.run(all_queues, plan, RateLimiter(order.rate)), total, operations, tally, output)
    except KeyboardInterrupt:
        _report(tally, output, done=True, interrupted=True)
        output.say(f"Interrupted: {_so_far(tally)}. Nothing is lost.")
        output.suggest("Type the same command again to go on.")
        raise typer.Exit(EXIT_INTERRUPTED) from None
    _report(tally, output, done=True)
    unseen = tell_unseen(operations, output)
    _sum_up(tally, output, unseen)


def _asked_for(filters: Filters, order: ReplayOrder) -> Filters:
    """With a limit, an id beyond it is not missing."""
    if order.limit is None:
        return filters
    return Filters(error_codes=filters.error_codes or filters.orders or filters.ids or filters.matches)


def _carry_out(
    judged: Generator[Judged, None, None],
    total: int | None,
    operations: Operations,
    tally: Tally,
    output: Output,
) -> None:
    with output.progress() as progress, closing(judged):
        task = progress.add_task("replayed", total=total)
        for one in judged:
            tally.add(one)
            output.row("message", **told(one, operations.clock()))
            progress.advance(task)
        progress.update(task, total=tally.verdicts.total())


def _forecast(
    judged: Generator[Judged, None, None],
    total: int | None,
    operations: Operations,
    tally: Tally,
    output: Output,
    *,
    show: int,
) -> None:
    with Spool() as spool, closing(judged):
        with output.progress() as progress:
            task = progress.add_task("judged", total=total)
            for one in judged:
                tally.add(one)
                spool.add(one.dead_letter.sent_at, told(one, operations.clock()))
                progress.advance(task)
            progress.update(task, total=tally.verdicts.total())
        for row in spool.oldest_first(None if output.as_json else 0):
            output.row("message", **row)
        rows = [_verdict_cells(row, tally) for row in spool.oldest_first(show)]
    if rows:
        columns = ["age", "type", "cancel_request_id", "verdict", ""]
        output.table(f"The oldest {len(rows)}", columns, rows, words=True)
    _report(tally, output, done=False)
    if tally.unanswered:
        output.remark(
            f"{tally.unanswered} could not be asked about: wait until the provider answers. "
            "Their verdicts come from the ledger alone."
        )
    if tally.verdicts:
        output.say("\nNothing was replayed: add --yes and --reason.")
    tell_unseen(operations, output)
    tally.seen.check()


def _verdict_cells(row: dict[str, Any], tally: Tally) -> tuple[object, ...]:
    """A message of the forecast; why is told if it is not what the sum at the end says."""
    kind, verdict = row["cancel_type"], row["verdict"]
    usual = tally.whys[kind, row["error_code"], verdict]
    why = "" if row["verdict_why"] == usual else row["verdict_why"]
    return span(row["age_seconds"]), kind, row["cancel_request_id"], verdict, why


def told(one: Judged, now: float) -> dict[str, Any]:
    """A message with its verdict, as a row."""
    verdict = {"verdict": one.judgement.verdict.value, "verdict_why": one.judgement.why}
    return summary(one.dead_letter, now) | verdict | {"replayed": one.replayed, "failure": one.failure}


def _report(tally: Tally, output: Output, *, done: bool, interrupted: bool = False) -> None:
    ordered = sorted(tally.verdicts.items())
    for (kind, code, verdict), count in ordered:
        output.row("verdicts", cancel_type=kind, error_code=code, verdict=verdict, count=count)
    matched = tally.verdicts.total()
    counts = {"matched": matched, "replayed": tally.replayed, "failed": tally.failed}
    left = matched - tally.replayed if done else 0
    output.row(
        "replay", **counts, left=left, unanswered=tally.unanswered, executed=done, interrupted=interrupted
    )
    if matched:
        rows = [(count, *key, tally.whys[key]) for key, count in ordered]
        columns = ["count", "type", "error code", "verdict", "why (the first)"]
        output.table("Verdicts", columns, rows, words=True)
    elif not interrupted:
        output.say("No messages match.")


def _so_far(tally: Tally) -> str:
    return f"{tally.replayed} replayed, {tally.verdicts.total() - tally.replayed} looked at and left"


def _sum_up(tally: Tally, output: Output, unseen: int) -> None:
    left = tally.verdicts.total() - tally.replayed
    if tally.verdicts:
        stayed = f" {left} stayed in the dead-letter queue:" if left else ""
        output.say(f"\n{tally.replayed} replayed.{stayed}")
    tally.leftovers.show(output)
    if tally.replayed:
        output.suggest(
            "What fails again comes back within minutes; what became of one:",
            "refundctl dlq list",
            "refundctl status <cancel_request_id>",
        )
    if left or tally.failed or unseen:
        raise typer.Exit(EXIT_LEFT)
    tally.seen.check()
