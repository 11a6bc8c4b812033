"""A batch processor whose service does as it is told: everything around it is the real thing."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Final

from aws_lambda_powertools import Logger

from local import trigger
from refunds.cancel_types import cancel_type
from refunds.contracts.inbound import Cancellation, Identity, identity_of
from refunds.contracts.outbound import Outcome, OutcomeError, OutcomeKind, ProviderRefs, outcome_id
from refunds.domain.deadline import Deadline
from refunds.domain.disposition import DeadLetter, Disposition, Publish, Reason, Source
from refunds.domain.entry import Entry, Key
from refunds.errors import ErrorCode, InvalidRequest
from refunds.messaging.batch import BatchProcessor
from refunds.messaging.message import ANYBODY, Origin
from refunds.messaging.publisher import Publisher
from refunds.messaging.queue import Backoff, MessageQueue, RetrySchedule
from refunds.messaging.requeue import RequeuePolicy
from refunds.service.parts import Delivery
from refunds.telemetry.logs import Telemetry
from refunds.telemetry.metrics import Metrics
from tests.fakes import messaging, sqs
from tests.fakes.endpoint import Aws
from tests.unit.rig import DLQ_URL, MAX_RECEIVE_COUNT, QUEUE_URL

POLICY: Final = cancel_type("payment_cancel").policy
NOON: Final = 1_795_262_400.0
MINUTE: Final = 60.0

Asked = Cancellation[Any]


def outcome(key: str, kind: OutcomeKind = OutcomeKind.SUCCEEDED) -> Outcome:
    """What became of a request."""
    error = None
    if kind not in (OutcomeKind.SUCCEEDED, OutcomeKind.PENDING):
        error = OutcomeError(
            code=ErrorCode.OUTCOME_UNKNOWN, message="…", retryable=True, may_have_been_applied=True
        )
    return Outcome(
        outcome_id=outcome_id("payment_cancel", key, kind, error),
        outcome=kind,
        cancel_type="payment_cancel",
        cancel_request_id=key,
        order_id="ORD-1",
        requested_by="customer",
        requested_at="2026-11-21T05:00:00Z",
        occurred_at="2026-11-21T05:00:01Z",
        attempts=1,
        provider=ProviderRefs(name="portone"),
        error=error,
    )


def entry(key: str, *, unpublished: bool = True) -> Entry:
    """The ledger's item of a request."""
    return Entry(
        key=Key("payment_cancel", key),
        fingerprint="fingerprint",
        order_id="ORD-1",
        requested_by="customer",
        requested_at="2026-11-21T05:00:00Z",
        request={},
        unpublished=unpublished,
    )


def succeed(asked: Asked, delivery: Delivery) -> Disposition:
    """As the service: what nobody else would publish is recorded as unpublished."""
    mark = None if delivery.republished else entry(asked.cancel_request_id)
    return Publish(outcome(asked.cancel_request_id), mark=mark)


@dataclass
class Service:
    """Stands in for ``RefundService``; ``process`` is what it does with a valid message."""

    process: Callable[[Asked, Delivery], Disposition] = succeed
    finished: dict[str, Publish] = field(default_factory=dict)
    parks: Callable[[Asked, Reason], Disposition] | None = None
    rejected: list[Identity | None] = field(default_factory=list)
    parked: list[tuple[str, Reason]] = field(default_factory=list)
    marks_gone: list[str] = field(default_factory=list)
    note: Callable[[Entry], None] | None = None
    finds: Callable[[Asked], Disposition | None] | None = None

    def reject(self, identity: Identity | None, error: InvalidRequest) -> Disposition:
        """Park what breaks the contract."""
        self.rejected.append(identity)
        reason = Reason(error.code, str(error))
        if identity is None:
            return DeadLetter(reason)
        return Publish(outcome(identity.cancel_request_id, OutcomeKind.PARKED), dead_letter=reason)

    def stored(self, cancellation: Asked) -> Disposition | None:
        """What an earlier delivery recorded."""
        if self.finds is not None:
            return self.finds(cancellation)
        return self.finished.get(cancellation.cancel_request_id)

    def park_unfinished(self, cancellation: Asked, reason: Reason) -> Disposition:
        """The end of a message whose record did not end."""
        self.parked.append((cancellation.cancel_request_id, reason))
        if self.parks is not None:
            return self.parks(cancellation, reason)
        key = identity_of(cancellation).cancel_request_id
        return Publish(outcome(key, OutcomeKind.PARKED), dead_letter=reason, mark=entry(key))

    def published(self, mark: Entry) -> None:
        """Take the mark away."""
        if self.note is not None:
            self.note(mark)
        self.marks_gone.append(mark.key.cancel_request_id)


class Payments:
    """Stands in for the operation: only its subjects matter here."""

    def subject(self, request: Any) -> str | None:
        """The payment."""
        subject: str | None = request.imp_uid
        return subject


@dataclass
class Clock:
    """Seconds that pass only when told to."""

    now: float = 1000.0

    def __call__(self) -> float:
        """The time."""
        return self.now


@dataclass
class Bench:
    """The processor, and what is around it."""

    service: Service
    bus: messaging.Bus
    queues: sqs.Queues
    clock: Clock
    log: io.StringIO
    processor: BatchProcessor[Any]

    def batch(self, *records: object) -> list[str]:
        """Deliver; the ids of what is not acknowledged."""
        answer = self.processor.batch(records, Deadline(self.clock.now + MINUTE, self.clock))
        return [one["itemIdentifier"] for one in answer["batchItemFailures"]]

    def event(self, event: object) -> dict[str, Any]:
        """Invoke with a single event."""
        return self.processor.event(event, Deadline(self.clock.now + MINUTE, self.clock))

    @property
    def told(self) -> dict[str, str]:
        """The last outcome on the bus for each request."""
        return {detail["cancel_request_id"]: detail["outcome"] for detail in self.bus.details()}

    @property
    def lines(self) -> list[dict[str, Any]]:
        """The log."""
        return [json.loads(line) for line in self.log.getvalue().splitlines()]


_numbers = iter(range(1, 1_000_000))


@contextmanager
def bench(
    service: Service | None = None,
    *,
    workers: Executor | None = None,
    paused: bool = False,
    origin: Origin = ANYBODY,
) -> Iterator[Bench]:
    """A processor with ten real threads, unless other workers are given."""
    bus, queues, clock, log = messaging.Bus(), sqs.Queues(), Clock(), io.StringIO()
    aws = Aws({messaging.EVENTS_TARGET: bus, sqs.TARGET: queues})
    logger = Logger(service=f"bench-{next(_numbers)}", stream=log, level="DEBUG")
    stand_in: Any = service or Service()
    operation: Any = Payments()
    pool = workers or ThreadPoolExecutor(10)
    try:
        processor: BatchProcessor[Any] = BatchProcessor(
            POLICY,
            operation,
            stand_in,
            publisher=Publisher(aws.connect("events"), "accounting"),
            queue=MessageQueue(aws.connect("sqs"), QUEUE_URL, DLQ_URL, clock=lambda: NOON),
            schedule=RetrySchedule(Backoff(base=30, cap=900, later=1800), lambda: 1.0),
            telemetry=Telemetry(logger, POLICY, Metrics("Tested")),
            max_receive_count=MAX_RECEIVE_COUNT,
            workers=pool,
            requeue_policy=RequeuePolicy(None, paused=paused, longest=60.0, clock=lambda: NOON),
            origin=origin,
        )
        yield Bench(stand_in, bus, queues, clock, log, processor)
    finally:
        pool.shutdown(wait=True)


class Gate:
    """Something that happens once; whoever waits too long fails instead of hanging."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def open(self) -> None:
        """It happens."""
        self._event.set()

    def wait(self) -> None:
        """Until it does."""
        assert self._event.wait(timeout=30)


def without(record: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """A record that was made by hand and lacks something."""
    return {name: value for name, value in record.items() if name not in names}


def quietly(body: Mapping[str, Any], name: str = "quiet-november") -> str:
    """The body of an event from an archive's replay."""
    return json.dumps(trigger.envelope(body, **{"replay-name": name}))


def stored(key: str, *, unpublished: bool = False, kind: OutcomeKind = OutcomeKind.SUCCEEDED) -> Publish:
    """A finished request's outcome, as the ledger has it."""
    found = Publish(outcome(key, kind), source=Source.LEDGER)
    return replace(found, mark=entry(key)) if unpublished else found
