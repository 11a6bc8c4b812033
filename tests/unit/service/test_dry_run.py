from __future__ import annotations

import pytest

from local.simulator import Fault, FaultKind, Operation
from local.trigger import record
from tests.unit.rig import MAX_RECEIVE_COUNT, Rig, Wanted, limits

DRY_RUN = {"DRY_RUN": "true", **limits(per_hour=1)}


@pytest.fixture
def paid(rig: Rig) -> Rig:
    rig.world.seed_payment({"imp_uid": "imp_1", "merchant_uid": "ORD-1", "amount": 10_000})
    return rig


def operations(rig: Rig) -> list[str]:
    """What the provider was asked, access tokens aside."""
    return [one.operation for one in rig.world.requests if one.operation != Operation.TOKEN]


def test_a_dry_run_does_everything_but_send(paid: Rig) -> None:
    """The payment is looked at and nothing is sent: the request is parked, truthfully not applied."""
    wanted = Wanted()
    assert paid.batch("payment_cancel", record(wanted.body), changed=DRY_RUN) == []
    (detail,) = paid.bus.details()
    assert (detail["outcome"], detail["error"]["code"]) == ("parked", "LIMIT_EXCEEDED")
    assert detail["error"]["may_have_been_applied"] is False
    assert detail["money"]["cancellable_before"] == 10_000
    assert operations(paid) == [Operation.LOOKUP]


def test_a_dry_run_tells_what_would_be_refused(paid: Rig) -> None:
    """A payment nobody knows is a failure in a dry run as well: that is proven."""
    wanted = Wanted("imp_nobody")
    paid.batch("payment_cancel", record(wanted.body), changed=DRY_RUN)
    assert paid.outcomes() == {wanted.key: "failed"}


def test_what_a_dry_run_parked_can_be_carried_out(paid: Rig) -> None:
    """Replayed where sending is on, the same request is refunded."""
    wanted = Wanted()
    paid.batch("payment_cancel", record(wanted.body), changed=DRY_RUN)
    paid.batch("payment_cancel", record(wanted.body))
    assert paid.outcomes() == {wanted.key: "succeeded"}
    assert paid.world.money.refunded("imp_1") == 1000


def test_a_dry_run_counts_nothing(paid: Rig) -> None:
    """Nothing is sent, so nothing uses up the hour."""
    for _ in range(3):
        paid.batch("payment_cancel", record(Wanted().body), changed=DRY_RUN)
    assert not [key for key in paid.items if key.startswith("guard#")]


def test_a_dry_run_does_not_send_again_either(paid: Rig) -> None:
    """A request in doubt from before the dry run is asked about, never sent again, and parked as unknown."""
    wanted = Wanted()
    paid.world.add_fault(Fault(FaultKind.DROP_BEFORE_COMMIT, "imp_1", Operation.CANCEL))
    paid.batch("payment_cancel", record(wanted.body))
    paid.end_leases()
    final_receive = record(wanted.body, receives=MAX_RECEIVE_COUNT)
    assert paid.batch("payment_cancel", final_receive, changed=DRY_RUN) == []
    assert operations(paid).count(Operation.CANCEL) == 1
    assert paid.bus.details()[-1]["error"]["may_have_been_applied"] is True
    assert paid.world.money.refunded("imp_1") == 0
