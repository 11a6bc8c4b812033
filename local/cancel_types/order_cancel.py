"""``order_cancel``: a whole order of two items."""

from __future__ import annotations

from typing import Any, Final

from local.cancel_types import Example
from local.demo.cast import Cast
from local.simulator.faults import Operation


def items() -> list[dict[str, Any]]:
    """Amounts are won per unit, as in EBP_API_232."""
    return [
        {
            "seq": 1,
            "itemType": "PHYSICAL",
            "itemId": "P001",
            "quantity": 2,
            "amount": 50_000,
            "taxAmount": 5_000,
        },
        {"seq": 2, "itemType": "DELIVERY", "itemId": "D001", "quantity": 1, "amount": 3_000, "taxAmount": 0},
    ]


def order(order_no: str) -> dict[str, Any]:
    """As the simulator keeps it."""
    return {"orderNo": order_no, "items": items()}


EXAMPLE: Final = Example(
    title="an order is cancelled, item by item",
    send=Operation.CANCEL,
    kind="orders",
    subject=Cast.order,
    request=lambda cast, number: {
        "orderNo": cast.order(number),
        "totalCancelAmount": 103_000.0,
        "items": items(),
    },
    seed=lambda cast, number: order(cast.order(number)),
    moved=103_000,
    every_field={
        "orderNo": "ORD-1",
        "totalCancelAmount": 23000,
        "refundAccount": {"accountNumber": "0012345678", "bankCode": "001", "accountHolderName": "홍길동"},
        "items": [
            {
                "seq": 1,
                "itemType": "PHYSICAL",
                "itemId": "P1",
                "quantity": 2,
                "amount": 10000,
                "taxAmount": 909,
            },
            {"seq": 2, "itemType": "DELIVERY", "itemId": "D1", "quantity": 1, "amount": 3000},
        ],
    },
)
