"""``payment_cancel``: a part of a payment of 10,000 won."""

from __future__ import annotations

from typing import Final

from local.cancel_types import Example
from local.demo.cast import PART, Cast
from local.simulator.faults import Operation

EXAMPLE: Final = Example(
    title="a partial refund",
    send=Operation.CANCEL,
    kind="payments",
    subject=Cast.payment,
    request=lambda cast, number: {"imp_uid": cast.payment(number), "amount": PART},
    seed=Cast.paid,
    moved=PART,
    share=60,
    every_field={
        "imp_uid": "imp_1",
        "merchant_uid": "ORD-1",
        "amount": 3000,
        "tax_free": 1000,
        "vat_amount": 200,
        "checksum": 10000,
        "refund_holder": "홍길동",
        "refund_bank": "004",
        "refund_account": "00123456789",
        "refund_tel": "01012345678",
        "retain_promotion": True,
        "extra": {"requester": "customer"},
        "tier": "A01",
    },
)
