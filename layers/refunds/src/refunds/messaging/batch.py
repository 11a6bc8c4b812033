"""From a trigger to acknowledgements: SQS batches and single EventBridge events.

A batch is processed concurrently, records of one payment one after another; then the outcomes of all
records are published together; then each message is acknowledged, moved to the DLQ or left to come
again. A message is acknowledged only after the outcome it led to has been published.

What is still open on its last receive is parked. A message that the function itself moves to the DLQ
carries an ``error_code``: accounting was told of it, or the ledger knows that it was not. Where neither
can be had, the message is left to the queue's redrive policy, without one.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from dataclasses import dataclass
from threading import Event
from typing import Any, Final, Generic, TypeAlias, TypeVar

from typing_extensions import override

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
from refunds.domain.entry import Entry
from refunds.domain.operation import Operation
from refunds.domain.policy import Policy
from refunds.errors import ErrorCode, InvalidRequest, NotProcessed
from refunds.messaging.message import ANYBODY, Message, Origin
from refunds.messaging.publisher import Publisher
from refunds.messaging.queue import MessageQueue, RetrySchedule
from refunds.messaging.requeue import RequeuePolicy
from refunds.service.parts import Delivery
from refunds.service.refund_service import RefundService
from refunds.telemetry.logs import Telemetry

RequestT = TypeVar("RequestT", bound=ProviderRequest)

#: Seconds kept back from the records for publishing and acknowledging.
_FINISH: Final = 1.5
#: Seconds below which nothing more is parked: what is done already must still be told to Lambda.
_NO_TIME: Final = 0.5

_UNPUBLISHED: Final = Reason(
    ErrorCode.PROVIDER_UNAVAILABLE, "the outcome is recorded, but EventBridge did not take it yet"
)
_CRASHED: Final = Reason(
    ErrorCode.OUTCOME_UNKNOWN, "an unexpected error stopped this record; its log line names the place"
)
_UNFINISHED: Final = Reason(ErrorCode.OUTCOME_UNKNOWN, "the invocation's time was used up")

_Pair: TypeAlias = "tuple[Message[Any], Disposition]"
_Open: TypeAlias = "tuple[Message[Any], Redeliver]"


@dataclass(frozen=True)
class _RecordDeadline(Deadline):
    """The invocation's deadline, which has passed for a record as soon as the response is being made.

    Lambda freezes a thread that goes on after the response, and a later invocation wakes it up: it must
    not send anything then.
    """

    response: Event

    @override
    def remaining(self) -> float:
        """Seconds left; none at all after the response."""
        return -math.inf if self.response.is_set() else super().remaining()

    @property
    def begins_records(self) -> bool:
        """Whether there is time for one more record."""
        return self.remaining() > _FINISH


class BatchProcessor(Generic[RequestT]):
    """One function's work.

    Args:
        max_receive_count: the queue's ``maxReceiveCount``; on the last receive the function itself moves
            the message to the DLQ, with its reason.
        workers: run the records of a batch; as many at the same time as they allow.
        requeue_policy: says which messages are not worked on now; without it, all are.
        origin: whose events are carried out.
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
        origin: Origin = ANYBODY,
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
        self._origin = origin

    def batch(self, records: Sequence[object], deadline: Deadline) -> dict[str, Any]:
        """Process an SQS batch; returns the partial batch response.

        A record that fails does not end the others: all are processed.

        Raises:
            NotProcessed: a record that must come again has no ``messageId`` by which the response could
                name it, so the whole batch comes again. What was carried out is in the ledger.
        """
        messages = [Message.of(self._policy, record, self._origin) for record in records]
        try:
            left = self._end(zip(messages, self._process_all(messages, deadline), strict=True))
            left = self._end((message, self._park(message, why, deadline)) for message, why in left)
            for message, why in left:
                self._hide(message, why)
        finally:
            self._telemetry.flush()
        unnamed = [why.reason for message, why in left if message.message_id is None]
        if unnamed:
            raise NotProcessed(f"a record without messageId must come again: {unnamed[0].message}")
        return {"batchItemFailures": [{"itemIdentifier": message.message_id} for message, _ in left]}

    def event(self, event: object, deadline: Deadline) -> dict[str, Any]:
        """Process one EventBridge event and return its outcome.

        Raises:
            NotProcessed: it must be invoked again; Lambda does so for asynchronous invocations and
                puts the event into the DLQ when that fails for good.
        """
        message: Message[RequestT] = Message.of_event(self._policy, event, self._origin)
        try:
            disposition = self._process_message(message, deadline)
            if isinstance(disposition, Requeue):
                raise NotProcessed(f"{disposition.reason.code}: {disposition.reason.message}")
            for _, again in self._end([(message, disposition)]):
                raise NotProcessed(f"{again.reason.code}: {again.reason.message}")
        finally:
            self._telemetry.flush()
        if isinstance(disposition, (Publish, Acknowledge)):
            return disposition.outcome.model_dump(mode="json")
        return {
            "outcome": None,
            "error": {"code": disposition.reason.code, "message": disposition.reason.message},
        }

    def _process_all(self, messages: Sequence[Message[RequestT]], deadline: Deadline) -> list[Disposition]:
        """Process every message that can be processed in time; the others come again."""
        dispositions: list[Disposition] = [Redeliver(_UNFINISHED)] * len(messages)
        time = _RecordDeadline(deadline.at, deadline.clock, Event())

        def process_in_turn(places: Sequence[int]) -> None:
            for place in places:
                if not time.begins_records:
                    return
                dispositions[place] = self._process_message(messages[place], time)

        running: set[Future[None]] = {
            self._workers.submit(process_in_turn, places) for places in self._by_payment(messages)
        }
        while running and time.begins_records:
            _, running = wait(running, time.remaining() - _FINISH, return_when=FIRST_COMPLETED)
        time.response.set()
        for one in running:
            one.cancel()
        return list(dispositions)

    def _by_payment(self, messages: Sequence[Message[RequestT]]) -> list[list[int]]:
        """Records of one payment keep their order and never compete with each other."""
        groups: dict[str, list[int]] = {}
        for place, message in enumerate(messages):
            groups.setdefault(self._group(message, place), []).append(place)
        return list(groups.values())

    def _group(self, message: Message[RequestT], place: int) -> str:
        cancellation = message.cancellation
        if cancellation is None:
            return f"message {message.reading.cancel_request_id or place}"
        subject = self._operation.subject(cancellation.request)
        return f"payment {subject}" if subject else f"order {cancellation.order_id}"

    def _process_message(self, message: Message[RequestT], deadline: Deadline) -> Disposition:
        with self._telemetry.record(**_keys(message)):
            try:
                return self._held_back(message) or self._process(message, deadline)
            except Exception as error:  # noqa: BLE001 - one record must never take its neighbours down
                self._telemetry.failed("unexpected error while processing", error)
                return Redeliver(_CRASHED)

    def _process(self, message: Message[RequestT], deadline: Deadline) -> Disposition:
        reading = message.reading
        if reading.cancellation is None:
            error = reading.error or InvalidRequest("the message says nothing that can be read")
            return self._service.reject(reading.identity, error)
        final_receive = self._is_final(message)
        delivery = Delivery(
            deadline,
            final_receive=final_receive,
            # Nobody knows which invocation with a single event is its last.
            republished=not (final_receive or reading.quiet or message.single),
        )
        return _unless_quiet(message, self._service.process(reading.cancellation, delivery))

    def _held_back(self, message: Message[RequestT]) -> Disposition | None:
        """What becomes of a message that is not worked on now; ``None`` if it is.

        A message that breaks the contract needs no provider, and neither does a request that has ended:
        they are never held.
        """
        if self._requeue_policy is None or message.cancellation is None:
            return None
        requeue = self._requeue_policy.of(message.held_since)
        if requeue is None:
            return None
        stored = self._service.stored(message.cancellation)
        return requeue if stored is None else _unless_quiet(message, stored)

    def _park(self, message: Message[RequestT], why: Redeliver, deadline: Deadline) -> Disposition:
        """What remains to be done on the last receive of a message whose processing did not end.

        If the ledger does not answer either, the message stays as it is: SQS moves it.
        """
        if message.cancellation is None or not self._is_final(message) or deadline.remaining() < _NO_TIME:
            return why
        with self._telemetry.record(**_keys(message)):
            try:
                return self._service.park_unfinished(message.cancellation, why.reason)
            except Exception as error:  # noqa: BLE001 - one record must never take its neighbours down
                self._telemetry.failed("the message could not be parked", error)
                return why

    def _is_final(self, message: Message[RequestT]) -> bool:
        return not message.single and message.receive_count >= self._max_receive_count

    def _end(self, pairs: Iterable[_Pair]) -> list[_Open]:
        """Publish, then do what was decided with each; returns those that must come again, and why."""
        pairs = list(pairs)
        refused = self._publish([d for _, d in pairs if isinstance(d, Publish)])
        left: list[_Open] = []
        for message, disposition in pairs:
            with self._telemetry.record(**_keys(message)):
                again = self._carry_out(message, disposition, refused)
            if again is not None:
                left.append((message, again))
        return left

    def _publish(self, publications: Sequence[Publish]) -> frozenset[str]:
        """Returns the ``outcome_id`` of what was not taken; what was is marked so in the ledger."""
        refused = self._publisher.publish(one.outcome for one in publications)
        for one in publications:
            if one.mark is not None and one.outcome.outcome_id not in refused:
                self._note_published(one.mark)
        return refused

    def _note_published(self, mark: Entry) -> None:
        try:
            self._service.published(mark)
        except Exception as error:  # noqa: BLE001 - the mark stays, and the sweeper publishes the outcome once more
            self._telemetry.failed("the ledger could not be told that the outcome is published", error)

    def _carry_out(
        self, message: Message[RequestT], disposition: Disposition, refused: frozenset[str]
    ) -> Redeliver | None:
        """Why the message must not be deleted from its queue; ``None`` if it may be."""
        match disposition:
            case Redeliver():
                return disposition
            case Requeue():
                return self._requeue(message, disposition)
            case Acknowledge():
                return None
            case Publish(outcome=outcome) if outcome.outcome_id in refused:
                return Redeliver(_UNPUBLISHED)
            case Publish(outcome=outcome, source=source):
                self._telemetry.processed(outcome, source)
                reason = disposition.dead_letter
            case DeadLetter():
                reason = disposition.reason
        if reason is None or self._move(message, reason):
            return None
        return Redeliver(reason)

    def _requeue(self, message: Message[RequestT], requeue: Requeue) -> Redeliver | None:
        """Send, then delete: a crash in between leaves two messages of one idempotency key."""
        try:
            held = self._queue.hold(message.body, since=requeue.since, seconds=requeue.seconds)
        except Exception as error:  # noqa: BLE001 - the message stays in its queue
            self._telemetry.failed("the message could not be put back", error)
            held = False
        if not held:
            return Redeliver(requeue.reason, not_before=requeue.seconds)
        self._telemetry.held(requeue)
        return None

    def _hide(self, message: Message[RequestT], why: Redeliver) -> None:
        seconds = self._schedule.delay(why.retry_class, message.receive_count, why.not_before)
        with self._telemetry.record(**_keys(message)):
            self._telemetry.redelivered(why.reason, seconds)
            if not message.receipt_handle:
                return  # made by hand: there is nothing to hide
            try:
                self._queue.hide(message.receipt_handle, seconds)
            except Exception as error:  # noqa: BLE001 - without it the queue's own visibility timeout applies
                self._telemetry.failed("the message's visibility could not be changed", error)

    def _move(self, message: Message[RequestT], reason: Reason) -> bool:
        """Whether the message is in the DLQ now; if not, the queue's redrive policy remains as the net."""
        try:
            moved = self._queue.dead_letter(
                message.body,
                reason,
                cancel_type=message.cancel_type or self._policy.cancel_type,
                cancel_request_id=message.reading.cancel_request_id,
            )
        except Exception as error:  # noqa: BLE001 - the message stays in its queue
            self._telemetry.failed("the message could not be moved to the DLQ", error)
            return False
        if moved:
            self._telemetry.dead_lettered(reason)
        return moved


def _unless_quiet(message: Message[Any], disposition: Disposition) -> Disposition:
    """A quiet replay is silent about what was published before, and about nothing else."""
    if not (message.reading.quiet and isinstance(disposition, Publish)):
        return disposition
    told = (
        disposition.source is Source.LEDGER and disposition.mark is None and disposition.dead_letter is None
    )
    return Acknowledge(disposition.outcome) if told else disposition


def _keys(message: Message[Any]) -> Mapping[str, object]:
    """What every log line of a record carries; a replayed event keeps its id, a message does not."""
    reading = message.reading
    keys: dict[str, object] = {
        "cancel_request_id": reading.cancel_request_id,
        "order_id": reading.order_id,
        "correlation_id": reading.event_id or message.message_id,
    }
    if not message.single:
        keys |= {"message_id": message.message_id, "attempt": message.receive_count}
    return keys
