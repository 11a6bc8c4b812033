"""Lists, shows and exports dead letters; they stay where they are."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from refundctl.actions.dead_letters import expected, find, pretty, summary, tell_unseen
from refundctl.actions.matching import Seen
from refundctl.actions.spool import Spool
from refundctl.connection import Target
from refundctl.endings import NothingMatches
from refundctl.output import Output, iso, span
from refundctl.parameters import Filters
from refunds.operators.cancel_queues import CancelQueues, chosen
from refunds.operators.dead_letters import DeadLetterMessage, Selection
from refunds.operators.masking import mask, mask_body
from refunds.operators.operations import Operations


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


_Groups = dict[tuple[str, str], _Group]


def list_messages(target: Target, filters: Filters, output: Output, show: int) -> None:
    """By cancel type and error code, the oldest first."""
    operations = target.operations()
    all_queues = chosen(operations.all_queues, filters.cancel_types or ())
    groups: _Groups = {}
    seen = Seen(filters)
    with Spool() as spool:
        for dead_letter in _read(operations, all_queues, filters.selection(), output):
            seen.add(dead_letter)
            key = (dead_letter.queues.cancel_type, dead_letter.error_code)
            groups.setdefault(key, _Group()).add(dead_letter)
            spool.add(dead_letter.sent_at, summary(dead_letter, operations.clock()))
        _tell_groups(groups, output)
        for row in spool.oldest_first(None if output.as_json else 0):
            output.row("message", **row)
        oldest = list(spool.oldest_first(show))
    tell_unseen(operations, output)
    if groups:
        # What sums it up comes last: that is what a terminal still shows.
        _show_messages(oldest, groups, output)
        _show_groups(groups, operations.clock(), output)
        codes = list(dict.fromkeys(code for (_, code), _ in _by_age(groups)))
        output.suggest(
            "What a code means and what to do; one message; what a replay would do:",
            *(f"refundctl explain {code}" for code in codes[:3]),
            "refundctl dlq show <cancel_request_id>",
            "refundctl dlq replay",
        )
    elif not filters.narrows:
        output.say("No dead letters.")
    seen.check()


def _read(
    operations: Operations, all_queues: Sequence[CancelQueues], selection: Selection, output: Output
) -> Iterable[DeadLetterMessage]:
    with (
        output.progress() as progress,
        closing(operations.dead_letters.letters(all_queues, selection)) as receives,
    ):
        task = progress.add_task("seen", total=expected(operations, all_queues, selection))
        count = 0
        for letters in receives:
            yield from letters
            count += len(letters)
            progress.update(task, completed=count)
        progress.update(task, total=count)


def _tell_groups(groups: _Groups, output: Output) -> None:
    for (kind, code), group in _by_age(groups):
        ages = {"oldest": iso(group.oldest), "newest": iso(group.newest)}
        output.row("group", cancel_type=kind, error_code=code, count=group.count, why=group.example, **ages)


def _show_groups(groups: _Groups, now: float, output: Output) -> None:
    output.table(
        f"{sum(group.count for group in groups.values())} dead letters",
        ["count", "type", "error code", "oldest", "newest", "why (the oldest)"],
        [
            (group.count, kind, code, span(now - group.oldest), span(now - group.newest), group.example)
            for (kind, code), group in _by_age(groups)
        ],
        words=True,
    )


def _by_age(groups: _Groups) -> list[tuple[tuple[str, str], _Group]]:
    return sorted(groups.items(), key=lambda item: item[1].oldest)


def _show_messages(oldest: Sequence[dict[str, Any]], groups: _Groups, output: Output) -> None:
    """The oldest messages; why is told of those for which it is not what their group says."""
    if not oldest:
        return
    rows = []
    for row in oldest:
        usual = groups[row["cancel_type"], row["error_code"]].example
        names = ("cancel_type", "error_code", "cancel_request_id", "order_id")
        cells = [row[name] for name in names]
        rows.append((span(row["age_seconds"]), *cells, "" if row["why"] == usual else row["why"]))
    columns = ["age", "type", "error code", "cancel_request_id", "order_id", ""]
    output.table(f"The oldest {len(rows)}", columns, rows, words=True)


def show_message(identifier: str, target: Target, output: Output, *, ask: bool) -> None:
    """A dead letter, personal data masked, and what replaying it would do."""
    operations = target.operations()
    found = find(operations, operations.all_queues, Selection(ids=frozenset({identifier})))
    if not found:
        raise NothingMatches(f"no messages match {identifier}: refundctl status {identifier} tells more")
    for dead_letter, judgement in zip(found, operations.judge(asks=ask).judge(found), strict=True):
        verdict = {"verdict": judgement.verdict.value, "verdict_why": judgement.why}
        facts = summary(dead_letter, operations.clock()) | verdict
        body = mask_body(dead_letter.body)
        output.row("message", **facts, attributes=mask(dict(dead_letter.attributes)), body=body)
        shown = {"age" if name == "age_seconds" else name: value for name, value in facts.items()}
        output.facts(dead_letter.message_id, (shown | {"age": span(facts["age_seconds"])}).items())
        output.say(pretty(body))


def export(target: Target, filters: Filters, output: Output, to: Path, *, raw: bool) -> None:
    """Write dead letters as SQS events, one file each."""
    operations = target.operations()
    all_queues = chosen(operations.all_queues, filters.cancel_types or ())
    seen = Seen(filters)
    count = 0
    with closing(operations.dead_letters.letters(all_queues, filters.selection())) as receives:
        for dead_letter in (dead_letter for letters in receives for dead_letter in letters):
            seen.add(dead_letter)
            path = to / dead_letter.queues.cancel_type / f"{dead_letter.message_id}.json"
            _write_private(path, json.dumps(exported(dead_letter, raw=raw), ensure_ascii=False, indent=2))
            output.row(
                "file", path=str(path), cancel_request_id=dead_letter.cancel_request_id, masked=not raw
            )
            count += 1
    output.say(f"{count} messages written to {to}{'' if raw else ', personal data masked'}.")
    seen.check()


def exported(dead_letter: DeadLetterMessage, *, raw: bool) -> dict[str, Any]:
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
