"""How many messages the dead-letter queues hold."""

from __future__ import annotations

from collections.abc import Iterable

from local.demo.play import pascal
from local.stack import Stack
from tests.integration.ops.cases import DETAIL_TYPES


def visible(stack: Stack, cancel_types: Iterable[str] = DETAIL_TYPES) -> int:
    """Messages that anybody may receive."""
    return sum(_count(stack, name, "ApproximateNumberOfMessages") for name in cancel_types)


def held(stack: Stack, cancel_types: Iterable[str] = DETAIL_TYPES) -> int:
    """Messages that somebody looks at right now."""
    return sum(_count(stack, name, "ApproximateNumberOfMessagesNotVisible") for name in cancel_types)


def _count(stack: Stack, cancel_type: str, attribute: str) -> int:
    answer = stack.aws.sqs.get_queue_attributes(
        QueueUrl=stack.outputs[f"{pascal(cancel_type)}DlqUrl"],
        AttributeNames=[attribute],  # type: ignore[list-item]
    )
    return int(answer["Attributes"][attribute])  # type: ignore[index]
