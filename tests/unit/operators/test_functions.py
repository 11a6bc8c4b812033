from __future__ import annotations

import json
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest

from local.trigger import Context
from refunds.cancel_types import cancel_type
from refunds.operators.cancel_queues import CancelQueues
from refunds.operators.functions import OperatorFunction, ReconcileFunction, SweeperFunction
from refunds.operators.operations import Operations
from refunds.settings import Settings
from tests.fakes.direct import Direct
from tests.fakes.sqs import Queue
from tests.unit.operators.portone import PortOne, payment
from tests.unit.operators.rig import OperatorRig, applied
from tests.unit.rig import DLQ_URL, ENVIRONMENT, QUEUE_URL


@dataclass
class Invocations:
    """Lambda: what was invoked."""

    events: list[dict[str, Any]] = field(default_factory=list)

    def carry_out(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """Invoke."""
        assert (operation, request["InvocationType"]) == ("Invoke", "Event")
        self.events.append(json.loads(request["Payload"]))
        return {"StatusCode": 202}


@dataclass
class OperatorContext(Context):
    """Lambda's context, of the alias that was invoked."""

    invoked_function_arn: str = "arn:aws:lambda:ap-northeast-2:1:function:sweeper:live"


class Deployment:
    """The functions over a operators's ledger, with a provider and queues in memory."""

    def __init__(self) -> None:
        self.operators = OperatorRig()
        self.queue = Queue(now=self.operators.now)
        self.invocations = Invocations()
        services: dict[str, Any] = {
            "dynamodb": self.operators.tables,
            "events": self.operators.bus,
            "sqs": self.queue,
            "lambda": self.invocations,
        }
        urls = {"PORTONE_BASE_URL": "http://provider.invalid", "EBP_BASE_URL": "http://provider.invalid"}
        self.environment = {**ENVIRONMENT, **urls, "ACCOUNTING_BUS_NAME": "accounting"}
        queues = CancelQueues(cancel_type("payment_cancel").policy, QUEUE_URL, DLQ_URL)
        self.operations = Operations(
            lambda service: Direct(services[service]),
            Settings.from_environment(self.environment),
            (queues,),
            clock=lambda: self.operators.now,
        )
        self.operations.__dict__["_status_inquiry"] = self.operators.inquiry

    def run(self, function: OperatorFunction, event: Any = None, **context: Any) -> Any:
        """Invoke one."""
        function._operations = self.operations  # noqa: SLF001 - what it would make of its environment
        return function(event or {}, OperatorContext(**context))  # type: ignore[operator]

    def sweep(self, event: Any = None, **context: Any) -> Any:
        """Invoke the sweeper."""
        return self.run(SweeperFunction(self.environment), event, **context)


@pytest.fixture
def deployment() -> Deployment:
    return Deployment()


def test_a_run_sweeps_and_tells(deployment: Deployment) -> None:
    """The schedule's own event is an ordinary run; its answer says what was found and done."""
    deployment.operators.succeed("cr-1", unpublished=True)
    deployment.operators.park("cr-2")
    deployment.operators.provider.answers = {"imp_cr-2": applied("cr-2")}
    deployment.operators.now += 1000
    deployment.queue.put("m-1", "{}")
    answer = deployment.sweep({"detail-type": "Scheduled Event", "source": "aws.events", "detail": {}})
    assert (answer["republished"], answer["resolved"], answer["complete"]) == (1, {"payment_cancel": 1}, True)
    assert answer["told"] == {"payment_cancel": 1}
    assert json.loads(json.dumps(answer)) == answer


def test_what_was_passed_over_is_named_by_its_key_and_counted(
    deployment: Deployment, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """In the answer, in the log and as a metric."""
    deployment.operators.park("cr-1")
    deployment.operators.spoil("payment_cancel#cr-1", version={"S": "?"})
    answer = deployment.sweep()
    assert answer["passed_over_keys"] == ["payment_cancel#cr-1"]
    assert '"PassedOver":[1.0]' in capsys.readouterr().out
    assert next(getattr(line, "ledger_key", None) for line in caplog.records) == "payment_cancel#cr-1"


def test_a_run_that_runs_out_of_time_invokes_the_next_piece(deployment: Deployment) -> None:
    """Asynchronously, with the place where it stopped; the dead letters are not told again."""
    for number in range(40):
        deployment.operators.succeed(f"cr-{number}", unpublished=True)
    event: Any = {"daily": True}
    for _ in range(100):
        answer = deployment.sweep(event, seconds=10.0)
        if answer["complete"]:
            break
        event = deployment.invocations.events.pop()
        assert (event["daily"], event["tell"]) == (True, False)
    assert len(deployment.invocations.events) <= 1


def test_an_operator_asks_through_the_function(deployment: Deployment) -> None:
    """What is proven is recorded and told; what is not there, or cannot be asked, is said so."""
    deployment.operators.park("cr-1")
    deployment.operators.park("cr-2", in_doubt=False)
    deployment.operators.provider.answers = {"imp_cr-1": applied("cr-1")}
    deployment.operators.now += 1
    keys = [f"payment_cancel#cr-{number}" for number in (1, 2, 3)]
    first, second, third = deployment.sweep({"ask": keys})["findings"]
    assert (first["state"], first["settled"], first["published"]) == ("SUCCEEDED", True, True)
    assert (second["state"], second["settled"]) == ("PARKED", False)
    assert "nothing was sent" in second["finding"]
    assert (third["key"], third["state"]) == (keys[2], None)
    assert deployment.operators.told() == [("cr-1", "succeeded")]


def test_an_operator_may_ask_without_recording(deployment: Deployment) -> None:
    """The finding says what the provider shows; ledger and accounting stay as they are."""
    deployment.operators.park("cr-1")
    deployment.operators.provider.answers = {"imp_cr-1": applied("cr-1")}
    deployment.operators.now += 1
    before = deployment.operators.entry()
    (finding,) = deployment.sweep({"ask": ["payment_cancel#cr-1"], "record": False})["findings"]
    assert "shows it was carried out" in finding["finding"]
    assert (deployment.operators.entry(), deployment.operators.told()) == (before, [])


@pytest.mark.parametrize("key", ["cr-1", "payment_cancel#", "payment_cancel#a b", "x" * 200])
def test_what_is_no_ledger_key_is_refused(deployment: Deployment, key: str) -> None:
    """Named, before anything is asked."""
    with pytest.raises(ValueError, match="not a sweep request: ask"):
        deployment.sweep({"ask": [key]})


def test_a_days_differences_are_told_exactly(deployment: Deployment) -> None:
    """Amounts are texts with their currency: no reader rounds them."""
    portone: Any = PortOne()
    deployment.operations.__dict__["_providers"] = _Providers(portone)
    entry = {"cancellation_id": "c-9", "amount": Decimal("181.56")}
    portone.add(payment("9", entry, currency="USD"), listed=True)
    answer = deployment.run(ReconcileFunction(deployment.environment), {"date": "2026-11-20"})
    assert (answer["complete"], answer["differences"]["not_in_ledger"]) == (True, 1)
    (shown,) = answer["shown"]
    assert (shown["provider_amount"], shown["currency"]) == ("181.56", "USD")
    assert json.loads(json.dumps(answer)) == answer


@dataclass
class _Providers:
    client: Any

    def portone(self) -> Any:
        """The one client."""
        return self.client
