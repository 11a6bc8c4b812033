from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from refunds.domain.limits import Limits
from tests.unit.service.world import Gateway, World, wanted

DOLLARS: Any = {"currency": "USD", "amount": Decimal("726.24")}
MISMATCH = ("failed", "CURRENCY_MISMATCH", False)


def world(limits: Limits | None = None, **fields: Any) -> World:
    """A payment of USD 726.24, booked at once."""
    return World((Gateway(**{**DOLLARS, **fields}),), limits=limits or Limits())


def test_dollars_and_cents_are_refunded_and_told_exactly() -> None:
    """A part of a payment in USD, with cents, in the provider's currency."""
    one = world()
    one.deliver(wanted(amount=Decimal("181.56"), currency="USD"))
    money = one.published[0].money
    assert money is not None
    assert (money.currency, money.cancelled) == ("USD", Decimal("181.56"))
    assert (money.cancellable_before, money.cancellable_after) == (Decimal("726.24"), Decimal("544.68"))
    assert '"cancelled":181.56' in one.published[0].to_json()
    assert one.gateway.sent[0]["checksum"] == Decimal("726.24")


def test_a_full_refund_in_dollars() -> None:
    """All that is left, whatever its cents are."""
    one = world()
    one.deliver(wanted(currency="USD"))
    assert one.told() == [("succeeded", None, None)]
    assert one.gateway.refunded == Decimal("726.24")


@pytest.mark.parametrize(
    ("shown", "believed"),
    [("USD", None), ("KRW", "USD"), (None, "USD"), ("usd", "USD"), ("MUSD", "USD"), ("₩", None), (410, None)],
)
def test_another_currency_than_the_event_says_is_final_before_anything_is_sent(
    shown: Any, believed: str | None
) -> None:
    """Exactly the code that the event means, or nothing is sent; an absent one means KRW."""
    one = World((Gateway(extra={"currency": shown}),))
    one.deliver(wanted(amount=10, currency=believed))
    assert one.told() == [MISMATCH]
    assert one.gateway.sent == []


def test_won_with_a_fraction_are_no_won_before_anything_is_sent() -> None:
    """A payment of KRW 1,000.5 cannot be told to accounting, whose schema knows whole won."""
    one = World((Gateway(amount=Decimal("1000.5")),))
    one.deliver(wanted())
    assert one.told() == [MISMATCH]
    assert one.published[0].money is None
    assert one.gateway.sent == []


def test_won_with_a_fraction_that_nobody_looked_for_are_refused() -> None:
    """The event's own checksum has whole won, so it is never the payment's balance."""
    one = World((Gateway(amount=Decimal("1000.5")),))
    one.deliver(wanted(amount=10, checksum=1000))
    assert one.told() == [MISMATCH]
    assert one.published[0].money is None
    assert one.gateway.refunded == 0


def test_an_absent_currency_is_won() -> None:
    """The specification's default."""
    one = World((Gateway(currency=None),))
    one.deliver(wanted(amount=10))
    money = one.published[0].money
    assert money is not None
    assert money.currency == "KRW"


def test_dollars_that_nobody_looked_for_are_never_told_as_won() -> None:
    """With the event's own checksum money moved before the currency was seen: parked, without an amount."""
    one = world(amount=Decimal(100))
    for _ in range(2):
        one.deliver(wanted(amount=10, checksum=100))
    assert set(one.told()) == {("parked", "CURRENCY_MISMATCH", True)}
    assert one.published[0].money is None
    assert len(one.gateway.sent) == 1


@pytest.mark.parametrize("plan", ["lose", "lose before", "die"])
def test_a_lost_answer_in_another_currency_is_parked(plan: str) -> None:
    """Whether it was carried out or not: the event's amounts mean something else."""
    one = world(amount=Decimal(100), answers=[plan])
    if plan == "die":
        one.dies(wanted(amount=10, checksum=100))
    for final in (False, False, True):
        one.deliver(wanted(amount=10, checksum=100), final=final)
    assert set(one.told()) == {("parked", "CURRENCY_MISMATCH", True)}
    assert len(one.gateway.sent) == 1


def test_binary_noise_in_an_answer_is_no_other_amount() -> None:
    """Whoever computes in floats writes 544.6800000000001; a cent more is a mismatch."""
    one = world()
    one.gateway.extra = {"cancel_amount": Decimal("181.56000000000003")}
    one.deliver(wanted(amount=Decimal("181.56"), currency="USD", checksum=Decimal("726.24")))
    assert one.told() == [("succeeded", None, None)]
    other = world()
    other.gateway.extra = {"cancel_amount": Decimal("181.57")}
    other.deliver(wanted(amount=Decimal("181.56"), currency="USD", checksum=Decimal("726.24")))
    assert other.told() == [("parked", "RESPONSE_MISMATCH", True)]


def test_limits_are_per_currency() -> None:
    """What one currency may move says nothing of another: without a limit of its own it is kept back."""
    limits = Limits(largest={"KRW": Decimal(5_000), "USD": Decimal(100)})
    for amount, told in ((Decimal("100.01"), "parked"), (Decimal(100), "succeeded")):
        one = world(limits)
        one.deliver(wanted(amount=amount, currency="USD"))
        assert one.told()[0][0] == told
    kept_back = world(Limits(largest={"KRW": Decimal(5_000)}))
    kept_back.deliver(wanted(amount=1, currency="USD"))
    assert kept_back.told() == [("parked", "LIMIT_EXCEEDED", False)]
    money = kept_back.published[0].money
    assert money is not None
    assert (money.currency, money.cancelled) == ("USD", Decimal(0))
    assert kept_back.gateway.sent == []
