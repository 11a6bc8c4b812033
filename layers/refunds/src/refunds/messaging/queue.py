"""The SQS side of a message: when it comes again, and how it gets to the DLQ."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from refunds.domain.disposition import Reason, RetryClass

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient

#: Message attribute: UNIX seconds at which a message was held back for the first time.
HELD_SINCE: Final = "held_since"

_MAX_DELAY: Final = 900  # seconds; SQS limit of DelaySeconds
#: Seconds; SQS refuses more than 43,200 counted from the receive, which a function sees up to 900 s later.
_MAX_VISIBILITY: Final = 43_200 - 900
_MAX_ATTRIBUTE: Final = 1_000  # characters; keeps body and attributes within the DLQ's message size


class MessageQueue:
    """The queue of one cancel type and its DLQ; either may be absent under ``sam local invoke``.

    Args:
        clock: UNIX seconds.
    """

    def __init__(
        self,
        client: SQSClient,
        queue_url: str | None,
        dlq_url: str | None,
        *,
        clock: Callable[[], float],
    ) -> None:
        self._client = client
        self._queue_url = queue_url
        self._dlq_url = dlq_url
        self._clock = clock

    def hide(self, receipt_handle: str, seconds: int) -> None:
        """Let the message come again after ``seconds``."""
        if self._queue_url is None:
            return
        self._client.change_message_visibility(
            QueueUrl=self._queue_url, ReceiptHandle=receipt_handle, VisibilityTimeout=seconds
        )

    def hold(self, body: str, *, since: float, seconds: int) -> bool:
        """Put a fresh copy of the message into its queue; ``Message.held_since`` finds ``since`` again.

        Returns whether there is a queue to put it into.
        """
        if self._queue_url is None:
            return False
        self._client.send_message(
            QueueUrl=self._queue_url,
            MessageBody=body,
            DelaySeconds=min(seconds, _MAX_DELAY),
            MessageAttributes={HELD_SINCE: {"DataType": "Number", "StringValue": str(int(since))}},
        )
        return True

    def dead_letter(
        self, body: str, reason: Reason, *, cancel_type: str, cancel_request_id: str | None
    ) -> bool:
        """Put a copy of the message into the DLQ, its reason as message attributes.

        Returns whether there is a DLQ to put it into.
        """
        if self._dlq_url is None:
            return False
        attributes = {
            "error_code": reason.code.value,
            "error_message": reason.message[:_MAX_ATTRIBUTE],
            "cancel_type": cancel_type,
            "failed_at": datetime.fromtimestamp(self._clock(), UTC).isoformat(timespec="seconds"),
        }
        if cancel_request_id is not None:
            attributes["cancel_request_id"] = cancel_request_id
        self._client.send_message(
            QueueUrl=self._dlq_url,
            MessageBody=body,
            MessageAttributes={
                name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()
            },
        )
        return True


@dataclass(frozen=True)
class Backoff:
    """Seconds a failed message stays invisible: exponential from ``base`` to ``cap``, jittered.

    ``later`` is the first delay of errors that last (bank maintenance around midnight, a
    merchant balance that is too small); SQS allows at most 43,200 s of invisibility.
    """

    base: float
    cap: float
    later: float


class RetrySchedule:
    """Exponential backoff with equal jitter, by class of error.

    Args:
        jitter: uniform in 0 … 1; spreads messages that failed together.
    """

    def __init__(self, backoff: Backoff, jitter: Callable[[], float] = random.random) -> None:
        self._backoff = backoff
        self._jitter = jitter

    def delay(self, retry_class: RetryClass, receive_count: int, not_before: float) -> int:
        """Whole seconds until the message may come again; sooner than ``not_before`` only at SQS's limit."""
        backoff = self._backoff
        first = backoff.later if retry_class is RetryClass.LATER else backoff.base
        cap = max(backoff.cap, first)
        ceiling = min(cap, first * 2.0 ** min(max(receive_count - 1, 0), 16))
        wait = max(ceiling * (0.5 + 0.5 * self._jitter()), not_before + self._jitter())
        return max(math.ceil(min(wait, _MAX_VISIBILITY)), 1)
