from __future__ import annotations

from refunds.ledger.audit import Actor, AuditTrail
from tests.unit.ledger.conftest import TABLE, Shelf

KIM = Actor("kim", "arn:aws:iam::1:user/kim", "ticket 4711")


def test_a_trail_is_read_in_the_order_it_was_written(shelf: Shelf) -> None:
    """Who did what, when and why."""
    trail = AuditTrail(shelf.client, TABLE, clock=lambda: shelf.now, ttl_days=400)
    trail.append("payment_cancel#cr-1", KIM, "replay")
    trail.append("payment_cancel#cr-1", KIM, "resolve")
    who = "by kim (arn:aws:iam::1:user/kim): ticket 4711"
    assert trail.of("payment_cancel#cr-1") == [
        f"2026-11-21T12:00:00.000Z replay {who}",
        f"2026-11-21T12:00:00.000Z resolve {who}",
    ]
    assert trail.of("payment_cancel#cr-2") == []


def test_no_number_of_replays_fills_an_item(shelf: Shelf) -> None:
    """A long story goes on in another item, and nothing of it is lost."""
    trail = AuditTrail(shelf.client, TABLE, clock=lambda: shelf.now, ttl_days=400)
    for number in range(539):
        trail.append("payment_cancel#cr-1", KIM, f"replay {number}")
    assert {key: len(item["lines"]["L"]) for key, item in shelf.items.items()} == {
        "audit#payment_cancel#cr-1": 500,
        "audit#payment_cancel#cr-1#2": 39,
    }
    lines = trail.of("payment_cancel#cr-1")
    assert [line.split()[2] for line in lines] == [str(number) for number in range(539)]
