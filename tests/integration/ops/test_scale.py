"""Many dead letters: time grows with their number, memory does not.

`make ops-scale` does it with 10,000. However many they are, they are 30 MB together.
"""

from __future__ import annotations

import json
import os
import uuid
from typing import Any

import pytest

from local.stack import Stack
from local.trigger import detail
from tests.integration.ops.cases import chunks
from tests.integration.ops.operator_shell import Shell
from tests.integration.ops.queues import hidden, seen

_MANY = int(os.environ.get("OPS_MESSAGES", "400"))
_FEW = min(_MANY // 5, 200)
_TOTAL = 30 * 2**20  # bytes
_ALLOWED_GROWTH = 12 * 2**20  # bytes; whoever keeps the messages cannot stay below it


@pytest.fixture(scope="module")
def sink(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> tuple[Shell, str, str]:
    """A shell whose payment_cancel messages go nowhere, the queue they go to, and their DLQ."""
    name = f"scale-{uuid.uuid4().hex[:8]}"
    queue, dlq = (stack.aws.sqs.create_queue(QueueName=f"{name}{end}")["QueueUrl"] for end in ("", "-dlq"))
    outputs = {"PaymentCancelQueueUrl": queue, "PaymentCancelDlqUrl": dlq}
    return Shell.at(stack).elsewhere(tmp_path_factory.mktemp("scale"), outputs=outputs), queue, dlq


def _fill(stack: Stack, dlq: str, count: int) -> None:
    entries: list[Any] = [
        {
            "Id": str(number % 10),
            "MessageBody": json.dumps(
                detail(
                    f"cr-scale-{number}",
                    {"imp_uid": f"imp_{number}", "amount": 1_000},
                    order_id=f"O-{number}",
                    padding="x" * (_TOTAL // _MANY),
                )
            ),
            "MessageAttributes": {
                "error_code": {"DataType": "String", "StringValue": "PROVIDER_UNAVAILABLE"}
            },
        }
        for number in range(count)
    ]
    for chunk in chunks(entries):
        stack.aws.sqs.send_message_batch(QueueUrl=dlq, Entries=chunk)


def test_many_dead_letters_are_listed_and_replayed_in_bounded_memory(
    stack: Stack, sink: tuple[Shell, str, str], summary: list[str]
) -> None:
    """All are listed in order and replayed once each by a process that is hardly larger than for a few."""
    shell, queue, dlq = sink
    only = ("--type", "payment_cancel")
    order = (*only, "--yes", "--reason", "scale", "--no-ask", "--rate", "1000")
    _fill(stack, dlq, _FEW)
    _, small_list = shell.measured("dlq", "list", *only)
    _, small_replay = shell.measured("dlq", "replay", *order)
    assert (seen(stack, queue), seen(stack, dlq)) == (_FEW, 0)

    _fill(stack, dlq, _MANY)
    listed, large_list = shell.measured("dlq", "list", *only)
    times = [row["sent_at"] for row in listed.of("message")]
    assert (len(times), times) == (_MANY, sorted(times))
    assert (seen(stack, dlq), hidden(stack, dlq)) == (_MANY, 0)
    replayed, large_replay = shell.measured("dlq", "replay", *order)
    assert replayed.of("replay")[0]["replayed"] == _MANY
    assert (seen(stack, queue), seen(stack, dlq)) == (_FEW + _MANY, 0)
    sizes = {"list": (small_list, large_list), "replay": (small_replay, large_replay)}
    summary += [
        f"dlq {name}: at most {small / 2**20:.1f} MB for {_FEW:,} messages, {large / 2**20:.1f} for {_MANY:,}"
        for name, (small, large) in sizes.items()
    ]
    assert all(large - small < _ALLOWED_GROWTH for small, large in sizes.values()), sizes
