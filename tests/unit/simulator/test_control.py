"""The control endpoints of what providers do by themselves, through the typed client and over a socket."""

from __future__ import annotations

import threading
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from local.simulator import FaultKind, MovementKind
from local.simulator.control import ControlError, SimulatorControl
from local.simulator.control_api import ROUTES
from local.simulator.server import SimulatorServer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local.simulator import World
    from tests.unit.simulator.caller import Caller

README = (Path(__file__).parents[3] / "local/simulator/README.md").read_text()


@pytest.fixture
def url(world: World) -> Iterator[str]:
    server = SimulatorServer(world)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def control(url: str) -> Iterator[SimulatorControl]:
    with SimulatorControl(url) as control:
        yield control


def test_late_bookings_are_told_and_ended(caller: Caller, control: SimulatorControl) -> None:
    """What was accepted is listed with its currency, ended on demand, and told as a movement."""
    control.seed_payments(
        {
            "imp_uid": "imp_p",
            "merchant_uid": "P",
            "amount": Decimal("726.24"),
            "pg_provider": "paypal_v2",
            "booking": {},
        }
    )
    caller.cancel(imp_uid="imp_p", amount=181.56)
    (accepted,) = control.acceptances("imp_p")
    assert (accepted.amount, accepted.currency, accepted.state) == (Decimal("181.56"), "USD", "waiting")
    assert control.state()["waiting_bookings"] == 1
    assert control.summary()[0].waiting == Decimal("181.56")
    assert control.end_bookings("imp_p", "booked") == 1
    (movement,) = control.ledger("imp_p")
    assert (movement.amount, movement.currency) == (Decimal("181.56"), "USD")
    assert control.acceptances()[0].cancellation_id == movement.cancellation_id
    control.somebody_else("imp_p", "cancel", Decimal("0.68"))
    control.reverse("imp_p", movement.cancellation_id, "entry")
    assert [m.kind for m in control.ledger()][-1] is MovementKind.REFUND_REVERSAL
    (line,) = control.summary("imp_p")
    assert (line.currency, line.refunded, line.refunds, line.reversals) == ("USD", Decimal("0.68"), 2, 1)


def test_orders_and_receipts_are_used_again(control: SimulatorControl) -> None:
    """Another payment and another receipt take the place of the first ones."""
    control.seed_payments({"imp_uid": "imp_1", "merchant_uid": "ORD-1", "amount": 1000})
    control.seed_receipts({"merchant_uid": "R-1", "amount": 5})
    assert control.pay_again("ORD-1", keep=True, status="ready") == "imp_1_2"
    assert control.reissue("R-1", receipt_tid="new", applied_at=7)["applied_at"] == 7
    assert [payment["status"] for payment in control.state()["payments"]] == ["paid", "ready"]
    assert [(line.subject, line.voids) for line in control.summary()] == [("R-1", 1)]


def test_keys_change(caller: Caller, control: SimulatorControl) -> None:
    """The old keys get 401 from now on."""
    control.rotate_keys(imp_secret="new-secret")
    assert caller.ask("GET", "/payments/imp_1")[0] == 401


def test_an_unknown_kind_is_answered_with_all_kinds(url: str, control: SimulatorControl) -> None:
    """A mistyped fault is no fault: 400, and the message lists what there is."""
    answer = httpx.post(f"{url}/_control/faults", json={"kind": "late_aply", "seconds": 1})
    assert answer.status_code == 400
    assert all(kind in answer.json()["error"] for kind in FaultKind)
    assert control.state()["faults"] == []
    with pytest.raises(ControlError, match="end is one of"):
        control.end_bookings("imp_1", "lost")


@pytest.mark.parametrize("kind", FaultKind)
def test_the_readme_describes_every_fault(kind: FaultKind) -> None:
    """No fault kind is a secret of the code."""
    assert f"`{kind}`" in README


def test_the_readme_lists_every_control_endpoint() -> None:
    """No control endpoint is a secret of the code."""
    assert [path for _method, path in ROUTES if f"/_control/{path}`" not in README] == []
