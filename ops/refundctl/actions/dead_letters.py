"""Dead letters as rows, and how they are found."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from contextlib import closing
from typing import Any

from refundctl.output import Output, iso
from refunds.operators.cancel_queues import CancelQueues
from refunds.operators.dead_letters import DeadLetterMessage, Selection
from refunds.operators.operations import Operations


def summary(dead_letter: DeadLetterMessage, now: float) -> dict[str, Any]:
    """What identifies a message and why it is there, without its body; ``now`` is UNIX seconds."""
    return {
        "cancel_type": dead_letter.queues.cancel_type,
        "error_code": dead_letter.error_code,
        "cancel_request_id": dead_letter.cancel_request_id,
        "order_id": dead_letter.order_id,
        "message_id": dead_letter.message_id,
        "sent_at": iso(dead_letter.sent_at),
        "age_seconds": max(int(now - dead_letter.sent_at), 0),
        "why": dead_letter.error_message,
    }


def find(
    operations: Operations, all_queues: Iterable[CancelQueues], selection: Selection
) -> list[DeadLetterMessage]:
    """The messages meant, the oldest first; they stay where they are."""
    with closing(operations.dead_letters.letters(all_queues, selection)) as receives:
        found = [dead_letter for letters in receives for dead_letter in letters]
    return sorted(found, key=lambda dead_letter: dead_letter.sent_at)


def pretty(body: str) -> str:
    """A body in lines, if it is JSON."""
    try:
        return json.dumps(json.loads(body), ensure_ascii=False, indent=2)
    except ValueError:
        return body


def expected(operations: Operations, all_queues: Sequence[CancelQueues], selection: Selection) -> int | None:
    """About how many messages are meant; what is filtered out is not known before it is seen."""
    return operations.dead_letters.count(all_queues) if selection == Selection() else None


def tell_unseen(operations: Operations, output: Output) -> int:
    """Say what the latest look has not seen; returns about how many messages that are."""
    unseen = {kind: count for kind, count in operations.dead_letters.unseen.items() if count > 0}
    if unseen:
        named = ", ".join(f"{kind} {count}" for kind, count in unseen.items())
        output.remark(f"Incomplete: SQS did not show about so many messages: {named}. Look again.")
        output.row("unseen", messages=unseen)
    return sum(unseen.values())
