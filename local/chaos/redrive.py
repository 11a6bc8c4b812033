"""Brings everything back from the DLQs, as an operator does after an outage: send, then delete."""

from __future__ import annotations

from collections.abc import Iterable

from local.demo.play import pascal
from local.stack import Stack


def redrive(stack: Stack, cancel_types: Iterable[str]) -> int:
    """Move every message from the DLQs to its queue; returns how many."""
    return sum(_redrive(stack, cancel_type) for cancel_type in cancel_types)


def _redrive(stack: Stack, cancel_type: str) -> int:
    sqs, moved = stack.aws.sqs, 0
    dlq = stack.outputs[f"{pascal(cancel_type)}DlqUrl"]
    queue = stack.outputs[f"{pascal(cancel_type)}QueueUrl"]
    while messages := sqs.receive_message(QueueUrl=dlq, MaxNumberOfMessages=10).get("Messages", []):
        for message in messages:
            sqs.send_message(QueueUrl=queue, MessageBody=message["Body"])
            sqs.delete_message(QueueUrl=dlq, ReceiptHandle=message["ReceiptHandle"])
        moved += len(messages)
    return moved
