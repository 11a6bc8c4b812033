from __future__ import annotations

from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fakes.limits import deliverable
from tests.simulation.adversary import PERSONAL, PLANTED, bodies, recorded, world
from tests.simulation.requests import Wanted, line, order_cancel, refund, revoke
from tests.simulation.simulation import Simulation

_ACCOUNT, _HOLDER, _PHONE = PERSONAL
_TO_AN_ACCOUNT: Final[dict[str, Any]] = {
    "refund_account": _ACCOUNT,
    "refund_holder": _HOLDER,
    "refund_bank": "04",
    "refund_tel": _PHONE,
}
_LINES: Final = [line(1, 2, 5_000), line(2, 1, 3_000, "DELIVERY")]
_REQUESTS: Final = (
    refund(1, "imp_1", 3_000, **_TO_AN_ACCOUNT),
    refund(1, "imp_1", 3_000, checksum=10_000, **_TO_AN_ACCOUNT),
    refund(1, "imp_1", None, merchant_uid="ORD1", **_TO_AN_ACCOUNT),
    revoke(1, "vbank_revoke", "imp_2"),
    revoke(1, "cvs_revoke", "imp_3"),
    revoke(1, "receipt_revoke", "R1"),
    order_cancel(
        1,
        "O1",
        _LINES,
        refundAccount={"accountNumber": _ACCOUNT, "accountHolderName": _HOLDER, "bankCode": "04"},
    ),
)
_BUYER: Final = {"buyer_name": _HOLDER, "buyer_tel": _PHONE, "vbank_num": _ACCOUNT}


def seed(simulation: Simulation) -> None:
    world = simulation.world
    payment = {"merchant_uid": "ORD1", "amount": 10_000, "extra": _BUYER}
    world.seed_payment({"imp_uid": "imp_1", "pay_method": "vbank", **payment})
    world.seed_payment({"imp_uid": "imp_2", "pay_method": "vbank", "status": "ready", **payment})
    world.seed_payment({"imp_uid": "imp_3", "pay_method": "cvs", "status": "ready", **payment})
    world.seed_receipt({"merchant_uid": "R1", "amount": 10_000})
    world.seed_order({"orderNo": "O1", "items": _LINES})


@pytest.mark.parametrize("wanted", _REQUESTS, ids=lambda wanted: f"{wanted.cancel_type} {wanted.amount}")
@settings(
    max_examples=80,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(data=st.data())
def test_no_input_breaks_a_batch_or_brings_a_secret_to_light(wanted: Wanted, data: st.DataObject) -> None:
    """Any event, any answer: every message ends, and what is personal or secret is seen nowhere."""
    simulation = world(data)
    seed(simulation)
    queue = simulation.queues[wanted.cancel_type]
    with recorded() as tape:
        queue.send(deliverable(data.draw(bodies(wanted.body))))
        queue.send(wanted.body, delay=1.0)
        simulation.run()
    assert not simulation.raised
    assert not simulation.crashes
    said = tape.said(simulation)
    assert [secret for secret in PLANTED if secret in said or secret in _joined(said)] == []


def _joined(text: str) -> str:
    """Numbers may be grouped and names spaced out."""
    return text.replace(" ", "").replace("-", "")
