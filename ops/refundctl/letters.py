"""Dead letters as rows, and the options that commands about them share."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from contextlib import closing
from typing import Annotated, Any

import typer

from refunds.operators.cancel_queues import CancelQueues
from refunds.operators.dead_letters import DeadLetterMessage, Selection
from refunds.operators.operations import Operations

Shown = Annotated[int, typer.Option("--show", min=0, help="How many messages to show, the oldest first.")]
StatusInquiry = Annotated[
    bool, typer.Option("--ask/--no-ask", help="Ask the providers for a verdict, not the ledger alone.")
]


def summary(dead_letter: DeadLetterMessage) -> dict[str, Any]:
    """What identifies a message and why it is there, without its body."""
    return {
        "cancel_type": dead_letter.queues.cancel_type,
        "error_code": dead_letter.error_code,
        "cancel_request_id": dead_letter.cancel_request_id,
        "order_id": dead_letter.order_id,
        "message_id": dead_letter.message_id,
        "sent_at": dead_letter.sent_at,
        "why": dead_letter.error_message,
    }


def find(
    operations: Operations, all_queues: Iterable[CancelQueues], selection: Selection
) -> list[DeadLetterMessage]:
    """The messages meant; they stay where they are."""
    with closing(operations.dead_letters.letters(all_queues, selection)) as receives:
        return [dead_letter for letters in receives for dead_letter in letters]


def pretty(body: str) -> str:
    """A body in lines, if it is JSON."""
    try:
        return json.dumps(json.loads(body), ensure_ascii=False, indent=2)
    except ValueError:
        return body


def expected(operations: Operations, all_queues: Sequence[CancelQueues], selection: Selection) -> int | None:
    """About how many messages are meant; what is filtered out is not known before it is seen."""
    return operations.dead_letters.count(all_queues) if selection == Selection() else None
