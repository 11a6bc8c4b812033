"""Puts one function together: the only place that knows every part.

Nothing happens at import: the environment is read and clients are made when the first event
arrives, and then kept for the life of the process.
"""

from __future__ import annotations

import gc
import os
import random
import time
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Thread
from typing import Any, Final, Self

from aws_lambda_powertools import Logger

from refunds.aws import AwsClients
from refunds.cancel_types import cancel_type, provider_of
from refunds.contracts.trigger import LambdaContext, is_sqs_batch
from refunds.domain.deadline import Deadline
from refunds.domain.operation import Operation
from refunds.domain.provider_call import ProviderCall
from refunds.errors import RefundsError
from refunds.ledger.claims import Ledger
from refunds.ledger.hourly_count import DynamoDbHourlyCounter
from refunds.messaging.batch import BatchProcessor
from refunds.messaging.circuit_breaker import Circuit
from refunds.messaging.message import Origin
from refunds.messaging.publisher import Publisher
from refunds.messaging.queue import MessageQueue, RetrySchedule
from refunds.messaging.requeue import RequeuePolicy
from refunds.providers.cancel_type import CancelType
from refunds.providers.clients import provider_clients
from refunds.service.guard import Guard
from refunds.service.parts import Timing
from refunds.service.refund_service import RefundService
from refunds.settings import Settings
from refunds.telemetry.logs import Telemetry, quiet_libraries
from refunds.telemetry.metrics import Metrics

#: Seconds a send needs beyond its timeouts: the claim before it and the record after it.
_LEDGER_WRITES: Final = 2.0


class LambdaFunction:
    """The handler of one cancel type: takes SQS batches and single EventBridge events.

    Args:
        name: the cancel type.
        environment: read on the first event.
    """

    def __init__(self, name: str, environment: Mapping[str, str] = os.environ) -> None:
        # Not later: its modules are loaded while Lambda initialises, when a function has a whole processor.
        self._kind = cancel_type(name)
        self._environment = environment
        self._processor: BatchProcessor[Any] | None = None
        # What is loaded is never given back, and the collector would look through all of it, again and again.
        gc.freeze()

    def __call__(self, event: object, context: LambdaContext) -> dict[str, Any]:
        """Process what the trigger brings; see ``BatchProcessor.batch`` and ``BatchProcessor.event``."""
        deadline = Deadline(time.monotonic() + context.get_remaining_time_in_millis() / 1000, time.monotonic)
        if self._processor is not None:
            return _handle(self._processor, event, deadline)
        with _WarmUp(deadline) as warm_up:
            settings = Settings.from_environment(self._environment)
            self._processor = build_processor(self._kind, settings, warm_up.start)
            return _handle(self._processor, event, deadline)


def _handle(processor: BatchProcessor[Any], event: object, deadline: Deadline) -> dict[str, Any]:
    if isinstance(event, dict) and is_sqs_batch(event):
        return processor.batch(event["Records"], deadline)
    return processor.event(event, deadline)


class _WarmUp:
    """Asks for the provider's token while everything else is made and the first claims are written.

    It is over before the invocation is: Lambda would freeze a request that is still under way.
    """

    def __init__(self, deadline: Deadline) -> None:
        self._deadline = deadline
        self._thread: Thread | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._thread is not None:
            self._thread.join(timeout=max(self._deadline.remaining(), 0.0))

    def start(self, operation: Operation[Any]) -> None:
        """Begin, in a thread of its own."""
        self._thread = Thread(target=self._attempt, args=(operation,), name="warm-up", daemon=True)
        self._thread.start()

    def _attempt(self, operation: Operation[Any]) -> None:
        with suppress(RefundsError):  # the first that needs it tries again, and its error says what is wrong
            operation.warm_up(self._deadline)


def build_processor(
    kind: CancelType, settings: Settings, warm_up: Callable[[Operation[Any]], None]
) -> BatchProcessor[Any]:
    """One function with its real AWS and provider clients.

    Args:
        kind: what it does.
        settings: how.
        warm_up: called as soon as the operation can be used.
    """
    limits = settings.limits_of(kind.policy)
    quiet_libraries()
    # From the system: environments restored from one snapshot would all repeat one generator's numbers.
    jitter = random.SystemRandom().random
    aws = AwsClients(connections=settings.batch_concurrency + 2)
    dynamodb = aws.client("dynamodb")
    telemetry = Telemetry(
        Logger(service=kind.policy.cancel_type), kind.policy, Metrics(settings.metrics_namespace)
    )
    circuit = _circuit(settings)
    clients = provider_clients(settings, aws.client, _observer(telemetry, circuit))
    operation = kind.operation(clients)
    if not settings.paused:
        warm_up(operation)
    ledger = Ledger(
        dynamodb,
        settings.ledger_table,
        clock=time.time,
        ttl_days=settings.ledger_ttl_days,
        provider_of=provider_of,
    )
    counter = DynamoDbHourlyCounter(dynamodb, settings.ledger_table, kind.policy.cancel_type, clock=time.time)
    service = RefundService(
        kind.policy,
        operation,
        ledger,
        timing=Timing(
            clock=time.time,
            send_budget=settings.timeouts.connect + settings.timeouts.read + _LEDGER_WRITES,
            lease_margin=settings.lease_margin,
            under_way=settings.under_way,
        ),
        new_owner=lambda: uuid.uuid4().hex,
        guard=Guard(limits, counter, dry_run=settings.dry_run, memory=_memory(settings)),
    )
    return BatchProcessor(
        kind.policy,
        operation,
        service,
        publisher=Publisher(aws.client("events"), settings.accounting_bus),
        queue=MessageQueue(aws.client("sqs"), settings.queue_url, settings.dlq_url, clock=time.time),
        schedule=RetrySchedule(settings.backoff, jitter),
        telemetry=telemetry,
        max_receive_count=settings.max_receive_count,
        workers=ThreadPoolExecutor(settings.batch_concurrency, thread_name_prefix="record"),
        requeue_policy=RequeuePolicy(
            circuit,
            paused=settings.paused,
            longest=settings.circuit.longest_hold,
            clock=time.time,
            jitter=jitter,
        ),
        origin=Origin(settings.order_source, settings.order_account),
    )


def _memory(settings: Settings) -> float:
    """Seconds; a day less than the ledger keeps what has ended."""
    return (settings.ledger_ttl_days - 1) * 86_400.0


def _circuit(settings: Settings) -> Circuit | None:
    if not settings.circuit.failures:
        return None
    return Circuit(
        failures=settings.circuit.failures, cool_down=settings.circuit.cool_down, clock=time.monotonic
    )


def _observer(telemetry: Telemetry, circuit: Circuit | None) -> Callable[[ProviderCall], None]:
    """Who learns of every request to the provider."""

    def observe(call: ProviderCall) -> None:
        if circuit is not None:
            if call.failure is None:
                circuit.succeeded()
            else:
                circuit.failed()
        telemetry.called(call)

    return observe
