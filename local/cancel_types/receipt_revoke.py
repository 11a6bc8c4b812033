"""``receipt_revoke``: a cash receipt of 10,000 won."""

from __future__ import annotations

from typing import Final

from local.cancel_types import Example
from local.demo.cast import PAID, Cast
from local.simulator.faults import Operation

EXAMPLE: Final = Example(
    title="a cash receipt is revoked",
    send=Operation.RECEIPT,
    kind="receipts",
    subject=Cast.order,
    request=lambda cast, number: {"merchant_uid": cast.order(number)},
    seed=lambda cast, number: {"merchant_uid": cast.order(number), "amount": PAID},
    every_field={"merchant_uid": "ORD-1", "tier": "A01"},
)
