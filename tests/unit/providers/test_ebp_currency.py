"""EBP serves several regions: money is told in the currency it is in, or it does not move."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from refunds.domain.limits import Limits
from tests.unit.providers.ebp_orders import PARKED, SUCCEEDED, TOTAL, Order, Refuse, Shop, part, wanted

FINAL = ("failed", "CURRENCY_MISMATCH", False)
MISMATCH = ("parked", "CURRENCY_MISMATCH", True)
INVALID = ("parked", "INVALID_REQUEST", False)


def shop(*plans: object, currency: str = "KRW", limits: Limits | None = None, **order: Any) -> Shop:
    return Shop(Order(plans=list(plans), **order), currency=currency, limits=limits or Limits())


@pytest.mark.parametrize("currency", ["USD", "EUR", "KRW"])
@pytest.mark.parametrize("named", [True, False])
def test_money_is_told_in_the_deployments_currency(currency: str, *, named: bool) -> None:
    """An event that names none means that one."""
    tried = shop(currency=currency)
    tried.deliver(wanted(currency=currency if named else None))
    assert tried.told() == [SUCCEEDED]
    money = tried.published[0].money
    assert money is not None
    assert (money.currency, money.cancelled) == (currency, Decimal(TOTAL))


@pytest.mark.parametrize(("event", "deployment"), [("USD", "KRW"), ("KRW", "USD"), ("EUR", "USD")])
def test_an_event_in_another_currency_is_never_sent(event: str, deployment: str) -> None:
    """Not even a question is asked; it is final."""
    tried = shop(currency=deployment)
    tried.deliver(wanted(currency=event))
    assert tried.told() == [FINAL]
    money = tried.published[0].money
    assert money is not None
    assert (money.currency, money.cancelled) == (deployment, Decimal(0))
    assert (tried.order.bodies, tried.order.asked) == ([], 0)


@pytest.mark.parametrize("name", ["currency", "currencyCode"])
def test_an_order_in_another_currency_is_never_sent(name: str) -> None:
    """Seen before the send, it is final."""
    tried = shop(shown={name: "USD"})
    tried.deliver(wanted())
    assert tried.told() == [FINAL]
    assert not tried.order.bodies
    assert tried.published[0].money is not None
    assert tried.published[0].money.currency == "USD"


@pytest.mark.parametrize("odd", ["usd", "MUSD", "₩", "KRW ", 410, ["KRW"], True], ids=repr)
def test_a_currency_that_cannot_be_read_is_another_one(odd: object) -> None:
    """181560000 MUSD are not 181.56 dollars times anything that we know."""
    tried = shop(shown={"currencyCode": odd})
    tried.deliver(wanted())
    assert tried.told() == [FINAL]
    assert tried.published[0].money is None
    assert not tried.order.bodies


@pytest.mark.parametrize("same", ["KRW", None, ""])
def test_its_own_currency_is_no_obstacle(same: object) -> None:
    """Shown or not."""
    tried = shop({"currency": same}, shown={"currencyCode": same})
    tried.deliver(wanted())
    assert tried.told() == [SUCCEEDED]


def test_a_success_in_another_currency_is_parked() -> None:
    """Something has moved; nobody knows what."""
    tried = shop({"currencyCode": "USD"})
    tried.deliver(wanted())
    tried.deliver(wanted())
    assert set(tried.told()) == {MISMATCH}
    assert tried.published[0].money is not None
    assert tried.published[0].money.cancelled is None
    assert len(tried.order.bodies) == 1


@pytest.mark.parametrize("plan", ["lose", Refuse()], ids=["lost", "refused"])
def test_an_order_that_turns_out_to_be_in_another_currency_is_parked(plan: object) -> None:
    """Whatever the answer was, it was about other money than was asked for."""
    tried = shop(plan, shown=None, shown_after={"currencyCode": "USD"})
    tried.deliver(wanted())
    assert tried.told() == [MISMATCH]


@pytest.mark.parametrize(
    ("currency", "amount", "tax"),
    [("KRW", "2000.5", None), ("KRW", "2000", "0.5"), ("JPY", "10.01", None), ("USD", "10.001", None)],
)
def test_an_amount_that_the_currency_does_not_have_is_invalid(
    currency: str, amount: str, tax: str | None
) -> None:
    """The event names no currency, so only the deployment can tell; nothing is claimed."""
    tried = shop(currency=currency)
    more = {} if tax is None else {"taxAmount": Decimal(tax)}
    tried.deliver(wanted(**part(amount, **more)))
    assert tried.told() == [INVALID]
    assert currency in tried.said()
    assert (tried.ledger.items, tried.order.bodies, tried.order.asked) == ({}, [], 0)


def test_a_repaired_amount_keeps_its_id() -> None:
    """Nothing was claimed under it."""
    tried = shop()
    tried.deliver(wanted(**part("2000.5")))
    tried.deliver(wanted(**part("2000")))
    assert tried.told() == [INVALID, SUCCEEDED]


@pytest.mark.parametrize("currency", ["won", "", "KR\n", "KRW\r\nX-Store-Id: 2"])
def test_a_header_that_cannot_be_sent_stops_everything(currency: str) -> None:
    """The deployment is wrong, the message waits; nothing was sent and nobody doubts it."""
    tried = shop(currency=currency)
    tried.deliver(wanted(), final=True)
    assert tried.told() == [("parked", "PROVIDER_AUTH", False)]
    assert not tried.order.bodies


def test_a_fraction_of_a_dollar_goes_out_and_comes_back_exactly() -> None:
    """726.24 is neither 726 nor 726.2400000000001."""
    tried = shop(currency="USD", total=Decimal(1000))
    tried.deliver(wanted(**part("726.24", taxAmount=Decimal("66.02"))))
    assert tried.told() == [SUCCEEDED]
    assert b'"totalCancelAmount":726.24,' in tried.order.bodies[0]
    assert '"cancelled":726.24,' in tried.published[0].to_json()


def test_limits_are_compared_in_the_deployments_currency() -> None:
    """A limit in won says nothing about dollars: they are kept back."""
    tried = shop(currency="USD", limits=Limits(largest={"KRW": Decimal(1_000_000)}))
    tried.deliver(wanted())
    assert tried.told() == [("parked", "LIMIT_EXCEEDED", False)]
    allowed = shop(currency="USD", limits=Limits(largest={"USD": Decimal(TOTAL)}))
    allowed.deliver(wanted())
    assert allowed.told() == [SUCCEEDED]


def test_what_is_parked_names_the_currency_and_no_amount() -> None:
    """Accounting learns what it would be in."""
    tried = shop("lose", currency="USD")
    tried.deliver(wanted(**part()))
    assert tried.told() == [PARKED]
    money = tried.published[0].money
    assert money is not None
    assert (money.currency, money.cancelled) == ("USD", None)
