"""Whose an entry of a provider's books is: a fact of the table, not of an index."""

from __future__ import annotations

from decimal import Decimal

import pytest

from refunds.contracts.outbound import MoneyMoved, OutcomeKind, ProviderRefs
from refunds.domain.entry import Key, State
from tests.unit.ledger.conftest import DAY, Shelf, new_entry, outcome, parked


def test_an_entry_is_held_by_one_request(shelf: Shelf) -> None:
    """The first one holds it, however often it asks; no other one does."""
    first, second = new_entry(1), new_entry(2)
    assert shelf.ledger.hold_entry(first, "portone", "imp_1", "cancellation-1")
    assert shelf.ledger.hold_entry(first, "portone", "imp_1", "cancellation-1")
    assert not shelf.ledger.hold_entry(second, "portone", "imp_1", "cancellation-1")
    assert shelf.ledger.hold_entry(second, "portone", "imp_1", "cancellation-2")
    assert shelf.ledger.hold_entry(second, "portone", "imp_2", "cancellation-1")


def test_a_held_entry_outlives_every_item_of_its_payment(shelf: Shelf) -> None:
    """It is remembered for twice as long as an ended item."""
    shelf.ledger.hold_entry(new_entry(1), "ebp", "ORD-1", "whole")
    item = shelf.items["entry#ebp#ORD-1#whole"]
    assert item["holder"] == {"S": "payment_cancel#cr-1"}
    assert int(item["expires_at"]["N"]) == shelf.now + 800 * DAY


def test_what_others_of_the_payment_say(shelf: Shelf) -> None:
    """Ids that are held, amounts that are open, and what a person recorded without saying which it is."""
    won = shelf.claimed(1)
    shelf.ledger.record(won, State.SUCCEEDED, outcome(won), in_doubt=False, proof="a tag of ours")
    doubtful = shelf.claimed(2, request={"imp_uid": "imp_448280090641", "amount": Decimal("7.26")})
    shelf.ledger.record(doubtful, State.PARKED, parked(doubtful), in_doubt=True, proof="nobody knows")
    shelf.claimed(3, request={"imp_uid": "imp_448280090641"})
    by_hand = shelf.claimed(4)
    money = MoneyMoved(currency="KRW", cancelled=Decimal(3000))
    told = outcome(by_hand, money=money, provider=ProviderRefs(name="portone"))
    shelf.ledger.record(by_hand, State.SUCCEEDED, told, in_doubt=False, proof="by hand")
    revoked = shelf.claimed(5, key=Key("vbank_revoke", "cr-5"))
    told = outcome(revoked, money=None, provider=ProviderRefs(name="portone"))
    shelf.ledger.record(revoked, State.SUCCEEDED, told, in_doubt=False, proof="voided")
    failed = shelf.claimed(6)
    shelf.ledger.record(
        failed, State.FAILED, outcome(failed, OutcomeKind.FAILED), in_doubt=False, proof="refused"
    )

    found = shelf.ledger.siblings(shelf.claimed(7))
    assert found.cancellation_ids == {"cancellation-cr-1"}
    assert sorted(found.open_amounts, key=str) == [Decimal("7.26"), None]
    assert found.settled_by_hand == (Decimal(3000),)
    assert found.others_succeeded


def test_a_request_is_no_sibling_of_itself(shelf: Shelf) -> None:
    """Alone, it has none."""
    found = shelf.ledger.siblings(shelf.claimed())
    assert not found.others_succeeded
    assert (found.cancellation_ids, found.open_amounts, found.settled_by_hand) == (frozenset(), (), ())


@pytest.mark.parametrize(
    ("cancel_type", "is_rival"), [("vbank_revoke", True), ("order_cancel", False), ("a_newer_type", True)]
)
def test_equal_ids_of_two_providers_are_two_payments(
    shelf: Shelf, cancel_type: str, *, is_rival: bool
) -> None:
    """Only the same provider's requests are rivals, and those of a type that this version does not know."""
    shelf.claimed(1, key=Key(cancel_type, "cr-1"))
    assert bool(shelf.ledger.siblings(shelf.claimed(2)).open_amounts) is is_rival
