from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from refunds.domain.limits import Limits
from tests.unit.service.world import NOW, Gateway, World, wanted


def restored(**gateway: Any) -> World:
    """A refund of 3,000 that was carried out, and whose item a restore of the table has lost."""
    one = World((Gateway(**gateway),))
    one.deliver(wanted(amount=3_000))
    one.ledger.items.clear()
    return one


def test_what_carries_our_tag_is_not_sent_again() -> None:
    """The archive brings the event again: the history shows it, and it is told as before."""
    one = restored()
    one.deliver(wanted(amount=3_000))
    assert one.gateway.refunded == 3_000
    assert len(one.gateway.sent) == 1
    first, second = one.published
    assert (second.outcome, second.outcome_id) == ("succeeded", first.outcome_id)
    assert (second.money, second.provider) == (first.money, first.provider)


def test_a_full_refund_that_the_ledger_lost_is_no_failure() -> None:
    """Not "cancelled already": it was this request that cancelled it."""
    one = World()
    one.deliver(wanted())
    one.ledger.items.clear()
    one.deliver(wanted())
    assert one.told() == [("succeeded", None, None)] * 2
    assert one.gateway.refunded == 10_000


def test_others_may_have_cancelled_since() -> None:
    """The own entry is found among later ones."""
    one = restored()
    one.gateway.apply(Decimal(500))
    one.deliver(wanted(amount=3_000))
    assert one.gateway.refunded == 3_500
    assert one.told()[-1] == ("succeeded", None, None)


def test_what_was_carried_out_twice_already_is_parked() -> None:
    """Two entries with the tag of one request: nothing is sent, and a person looks."""
    one = restored()
    one.gateway.apply(Decimal(3_000), one.gateway.history[0]["reason"])
    for final in (False, True):
        one.deliver(wanted(amount=3_000), final=final)
    assert len(one.gateway.sent) == 1
    assert one.told()[-1] == ("parked", "RESPONSE_MISMATCH", True)


@pytest.mark.parametrize("asked", [-1, 1])
def test_after_a_restore_what_has_no_item_is_kept_back(asked: int) -> None:
    """A PG without reasons shows nothing: the guard rails tell what was asked for before by its time."""
    restored_at = NOW - 60 - asked
    one = World((Gateway(keeps_reasons=False),), limits=Limits(restored_at=restored_at))
    one.deliver(wanted(amount=3_000, made_at=NOW - 60))
    kept_back = [("parked", "LIMIT_EXCEEDED", True)]
    assert one.told() == (kept_back if asked < 0 else [("succeeded", None, None)])


def test_a_payment_made_anew_is_not_meant_by_a_request_that_was_carried_out() -> None:
    """Under one merchant_uid: ours cancelled the first payment, and the customer pays again at once."""
    first, second = Gateway(), Gateway(imp_uid="imp_2", paid_at=int(NOW) + 30)
    one = World((first, second))
    second.status = "failed"
    one.deliver(wanted(merchant_uid="ORD-1"))
    assert first.refunded == 10_000
    one.ledger.items.clear()
    second.status = "paid"
    one.deliver(wanted(merchant_uid="ORD-1"))
    assert second.sent == []
    assert one.told()[-1] == ("succeeded", None, None)
