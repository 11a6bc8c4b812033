"""Why Powertools' idempotency decorator is not put around the provider call (docs/adr/0001).

The decorator and its DynamoDB persistence layer are the real ones, through a real botocore client; the
provider is the simulator with its own statement of the money that moved.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import httpx
import pytest
from aws_lambda_powertools.utilities.idempotency import (
    DynamoDBPersistenceLayer,
    IdempotencyConfig,
    idempotent_function,
)
from aws_lambda_powertools.utilities.idempotency.exceptions import IdempotencyAlreadyInProgressError

from local.simulator import Fault, FaultKind, World
from local.simulator.transport import WorldTransport
from local.trigger import Context, record
from tests.fakes import dynamodb
from tests.fakes.answers import AwsError
from tests.fakes.endpoint import Aws
from tests.unit.rig import Rig, Wanted

PAYMENT = "imp_1"
REFUND = {"cancel_request_id": "cr-1", "imp_uid": PAYMENT, "amount": 3000}
TABLE = "idempotency"
HOUR = 3600


class ProcessDied(BaseException):
    """What no handler of exceptions ever sees: a timeout of the function, SIGKILL, out of memory."""


@dataclass
class Shop:
    """A payment of 10,000 won at the provider, and the decorator's table."""

    world: World = field(default_factory=lambda: World(clock=time.time))
    tables: dynamodb.Tables = field(default_factory=lambda: dynamodb.Tables(**{TABLE: "id"}))

    def __post_init__(self) -> None:
        self.world.seed_payment({"imp_uid": PAYMENT, "merchant_uid": "ORD-1", "amount": 10_000})

    @property
    def refunded(self) -> Decimal:
        """Won that really moved."""
        return self.world.money.refunded(PAYMENT)

    @property
    def record(self) -> dict[str, Any] | None:
        """What the decorator remembers of the refund."""
        return next(iter(self.tables.items[TABLE].values()), None)

    def let_the_lease_end(self) -> None:
        """As when the time of the worker's invocation has passed."""
        assert self.record is not None
        self.record["in_progress_expiration"] = {"N": str(int(time.time() * 1000) - 1)}

    def cancel(self) -> str:
        """The provider call, as its documentation shows it; returns the cancellation's id."""
        with httpx.Client(transport=WorldTransport(self.world), base_url="https://portone.invalid") as http:
            keys = {"imp_key": "simulator-imp-key", "imp_secret": "simulator-imp-secret"}
            token = http.post("/users/getToken", json=keys).json()["response"]["access_token"]
            body = {"imp_uid": PAYMENT, "amount": REFUND["amount"]}
            headers = {"Authorization": f"Bearer {token}"}
            answer = http.post("/payments/cancel", json=body, headers=headers).json()
        found: str = answer["response"]["cancel_history"][-1]["cancellation_id"]
        return found

    def worker(self, act: Callable[[], str]) -> Callable[[], str]:
        """One process that carries the refund out once, as the decorator promises."""
        client = Aws({dynamodb.TARGET: self.tables}).connect("dynamodb")
        config = IdempotencyConfig(event_key_jmespath="cancel_request_id")
        config.register_lambda_context(Context(90.0))  # type: ignore[arg-type]
        layer = DynamoDBPersistenceLayer(TABLE, boto3_client=client)

        def carry_out(*, refund: dict[str, Any]) -> str:
            assert refund == REFUND
            return act()

        once: Callable[..., str] = idempotent_function(
            carry_out, data_keyword_argument="refund", persistence_store=layer, config=config
        )
        return lambda: once(refund=REFUND)


@pytest.fixture
def shop() -> Shop:
    return Shop()


def test_it_works_while_nothing_fails(shop: Shop) -> None:
    """A refund that succeeded is remembered and not carried out again."""
    first = shop.worker(shop.cancel)()
    assert shop.worker(shop.cancel)() == first
    assert shop.refunded == 3000


@pytest.mark.parametrize("kind", [FaultKind.HANG_AFTER_COMMIT, FaultKind.DROP_AFTER_COMMIT])
def test_any_exception_deletes_the_record(shop: Shop, kind: FaultKind) -> None:
    """After a lost answer to a refund that was carried out, the record is gone and the next try refunds."""
    shop.world.add_fault(Fault(kind, PAYMENT, operation="cancel"))
    with pytest.raises(httpx.TransportError):
        shop.worker(shop.cancel)()
    assert shop.record is None
    shop.worker(shop.cancel)()
    assert shop.refunded == 6000


def test_an_expired_lease_is_executed_again(shop: Shop) -> None:
    """After a crash behind the provider's commit, the refund is carried out again once the lease ended."""

    def die_after_commit() -> str:
        shop.cancel()
        raise ProcessDied

    with pytest.raises(ProcessDied):
        shop.worker(die_after_commit)()
    with pytest.raises(IdempotencyAlreadyInProgressError):
        shop.worker(shop.cancel)()
    shop.let_the_lease_end()
    shop.worker(shop.cancel)()
    assert shop.refunded == 6000


def test_completion_is_unconditional(shop: Shop) -> None:
    """A worker that lost its lease overwrites the result of the one that took over."""
    faster: list[str] = []

    def be_overtaken() -> str:
        shop.let_the_lease_end()
        faster.append(shop.worker(shop.cancel)())
        return shop.cancel()

    slower = shop.worker(be_overtaken)()
    assert faster != [slower]
    assert shop.worker(shop.cancel)() == slower
    assert shop.refunded == 6000


def test_deletion_is_unconditional(shop: Shop) -> None:
    """A worker that lost its lease and then fails deletes the success of the one that took over."""

    def be_overtaken_and_fail() -> str:
        shop.let_the_lease_end()
        shop.worker(shop.cancel)()
        raise ConnectionError

    with pytest.raises(ConnectionError):
        shop.worker(be_overtaken_and_fail)()
    assert shop.record is None
    shop.worker(shop.cancel)()
    assert shop.refunded == 6000


def test_it_forgets_after_an_hour(shop: Shop) -> None:
    """By default a success is forgotten an hour later, while a DLQ keeps the message for two weeks."""
    shop.worker(shop.cancel)()
    record = shop.record
    assert record is not None
    assert int(record["expiration"]["N"]) <= time.time() + HOUR
    record["expiration"]["N"] = str(int(record["expiration"]["N"]) - HOUR - 1)
    shop.worker(shop.cancel)()
    assert shop.refunded == 6000


@pytest.mark.parametrize("kind", [FaultKind.HTTP_5XX_AFTER_COMMIT, FaultKind.DROP_AFTER_COMMIT])
def test_the_ledger_survives_a_lost_answer(rig: Rig, kind: FaultKind) -> None:
    """The same lost answer through the function with its ledger: refunded once, and known to be."""
    rig.world.seed_payment({"imp_uid": PAYMENT, "merchant_uid": "ORD-1", "amount": 10_000})
    rig.world.add_fault(Fault(kind, PAYMENT, operation="cancel"))
    wanted = Wanted(PAYMENT, 3000)
    for receives in (1, 2):
        assert rig.batch("payment_cancel", record(wanted.body, receives=receives)) == []
    assert rig.outcomes() == {wanted.key: "succeeded"}
    assert rig.world.money.refunded(PAYMENT) == 3000


def test_the_ledger_survives_a_crash(rig: Rig) -> None:
    """The same crash behind the commit: whoever takes over asks first, and nothing is refunded again."""
    rig.world.seed_payment({"imp_uid": PAYMENT, "merchant_uid": "ORD-1", "amount": 10_000})
    wanted = Wanted(PAYMENT, 3000)

    def lose_the_record(operation: str, _key: str) -> None:
        if operation == "UpdateItem":
            raise AwsError("AccessDeniedException")

    rig.tables.disturb = lose_the_record
    message = record(wanted.body)
    assert rig.batch("payment_cancel", message) == [message["messageId"]]
    assert rig.world.money.refunded(PAYMENT) == 3000
    rig.tables.disturb = lambda _operation, _key: None
    rig.end_leases()
    assert rig.batch("payment_cancel", record(wanted.body, receives=2)) == []
    assert rig.outcomes() == {wanted.key: "succeeded"}
    assert rig.world.money.refunded(PAYMENT) == 3000
