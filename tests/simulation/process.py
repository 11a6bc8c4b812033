"""One delivery's process: the real parts, from the intake to the provider clients, put together as in AWS."""

from __future__ import annotations

import json
from concurrent.futures import Executor, Future
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from typing_extensions import override

from local import trigger
from refunds.cancel_types import MODULES, cancel_type
from refunds.ledger.claims import Ledger
from refunds.ledger.hourly_count import DynamoDbHourlyCounter
from refunds.messaging.batch import BatchProcessor
from refunds.messaging.publisher import Publisher
from refunds.messaging.queue import Backoff, MessageQueue, RetrySchedule
from refunds.messaging.requeue import RequeuePolicy
from refunds.operators.reconciliation import DUE_AFTER
from refunds.operators.sweeper import Sweeper
from refunds.operators.telling import DeadLetterTelling
from refunds.providers.cancel_type import CancelType
from refunds.providers.clients import ProviderClients
from refunds.providers.credentials import CredentialSource
from refunds.providers.ebp.headers import EbpHeaders
from refunds.providers.http.provider_http import ProviderHttp, Timeouts
from refunds.service.guard import Guard, HourlyCounter
from refunds.service.parts import Timing
from refunds.service.refund_service import RefundService
from tests.simulation.aws import DLQ_URL, FUNCTION_TIMEOUT, QUEUE_URL
from tests.simulation.gate import Call

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager

    from refunds.contracts.outbound import Outcome
    from refunds.domain.disposition import Reason, Requeue, Source
    from refunds.domain.operation import Operation
    from refunds.domain.policy import Policy
    from refunds.domain.provider_call import ProviderCall
    from refunds.providers.portone.client import PortOneClient
    from tests.simulation.aws import Message
    from tests.simulation.simulation import Simulation

TIMEOUTS: Final = Timeouts(connect=5, read=60, lookup=10)
LEASE_MARGIN: Final = 10.0
UNDER_WAY: Final = 10.0 * TIMEOUTS.read
SEND_BUDGET: Final = TIMEOUTS.connect + TIMEOUTS.read + 2
BACKOFF: Final = Backoff(base=30, cap=900, later=1800)
TTL_DAYS: Final = 400


def secret_of(imp_secret: str, hash_key: str) -> str:
    """The provider secret's text with these keys."""
    return json.dumps(
        {
            "portone": {"imp_key": "simulator-imp-key", "imp_secret": imp_secret},
            "ebp": {"access_key": "simulator-access-key", "hash_key": hash_key},
        }
    )


SECRET: Final = secret_of("simulator-imp-secret", "simulator-hash-key")
_HEADERS: Final = EbpHeaders("division", "store", "channel", "KIC", "KR", "KRW")
CANCEL_TYPES: Final = {name: cancel_type(name) for name in MODULES}


class InlineExecutor(Executor):
    """Runs at once what is submitted; a process that dies takes the whole batch with it."""

    @override
    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run ``fn`` here and now."""
        future: Future[Any] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


class Watcher:
    """Stands in for the telemetry: it writes nothing and knows which request is being worked on.

    ``aliases``: the true ids of requests that a breakage calls by another one.
    """

    def __init__(self, name: str, aliases: Mapping[str, str]) -> None:
        self.key = ""
        self._aliases = aliases
        self.crashes: list[BaseException] = []
        self._name = name

    def record(self, **keys: object) -> AbstractContextManager[None]:
        """Follow the work from record to record."""
        request = str(keys.get("cancel_request_id"))
        return _Following(self, f"{self._name}#{self._aliases.get(request, request)}")

    def following(self, key: str) -> AbstractContextManager[None]:
        """Follow the work on the request with this ledger key."""
        return _Following(self, key)

    def identify(self, **keys: object) -> None:
        """Nothing to do."""

    def processed(self, outcome: Outcome, source: Source) -> None:
        """Nothing to do."""

    def held(self, hold: Requeue) -> None:
        """Nothing to do."""

    def called(self, call: ProviderCall) -> None:
        """Nothing to do."""

    def flush(self) -> None:
        """Nothing to do."""

    def redelivered(self, reason: Reason, seconds: int) -> None:
        """Nothing to do."""

    def dead_lettered(self, reason: Reason) -> None:
        """Nothing to do."""

    def failed(self, _what: str, error: BaseException) -> None:
        """Keep what the batch survived."""
        self.crashes.append(error)


def _as_it_is(part: Any) -> Any:
    return part


def record_of(_simulation: Simulation, message: Message) -> dict[str, Any]:
    """A message as the event source mapping hands it on."""
    return trigger.record(
        message.body, receives=message.receives, message_id=message.message_id, receipt=message.receipt
    )


def _watcher(policy: Policy, aliases: Mapping[str, str]) -> Watcher:
    return Watcher(policy.cancel_type, aliases)


@dataclass(frozen=True)
class Wiring:
    """The parts a process is made of: the product's own, unless a breakage puts another one in its place.

    Attributes:
        operation: wraps the provider operation.
        client: wraps the ledger's client.
        record: a message as the function sees it.
        watcher: stands in for the telemetry.
    """

    provider_http: type[ProviderHttp] = ProviderHttp
    ledger: type[Ledger] = Ledger
    publisher: type[Publisher] = Publisher
    queue: type[MessageQueue] = MessageQueue
    operation: Callable[[Operation[Any]], Operation[Any]] = _as_it_is
    client: Callable[[Any], Any] = _as_it_is
    record: Callable[[Simulation, Message], dict[str, Any]] = record_of
    watcher: Callable[[Policy, Mapping[str, str]], Watcher] = _watcher
    lease_margin: float = LEASE_MARGIN
    under_way: float = UNDER_WAY
    counter: type[DynamoDbHourlyCounter] = DynamoDbHourlyCounter
    sweeper: type[Sweeper] = Sweeper
    telling: type[DeadLetterTelling] = DeadLetterTelling
    due_after: Sequence[int] = DUE_AFTER


class _Following:
    """While it is entered, its watcher knows which request is being worked on."""

    __slots__ = ("_key", "_outer", "_watcher")

    def __init__(self, watcher: Watcher, key: str) -> None:
        self._watcher = watcher
        self._key = key
        self._outer = watcher.key

    def __enter__(self) -> None:
        self._outer, self._watcher.key = self._watcher.key, self._key

    def __exit__(self, *_: object) -> None:
        self._watcher.key = self._outer


class Environments:
    """Lambda environments that wait for their next batch; ``reuse`` off: every batch gets a new one."""

    def __init__(self, *, reuse: bool) -> None:
        self._reuse = reuse
        self._idle: dict[str, list[Operation[Any]]] = {}

    def take(self, kind: CancelType) -> Operation[Any] | None:
        """An idle one, if there is one."""
        idle = self._idle.get(kind.policy.cancel_type)
        return idle.pop() if idle else None

    def keep(self, kind: CancelType, operation: Operation[Any]) -> None:
        """Let one wait."""
        if self._reuse:
            self._idle.setdefault(kind.policy.cancel_type, []).append(operation)


class Process:
    """One invocation: a Lambda environment while it works on one batch.

    Args:
        number: unique in the simulation.
        skew: seconds by which its wall clock is ahead; time limits use a clock without skew.
        scheduled: what it is, if it is no function with a batch.
    """

    def __init__(
        self, simulation: Simulation, kind: CancelType, number: int, skew: float, scheduled: str = ""
    ) -> None:
        self.number = number
        self.scheduled = scheduled
        self.kind = kind
        self.skew = skew
        self.simulation = simulation
        self.wiring = simulation.setting.wiring
        self.watcher = self.wiring.watcher(kind.policy, simulation.aliases)
        self.started_at = len(simulation.gate.calls)
        self.end = simulation.clock.now + FUNCTION_TIMEOUT
        self.ended = False
        self._owners = 0
        self._clients_made: ProviderClients | None = None
        self.operation = simulation.environments.take(kind) or self._operation_of(kind)
        client = self.wiring.client(simulation.table)
        self.ledger = self.wiring.ledger(client, "ledger", clock=self.wall_clock, ttl_days=TTL_DAYS)
        bus: Any = simulation.bus
        self.publisher = self.wiring.publisher(bus, "accounting")
        self.processor = self._build()

    def _operation_of(self, kind: CancelType) -> Operation[Any]:
        if self._clients_made is None:
            self._clients_made = self._clients()
        return self.wiring.operation(kind.operation(self._clients_made))

    def portone(self) -> PortOneClient:
        """A client of PortOne, for those who only look."""
        return self._clients().portone()

    def operation_of(self, name: str) -> Operation[Any]:
        """Of any cancel type: for those who work for all of them."""
        kind = CANCEL_TYPES[name]
        return self.operation if kind is self.kind else self._operation_of(kind)

    def service_of(self, name: str) -> RefundService[Any]:
        """The same for the protocol."""
        return self._service(CANCEL_TYPES[name], self.operation_of(name))

    def survived(self) -> None:
        """The environment waits for the next batch, with its access token."""
        self.simulation.environments.keep(self.kind, self.operation)

    def wall_clock(self) -> float:
        """UNIX seconds, as this process believes."""
        return self.simulation.clock.now + self.skew

    def _build(self) -> BatchProcessor[Any]:
        simulation, policy, wiring = self.simulation, self.kind.policy, self.wiring
        service = self._service(self.kind, self.operation)
        queue: Any = simulation.queues[policy.cancel_type]
        watcher: Any = self.watcher
        return BatchProcessor(
            policy,
            self.operation,
            service,
            publisher=self.publisher,
            queue=wiring.queue(queue, QUEUE_URL, DLQ_URL, clock=self.wall_clock),
            schedule=RetrySchedule(BACKOFF, simulation.setting.jitter),
            telemetry=watcher,
            max_receive_count=queue.max_receives,
            workers=simulation.setting.workers(),
            requeue_policy=self._requeue_policy(),
        )

    def _service(self, kind: CancelType, operation: Operation[Any]) -> RefundService[Any]:
        return RefundService(
            kind.policy,
            operation,
            self.ledger,
            timing=self._timing(),
            new_owner=self._new_owner,
            guard=Guard(self.simulation.limits, self._counter(kind), memory=(TTL_DAYS - 1) * 86_400.0),
        )

    def _counter(self, kind: CancelType) -> HourlyCounter:
        client: Any = self.simulation.table
        return self.wiring.counter(client, "ledger", kind.policy.cancel_type, clock=self.wall_clock)

    def _requeue_policy(self) -> RequeuePolicy:
        setting = self.simulation.setting
        return RequeuePolicy(
            self.simulation.circuit,
            paused=setting.paused(),
            longest=3600,
            clock=self.wall_clock,
            jitter=setting.jitter,
        )

    def _clients(self) -> ProviderClients:
        simulation = self.simulation
        return ProviderClients(
            provider_http=self.wiring.provider_http(simulation.http, TIMEOUTS, observe=self._observe),
            credentials=CredentialSource(self._read_secret, clock=simulation.clock),
            portone_base_url="https://portone.invalid",
            ebp_base_url="https://ebp.invalid",
            ebp_headers=replace(_HEADERS, currency_code=simulation.setting.ebp_currency),
            clock=simulation.clock,
        )

    def _timing(self) -> Timing:
        return Timing(
            clock=self.wall_clock,
            send_budget=SEND_BUDGET,
            lease_margin=self.wiring.lease_margin,
            under_way=self.wiring.under_way,
        )

    def _read_secret(self, _again: bool) -> str:  # noqa: FBT001 - as a source calls it
        if self.simulation.gate.enter(Call.SECRET) is not None:
            raise ConnectionError
        return self.simulation.secret

    def _observe(self, call: ProviderCall) -> None:
        circuit = self.simulation.circuit
        if circuit is not None and call.failure is None:
            circuit.succeeded()
        elif circuit is not None:
            circuit.failed()
        self.watcher.called(call)

    def _new_owner(self) -> str:
        self._owners += 1
        return f"p{self.number}-{self._owners}"
