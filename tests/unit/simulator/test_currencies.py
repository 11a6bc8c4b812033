"""Payments and orders in other currencies than won."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from local.simulator import Fault, FaultKind
from local.simulator.currencies import as_number, money
from local.simulator.portone_cancel import WRONG_AMOUNT
from local.simulator.summary import SummaryLine, summary

if TYPE_CHECKING:
    from local.simulator import World
    from tests.unit.simulator.caller import Caller


def seed(world: World, currency: str, amount: Any, **changes: Any) -> None:
    world.seed_payment(
        {"imp_uid": "imp_1", "merchant_uid": "M", "amount": amount, "currency": currency, **changes}
    )


@pytest.mark.parametrize(
    ("currency", "amount", "part", "left"),
    [
        ("USD", 726.24, 181.56, 544.68),
        ("EUR", 10, 0.01, 9.99),
        ("JPY", 1000, 1, 999),
        ("VND", 26000, 1000, 25000),
        ("KRW", 1000, 1, 999),
    ],
)
def test_amounts_have_their_currencys_decimals(
    caller: Caller, world: World, currency: str, amount: float, part: float, left: float
) -> None:
    """A part and the rest are shown and counted exactly, and the oracle names the currency."""
    seed(world, currency, amount)
    response = caller.cancel(imp_uid="imp_1", amount=part, checksum=amount)["response"]
    assert (response["amount"], response["cancel_amount"], response["currency"]) == (amount, part, currency)
    rest = caller.cancel(imp_uid="imp_1")["response"]
    assert (rest["status"], rest["cancel_history"][1]["amount"]) == ("cancelled", left)
    assert [(str(m.amount), m.currency) for m in world.money.movements] == [
        (str(part), currency),
        (str(left), currency),
    ]


def test_amounts_are_json_numbers(caller: Caller, world: World) -> None:
    """726.24 goes over the wire as it is written, whole amounts without a decimal point."""
    seed(world, "USD", 726.24)
    body = getattr(caller.send("GET", "/payments/imp_1"), "body", b"")
    assert b'"amount": 726.24, "cancel_amount": 0,' in body


@pytest.mark.parametrize(("currency", "amount"), [("USD", 0.001), ("JPY", 0.5), ("KRW", 0.5)])
def test_too_many_decimals_are_refused(caller: Caller, world: World, currency: str, amount: float) -> None:
    """A cancellation with more decimals than the currency moves nothing."""
    seed(world, currency, 100)
    assert caller.cancel(imp_uid="imp_1", amount=amount)["message"] == WRONG_AMOUNT
    assert world.money.movements == []


@pytest.mark.parametrize(
    "changes",
    [
        {"currency": "KRW", "amount": 10.5},
        {"currency": "XXX"},
        {"currency": "KRW", "pg_provider": "paypal_v2"},
        {"amount": 0},
        {"amount": "NaN"},
        {"amount": True},
    ],
)
def test_payments_that_cannot_be_are_rejected(world: World, changes: dict[str, Any]) -> None:
    """A fraction of a won, an unknown currency, PayPal in won and no amount are errors of the seed."""
    with pytest.raises(ValueError, match=r".+"):
        world.seed_payment({"imp_uid": "i", "merchant_uid": "m", "amount": 10, "currency": "USD", **changes})


def test_paypal_is_in_dollars_unless_told_otherwise(world: World) -> None:
    """PayPal never settles in won."""
    payment = world.seed_payment(
        {"imp_uid": "i", "merchant_uid": "m", "amount": 1, "pg_provider": "paypal_v2"}
    )
    assert payment.currency == "USD"


@pytest.mark.parametrize(
    ("variant", "field", "shown"),
    [
        ("fraction", "cancel_amount", 100.5),
        ("text_amount", "cancel_amount", "100"),
        ("no_currency", "currency", None),
        ("other_currency", "currency", "USD"),
    ],
)
def test_odd_amounts_and_currencies_as_faults(
    caller: Caller, world: World, variant: str, field: str, shown: Any
) -> None:
    """A lookup shows a fraction of a won, an amount as text, no currency or another one."""
    seed(world, "KRW", 1000)
    caller.cancel(imp_uid="imp_1", amount=100)
    world.add_fault(Fault(FaultKind.WRONG_ECHO, "imp_1", "lookup", variant=variant))
    assert caller.lookup("imp_1").get(field) == shown
    assert caller.lookup("imp_1")["cancel_amount"] == 100


def test_a_payment_can_lack_its_currency_for_ever(caller: Caller, world: World) -> None:
    """`omits` leaves fields out of every answer, and fields of the history's entries."""
    seed(world, "USD", 10, omits=["currency", "cancel_history.cancellation_id"])
    response = caller.cancel(imp_uid="imp_1", amount=1)["response"]
    assert "currency" not in response
    assert "cancellation_id" not in response["cancel_history"][0]


def test_the_summary_tells_each_currency(caller: Caller, world: World) -> None:
    """The oracle in short: per subject and currency what is with the customer, and what waits."""
    seed(world, "USD", 10.5, booking="at_once")
    caller.cancel(imp_uid="imp_1", amount=0.5)
    world.seed_payment(
        {"imp_uid": "imp_2", "merchant_uid": "N", "amount": 5, "currency": "EUR", "booking": {}}
    )
    caller.cancel(imp_uid="imp_2")
    assert summary(world.money) == [
        SummaryLine("imp_1", "USD", refunded=Decimal("0.5"), refunds=1),
        SummaryLine("imp_2", "EUR", accepted=1, waiting=Decimal(5)),
    ]
    assert [line.currency for line in summary(world.money, "imp_2")] == ["EUR"]


def test_money_is_read_and_written_exactly() -> None:
    """Numbers and texts are the same money; anything else is none, and nothing else is written."""
    assert money("726.24") == money(726.24) == money(Decimal("726.240"))
    assert json.dumps([money(726.24), money(1000.0)], default=as_number) == "[726.24, 1000]"
    nonsense: list[Any] = [None, True, [], "x", "1e", float("inf")]
    for wrong in nonsense:
        with pytest.raises(ValueError, match="not an amount"):
            money(wrong)
    with pytest.raises(TypeError):
        json.dumps(object(), default=as_number)
