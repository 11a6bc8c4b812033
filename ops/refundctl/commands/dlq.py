"""``refundctl dlq``: list, show, replay, export."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Generator, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from refundctl.connection import Target, principal
from refundctl.editor import edited
from refundctl.option_groups import with_option_groups
from refundctl.output import Output, age_of, iso
from refundctl.parameters import Filters
from refundctl.spool import Spool
from refunds.operators.audit import Actor
from refunds.operators.dead_letters import Letter, Selection
from refunds.operators.desk import Desk
from refunds.operators.lanes import Lane, chosen
from refunds.operators.masking import mask, mask_body
from refunds.operators.pace import Pace
from refunds.operators.repair import NotRepairable, check, patched
from refunds.operators.replay import USUAL, Judged, Plan
from refunds.operators.verdicts import Verdict

EXIT_INCOMPLETE: Final = 4

app = typer.Typer(no_args_is_help=True, help="Dead-letter queues: list, show, replay, export.")

Shown = Annotated[int, typer.Option("--show", min=0, help="How many messages to show, the oldest first.")]
Asking = Annotated[
    bool, typer.Option("--ask/--no-ask", help="Ask the providers for a verdict, not the ledger alone.")
]


@dataclass
class _Group:
    """Messages of one cancel type and error code."""

    count: int = 0
    oldest: float = float("inf")
    newest: float = 0.0
    example: str = ""

    def add(self, letter: Letter) -> None:
        self.count += 1
        if letter.sent_at < self.oldest:
            self.oldest, self.example = letter.sent_at, letter.error_message
        self.newest = max(self.newest, letter.sent_at)


@app.command("list")
@with_option_groups
def list_messages(target: Target, filters: Filters, output: Output, *, show: Shown = 20) -> None:
    """List dead letters by cancel type and error code, the oldest first. They stay where they are."""
    desk = target.desk()
    lanes = chosen(desk.lanes, filters.cancel_types or ())
    groups: dict[tuple[str, str], _Group] = {}
    with Spool() as spool:
        _read(desk, lanes, filters.selection(), groups, spool)
        _tell_groups(groups, output)
        for row in spool.oldest_first(None if output.as_json else 0):
            output.row("message", **row)
        oldest = list(spool.oldest_first(show))
    if not groups:
        output.say("No dead letters.")
        return
    # What sums it up comes last: that is what a terminal still shows.
    _show_messages(oldest, groups, desk.clock(), output)
    _show_groups(groups, desk.clock(), output)
    output.suggest(
        "docs/runbook.md has an entry for each error code. To see one message, and what a replay would do:",
        "refundctl dlq show <cancel_request_id>",
        "refundctl dlq replay",
    )


def _read(
    desk: Desk,
    lanes: Iterable[Lane],
    selection: Selection,
    groups: dict[tuple[str, str], _Group],
    spool: Spool,
) -> None:
    with closing(desk.dead_letters.letters(lanes, selection)) as receives:
        for letters in receives:
            for letter in letters:
                groups.setdefault((letter.lane.cancel_type, letter.error_code), _Group()).add(letter)
                spool.add(letter.sent_at, _summary(letter))


def _tell_groups(groups: dict[tuple[str, str], _Group], output: Output) -> None:
    for (kind, code), group in _by_age(groups):
        ages = {"oldest": iso(group.oldest), "newest": iso(group.newest)}
        output.row("group", cancel_type=kind, error_code=code, count=group.count, why=group.example, **ages)


def _show_groups(groups: dict[tuple[str, str], _Group], now: float, output: Output) -> None:
    output.table(
        f"{sum(group.count for group in groups.values())} dead letters",
        ["count", "type", "error code", "oldest", "newest", "why (the oldest)"],
        [
            (group.count, kind, code, age_of(group.oldest, now), age_of(group.newest, now), group.example)
            for (kind, code), group in _by_age(groups)
        ],
        words=True,
    )


def _by_age(groups: dict[tuple[str, str], _Group]) -> list[tuple[tuple[str, str], _Group]]:
    return sorted(groups.items(), key=lambda item: item[1].oldest)


def _show_messages(
    oldest: Sequence[dict[str, Any]], groups: dict[tuple[str, str], _Group], now: float, output: Output
) -> None:
    """The oldest messages; why is told of those for which it is not what their group says."""
    if not oldest:
        return
    rows = []
    for row in oldest:
        usual = groups[row["cancel_type"], row["error_code"]].example
        names = ("cancel_type", "error_code", "cancel_request_id", "order_id")
        cells = [row[name] for name in names]
        rows.append((age_of(row["sent_at"], now), *cells, "" if row["why"] == usual else row["why"]))
    columns = ["age", "type", "error code", "cancel_request_id", "order_id", ""]
    output.table(f"The oldest {len(rows)}", columns, rows, words=True)


def _summary(letter: Letter) -> dict[str, Any]:
    return {
        "cancel_type": letter.lane.cancel_type,
        "error_code": letter.error_code,
        "cancel_request_id": letter.cancel_request_id,
        "order_id": letter.order_id,
        "message_id": letter.message_id,
        "sent_at": letter.sent_at,
        "why": letter.error_message,
    }


@app.command("show")
@with_option_groups
def show_message(
    identifier: Annotated[str, typer.Argument(help="cancel_request_id or message id.")],
    target: Target,
    output: Output,
    *,
    ask: Asking = True,
) -> None:
    """Show a dead letter, personal data masked, and what replaying it would do."""
    desk = target.desk()
    found = _find(desk, desk.lanes, Selection(ids=frozenset({identifier})))
    if not found:
        output.remark(f"no dead letter has the id {identifier}")
        raise typer.Exit(1)
    for letter, judgement in zip(found, desk.judge(asks=ask).judge(found), strict=True):
        facts = _summary(letter) | {"verdict": judgement.verdict.value, "verdict_why": judgement.why}
        body = mask_body(letter.body)
        output.row("message", **facts, attributes=mask(dict(letter.attributes)), body=body)
        shown = facts | {"sent_at": iso(letter.sent_at)}
        output.facts(letter.message_id, shown.items())
        output.say(_pretty(body))


def _find(desk: Desk, lanes: Iterable[Lane], selection: Selection) -> list[Letter]:
    with closing(desk.dead_letters.letters(lanes, selection)) as receives:
        return [letter for letters in receives for letter in letters]


def _pretty(body: str) -> str:
    try:
        return json.dumps(json.loads(body), ensure_ascii=False, indent=2)
    except ValueError:
        return body


@dataclass
class _Tally:
    """What a replay came to so far; ``whys`` is the first reason given for each verdict."""

    verdicts: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    whys: dict[tuple[str, str, str], str] = field(default_factory=dict)
    replayed: int = 0
    failed: int = 0
    unanswered: int = 0

    def add(self, one: Judged) -> None:
        key = (one.letter.lane.cancel_type, one.letter.error_code, one.judgement.verdict.value)
        self.verdicts[key] += 1
        self.whys.setdefault(key, one.judgement.why)
        self.replayed += one.replayed
        self.failed += one.failure is not None
        self.unanswered += one.judgement.unanswered


@app.command("replay")
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
        list[Verdict] | None,
        typer.Option("--verdict", help="Replay these verdicts; else done, safe and unknown."),
    ] = None,
    reason: Annotated[str | None, typer.Option("--reason", help="Why; for the audit trail.")] = None,
    by: Annotated[str | None, typer.Option("--by", help="Your name; else your AWS identity.")] = None,
    ask: Asking = True,
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
    desk = target.desk()
    lanes = chosen(desk.lanes, filters.cancel_types or ())
    selection = filters.selection()
    actor = None
    if yes:
        if not reason:
            raise typer.BadParameter("--yes needs a --reason, for the audit trail")
        identity = principal(desk)
        actor = Actor(by or identity, identity, reason)
    if edit or patch is not None:
        _repair(desk, lanes, selection, actor, patch, output, ask=ask)
        return
    if limit is not None:
        selection = Selection(ids=desk.dead_letters.oldest(lanes, selection, limit) or frozenset({""}))
    worker = desk.replay(asks=ask)
    if actor is None:
        _forecast(worker.forecast(lanes, selection), desk, show, output)
        return
    plan = Plan(selection, actor, frozenset(verdicts) if verdicts else USUAL)
    # What is filtered out is not counted before it is seen: then nobody knows how many there are.
    total = limit if limit is not None or selection != Selection() else desk.dead_letters.count(lanes)
    tally = _Tally()
    with output.progress() as progress, closing(worker.run(lanes, plan, Pace(rate))) as judged:
        task = progress.add_task("replayed", total=total)
        for one in judged:
            tally.add(one)
            output.row("message", **_told(one))
            progress.advance(task)
        progress.update(task, total=tally.verdicts.total())
    _report(tally, output, done=True)


def _forecast(judged: Generator[Judged, None, None], desk: Desk, show: int, output: Output) -> None:
    tally = _Tally()
    with Spool() as spool, closing(judged):
        for one in judged:
            tally.add(one)
            spool.add(one.letter.sent_at, _told(one))
        for row in spool.oldest_first(None if output.as_json else 0):
            output.row("message", **row)
        rows = [_verdict_cells(row, tally, desk.clock()) for row in spool.oldest_first(show)]
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
    return _summary(one.letter) | verdict | {"replayed": one.replayed, "failure": one.failure}


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
    if tally.unanswered:
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
    desk: Desk,
    lanes: Iterable[Lane],
    selection: Selection,
    actor: Actor | None,
    patch: str | None,
    output: Output,
    *,
    ask: bool,
) -> None:
    """Correct one invalid message and replay the corrected copy in its place."""
    found = _find(desk, lanes, selection)
    if len(found) != 1:
        raise NotRepairable(f"{len(found)} messages are chosen: choose one with --id")
    letter = found[0]
    body = edited(_pretty(letter.body)) if patch is None else patched(letter, _patch(patch))
    changed = check(letter, body)
    output.say(f"{letter.message_id}: corrected in {', '.join(changed)}")
    if actor is None:
        output.row("repair", message_id=letter.message_id, changed=changed, replayed=False)
        output.say("It is valid now. Nothing was replayed: add --yes and --reason.")
        return
    one = desk.replay(asks=ask).replace(letter, body, actor, changed)
    output.row("repair", changed=changed, **_told(one))
    output.say(f"{one.judgement.verdict}: {one.judgement.why}")
    if not one.replayed:
        output.remark(one.failure or "it was not replayed, and is still in the dead-letter queue")
        raise typer.Exit(EXIT_INCOMPLETE)


def _patch(text: str) -> object:
    source = Path(text[1:]).read_text(encoding="utf-8") if text.startswith("@") else text
    try:
        return json.loads(source)
    except ValueError:
        raise typer.BadParameter("--patch is no JSON") from None


@app.command("export")
@with_option_groups
def export(
    target: Target,
    filters: Filters,
    output: Output,
    *,
    to: Annotated[Path, typer.Option("--to", help="Folder to write to.")],
    raw: Annotated[
        bool, typer.Option("--raw", help="With personal data; else masked. Delete the files after use.")
    ] = False,
) -> None:
    """Write dead letters as SQS events for `sam local invoke --event`, one file each."""
    desk = target.desk()
    lanes = chosen(desk.lanes, filters.cancel_types or ())
    count = 0
    with closing(desk.dead_letters.letters(lanes, filters.selection())) as receives:
        for letter in (letter for letters in receives for letter in letters):
            path = to / letter.lane.cancel_type / f"{letter.message_id}.json"
            _write_private(path, json.dumps(_event(letter, raw=raw), ensure_ascii=False, indent=2))
            output.row("file", path=str(path), cancel_request_id=letter.cancel_request_id, masked=not raw)
            count += 1
    output.say(f"{count} messages written to {to}{'' if raw else ', personal data masked'}.")


def _event(letter: Letter, *, raw: bool) -> dict[str, Any]:
    """What the event source mapping would hand to the function, without a receipt to act on."""
    record = {
        "messageId": letter.message_id,
        "receiptHandle": "",
        "body": letter.body if raw else mask_body(letter.body),
        "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": str(int(letter.sent_at * 1000))},
        "messageAttributes": {},
        "eventSource": "aws:sqs",
    }
    return {"Records": [record]}


def _write_private(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
