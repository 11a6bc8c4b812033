from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from refunds.domain.disposition import DeadLetter, Publish, Source
from refunds.domain.entry import State
from refunds.domain.tag import tag_of
from tests.unit.service.world import Gateway, World, wanted

PARTIAL: Any = {"amount": 3_000}
UNKNOWN = ("parked", "OUTCOME_UNKNOWN", True)
PENDING = ("pending", None, None)


def smartro(**fields: Any) -> World:
    """A virtual account at a PG that books later than it accepts."""
    return World((Gateway(pg_provider="smartro_v2", pay_method="vbank", late=True, **fields),))


def paypal(**fields: Any) -> World:
    """A PayPal payment of USD 100.00."""
    gateway = Gateway(pg_provider="paypal_v2", currency="USD", amount=Decimal("100.00"), late=True, **fields)
    return World((gateway,))


@pytest.mark.parametrize("plan", ["lose", "lose before"])
def test_a_lost_answer_at_a_late_pg_is_never_sent_again(plan: str) -> None:
    """It is parked as unknown, and no redelivery, replay or later booking sends a second one."""
    world = smartro(answers=[plan])
    for final in (False, False, True, False, True):
        world.deliver(wanted(**PARTIAL), final=final)
    assert len(world.gateway.sent) == 1
    assert set(world.told()) == {UNKNOWN}
    assert len({outcome.outcome_id for outcome in world.published}) == 1
    assert world.item().in_doubt


def test_a_process_that_dies_right_after_the_send_at_a_late_pg_sends_once() -> None:
    """Whoever takes over cannot see what was accepted, and does not send."""
    world = smartro(answers=["die"])
    world.dies(wanted(**PARTIAL))
    for final in (False, True, False):
        world.deliver(wanted(**PARTIAL), final=final)
    assert world.gateway.refunded == 3_000
    assert set(world.told()) == {UNKNOWN}


def test_a_lost_answer_that_is_booked_later_succeeds() -> None:
    """Once the entry with our tag is there, asking again proves it."""
    world = smartro(answers=["lose"])
    world.deliver(wanted(**PARTIAL))
    world.gateway.book()
    world.deliver(wanted(**PARTIAL))
    assert world.told() == [UNKNOWN, ("succeeded", None, None)]
    assert world.gateway.refunded == 3_000


def test_an_answer_that_shows_our_mark_with_another_amount_is_not_pending() -> None:
    """Nobody looked before; what was asked for is not what was accepted, whatever the balance says."""
    world = paypal()
    detail = wanted(amount=60, currency="USD", checksum=100)
    mark = tag_of("payment_cancel", detail["cancel_request_id"])
    entry = {"cancellation_id": "c-1", "amount": 100, "reason": mark, "cancelled_at": 1, "pg_tid": "t"}
    world.gateway.extra = {"cancel_amount": 60, "cancel_history": [entry]}
    world.deliver(detail)
    assert world.told() == [("parked", "RESPONSE_MISMATCH", True)]


@pytest.mark.parametrize("world", [smartro(), paypal(), World((Gateway(pg_provider="newpay", late=True),))])
def test_an_accepted_cancellation_is_pending(world: World) -> None:
    """``code: 0`` without an entry is told as pending, and acknowledged; nothing is sent again."""
    detail = wanted(amount=60, currency=world.gateway.currency)
    disposition = world.deliver(detail)
    assert isinstance(disposition, Publish)
    assert disposition.dead_letter is None
    assert world.told() == [PENDING]
    money = world.published[0].money
    assert money is not None
    assert (money.currency, money.cancelled, money.settles) == (world.gateway.currency, Decimal(60), "later")
    assert world.item().state is State.PENDING
    baseline = world.item().baseline
    assert baseline is not None
    assert baseline.accepted
    for final in (False, True):
        again = world.deliver(detail, final=final)
        assert isinstance(again, Publish)
        assert again.source is Source.LEDGER
    assert len({outcome.to_json() for outcome in world.published}) == 1
    assert len(world.gateway.sent) == 1


def test_dying_before_the_acceptance_is_recorded_never_sends_again() -> None:
    """The answer is known to nobody: a listed PG is asked, and the request parked."""
    world = paypal()
    world.ledger.dies_before = "record"
    world.dies(wanted(amount=60, currency="USD"))
    for final in (False, True):
        world.deliver(wanted(amount=60, currency="USD"), final=final)
    assert len(world.gateway.sent) == 1
    assert set(world.told()) == {UNKNOWN}


def test_a_pg_nobody_has_looked_at_is_not_trusted_after_a_lost_answer() -> None:
    """It may book later than it accepts: what was lost there is never sent again."""
    world = World((Gateway(pg_provider="newpay", late=True, answers=["lose"]),))
    for final in (False, True, True):
        world.deliver(wanted(**PARTIAL), final=final)
    assert len(world.gateway.sent) == 1
    assert set(world.told()) == {UNKNOWN}


def test_a_late_pg_is_recognised_where_nobody_looked() -> None:
    """With the event's own checksum, the question after the lost answer says which PG it is."""
    world = smartro(answers=["lose before"])
    for final in (False, False, True):
        world.deliver(wanted(amount=3_000, checksum=10_000), final=final)
    assert len(world.gateway.sent) == 1
    assert set(world.told()) == {UNKNOWN}


def test_a_listed_entry_that_is_not_approved_is_pending() -> None:
    """paypal_v2: an entry while the balance has not moved and the status is ``paid`` is a request."""
    world = paypal()
    world.gateway.extra = {"cancel_amount": 0, "status": "paid"}
    world.gateway.late = False
    world.deliver(wanted(amount=60, currency="USD"))
    assert world.told() == [PENDING]


def test_an_approved_entry_is_a_success() -> None:
    """paypal_v2: the balance moved by exactly it."""
    world = paypal()
    world.gateway.late = False
    world.deliver(wanted(amount=60, currency="USD"))
    assert world.told() == [("succeeded", None, None)]
    money = world.published[0].money
    assert money is not None
    shown = (money.currency, money.cancelled, money.cancellable_after)
    assert shown == ("USD", Decimal(60), Decimal(40))


def test_a_pg_that_books_at_once_is_sent_again() -> None:
    """Where the balance moves at once, the checksum makes the second send safe."""
    world = World((Gateway(answers=["lose before"]),))
    world.deliver(wanted(**PARTIAL))
    world.deliver(wanted(**PARTIAL))
    assert world.told() == [("succeeded", None, None)]
    assert world.gateway.refunded == 3_000


def test_a_token_refused_at_a_late_pg_is_not_repeated_blindly() -> None:
    """Only where the provider prevents a double may the client repeat after a 401."""
    for world, repeatable in ((smartro(), False), (World(), True)):
        world.deliver(wanted(**PARTIAL))
        assert world.portone.repeatable == [repeatable]


def test_a_refusal_at_a_late_pg_proves_nothing() -> None:
    """Nothing that is missing there proves anything, so it is parked and never sent again."""
    world = smartro(answers=["은행 점검 시간입니다"])
    world.deliver(wanted(**PARTIAL))
    assert world.told() == [("parked", "OUTCOME_UNKNOWN", True)]


def test_pending_without_an_outcome_is_left_alone() -> None:
    """An item that says less than it should never leads to a send."""
    world = smartro()
    world.deliver(wanted(**PARTIAL))
    world.ledger.items[world.item().key] = world.item().__class__(**{**vars(world.item()), "outcome": None})
    assert isinstance(world.deliver(wanted(**PARTIAL), final=True), DeadLetter)
    assert len(world.gateway.sent) == 1
