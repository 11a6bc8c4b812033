"""Tells accounting of dead letters that no function has told of.

A message that the queue moved itself, that a rule could not deliver or that an asynchronous invocation
failed on has no ``error_code`` attribute: no function of ours put it there, so perhaps nobody was told. It is
told from the ledger alone, as on a final receive. Then the message is replaced by a copy that carries the
reason, so that it is told once: the copy is sent first, and a crash in between tells it twice with one
``outcome_id``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from refunds.domain.deadline import Deadline
from refunds.domain.disposition import DeadLetter, Disposition, Publish, Reason
from refunds.errors import ErrorCode, InvalidRequest
from refunds.messaging.publisher import Publisher
from refunds.messaging.queue import MessageQueue
from refunds.operators.cancel_queues import CancelQueues
from refunds.operators.dead_letters import DeadLetterMessage, DeadLetters, Peek
from refunds.service.refund_service import RefundService

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient

_SHOWN: Final = 20  # messages named in a summary


@dataclass
class Telling:
    """What one pass over the DLQs came to.

    Attributes:
        told: messages by cancel type whose request accounting was told of, or the ledger knows to be open.
        unpublished: EventBridge did not take the outcome: the next run tells it.
        passed_over: ids of messages that something was wrong with, and the kind of the error.
        unseen: about how many messages of which cancel type the pass did not get to.
    """

    told: Counter[str] = field(default_factory=Counter)
    unpublished: int = 0
    passed_over: dict[str, str] = field(default_factory=dict)
    unseen: Counter[str] = field(default_factory=Counter)

    def summary(self) -> dict[str, object]:
        """For the log and for the caller."""
        return {
            "told": dict(self.told),
            "untold": self.unpublished,
            "dead_letters_passed_over": len(self.passed_over),
            "dead_letters_passed_over_ids": list(self.passed_over)[:_SHOWN],
            "dead_letters_unseen": dict(self.unseen),
        }


class DeadLetterTelling:
    """Goes through the DLQs once.

    Args:
        services: by cancel type.
        clock: UNIX seconds.
        passed_over: told of each message that was passed over, and of the kind of the error.
    """

    def __init__(
        self,
        dead_letters: DeadLetters,
        services: Mapping[str, RefundService[Any]],
        publisher: Publisher,
        client: SQSClient,
        *,
        clock: Callable[[], float],
        passed_over: Callable[[str, str], None] = lambda _message_id, _why: None,
    ) -> None:
        self._dead_letters = dead_letters
        self._services = services
        self._publisher = publisher
        self._client = client
        self._clock = clock
        self._passed_over = passed_over

    def run(self, all_queues: Iterable[CancelQueues], deadline: Deadline) -> Telling:
        """Tell of every message that no function has told of; ends early when the time is up."""
        telling = Telling()
        for queues in all_queues:
            if not self._dead_letters.count([queues]):
                continue
            with self._dead_letters.peek(queues) as peek:
                for messages in peek:
                    if deadline.remaining() <= 0:
                        break
                    for message in messages:
                        self._guarded(peek, message, telling)
                telling.unseen[queues.cancel_type] += peek.unseen()
        return telling

    def _guarded(self, peek: Peek, message: DeadLetterMessage, telling: Telling) -> None:
        if "error_code" in message.attributes:
            return
        try:
            self._tell(peek, message, telling)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with one message, the others are told
            telling.passed_over[message.message_id] = type(error).__name__
            self._passed_over(message.message_id, type(error).__name__)

    def _tell(self, peek: Peek, message: DeadLetterMessage, telling: Telling) -> None:
        disposition = self._what_is_known(message)
        if isinstance(disposition, Publish):
            if self._publisher.publish([disposition.outcome]):
                telling.unpublished += 1
                return
            if disposition.mark is not None:
                self._services[message.queues.cancel_type].published(disposition.mark)
        self._replace(peek, message, _reason(disposition, message))
        telling.told[message.queues.cancel_type] += 1

    def _what_is_known(self, message: DeadLetterMessage) -> Disposition:
        service = self._services[message.queues.cancel_type]
        cancellation = message.reading.cancellation
        if cancellation is None:
            error = message.reading.error or InvalidRequest("it cannot be read")
            return service.reject(message.reading.identity, error)
        return service.park_unfinished(cancellation, _arrival(message))

    def _replace(self, peek: Peek, message: DeadLetterMessage, reason: Reason) -> None:
        queue = MessageQueue(self._client, None, message.queues.dlq_url, clock=self._clock)
        queue.dead_letter(
            message.body,
            reason,
            cancel_type=message.queues.cancel_type,
            cancel_request_id=message.cancel_request_id,
        )
        peek.remove([message])


def _arrival(message: DeadLetterMessage) -> Reason:
    """How a message came into the DLQ that none of our functions put there."""
    return Reason(ErrorCode.PROVIDER_UNAVAILABLE, f"{message.error_code}: {message.error_message}")


def _reason(disposition: Disposition, message: DeadLetterMessage) -> Reason:
    match disposition:
        case Publish(dead_letter=Reason() as reason) | DeadLetter(reason):
            return reason
        case Publish(outcome):
            arrival = _arrival(message)
            return Reason(arrival.code, f"{arrival.message}; its outcome is {outcome.outcome} and was told")
    return _arrival(message)
