"""Carries the waiting messages of a paused queue over to fresh copies, whose retention begins anew.

SQS deletes what is older than the queue's retention and puts it nowhere. Per message: send the copy, then
delete the original; a crash in between leaves both, which is harmless: the ledger knows the request.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from refunds.errors import RefundsError
from refunds.operators.cancel_queues import CancelQueues
from refunds.operators.dead_letters import DeadLetterMessage, Peek
from refunds.operators.pause import Sending, SendingSwitch

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient


class NotPaused(RefundsError):
    """Messages of a queue that is being received must be left to its function."""


@dataclass(frozen=True)
class CarriedOver:
    """One cancel type: how many messages got fresh copies, and about how many were not seen."""

    cancel_type: str
    messages: int
    unseen: int


class CarryOver:
    """Renews the messages of paused queues.

    Args:
        clock: UNIX seconds, close to SQS's own clock.
        hold: seconds for which a message that was read is hidden, at least.
    """

    def __init__(
        self, client: SQSClient, switch: SendingSwitch, *, clock: Callable[[], float], hold: int = 120
    ) -> None:
        self._client = client
        self._switch = switch
        self._clock = clock
        self._hold = hold

    def run(self, all_queues: Sequence[CancelQueues], *, older_than: float = 0.0) -> list[CarriedOver]:
        """Give every waiting message that is older than so many seconds a fresh copy.

        Raises:
            NotPaused: a queue is being received; nothing was done with any.
        """
        active = [
            one.cancel_type for one in self._switch.state(all_queues) if one.state is not Sending.PAUSED
        ]
        if active:
            raise NotPaused(f"{', '.join(active)}: not paused, so the function receives the messages itself")
        return [self._renew(queues, older_than) for queues in all_queues]

    def _renew(self, queues: CancelQueues, older_than: float) -> CarriedOver:
        began, count = self._clock(), 0
        copies: set[str] = set()
        with Peek(
            self._client,
            queues,
            hold=self._hold,
            as_of=began,
            clock=time.monotonic,
            url=queues.queue_url,
        ) as peek:
            for messages in peek:
                old = [
                    one
                    for one in messages
                    if one.message_id not in copies and began - one.sent_at >= older_than
                ]
                copies.update(self._copy(queues, one) for one in old)
                peek.remove(old)
                count += len(old)
            return CarriedOver(queues.cancel_type, count, peek.unseen())

    def _copy(self, queues: CancelQueues, message: DeadLetterMessage) -> str:
        """The copy's message id."""
        attributes: Any = {
            name: {"DataType": message.types.get(name, "String"), "StringValue": value}
            for name, value in message.attributes.items()
            if value
        }
        answer = self._client.send_message(
            QueueUrl=queues.queue_url, MessageBody=message.body, MessageAttributes=attributes
        )
        return answer["MessageId"]
