"""``refundctl dlq``: list, show, replay, export."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from refundctl.connection import Target
from refundctl.letters import Shown, StatusInquiry, expected, find, pretty, summary
from refundctl.option_groups import with_option_groups
from refundctl.output import Output, age_of, iso
from refundctl.parameters import Filters
from refundctl.spool import Spool
from refunds.operators.cancel_queues import CancelQueues, chosen
from refunds.operators.dead_letters import DeadLetterMessage, Selection
from refunds.operators.masking import mask, mask_body
from refunds.operators.operations import Operations

app = typer.Typer(no_args_is_help=True, help="Dead-letter queues: list, show, replay, export.")


@dataclass
class _Group:
    """Messages of one cancel type and error code."""

    count: int = 0
    oldest: float = float("inf")
    newest: float = 0.0
    example: str = ""

    def add(self, dead_letter: DeadLetterMessage) -> None:
        self.count += 1
        if dead_letter.sent_at < self.oldest:
            self.oldest, self.example = dead_letter.sent_at, dead_letter.error_message
        self.newest = max(self.newest, dead_letter.sent_at)


@app.command("list")
@with_option_groups
def list_messages(target: Target, filters: Filters, output: Output, *, show: Shown = 20) -> None:
    """List dead letters by cancel type and error code, the oldest first. They stay where they are."""
    operations = target.operations()
    all_queues = chosen(operations.all_queues, filters.cancel_types or ())
    groups: dict[tuple[str, str], _Group] = {}
    with Spool() as spool:
        _read(operations, all_queues, filters.selection(), groups, spool, output)
        _tell_groups(groups, output)
        for row in spool.oldest_first(None if output.as_json else 0):
            output.row("message", **row)
        oldest = list(spool.oldest_first(show))
    if not groups:
        output.say("No dead letters.")
        return
    # What sums it up comes last: that is what a terminal still shows.
    _show_messages(oldest, groups, operations.clock(), output)
    _show_groups(groups, operations.clock(), output)
    output.suggest(
        "docs/runbook.md has an entry for each error code. To see one message, and what a replay would do:",
        "refundctl dlq show <cancel_request_id>",
        "refundctl dlq replay",
    )


def _read(
    operations: Operations,
    all_queues: Sequence[CancelQueues],
    selection: Selection,
    groups: dict[tuple[str, str], _Group],
    spool: Spool,
    output: Output,
) -> None:
    with (
        output.progress() as progress,
        closing(operations.dead_letters.letters(all_queues, selection)) as receives,
    ):
        task = progress.add_task("seen", total=expected(operations, all_queues, selection))
        for letters in receives:
            for dead_letter in letters:
                groups.setdefault((dead_letter.queues.cancel_type, dead_letter.error_code), _Group()).add(
                    dead_letter
                )
                spool.add(dead_letter.sent_at, summary(dead_letter))
            progress.advance(task, len(letters))
        progress.update(task, total=sum(group.count for group in groups.values()))


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


@app.command("show")
@with_option_groups
def show_message(
    identifier: Annotated[str, typer.Argument(help="cancel_request_id or message id.")],
    target: Target,
    output: Output,
    *,
    ask: StatusInquiry = True,
) -> None:
    """Show a dead letter, personal data masked, and what replaying it would do."""
    operations = target.operations()
    found = find(operations, operations.all_queues, Selection(ids=frozenset({identifier})))
    if not found:
        output.remark(f"no dead letter has the id {identifier}")
        raise typer.Exit(1)
    for dead_letter, judgement in zip(found, operations.judge(asks=ask).judge(found), strict=True):
        facts = summary(dead_letter) | {"verdict": judgement.verdict.value, "verdict_why": judgement.why}
        body = mask_body(dead_letter.body)
        output.row("message", **facts, attributes=mask(dict(dead_letter.attributes)), body=body)
        shown = facts | {"sent_at": iso(dead_letter.sent_at)}
        output.facts(dead_letter.message_id, shown.items())
        output.say(pretty(body))


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
    operations = target.operations()
    all_queues = chosen(operations.all_queues, filters.cancel_types or ())
    count = 0
    with closing(operations.dead_letters.letters(all_queues, filters.selection())) as receives:
        for dead_letter in (dead_letter for letters in receives for dead_letter in letters):
            path = to / dead_letter.queues.cancel_type / f"{dead_letter.message_id}.json"
            _write_private(path, json.dumps(_event(dead_letter, raw=raw), ensure_ascii=False, indent=2))
            output.row(
                "file", path=str(path), cancel_request_id=dead_letter.cancel_request_id, masked=not raw
            )
            count += 1
    output.say(f"{count} messages written to {to}{'' if raw else ', personal data masked'}.")


def _event(dead_letter: DeadLetterMessage, *, raw: bool) -> dict[str, Any]:
    """What the event source mapping would hand to the function, without a receipt to act on."""
    record = {
        "messageId": dead_letter.message_id,
        "receiptHandle": "",
        "body": dead_letter.body if raw else mask_body(dead_letter.body),
        "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": str(int(dead_letter.sent_at * 1000))},
        "messageAttributes": {},
        "eventSource": "aws:sqs",
    }
    return {"Records": [record]}


def _write_private(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
