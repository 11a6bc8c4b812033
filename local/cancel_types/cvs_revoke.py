"""``cvs_revoke``: an unpaid convenience-store number."""

from __future__ import annotations

from typing import Final

from local.cancel_types import Example
from local.demo.cast import Cast
from local.simulator.faults import Operation

EXAMPLE: Final = Example(
    title="an unpaid convenience-store number is voided",
    send=Operation.REVOKE,
    kind="payments",
    subject=Cast.payment,
    request=lambda cast, number: {"imp_uid": cast.payment(number)},
    seed=lambda cast, number: cast.paid(number, pay_method="cvs", status="ready"),
    every_field={"imp_uid": "imp_1", "tier": "A01"},
)
