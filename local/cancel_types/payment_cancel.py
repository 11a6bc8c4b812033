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
)
