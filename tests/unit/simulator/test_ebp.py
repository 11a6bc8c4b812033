from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from local.simulator import Actor
from local.simulator.ebp import REQUIRED_HEADERS
from local.simulator.ebp_rules import (
    ALREADY_CANCELLED,
    AUTHENTICATION,
    FORMAT,
    NOT_APPROVED,
    NOT_CAPTURED,
    OVER_AMOUNT,
    UNKNOWN_ITEM,
    UNKNOWN_ORDER,
    WRONG_TOTAL,
)

if TYPE_CHECKING:
    from local.simulator import World
    from tests.unit.simulator.caller import Caller

Item = dict[str, Any]


def item(seq: int, quantity: int, amount: float, tax: float = 0.0, item_type: str = "PHYSICAL") -> Item:
    return {
        "seq": seq,
        "itemType": item_type,
        "itemId": f"P00{seq}",
        "quantity": quantity,
        "amount": amount,
        "taxAmount": tax,
    }


def cancellation(total: float, *items: Item) -> dict[str, Any]:
    account = {"accountNumber": "0012345678", "bankCode": "001", "accountHolderName": "John Doe"}
    return {"orderNo": "ORD-1", "totalCancelAmount": total, "refundAccount": account, "items": list(items)}


ORDERED = (item(1, 2, 50000.0, 5000.0), item(2, 1, 3000.0), item(3, 1, 3000.0))
WHOLE_ORDER = cancellation(106000.0, *ORDERED)
TWO_ITEMS = cancellation(6000.0, *ORDERED[1:])
PART_OF_AN_ITEM = cancellation(2000.0, item(3, 1, 2000.0))


@pytest.fixture(autouse=True)
def order(world: World) -> None:
    seed(world)


def seed(world: World, **switches: Any) -> None:
    world.seed_order({"orderNo": "ORD-1", "items": list(ORDERED), **switches})


@pytest.mark.parametrize(
    ("request_", "product", "tax"),
    [(WHOLE_ORDER, 106000.0, 10000.0), (TWO_ITEMS, 6000.0, 0.0), (PART_OF_AN_ITEM, 2000.0, 0.0)],
)
def test_the_documents_samples_are_answered_as_documented(
    caller: Caller, world: World, request_: dict[str, Any], product: float, tax: float
) -> None:
    """By order, by item and by amount: the answer has the samples' fields, totals and echoed items."""
    status, payload = caller.ebp("cancel", request_)
    data = payload["data"]
    assert (status, payload["resultCode"], payload["message"]) == (200, "0", "SUCCESS")
    assert payload.keys() == {"resultCode", "message", "requestId", "timestamp", "data"}
    assert data.pop("returnRequestId").startswith("RETREQ")
    assert data == {
        "orderNo": "ORD-1",
        "totalProductAmount": product,
        "totalProductTaxAmount": tax,
        "totalDeliveryAmount": 0.0,
        "totalDeliveryTaxAmount": 0.0,
        "processedCount": len(request_["items"]),
        "items": request_["items"],
    }
    assert world.money.refunded("ORD-1") == product


def test_amounts_are_written_as_the_samples_write_them(caller: Caller) -> None:
    """Amounts carry a decimal point, counts do not."""
    answer = caller.send_ebp("cancel", PART_OF_AN_ITEM)
    assert b'"totalProductAmount": 2000.0' in getattr(answer, "body", b"")
    assert b'"quantity": 1, "amount": 2000.0' in getattr(answer, "body", b"")


def test_delivery_is_totalled_apart(caller: Caller, world: World) -> None:
    """A DELIVERY item counts into the delivery totals."""
    delivery = item(4, 1, 2500.0, 100.0, "DELIVERY")
    seed(world, items=[*ORDERED, delivery])
    data = caller.ebp("cancel", cancellation(2500.0, delivery))[1]["data"]
    assert (data["totalProductAmount"], data["totalDeliveryAmount"]) == (0.0, 2500.0)
    assert (data["totalProductTaxAmount"], data["totalDeliveryTaxAmount"]) == (0.0, 100.0)


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        ({**WHOLE_ORDER, "orderNo": "ORD-none"}, UNKNOWN_ORDER),
        (cancellation(3000.0, item(9, 1, 3000.0)), UNKNOWN_ITEM),
        (cancellation(3000.0, item(2, 1, 3000.0, item_type="DIGITAL")), UNKNOWN_ITEM),
        (cancellation(2000.0, item(2, 1, 1000.0), item(2, 1, 1000.0)), UNKNOWN_ITEM),
        (cancellation(3001.0, item(2, 1, 3001.0)), OVER_AMOUNT),
        (cancellation(3000.0, item(2, 2, 1500.0)), OVER_AMOUNT),
        (cancellation(56000.0, *ORDERED), WRONG_TOTAL),
        (cancellation(0.0, item(2, 1, 0.0)), WRONG_TOTAL),
        (cancellation(0.5, item(2, 1, 0.5)), FORMAT),
        ({"orderNo": "ORD-1", "totalCancelAmount": 1}, FORMAT),
        (cancellation(3000.0, {"seq": 2}), FORMAT),
        (cancellation(3000.0, item(2, 1, 3000.0, item_type="GIFT")), FORMAT),
        (b"[]", FORMAT),
    ],
)
def test_impossible_cancellations_are_refused(caller: Caller, world: World, request_: Any, code: str) -> None:
    """What is unknown, too much or contradictory is HTTP 400 with a code and moves nothing."""
    status, payload = caller.ebp("cancel", request_)
    assert (status, payload["resultCode"]) == (400, code)
    assert world.money.movements == []


def test_repeated_partial_cancellations_end_at_what_is_left(caller: Caller, world: World) -> None:
    """There is no idempotency: a repeat is carried out as long as the item has room."""
    codes = [
        caller.ebp("cancel", cancellation(1500.0, item(2, 1, 1500.0)))[1]["resultCode"] for _ in range(3)
    ]
    assert codes == ["0", "0", OVER_AMOUNT]
    assert world.money.refunded("ORD-1") == 3000


def test_whole_order_twice_is_refused(caller: Caller) -> None:
    """A fully cancelled order cannot be cancelled again."""
    caller.ebp("cancel", WHOLE_ORDER)
    assert caller.ebp("cancel", WHOLE_ORDER)[1]["resultCode"] == ALREADY_CANCELLED


def test_before_capture_only_everything_can_be_cancelled(caller: Caller, world: World) -> None:
    """An order not captured yet refuses a part and accepts the whole."""
    seed(world, captured=False)
    assert caller.ebp("cancel", TWO_ITEMS)[1]["resultCode"] == NOT_CAPTURED
    assert caller.ebp("cancel", WHOLE_ORDER)[1]["resultCode"] == "0"


def test_requested_order_cannot_be_cancelled(caller: Caller, world: World) -> None:
    """An order that is only REQUESTED has no money to give back."""
    seed(world, approved=False)
    assert caller.ebp("detail", {"orderNo": "ORD-1"})[1]["data"]["paymentStatus"] == "REQUESTED"
    assert caller.ebp("cancel", WHOLE_ORDER)[1]["resultCode"] == NOT_APPROVED


@pytest.mark.parametrize(
    ("style", "path"), [("errors", ("errors",)), ("errorDetails", ("error", "errorDetails"))]
)
def test_both_error_shapes(caller: Caller, world: World, style: str, path: tuple[str, ...]) -> None:
    """The detail of an error is where the chosen version of EBP puts it."""
    seed(world, error_style=style)
    found: Any = caller.ebp("cancel", cancellation(1.0, *ORDERED))[1]
    for name in path:
        found = found[name]
    assert found[0]["field"] == "items"


@pytest.mark.parametrize("header", [*REQUIRED_HEADERS, "content-type", "accept"])
def test_every_header_is_required(caller: Caller, world: World, header: str) -> None:
    """A request without one of the required headers is refused as malformed."""
    status, payload = caller.ebp("cancel", WHOLE_ORDER, **{header: ""})
    assert (status, payload["resultCode"]) == (400, FORMAT)
    assert world.money.movements == []


@pytest.mark.parametrize(
    ("header", "code"),
    [("x-access-key", AUTHENTICATION), ("x-ebp-signature", AUTHENTICATION), ("x-ric-code", FORMAT)],
)
def test_wrong_credentials_are_refused(caller: Caller, world: World, header: str, code: str) -> None:
    """A wrong access key or signature is EBP-A-0001, an unknown RIC code malformed."""
    assert caller.ebp("cancel", WHOLE_ORDER, **{header: "wrong"})[1]["resultCode"] == code
    assert world.money.movements == []


def test_detail_shows_what_was_cancelled(caller: Caller) -> None:
    """The query shows status, items, totals and cancellations before, between and after."""
    before = caller.ebp("detail", {"orderNo": "ORD-1"})[1]["data"]
    assert (before["paymentStatus"], before["pgCancelTransactionId"]) == ("APPROVED", None)
    caller.ebp("cancel", TWO_ITEMS)
    between = caller.ebp("detail", {"orderNo": "ORD-1"})[1]["data"]
    assert (between["paymentStatus"], between["totalCancelAmount"]) == ("APPROVED", 6000.0)
    caller.ebp("cancel", cancellation(100000.0, ORDERED[0]))
    after = caller.ebp("detail", {"orderNo": "ORD-1"})[1]["data"]
    assert after["paymentStatus"] == "CANCELLED"
    assert after["pgCancelTransactionId"]
    assert [detail["cancelAmount"] for detail in after["cancelDetails"]] == [6000.0, 100000.0]


def test_detail_of_an_unknown_order(caller: Caller) -> None:
    """There is no documented 404: an unknown order is HTTP 400 with a code."""
    status, payload = caller.ebp("detail", {"orderNo": "ORD-none"})
    assert (status, payload["resultCode"]) == (400, UNKNOWN_ORDER)


def test_somebody_else_takes_from_the_first_items_with_room(caller: Caller, world: World) -> None:
    """A cancellation from elsewhere is in the detail and in the oracle, never beyond what is left."""
    caller.ebp("cancel", cancellation(100000.0, ORDERED[0]))
    world.somebody_else("ORD-1", "cancel", 4000)
    world.somebody_else("ORD-1", "cancel")
    world.somebody_else("ORD-1", "cancel", 1)
    elsewhere = [m.amount for m in world.money.movements if m.who is Actor.SOMEBODY_ELSE]
    assert elsewhere == [4000, 2000]
    assert caller.ebp("detail", {"orderNo": "ORD-1"})[1]["data"]["totalCancelAmount"] == 106000.0
