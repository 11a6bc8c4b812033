"""Who plays in a demo: payments, orders and requests of one run."""

from __future__ import annotations

from typing import Any, Final

from local.demo.privacy import BUYER, ORDER_REFUND_ACCOUNT, REFUND_ACCOUNT
from local.demo.scenario import Request
from refunds.cancel_types import cancel_type as named

_ACCOUNTS: Final[dict[str, dict[str, Any]]] = {
    "payment_cancel": REFUND_ACCOUNT,
    "order_cancel": {"refundAccount": ORDER_REFUND_ACCOUNT},
}
PAID: Final = 10_000
PART: Final = 3_000


class Cast:
    """Ids of one run, so that demos on one stack do not meet."""

    def __init__(self, run: str) -> None:
        self._run = run

    def payment(self, number: int) -> str:
        """An ``imp_uid``."""
        return f"imp_{self._run}{number:02d}"

    def order(self, number: int) -> str:
        """An order number, also the ``merchant_uid``."""
        return f"ORD{self._run}{number:02d}"

    def request(self, cancel_type: str, number: int, fields: dict[str, Any], suffix: str = "") -> Request:
        """A cancellation of the order of that number, with an account to refund to where there can be one."""
        return Request(
            cancel_type,
            named(cancel_type).policy.detail_type,
            f"cr-{self._run}-{number:02d}{suffix}",
            self.order(number),
            {**_ACCOUNTS.get(cancel_type, {}), **fields},
        )

    def paid(self, number: int, **fields: Any) -> dict[str, Any]:
        """A payment of 10,000 won."""
        seed = {"imp_uid": self.payment(number), "merchant_uid": self.order(number), "amount": PAID}
        return {**seed, "pay_method": "card", "status": "paid", "extra": BUYER, **fields}
