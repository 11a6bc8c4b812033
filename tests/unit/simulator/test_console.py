"""What happens through other channels than the API: paid again, receipts issued again, refunds rejected."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from local.simulator import Actor, Fault, FaultKind, MovementKind

if TYPE_CHECKING:
    from local.simulator import World
    from tests.unit.simulator.caller import Caller, ManualClock

ITEM = {"seq": 1, "itemType": "PHYSICAL", "itemId": "P1", "quantity": 1, "amount": 900}


@pytest.fixture(autouse=True)
def records(world: World) -> None:
    world.seed_payment({"imp_uid": "imp_1", "merchant_uid": "ORD-1", "amount": 1000})
    world.seed_receipt({"merchant_uid": "R-1", "amount": 1000})
    world.seed_order({"orderNo": "ORD-E", "items": [ITEM]})


def receipt(caller: Caller) -> dict[str, Any]:
    response: dict[str, Any] = caller.ask("GET", "/receipts/external/R-1")[1]["response"]
    return response


def test_a_merchant_uid_is_used_again(caller: Caller, world: World, clock: ManualClock) -> None:
    """Cancelled at the console and paid again later: the order's name means another payment now."""
    clock.elapse(60)
    again = world.portone.console.pay_again("ORD-1", changes={"imp_uid": "imp_new"})
    assert again == "imp_new"
    assert caller.lookup("imp_1")["status"] == "cancelled"
    assert caller.lookup("imp_new")["paid_at"] == clock.now
    assert caller.cancel(merchant_uid="ORD-1", amount=100)["response"]["imp_uid"] == "imp_new"
    assert [(m.subject, m.who) for m in world.money.movements] == [
        ("imp_1", Actor.SOMEBODY_ELSE),
        ("imp_new", Actor.API),
    ]


def test_two_live_payments_of_one_order(caller: Caller, world: World) -> None:
    """The first payment can stay alive beside the second one."""
    again = world.portone.console.pay_again("ORD-1", keep=True, changes={"amount": 500})
    listed = caller.ask("GET", "/payments/findAll/ORD-1/paid")[1]["response"]["list"]
    assert {(one["imp_uid"], one["amount"]) for one in listed} == {("imp_1", 1000), (again, 500)}


def test_another_payment_is_paid_later(caller: Caller, world: World, clock: ManualClock) -> None:
    """It can wait for its money, or have been paid at any time told."""
    waiting = world.portone.console.pay_again("ORD-1", changes={"status": "ready"})
    assert caller.cancel(merchant_uid="ORD-1")["code"] != 0
    clock.elapse(30)
    world.somebody_else(waiting, "deposit")
    assert caller.lookup(waiting)["paid_at"] == clock.now
    future = int(clock.now) + 1000
    dated = world.portone.console.pay_again("ORD-1", changes={"paid_at": future})
    assert caller.lookup(dated)["paid_at"] == future


@pytest.mark.parametrize(("variant", "status"), [(None, "cancelled"), ("kept", "paid")])
def test_paid_again_right_before_a_request(
    caller: Caller, world: World, variant: str | None, status: str
) -> None:
    """As a fault it happens between two requests: the one asked by merchant_uid refunds the new payment."""
    world.add_fault(Fault(FaultKind.PAID_AGAIN, "ORD-1", "cancel", variant=variant))
    assert caller.cancel(merchant_uid="ORD-1", amount=100)["response"]["imp_uid"] == "imp_1_2"
    assert caller.lookup("imp_1")["status"] == status


@pytest.mark.parametrize("changes", [{"status": "failed"}, {"currency": "USD"}])
def test_another_payment_that_makes_no_sense(world: World, changes: dict[str, Any]) -> None:
    """Unknown wishes and unknown orders are errors."""
    with pytest.raises(ValueError, match="another payment takes"):
        world.portone.console.pay_again("ORD-1", changes=changes)
    with pytest.raises(ValueError, match="no payment"):
        world.portone.console.pay_again("ORD-none")


def test_a_receipt_is_issued_again(caller: Caller, world: World, clock: ManualClock) -> None:
    """After its revocation another receipt takes its place, with its own number and time."""
    first = receipt(caller)
    assert caller.ask("DELETE", "/receipts/external/R-1")[0] == 200
    clock.elapse(60)
    world.portone.console.reissue("R-1", receipt_tid="receipt-new")
    second = receipt(caller)
    assert (second["receipt_tid"], second["applied_at"], second["cancelled_at"]) == (
        "receipt-new",
        clock.now,
        0,
    )
    assert caller.ask("DELETE", "/receipts/external/R-1")[0] == 200
    assert [m.receipt_tid for m in world.money.movements] == [first["receipt_tid"], "receipt-new"]
    with pytest.raises(ValueError, match="no receipt"):
        world.portone.console.reissue("R-none")


def test_a_receipt_is_issued_again_right_before_a_request(caller: Caller, world: World) -> None:
    """As a fault the old one is revoked by somebody else, and the request meets the new one."""
    first = receipt(caller)
    world.add_fault(Fault(FaultKind.REISSUED, "R-1", "receipt"))
    caller.ask("DELETE", "/receipts/external/R-1")
    assert [(m.receipt_tid == first["receipt_tid"], m.who) for m in world.money.movements] == [
        (True, Actor.SOMEBODY_ELSE),
        (False, Actor.API),
    ]


@pytest.mark.parametrize(
    ("shape", "amounts"), [("removed", [300]), ("balance", [300, 200]), ("entry", [300, 200, -200])]
)
def test_a_booked_refund_is_rejected(caller: Caller, world: World, shape: str, amounts: list[int]) -> None:
    """The money comes back; the entry disappears, stays, or is compensated."""
    caller.cancel(imp_uid="imp_1", amount=300)
    caller.cancel(imp_uid="imp_1", amount=200)
    world.reverse("imp_1", shape=shape)
    payment = caller.lookup("imp_1")
    assert [entry["amount"] for entry in payment["cancel_history"]] == amounts
    assert len({entry["cancellation_id"] for entry in payment["cancel_history"]}) == len(amounts)
    assert (payment["cancel_amount"], payment["status"]) == (300, "paid")
    assert world.money.refunded("imp_1") == 300
    assert world.money.movements[-1].kind is MovementKind.REFUND_REVERSAL


def test_a_chosen_refund_is_rejected_and_its_payment_is_whole_again(caller: Caller, world: World) -> None:
    """By its id any booked refund can be rejected; after a full one the payment is paid again."""
    first = caller.cancel(imp_uid="imp_1", amount=300)["response"]["cancel_history"][0]["cancellation_id"]
    caller.cancel(imp_uid="imp_1")
    world.reverse("imp_1", first)
    assert [entry["amount"] for entry in caller.lookup("imp_1")["cancel_history"]] == [700]
    world.reverse("imp_1")
    assert caller.lookup("imp_1")["status"] == "paid"
    assert caller.cancel(imp_uid="imp_1", checksum=1000)["code"] == 0


@pytest.mark.parametrize(
    ("shape", "amounts"), [("removed", []), ("balance", [900.0]), ("entry", [900.0, -900.0])]
)
def test_an_orders_refund_is_rejected(caller: Caller, world: World, shape: str, amounts: list[float]) -> None:
    """EBP's detail shows it in the same three ways, and the order can be cancelled again."""
    cancellation = {"orderNo": "ORD-E", "totalCancelAmount": 900, "items": [ITEM]}
    caller.ebp("cancel", cancellation)
    world.reverse("ORD-E", shape=shape)
    data = caller.ebp("detail", {"orderNo": "ORD-E"})[1]["data"]
    assert [detail["cancelAmount"] for detail in data["cancelDetails"]] == amounts
    assert (data["paymentStatus"], data["totalCancelAmount"]) == ("APPROVED", 0.0)
    assert world.money.refunded("ORD-E") == 0
    assert caller.ebp("cancel", cancellation)[1]["resultCode"] == "0"


def test_rejected_right_before_a_lookup(caller: Caller, world: World) -> None:
    """As a fault the next lookup no longer sees the refund; without one there is nothing to reject."""
    world.add_fault(Fault(FaultKind.REVERSED, "imp_1", "lookup", skip=1))
    world.add_fault(Fault(FaultKind.REVERSED, "ORD-E"))
    caller.cancel(imp_uid="imp_1", amount=300)
    assert [len(caller.lookup("imp_1")["cancel_history"]) for _ in range(2)] == [1, 0]
    assert caller.ebp("detail", {"orderNo": "ORD-E"})[0] == 200
    assert world.money.refunded("imp_1") == 0


@pytest.mark.parametrize("subject", ["imp_1", "ORD-E"])
def test_what_was_never_booked_cannot_be_rejected(world: World, subject: str) -> None:
    """A reversal of nothing, of somebody unknown or in an unknown shape is an error."""
    for reversal in ((subject, None), (subject, "no-such-id"), ("nobody", None)):
        with pytest.raises(ValueError, match=r"no such cancellation|nothing is known"):
            world.reverse(*reversal)
    with pytest.raises(ValueError, match="shape is one of"):
        world.reverse(subject, shape="sideways")
