"""From a trigger to acknowledgements: SQS batches and single EventBridge events.

A batch is settled concurrently, records of one payment one after another; then the outcomes of all
records are published together; then each message is acknowledged, moved to the DLQ or left to come
again. A message is acknowledged only after the outcome it led to has been published.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Executor, Future, wait
from typing import Any, Final, Generic, TypeVar

from refunds.contracts.inbound import ProviderRequest
from refunds.domain.deadline import Deadline
from refunds.domain.disposition import (
    Acknowledge,
    DeadLetter,
    Disposition,
    Publish,
    Reason,
    Redeliver,
    Requeue,
    Source,
)
from refunds.domain.operation import Operation
from refunds.domain.policy import Policy
from refunds.errors import ErrorCode, InvalidRequest, NotProcessed
from refunds.messaging.message import Message, Reading, read_body, read_event
from refunds.messaging.publisher import Publisher
from refunds.messaging.queue import MessageQueue, RetrySchedule
from refunds.messaging.requeue import RequeuePolicy
from refunds.service.refund_service import Delivery, RefundService
from refunds.telemetry.logs import Telemetry

RequestT = TypeVar("RequestT", bound=ProviderRequest)

#: Seconds kept back from the records for publishing and acknowledging.
_FINISH: Final = 1.5

_UNPUBLISHED: Final = Reason(
    ErrorCode.PROVIDER_UNAVAILABLE, "the outcome is recorded, but EventBridge did not take it yet"
)
_CRASHED: Final = Reason(
    ErrorCode.OUTCOME_UNKNOWN, "an unexpected error stopped this record; its log line names the place"
)
_UNFINISHED: Final = Reason(ErrorCode.OUTCOME_UNKNOWN, "the invocation's time was used up")
_NOT_MOVED: Final = Reason(ErrorCode.OUTCOME_UNKNOWN, "the message could not be moved to the DLQ")


class BatchProcessor(Generic[RequestT]):
    """One function's work.

    Args:
        max_receive_count: the queue's ``maxReceiveCount``; on the last receive the function itself moves
            the message to the DLQ, with its reason.
        workers: run the records of a batch; as many at the same time as they allow.
        requeue_policy: says which messages are not worked on now; without it, all are.
    """

    def __init__(  # noqa: PLR0913 - everything a record meets on its way; only the composition root calls it
        self,
        policy: Policy,
        operation: Operation[RequestT],
        service: RefundService[RequestT],
        *,
        publisher: Publisher,
        queue: MessageQueue,
        schedule: RetrySchedule,
        telemetry: Telemetry,
        max_receive_count: int,
        workers: Executor,
        requeue_policy: RequeuePolicy | None = None,
    ) -> None:
        self._policy = policy
        self._operation = operation
        self._service = service
        self._publisher = publisher
        self._queue = queue
        self._schedule = schedule
        self._telemetry = telemetry
        self._max_receive_count = max_receive_count
        self._workers = workers
        self._requeue_policy = requeue_policy

    def batch(self, records: Sequence[Mapping[str, Any]], deadline: Deadline) -> dict[str, Any]:
        """Settle an SQS batch; returns the partial batch response. Never raises for a bad record."""
        messages = [Message.of(record) for record in records]
        reads = {message.message_id: read_body(self._policy, message.body) for message in messages}
        processed = self._process_all(messages, reads, deadline)
        unpublished = self._publish(processed.values())
        failures = [
            message.message_id
            for message in messages
            if not self._finish(
                message, reads[message.message_id], processed[message.message_id], unpublished
            )
        ]
        self._telemetry.flush()
        return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failures]}

    def event(self, event: object, deadline: Deadline) -> dict[str, Any]:
        """Settle one EventBridge event and return its outcome.

        Raises:
            NotProcessed: it must be invoked again; Lambda does so for asynchronous invocations and
                puts the event into the DLQ when that fails for good.
        """
        try:
            return self._process_event(event, deadline)
        finally:
            self._telemetry.flush()

    def _process_event(self, event: object, deadline: Deadline) -> dict[str, Any]:
        read: Reading[RequestT] = read_event(self._policy, event)
        with self._telemetry.record(**_keys(read)):
            disposition = self._held_back(read, None) or self._process(read, Delivery(deadline))
            if isinstance(disposition, (Redeliver, Requeue)):
                raise NotProcessed(f"{disposition.reason.code}: {disposition.reason.message}")
            if self._publish([disposition]):
                raise NotProcessed(_UNPUBLISHED.message)
            reason = _dead_letter_reason(disposition)
            if reason is not None and not self._move(json.dumps(event), read, reason):
                raise NotProcessed(f"{reason.code}: {reason.message}")
            if isinstance(disposition, Publish):
                self._telemetry.processed(disposition.outcome, disposition.source)
            if isinstance(disposition, (Publish, Acknowledge)):
                return disposition.outcome.model_dump(mode="json")
            return {
                "outcome": None,
                "error": {"code": disposition.reason.code, "message": disposition.reason.message},
            }

    def _process_all(
        self, messages: Sequence[Message], reads: Mapping[str, Reading[RequestT]], deadline: Deadline
    ) -> dict[str, Disposition]:
        """Settle every message that can be settled in time; the others come again."""
        processed: dict[str, Disposition] = {m.message_id: Redeliver(_UNFINISHED) for m in messages}

        def process_in_turn(group: Sequence[Message]) -> None:
            for message in group:
                disposition = self._process_message(message, reads[message.message_id], deadline)
                processed[message.message_id] = disposition

        lines: list[Future[None]] = [
            self._workers.submit(process_in_turn, group) for group in self._by_payment(messages, reads)
        ]
        wait(lines, timeout=max(deadline.remaining() - _FINISH, 0.0))
        for line in lines:
            line.cancel()
        return dict(processed)

    def _by_payment(
        self, messages: Sequence[Message], reads: Mapping[str, Reading[RequestT]]
    ) -> list[list[Message]]:
        """Records of one payment keep their order and never compete with each other."""
        groups: dict[str, list[Message]] = {}
        for message in messages:
            groups.setdefault(self._group(message, reads[message.message_id]), []).append(message)
        return list(groups.values())

    def _group(self, message: Message, read: Reading[RequestT]) -> str:
        if read.cancellation is None:
            return f"message {read.cancel_request_id or message.message_id}"
        subject = self._operation.subject(read.cancellation.request)
        return f"payment {subject}" if subject else f"order {read.cancellation.order_id}"

    def _process_message(self, message: Message, read: Reading[RequestT], deadline: Deadline) -> Disposition:
        final_receive = message.receive_count >= self._max_receive_count
        with self._telemetry.record(**_keys(read, message)):
            try:
                held = self._held_back(read, message.held_since)
                return held or self._process(read, Delivery(deadline, final_receive=final_receive))
            except Exception as error:  # noqa: BLE001 - one record must never take its neighbours down
                self._telemetry.failed("unexpected error while settling", error)
                return Redeliver(_CRASHED)

    def _process(self, read: Reading[RequestT], delivery: Delivery) -> Disposition:
        if read.cancellation is None:
            error = read.error or InvalidRequest("the message says nothing that can be read")
            return self._service.reject(read.identity, error)
        disposition = self._service.process(read.cancellation, delivery)
        if read.quiet and isinstance(disposition, Publish) and disposition.source is Source.LEDGER:
            return Acknowledge(disposition.outcome)
        return disposition

    def _held_back(self, read: Reading[RequestT], since: float | None) -> Requeue | None:
        """A message that breaks the contract needs no provider: it is never held."""
        if self._requeue_policy is None or read.cancellation is None:
            return None
        return self._requeue_policy.of(since)

    def _publish(self, dispositions: Iterable[Disposition]) -> frozenset[str]:
        return self._publisher.publish(d.outcome for d in dispositions if isinstance(d, Publish))

    def _finish(
        self, message: Message, read: Reading[RequestT], disposition: Disposition, unpublished: frozenset[str]
    ) -> bool:
        """Whether the message may be deleted from its queue."""
        with self._telemetry.record(**_keys(read, message)):
            if isinstance(disposition, Publish):
                if disposition.outcome.outcome_id in unpublished:
                    # On its last receive too: what was not published is not acknowledged, SQS moves it.
                    return self._hide(message, Redeliver(_UNPUBLISHED))
                self._telemetry.processed(disposition.outcome, disposition.source)
            if isinstance(disposition, Redeliver):
                return self._again(message, read, disposition)
            if isinstance(disposition, Requeue):
                return self._hold(message, disposition)
            reason = _dead_letter_reason(disposition)
            if reason is None or self._move(message.body, read, reason):
                return True
            return self._hide(message, Redeliver(_NOT_MOVED))

    def _hold(self, message: Message, hold: Requeue) -> bool:
        """Send, then delete: a crash in between leaves two messages of one idempotency key."""
        try:
            held = self._queue.hold(message.body, since=hold.since, seconds=hold.seconds)
        except Exception as error:  # noqa: BLE001 - the message stays in its queue
            self._telemetry.failed("the message could not be put back", error)
            held = False
        if held:
            self._telemetry.held(hold)
            return True
        return self._hide(message, Redeliver(hold.reason, not_before=hold.seconds))

    def _again(self, message: Message, read: Reading[RequestT], redeliver: Redeliver) -> bool:
        """On its last receive a message moves to the DLQ with its reason instead of without."""
        if message.receive_count >= self._max_receive_count and self._move(
            message.body, read, redeliver.reason
        ):
            return True
        return self._hide(message, redeliver)

    def _hide(self, message: Message, redeliver: Redeliver) -> bool:
        seconds = self._schedule.delay(redeliver.retry_class, message.receive_count, redeliver.not_before)
        self._telemetry.redelivered(redeliver.reason, seconds)
        try:
            self._queue.hide(message.receipt_handle, seconds)
        except Exception as error:  # noqa: BLE001 - without it the queue's own visibility timeout applies
            self._telemetry.failed("the message's visibility could not be changed", error)
        return False

    def _move(self, body: str, read: Reading[RequestT], reason: Reason) -> bool:
        """Whether the message is in the DLQ now; if not, the queue's redrive policy remains as the net."""
        try:
            moved = self._queue.dead_letter(
                body,
                reason,
                cancel_type=self._policy.cancel_type,
                cancel_request_id=read.cancel_request_id,
            )
        except Exception as error:  # noqa: BLE001 - the message stays in its queue
            self._telemetry.failed("the message could not be moved to the DLQ", error)
            return False
        if moved:
            self._telemetry.dead_lettered(reason)
        return moved


def _dead_letter_reason(disposition: Publish | DeadLetter | Acknowledge) -> Reason | None:
    match disposition:
        case Publish(dead_letter=reason) | DeadLetter(reason):
            return reason
        case Acknowledge():
            return None


def _keys(read: Reading[Any], message: Message | None = None) -> dict[str, object]:
    """What every log line of a record carries; a replayed event keeps its id, a message does not."""
    keys: dict[str, object] = {
        "cancel_request_id": read.cancel_request_id,
        "order_id": read.order_id,
        "correlation_id": read.event_id or (message.message_id if message else None),
    }
    if message is not None:
        keys |= {"message_id": message.message_id, "attempt": message.receive_count}
    return keys
