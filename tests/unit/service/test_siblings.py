from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from refunds.domain.entry import State
from tests.unit.service.world import Gateway, World, wanted

UNKNOWN = ("parked", "OUTCOME_UNKNOWN", True)
SUCCEEDED = ("succeeded", None, None)


def of(world: World, key: str) -> Any:
    """What accounting was told of a request last."""
    return [
        told for told, o in zip(world.told(), world.published, strict=True) if o.cancel_request_id == key
    ][-1:]


@pytest.mark.parametrize("lags", [False, True])
def test_one_entry_never_proves_two_requests(*, lags: bool) -> None:
    """Two equal cancellations, a PG that keeps no reasons, an index that shows nothing: one success."""
    world = World((Gateway(keeps_reasons=False, answers=["die", "lose before"]),))
    world.ledger.index_lags = lags
    first, second = wanted("cr-1", amount=3_000), wanted("cr-2", amount=3_000)
    world.dies(first)
    for final in (False, True, True):
        world.deliver(second, final=final)
        world.deliver(first, final=final)
    succeeded = [entry for entry in world.ledger.items.values() if entry.state is State.SUCCEEDED]
    assert len(succeeded) * 3_000 <= world.gateway.refunded
    ids = [entry.outcome.provider.cancellation_id for entry in succeeded if entry.outcome]
    assert len(ids) == len(set(ids))


def test_an_entry_that_another_request_holds_is_not_taken() -> None:
    """The fact is strongly consistent: whoever comes second stays open, and may be proven later."""
    world = World((Gateway(keeps_reasons=False, answers=["die", "die"]),))
    world.ledger.index_lags = True
    first, second = wanted("cr-1", amount=3_000), wanted("cr-2", amount=3_000)
    world.dies(first)
    world.deliver(first)
    assert of(world, "cr-1") == [SUCCEEDED]
    world.gateway.answers.clear()
    world.gateway.answers.append("lose before")
    world.deliver(second)
    assert world.gateway.refunded == 3_000
    world.deliver(second)
    assert of(world, "cr-2") == [SUCCEEDED]
    assert world.gateway.refunded == 6_000


def test_a_success_without_a_tag_is_held_before_it_is_recorded() -> None:
    """Dying between the two leaves the fact to the same request, which is proven by it again."""
    world = World((Gateway(keeps_reasons=False),))
    world.ledger.dies_before = "record"
    world.dies(wanted(amount=3_000))
    assert list(world.ledger.held.values()) == [world.item().key]
    world.deliver(wanted(amount=3_000))
    assert world.told() == [SUCCEEDED]
    assert world.gateway.refunded == 3_000


def test_a_tagged_success_needs_no_holder() -> None:
    """The tag is ours alone: two writes, as ever."""
    world = World()
    world.deliver(wanted(amount=3_000))
    assert world.ledger.held == {}


def test_our_own_answers_entry_held_by_another_is_a_mismatch() -> None:
    """Two requests were answered with one and the same entry: a person has to look."""
    world = World((Gateway(keeps_reasons=False),))
    world.ledger.held["portone", "imp_1", "c-1"] = world.service._parts.key("cr-0")  # noqa: SLF001 - another request
    world.deliver(wanted(amount=3_000))
    assert world.told() == [("parked", "RESPONSE_MISMATCH", True)]


def paypal(**fields: Any) -> Gateway:
    """USD 100.00, booked later."""
    return Gateway(pg_provider="paypal_v2", currency="USD", amount=Decimal("100.00"), late=True, **fields)


def test_at_a_late_pg_a_second_cancellation_waits_for_the_first() -> None:
    """60 is pending of 100: "all that is left" is not known, and nothing is sent for it."""
    world = World((paypal(),))
    world.deliver(wanted("cr-1", amount=60, currency="USD"))
    rest = wanted("cr-2", currency="USD")
    world.deliver(rest)
    world.deliver(rest, final=True)
    assert of(world, "cr-1") == [("pending", None, None)]
    assert of(world, "cr-2") == [("parked", "PROVIDER_UNAVAILABLE", False)]
    assert len(world.gateway.sent) == 1


def test_the_second_is_sent_once_the_first_has_ended() -> None:
    """What is left is known again."""
    world = World((paypal(),))
    world.deliver(wanted("cr-1", amount=60, currency="USD"))
    world.deliver(wanted("cr-2", currency="USD"))
    world.gateway.book()
    entry = world.item("cr-1")
    world.ledger.items[entry.key] = entry.__class__(**{**vars(entry), "state": State.SUCCEEDED})
    world.deliver(wanted("cr-2", currency="USD"))
    money = world.published[-1].money
    assert money is not None
    assert money.cancelled == 40
