"""The story, line by line."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

from local.demo.privacy import BUYER, ORDER_REFUND_ACCOUNT, REFUND_ACCOUNT
from local.demo.scenario import Request, Scenario
from local.simulator.faults import Fault, FaultKind, Operation

_TYPES = {
    "payment_cancel": "PaymentCancelRequested",
    "vbank_revoke": "VbankRevokeRequested",
    "cvs_revoke": "CvsRevokeRequested",
    "receipt_revoke": "ReceiptRevokeRequested",
    "order_cancel": "OrderCancelRequested",
}
_ACCOUNTS: dict[str, dict[str, Any]] = {
    "payment_cancel": REFUND_ACCOUNT,
    "order_cancel": {"refundAccount": ORDER_REFUND_ACCOUNT},
}
_PAID = 10_000
_PART = 3_000
_PAID_DOLLARS = Decimal("726.24")
_PART_DOLLARS = Decimal("181.56")


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
            _TYPES[cancel_type],
            f"cr-{self._run}-{number:02d}{suffix}",
            self.order(number),
            {**_ACCOUNTS.get(cancel_type, {}), **fields},
        )

    def paid(self, number: int, **fields: Any) -> dict[str, Any]:
        """A payment of 10,000 won."""
        seed = {"imp_uid": self.payment(number), "merchant_uid": self.order(number), "amount": _PAID}
        return {**seed, "pay_method": "card", "status": "paid", "extra": BUYER, **fields}


def every_type(cast: Cast) -> list[Scenario]:
    """The five cancel types, each going through."""
    return [
        Scenario(
            title="a partial refund",
            subject=cast.payment(1),
            requests=(cast.request("payment_cancel", 1, {"imp_uid": cast.payment(1), "amount": _PART}),),
            seeds={"payments": (cast.paid(1),)},
            expected=("CancelSucceeded",),
            moved=_PART,
        ),
        _number(cast, 2, "vbank_revoke", "vbank", "an unpaid virtual account is voided"),
        _number(cast, 3, "cvs_revoke", "cvs", "an unpaid convenience-store number is voided"),
        Scenario(
            title="a cash receipt is revoked",
            subject=cast.order(4),
            requests=(cast.request("receipt_revoke", 4, {"merchant_uid": cast.order(4)}),),
            seeds={"receipts": ({"merchant_uid": cast.order(4), "amount": _PAID},)},
            expected=("CancelSucceeded",),
            voided=1,
        ),
        Scenario(
            title="an order is cancelled, item by item",
            subject=cast.order(5),
            requests=(cast.request("order_cancel", 5, _whole_order(cast.order(5))),),
            seeds={"orders": (_order(cast.order(5)),)},
            expected=("CancelSucceeded",),
            moved=103_000,
        ),
    ]


def everything_that_goes_wrong(cast: Cast) -> list[Scenario]:
    """What loses money elsewhere."""
    return [
        Scenario(
            title="one event is delivered three times",
            subject=cast.payment(11),
            requests=(cast.request("payment_cancel", 11, {"imp_uid": cast.payment(11), "amount": _PART}),),
            seeds={"payments": (cast.paid(11),)},
            copies=3,
            expected=("CancelSucceeded",),
            moved=_PART,
            hint="refunded once, told again",
        ),
        Scenario(
            title="the provider pays, its answer never comes (read timeout)",
            subject=cast.payment(12),
            requests=(cast.request("payment_cancel", 12, {"imp_uid": cast.payment(12), "amount": _PART}),),
            seeds={"payments": (cast.paid(12),)},
            faults=(Fault(FaultKind.HANG_AFTER_COMMIT, cast.payment(12), Operation.CANCEL),),
            expected=("CancelSucceeded",),
            moved=_PART,
            hint="asked, found, not sent again",
        ),
        Scenario(
            title="the function's process dies right after the provider paid",
            subject=cast.payment(13),
            requests=(cast.request("payment_cancel", 13, {"imp_uid": cast.payment(13), "amount": _PART}),),
            seeds={"payments": (cast.paid(13),)},
            faults=(Fault(FaultKind.HANG_AFTER_COMMIT, cast.payment(13), Operation.CANCEL),),
            kill=True,
            expected=("CancelSucceeded",),
            moved=_PART,
            hint="the next delivery asks first",
        ),
        Scenario(
            title="two equal partial refunds of one payment at once",
            subject=cast.payment(14),
            requests=tuple(
                cast.request("payment_cancel", 14, {"imp_uid": cast.payment(14), "amount": _PART}, suffix)
                for suffix in "ab"
            ),
            seeds={"payments": (cast.paid(14),)},
            expected=("CancelSucceeded", "CancelSucceeded"),
            moved=2 * _PART,
            hint="both are legitimate",
        ),
        Scenario(
            title="the payment was refunded at the console before",
            subject=cast.payment(15),
            requests=(cast.request("payment_cancel", 15, {"imp_uid": cast.payment(15)}),),
            seeds={"payments": (cast.paid(15),)},
            console=_PAID,
            expected=("CancelFailed",),
            hint="ALREADY_CANCELLED",
        ),
        Scenario(
            title="it is refunded at the console in the same second",
            subject=cast.payment(19),
            requests=(cast.request("payment_cancel", 19, {"imp_uid": cast.payment(19), "checksum": _PAID}),),
            seeds={"payments": (cast.paid(19),)},
            faults=(Fault(FaultKind.SOMEBODY_ELSE, cast.payment(19), Operation.CANCEL, amount=_PAID),),
            expected=("CancelParked",),
            in_dlq=1,
            hint="refused, yet it could be ours: a person decides",
        ),
        _at_paypal(cast, 20),
        Scenario(
            title="a malformed event (amount: 0)",
            subject=cast.payment(16),
            requests=(cast.request("payment_cancel", 16, {"imp_uid": cast.payment(16), "amount": 0}),),
            seeds={"payments": (cast.paid(16),)},
            expected=("CancelParked",),
            in_dlq=1,
            hint="in the DLQ with its reason",
        ),
        Scenario(
            title="the provider is down for good",
            subject=cast.payment(17),
            requests=(cast.request("payment_cancel", 17, {"imp_uid": cast.payment(17), "amount": _PART}),),
            seeds={"payments": (cast.paid(17),)},
            faults=(Fault(FaultKind.HTTP_5XX_BEFORE_COMMIT, cast.payment(17), times=None),),
            expected=("CancelParked",),
            in_dlq=1,
            hint="tried again, then parked",
        ),
        Scenario(
            title="part of an order is cancelled, the answer is lost",
            subject=cast.order(18),
            requests=(cast.request("order_cancel", 18, _one_item(cast.order(18))),),
            seeds={"orders": (_order(cast.order(18)),)},
            faults=(Fault(FaultKind.DROP_AFTER_COMMIT, cast.order(18), Operation.CANCEL),),
            expected=("CancelParked",),
            moved=3_000,
            in_dlq=1,
            hint="unprovable at EBP: never sent twice",
        ),
    ]


def _at_paypal(cast: Cast, number: int) -> Scenario:
    """PayPal accepts a part of USD 726.24, and approves it later."""
    payment = {"imp_uid": cast.payment(number), "amount": _PART_DOLLARS}
    request = replace(cast.request("payment_cancel", number, payment), currency="USD")
    paid = {"amount": _PAID_DOLLARS, "currency": "USD", "pg_provider": "paypal_v2", "booking": {}}
    return Scenario(
        title="PayPal accepts a refund in dollars and books it later",
        subject=cast.payment(number),
        requests=(request,),
        seeds={"payments": (cast.paid(number, **paid),)},
        books_late=True,
        expected=("CancelSucceeded",),
        moved=_PART_DOLLARS,
        currency="USD",
        hint="pending, then found by the sweeper",
    )


def _number(cast: Cast, number: int, cancel_type: str, pay_method: str, title: str) -> Scenario:
    return Scenario(
        title=title,
        subject=cast.payment(number),
        requests=(cast.request(cancel_type, number, {"imp_uid": cast.payment(number)}),),
        seeds={"payments": (cast.paid(number, pay_method=pay_method, status="ready"),)},
        expected=("CancelSucceeded",),
        voided=1,
    )


def _items() -> list[dict[str, Any]]:
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


def _order(order_no: str) -> dict[str, Any]:
    return {"orderNo": order_no, "items": _items()}


def _whole_order(order_no: str) -> dict[str, Any]:
    return {"orderNo": order_no, "totalCancelAmount": 103_000.0, "items": _items()}


def _one_item(order_no: str) -> dict[str, Any]:
    return {"orderNo": order_no, "totalCancelAmount": 3_000.0, "items": _items()[1:]}
