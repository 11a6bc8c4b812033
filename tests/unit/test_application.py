from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from local.simulator import Operation
from local.simulator.faults import Fault, FaultKind
from local.trigger import Context, envelope, record
from refunds.application import LambdaFunction
from refunds.errors import ConfigurationError
from tests.unit.contracts.details import detail
from tests.unit.rig import EVENTS, Rig, Wanted

FUNCTIONS = Path(__file__).parents[2] / "functions"

# Functions live as long as the process, with their connections.
_KEPT: list[LambdaFunction] = []

# Stops the interpreter at anything that import must not do.
GUARD = """
import os, sys, threading

def watch(event, arguments):
    if event in ("socket.connect", "socket.bind", "subprocess.Popen"):
        raise AssertionError(event)

sys.addaudithook(watch)
before = dict(os.environ)
sys.path.insert(0, {folder!r})
import app
assert dict(os.environ) == before, "the environment was changed at import"
assert threading.active_count() == 1, "a thread was started at import"
assert callable(app.handler)
"""


@pytest.fixture
def paid(rig: Rig) -> Rig:
    rig.world.seed_payment({"imp_uid": "imp_1", "merchant_uid": "ORD-1", "amount": 10_000})
    return rig


@pytest.mark.parametrize("folder", sorted(FUNCTIONS.glob("*")), ids=lambda folder: folder.name)
def test_import_does_nothing(folder: Path) -> None:
    """Importing a function works without any configuration, and opens and starts nothing."""
    code = GUARD.format(folder=str(folder))
    done = subprocess.run([sys.executable, "-c", code], env={}, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_configuration_is_read_on_the_first_event() -> None:
    """A function that is configured wrongly is made without complaint, and fails by the variable's name."""
    function = LambdaFunction("payment_cancel", {})
    for _ in range(2):
        with pytest.raises(ConfigurationError, match="LEDGER_TABLE_NAME"):
            function({"Records": []}, Context())


def test_mended_configuration_is_read(rig: Rig) -> None:
    """Configuration that was mended is read with the next event: nothing is remembered of the failure."""
    environment: dict[str, str] = {}
    function = LambdaFunction("payment_cancel", environment)
    _KEPT.append(function)
    with pytest.raises(ConfigurationError):
        function({"Records": []}, Context())
    environment.update(rig.environment)
    assert function({"Records": []}, Context()) == {"batchItemFailures": []}


def test_unknown_cancel_type(rig: Rig) -> None:
    """A function of a cancel type that nobody registered fails by its name."""
    with pytest.raises(KeyError, match="cash_revoke"):
        LambdaFunction("cash_revoke", rig.environment)({"Records": []}, Context())


def test_warm_invocations_share_what_was_fetched(paid: Rig) -> None:
    """A warm function reads its secret and fetches its access token once, whatever it is invoked with."""
    paid.invoke("payment_cancel", envelope(Wanted().detail))
    paid.aws.calls.clear()
    paid.world.requests.clear()
    assert paid.batch("payment_cancel", *(record(Wanted().body) for _ in range(3))) == []
    assert paid.invoke("payment_cancel", envelope(Wanted().detail))["outcome"] == "succeeded"
    assert "GetSecretValue" not in paid.aws.calls
    assert Operation.TOKEN not in {request.operation for request in paid.world.requests}


def test_happy_path_costs(paid: Rig) -> None:
    """A refund takes two writes, one lookup and one call, and a batch of them one PutEvents."""
    paid.invoke("payment_cancel", envelope(Wanted().detail))
    paid.tables.writes.clear()
    paid.aws.calls.clear()
    paid.world.requests.clear()
    paid.batch("payment_cancel", *(record(Wanted().body) for _ in range(3)))
    assert paid.tables.writes == ["PutItem", "UpdateItem"] * 3
    assert paid.aws.calls.count("PutEvents") == 1
    operations = [request.operation for request in paid.world.requests]
    assert (operations.count(Operation.LOOKUP), operations.count(Operation.CANCEL)) == (3, 3)


def test_checksum_saves_the_lookup(paid: Rig) -> None:
    """An event that brings payment and balance is carried out without looking first."""
    wanted = Wanted().detail
    wanted["request"]["checksum"] = 10_000
    assert paid.invoke("payment_cancel", envelope(wanted))["outcome"] == "succeeded"
    assert paid.world.calls("imp_1", Operation.LOOKUP) == 0


@pytest.mark.parametrize("event", [{"Records": "none"}, {"Records": None}, {"records": []}])
def test_what_is_no_batch_is_an_event(rig: Rig, event: dict[str, Any]) -> None:
    """What only looks like a batch is refused as an event and kept in the DLQ."""
    assert rig.invoke("payment_cancel", event)["error"]["code"] == "INVALID_REQUEST"
    assert [json.loads(message["MessageBody"]) for message in rig.queues.sent] == [event]


def test_an_order_number_of_another_provider_is_no_rival(rig: Rig) -> None:
    """An open receipt of PortOne's under an order's number keeps nobody from seeing the order cancelled."""
    rig.seed_samples()
    order = json.loads((EVENTS / "order_cancel" / "eventbridge.json").read_text(encoding="utf-8"))["detail"]
    receipt = detail("receipt_revoke")
    number = receipt["request"]["merchant_uid"] = order["request"]["orderNo"]
    rig.world.add_fault(Fault(FaultKind.HTTP_5XX_BEFORE_COMMIT, number, Operation.RECEIPT, times=None))
    rig.world.add_fault(Fault(FaultKind.DROP_AFTER_COMMIT, number, Operation.CANCEL))
    assert rig.batch("receipt_revoke", record(json.dumps(receipt))) != []
    assert rig.batch("order_cancel", record(json.dumps(order))) == []
    assert rig.outcomes() == {order["cancel_request_id"]: "succeeded"}
