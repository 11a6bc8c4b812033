"""How many messages the dead-letter queues hold."""

from __future__ import annotations

from collections.abc import Iterable

from local.demo.play import pascal
from local.stack import Stack
from tests.integration.ops.cases import DETAIL_TYPES


def visible(stack: Stack, cancel_types: Iterable[str] = DETAIL_TYPES) -> int:
    """Messages in the dead-letter queues that anybody may receive."""
    return sum(seen(stack, stack.outputs[f"{pascal(name)}DlqUrl"]) for name in cancel_types)


def held(stack: Stack, cancel_types: Iterable[str] = DETAIL_TYPES) -> int:
    """Messages in the dead-letter queues that somebody looks at right now."""
    return sum(hidden(stack, stack.outputs[f"{pascal(name)}DlqUrl"]) for name in cancel_types)


def seen(stack: Stack, queue_url: str) -> int:
    """Messages of a queue that anybody may receive."""
    return _count(stack, queue_url, "ApproximateNumberOfMessages")


def hidden(stack: Stack, queue_url: str) -> int:
    """Messages of a queue that somebody has received."""
    return _count(stack, queue_url, "ApproximateNumberOfMessagesNotVisible")


def _count(stack: Stack, queue_url: str, attribute: str) -> int:
    answer = stack.aws.sqs.get_queue_attributes(
        QueueUrl=queue_url,
        AttributeNames=[attribute],  # type: ignore[list-item]
    )
    return int(answer["Attributes"][attribute])  # type: ignore[index]
