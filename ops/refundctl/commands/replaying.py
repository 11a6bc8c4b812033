"""``refundctl dlq replay``: verdicts, replays, and corrected copies of invalid messages."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Generator, Iterable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from refundctl.connection import Target, principal
from refundctl.editor import edited
from refundctl.letters import Shown, StatusInquiry, expected, find, pretty, summary
from refundctl.option_groups import with_option_groups
from refundctl.output import Output, age_of
from refundctl.parameters import Filters
from refundctl.spool import Spool
from refunds.ledger.audit import Actor
from refunds.operators.cancel_queues import CancelQueues, chosen
from refunds.operators.dead_letters import Selection
from refunds.operators.operations import Operations
from refunds.operators.rate_limiter import RateLimiter
from refunds.operators.repair import NotRepairable, check, patched
from refunds.operators.replay import USUAL, Judged, Plan
from refunds.operators.replay_verdicts import ReplayVerdict

EXIT_INCOMPLETE: Final = 4


@dataclass
class _Tally:
    """What a replay came to so far; ``whys`` is the first reason given for each verdict."""

    verdicts: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    whys: dict[tuple[str, str, str], str] = field(default_factory=dict)
    replayed: int = 0
    failed: int = 0
    unanswered: int = 0

    def add(self, one: Judged) -> None:
        key = (one.dead_letter.queues.cancel_type, one.dead_letter.error_code, one.judgement.verdict.value)
        self.verdicts[key] += 1
        self.whys.setdefault(key, one.judgement.why)
        self.replayed += one.replayed
        self.failed += one.failure is not None
        self.unanswered += one.judgement.unanswered


@with_option_groups
def replay(  # noqa: PLR0913 - one option each
    target: Target,
    filters: Filters,
    output: Output,
    *,
    yes: Annotated[
        bool, typer.Option("--yes", help="Replay; without it you are only told the verdicts.")
    ] = False,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="The oldest so many only.")] = None,
    rate: Annotated[float, typer.Option("--rate", min=0.1, max=1000, help="Messages per second.")] = 10.0,
    verdicts: Annotated[
        list[ReplayVerdict] | None,
        typer.Option("--verdict", help="Replay these verdicts; else done, safe and unknown."),
    ] = None,
    reason: Annotated[str | None, typer.Option("--reason", help="Why; for the audit trail.")] = None,
    by: Annotated[str | None, typer.Option("--by", help="Your name; else your AWS identity.")] = None,
    ask: StatusInquiry = True,
    edit: Annotated[
        bool,
        typer.Option("--edit", help="Correct the one invalid message chosen in $EDITOR, then replay it."),
    ] = False,
    patch: Annotated[
        str | None,
        typer.Option("--patch", help="Correct it by this JSON merge patch of the event's detail (@FILE)."),
    ] = None,
    show: Shown = 20,
) -> None:
    """Tell what replaying dead letters would do; with --yes, do it."""
    operations = target.operations()
    all_queues = chosen(operations.all_queues, filters.cancel_types or ())
    selection = filters.selection()
    actor = None
    if yes:
        if not reason:
            raise typer.BadParameter("--yes needs a --reason, for the audit trail")
        identity = principal(operations)
        actor = Actor(by or identity, identity, reason)
    if edit or patch is not None:
        _repair(operations, all_queues, selection, actor, patch, output, ask=ask)
        return
    if limit is not None:
        selection = Selection(
            ids=operations.dead_letters.oldest(all_queues, selection, limit) or frozenset({""})
        )
    worker = operations.replay(asks=ask)
    if actor is None:
        total = limit or expected(operations, all_queues, selection)
        _forecast(worker.forecast(all_queues, selection), total, operations, show, output)
        return
    plan = Plan(selection, actor, frozenset(verdicts) if verdicts else USUAL)
    tally = _Tally()
    with output.progress() as progress, closing(worker.run(all_queues, plan, RateLimiter(rate))) as judged:
        task = progress.add_task("replayed", total=limit or expected(operations, all_queues, selection))
        for one in judged:
            tally.add(one)
            output.row("message", **_told(one))
            progress.advance(task)
        progress.update(task, total=tally.verdicts.total())
    _report(tally, output, done=True)


def _forecast(
    judged: Generator[Judged, None, None],
    total: int | None,
    operations: Operations,
    show: int,
    output: Output,
) -> None:
    tally = _Tally()
    with Spool() as spool, closing(judged):
        with output.progress() as progress:
            task = progress.add_task("judged", total=total)
            for one in judged:
                tally.add(one)
                spool.add(one.dead_letter.sent_at, _told(one))
                progress.advance(task)
            progress.update(task, total=tally.verdicts.total())
        for row in spool.oldest_first(None if output.as_json else 0):
            output.row("message", **row)
        rows = [_verdict_cells(row, tally, operations.clock()) for row in spool.oldest_first(show)]
    if rows:
        columns = ["age", "type", "cancel_request_id", "verdict", ""]
        output.table(f"The oldest {len(rows)}", columns, rows, words=True)
    _report(tally, output, done=False)


def _verdict_cells(row: dict[str, Any], tally: _Tally, now: float) -> tuple[object, ...]:
    """A message of the forecast; why is told if it is not what the sum at the end says."""
    kind, verdict = row["cancel_type"], row["verdict"]
    usual = tally.whys[kind, row["error_code"], verdict]
    why = "" if row["verdict_why"] == usual else row["verdict_why"]
    return age_of(row["sent_at"], now), kind, row["cancel_request_id"], verdict, why


def _told(one: Judged) -> dict[str, Any]:
    verdict = {"verdict": one.judgement.verdict.value, "verdict_why": one.judgement.why}
    return summary(one.dead_letter) | verdict | {"replayed": one.replayed, "failure": one.failure}


def _report(tally: _Tally, output: Output, *, done: bool) -> None:
    ordered = sorted(tally.verdicts.items())
    for (kind, code, verdict), count in ordered:
        output.row("verdicts", cancel_type=kind, error_code=code, verdict=verdict, count=count)
    matched = tally.verdicts.total()
    counts = {"matched": matched, "replayed": tally.replayed, "failed": tally.failed}
    output.row("replay", **counts, unanswered=tally.unanswered, executed=done)
    if not matched:
        output.say("No dead letter is meant.")
        return
    rows = [(count, *key, tally.whys[key]) for key, count in ordered]
    output.table("Verdicts", ["count", "type", "error code", "verdict", "why (the first)"], rows, words=True)
    if tally.unanswered and not done:
        output.remark(
            f"{tally.unanswered} could not be asked about: wait until the provider answers. "
            "Their verdicts come from the ledger alone."
        )
    if done:
        _sum_up(tally, output)
    else:
        output.say("\nNothing was replayed: add --yes and --reason.")


def _sum_up(tally: _Tally, output: Output) -> None:
    left = tally.verdicts.total() - tally.replayed
    stayed = f" {left} stayed in the dead-letter queue." if left else ""
    output.say(f"\n{tally.replayed} replayed.{stayed}")
    if tally.failed:
        output.remark(f"{tally.failed} could not be sent: replay again")
        raise typer.Exit(EXIT_INCOMPLETE)
    if tally.replayed:
        output.suggest(
            "What fails again comes back within minutes; what became of one:",
            "refundctl dlq list",
            "refundctl status <cancel_request_id>",
        )


def _repair(  # noqa: PLR0913 - the command's own options
    operations: Operations,
    all_queues: Iterable[CancelQueues],
    selection: Selection,
    actor: Actor | None,
    patch: str | None,
    output: Output,
    *,
    ask: bool,
) -> None:
    """Correct one invalid message and replay the corrected copy in its place."""
    found = find(operations, all_queues, selection)
    if len(found) != 1:
        raise NotRepairable(f"{len(found)} messages are chosen: choose one with --id")
    dead_letter = found[0]
    body = edited(pretty(dead_letter.body)) if patch is None else patched(dead_letter, _patch(patch))
    changed = check(dead_letter, body)
    output.say(f"{dead_letter.message_id}: corrected in {', '.join(changed)}")
    if actor is None:
        output.row("repair", message_id=dead_letter.message_id, changed=changed, replayed=False)
        output.say("It is valid now. Nothing was replayed: add --yes and --reason.")
        return
    one = operations.replay(asks=ask).replace(dead_letter, body, actor, changed)
    output.row("repair", changed=changed, **_told(one))
    output.say(f"{one.judgement.verdict}: {one.judgement.why}")
    if not one.replayed:
        output.remark(one.failure or "it was not replayed, and is still in the dead-letter queue")
        raise typer.Exit(EXIT_INCOMPLETE)
    output.suggest(
        "The corrected copy was replayed in its place. What became of it:",
        f"refundctl status {dead_letter.cancel_request_id or one.dead_letter.cancel_request_id}",
    )


def _patch(text: str) -> object:
    source = Path(text[1:]).read_text(encoding="utf-8") if text.startswith("@") else text
    try:
        return json.loads(source)
    except ValueError:
        raise typer.BadParameter("--patch is no JSON") from None
