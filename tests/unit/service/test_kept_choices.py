from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from refunds.domain.disposition import DeadLetter, Publish, Redeliver
from refunds.domain.entry import State
from refunds.errors import LookupFailed
from tests.unit.service.world import NOW, Gateway, World, wanted

BY_ORDER: Any = {"merchant_uid": "ORD-1"}
NOT_TODAY = "취소금액이 미정산 금액보다 큽니다"


def paid_again(**fields: Any) -> Gateway:
    """A second payment under the same ``merchant_uid``."""
    return Gateway(imp_uid="imp_2", **{"paid_at": int(NOW) - 1_800} | fields)


def test_a_retry_keeps_the_payment_that_was_chosen() -> None:
    """Refused for now, cancelled at the console, paid again: the new payment is never touched."""
    first, second = Gateway(answers=[NOT_TODAY]), paid_again(status="failed")
    world = World((first, second))
    assert isinstance(world.deliver(wanted(**BY_ORDER)), Redeliver)
    first.apply(Decimal(10_000), cancelled_at=int(NOW))
    first.book()
    second.status = "paid"
    world.deliver(wanted(**BY_ORDER))
    assert world.told() == [("failed", "ALREADY_CANCELLED", False)]
    assert second.sent == []


def test_the_chosen_payment_survives_a_death_right_after_the_send() -> None:
    """What the claim named is asked about, and sent again, whatever else was paid meanwhile."""
    first, second = Gateway(answers=["die"]), paid_again(status="failed")
    world = World((first, second))
    world.dies(wanted(**BY_ORDER))
    second.status = "paid"
    world.deliver(wanted(**BY_ORDER))
    assert world.told() == [("succeeded", None, None)]
    assert first.refunded == 10_000
    assert second.sent == []


def test_a_payment_made_after_the_event_is_not_meant() -> None:
    """Nobody asked for it to be cancelled: not found, and nothing is sent."""
    world = World((Gateway(paid_at=int(NOW) + 61),))
    world.deliver(wanted(**BY_ORDER))
    assert world.told() == [("failed", "NOT_FOUND", False)]
    assert world.gateway.sent == []


def test_clocks_may_differ_by_a_minute() -> None:
    """The order service's clock and PortOne's are not the same."""
    world = World((Gateway(paid_at=int(NOW) + 60),))
    world.deliver(wanted(**BY_ORDER))
    assert world.told() == [("succeeded", None, None)]


def test_two_live_payments_are_told_before_anything_is_written() -> None:
    """The message is parked as invalid; repaired with an ``imp_uid`` it keeps its id and is carried out."""
    world = World((Gateway(), paid_again()))
    disposition = world.deliver(wanted(**BY_ORDER))
    assert isinstance(disposition, Publish)
    assert disposition.dead_letter is not None
    world.deliver(wanted(imp_uid="imp_2"))
    assert world.told() == [("parked", "INVALID_REQUEST", False), ("succeeded", None, None)]
    assert [gateway.refunded for gateway in world.gateways] == [0, 10_000]


def test_two_live_payments_at_a_retry_are_told_and_can_be_repaired() -> None:
    """The item was parked before it chose: the retry parks it as invalid, and the repair is taken."""
    world = World((Gateway(), paid_again(status="failed")))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(world.portone, "payments_of", _unavailable)
        world.deliver(wanted(**BY_ORDER), final=True)
    world.gateways[1].status = "paid"
    assert isinstance(world.deliver(wanted(**BY_ORDER)), Publish)
    assert world.item().state is State.PARKED
    world.deliver(wanted(imp_uid="imp_1"))
    assert world.told() == [
        ("parked", "PROVIDER_UNAVAILABLE", False),
        ("parked", "INVALID_REQUEST", False),
        ("succeeded", None, None),
    ]
    assert [outcome.revision for outcome in world.published] == sorted(o.revision for o in world.published)


@pytest.mark.parametrize("plan", ["lose before", ""])
def test_another_payload_is_not_taken_for_a_repair(plan: str) -> None:
    """Only what was parked as invalid, and never sent, may be repaired under its id."""
    world = World((Gateway(answers=[plan]),))
    world.deliver(wanted(amount=3_000), final=True)
    assert isinstance(world.deliver(wanted(amount=2_000)), DeadLetter)
    assert len(world.gateway.sent) == 1


def _unavailable(*_: Any, **__: Any) -> Any:
    raise LookupFailed("no answer")
