"""Whole functions: the real composition root and all below it, AWS and the providers on real sockets.

In memory behind the sockets: `tests.fakes`, and the provider simulator with its statement of money.
"""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import pytest

from local import trigger
from local.simulator import World
from local.simulator.server import SimulatorServer
from refunds.application import LambdaFunction
from refunds.cancel_types import MODULES
from refunds.domain.entry import Entry, Key
from refunds.ledger.claims import Ledger
from tests.fakes import dynamodb, messaging, sqs
from tests.fakes.endpoint import REGION, Aws

EVENTS = Path(__file__).parents[2] / "events"
SECRET = {
    "portone": {"imp_key": "simulator-imp-key", "imp_secret": "simulator-imp-secret"},
    "ebp": {"access_key": "simulator-access-key", "hash_key": "simulator-hash-key"},
}
MAX_RECEIVE_COUNT = 3
QUEUE_URL = "https://sqs.invalid/queue"
DLQ_URL = "https://sqs.invalid/dlq"
TABLE = "ledger"
ENVIRONMENT = {
    "STAGE": "local",
    "LEDGER_TABLE_NAME": TABLE,
    "ACCOUNTING_BUS_NAME": "accounting",
    "PROVIDER_SECRET_ID": "providers",
    "QUEUE_URL": QUEUE_URL,
    "DLQ_URL": DLQ_URL,
    "MAX_RECEIVE_COUNT": str(MAX_RECEIVE_COUNT),
    "CONNECT_TIMEOUT_SECONDS": "5",
    "READ_TIMEOUT_SECONDS": "5",
    "LOOKUP_TIMEOUT_SECONDS": "5",
    "LEASE_MARGIN_SECONDS": "5",
    "EBP_DIVISION_CODE": "D1",
    "EBP_STORE_ID": "S1",
    "EBP_CHANNEL_CODE": "WEB",
    "EBP_RIC_CODE": "KIC",
    "EBP_COUNTRY_CODE": "KR",
    "EBP_CURRENCY_CODE": "KRW",
}
_AWS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": REGION,
    "AWS_EC2_METADATA_DISABLED": "true",
}
UNCHANGED: Final[Mapping[str, str]] = {}
_numbers = itertools.count(1)

#: Functions stay warm, with their connections, for the life of the process, as in Lambda.
_WARM: Final[dict[tuple[str, ...], LambdaFunction]] = {}


@dataclass
class Rig:
    """One account, one world, and the functions deployed to them."""

    world: World
    aws: Aws
    tables: dynamodb.Tables
    bus: messaging.Bus
    queues: sqs.Queues
    environment: Mapping[str, str]

    def invoke(
        self, name: str, event: Any, *, seconds: float = 60.0, changed: Mapping[str, str] = UNCHANGED
    ) -> dict[str, Any]:
        """Invoke a function, in an environment changed as told."""
        environment = {**self.environment, **changed}
        place = (name, *(f"{variable}={value}" for variable, value in environment.items()))
        if place not in _WARM:
            _WARM[place] = LambdaFunction(name, environment)
        return _WARM[place](event, trigger.Context(seconds))

    def batch(
        self,
        name: str,
        *records: Mapping[str, Any],
        seconds: float = 60.0,
        changed: Mapping[str, str] = UNCHANGED,
    ) -> list[str]:
        """Deliver an SQS batch; the message ids that are not acknowledged."""
        answer = self.invoke(name, trigger.batch(*records), seconds=seconds, changed=changed)
        assert answer.keys() == {"batchItemFailures"}
        return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]

    def outcomes(self) -> dict[str, str]:
        """The outcome published last for each request."""
        return {detail["cancel_request_id"]: detail["outcome"] for detail in self.bus.details()}

    @property
    def items(self) -> dict[str, dict[str, Any]]:
        """The ledger, by partition key."""
        return self.tables.items[TABLE]

    def entry(self, wanted: Wanted, name: str = "payment_cancel") -> Entry:
        """The ledger's entry of a request, in whatever format it is stored."""
        ledger = Ledger(self.aws.connect("dynamodb"), TABLE, clock=time.time, ttl_days=400)
        found = ledger.get(Key(name, wanted.key))
        assert found is not None
        return found

    def end_leases(self) -> None:
        """Let the time of every invocation be over."""
        for item in self.items.values():
            item["lease_until"] = {"N": "0"}

    def seed_samples(self) -> None:
        """Everything the sample events are about."""
        seeds = json.loads((EVENTS / "simulator.json").read_text(encoding="utf-8"))
        for kind, records in seeds.items():
            for one in records:
                self.seed(kind, one)

    def seed(self, kind: str, record: Mapping[str, Any]) -> None:
        """What there is at a provider: ``payments``, ``receipts`` or ``orders``."""
        getattr(self.world, f"seed_{kind.removesuffix('s')}")(record)

    def reset(self) -> None:
        """An empty account and world; functions stay warm, with their access tokens."""
        self.world.reset()
        for service in (self.tables, self.bus, self.queues):
            service.reset()
        self.aws.calls.clear()


@dataclass(frozen=True)
class Wanted:
    """A payment_cancel that somebody asks for."""

    imp_uid: str = "imp_1"
    amount: int | None = 1000
    key: str = field(default_factory=lambda: f"cr-{next(_numbers)}")

    @cached_property
    def detail(self) -> dict[str, Any]:
        """As the order service publishes it."""
        amount = {} if self.amount is None else {"amount": self.amount}
        return trigger.detail(self.key, {"imp_uid": self.imp_uid, **amount})

    @property
    def body(self) -> str:
        """A message body: the bare detail."""
        return json.dumps(self.detail)


def limits(**bounds: int) -> dict[str, str]:
    """The variable that bounds every cancel type in won: ``largest``, ``per_hour``, ``amount_per_hour``."""
    return {"LIMITS": json.dumps({name: {"KRW": bounds} for name in MODULES})}


@contextmanager
def running_rig() -> Iterator[Rig]:
    """A rig whose sockets are open, in an environment that leads there."""
    world = World(clock=time.time)
    tables, bus, queues = dynamodb.Tables(**{TABLE: "pk"}), messaging.Bus(), sqs.Queues()
    aws = Aws(
        {
            dynamodb.TARGET: tables,
            messaging.EVENTS_TARGET: bus,
            sqs.TARGET: queues,
            messaging.SECRETS_TARGET: messaging.Secrets(json.dumps(SECRET)),
        }
    )
    with ExitStack() as stack:
        endpoint = stack.enter_context(aws.listening())
        simulator = stack.enter_context(_serving(world))
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        for name, value in {**_AWS, "AWS_ENDPOINT_URL": endpoint}.items():
            patch.setenv(name, value)
        environment = {**ENVIRONMENT, "PORTONE_BASE_URL": simulator, "EBP_BASE_URL": simulator}
        yield Rig(world, aws, tables, bus, queues, environment)


@contextmanager
def _serving(world: World) -> Iterator[str]:
    server = SimulatorServer(world)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
