"""The story, line by line."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

from local.cancel_types import all_examples
from local.cancel_types.order_cancel import items, order
from local.demo.cast import PAID, PART, Cast
from local.demo.scenario import Scenario
from local.simulator.faults import Fault, FaultKind, Operation

_PAID_DOLLARS = Decimal("726.24")
_PART_DOLLARS = Decimal("181.56")


def every_type(cast: Cast) -> list[Scenario]:
    """Each cancel type, going through."""
    return [
        Scenario(
            title=example.title,
            subject=example.subject(cast, number),
            requests=(cast.request(name, number, example.request(cast, number)),),
            seeds={example.kind: (example.seed(cast, number),)},
            expected=("CancelSucceeded",),
            moved=example.moved,
            voided=0 if example.moved else 1,
        )
        for number, (name, example) in enumerate(all_examples().items(), start=1)
    ]


def everything_that_goes_wrong(cast: Cast) -> list[Scenario]:
    """What loses money elsewhere."""
    return [
        Scenario(
            title="one event is delivered three times",
            subject=cast.payment(11),
            requests=(cast.request("payment_cancel", 11, {"imp_uid": cast.payment(11), "amount": PART}),),
            seeds={"payments": (cast.paid(11),)},
            copies=3,
            expected=("CancelSucceeded",),
            moved=PART,
            hint="refunded once, told again",
        ),
        Scenario(
            title="the provider pays, its answer never comes (read timeout)",
            subject=cast.payment(12),
            requests=(cast.request("payment_cancel", 12, {"imp_uid": cast.payment(12), "amount": PART}),),
            seeds={"payments": (cast.paid(12),)},
            faults=(Fault(FaultKind.HANG_AFTER_COMMIT, cast.payment(12), Operation.CANCEL),),
            expected=("CancelSucceeded",),
            moved=PART,
            hint="asked, found, not sent again",
        ),
        Scenario(
            title="the function's process dies right after the provider paid",
            subject=cast.payment(13),
            requests=(cast.request("payment_cancel", 13, {"imp_uid": cast.payment(13), "amount": PART}),),
            seeds={"payments": (cast.paid(13),)},
            faults=(Fault(FaultKind.HANG_AFTER_COMMIT, cast.payment(13), Operation.CANCEL),),
            kill=True,
            expected=("CancelSucceeded",),
            moved=PART,
            hint="the next delivery asks first",
        ),
        Scenario(
            title="two equal partial refunds of one payment at once",
            subject=cast.payment(14),
            requests=tuple(
                cast.request("payment_cancel", 14, {"imp_uid": cast.payment(14), "amount": PART}, suffix)
                for suffix in "ab"
            ),
            seeds={"payments": (cast.paid(14),)},
            expected=("CancelSucceeded", "CancelSucceeded"),
            moved=2 * PART,
            hint="both are legitimate",
        ),
        Scenario(
            title="the payment was refunded at the console before",
            subject=cast.payment(15),
            requests=(cast.request("payment_cancel", 15, {"imp_uid": cast.payment(15)}),),
            seeds={"payments": (cast.paid(15),)},
            console=PAID,
            expected=("CancelFailed",),
            hint="ALREADY_CANCELLED",
        ),
        Scenario(
            title="it is refunded at the console in the same second",
            subject=cast.payment(19),
            requests=(cast.request("payment_cancel", 19, {"imp_uid": cast.payment(19), "checksum": PAID}),),
            seeds={"payments": (cast.paid(19),)},
            faults=(Fault(FaultKind.SOMEBODY_ELSE, cast.payment(19), Operation.CANCEL, amount=PAID),),
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
            requests=(cast.request("payment_cancel", 17, {"imp_uid": cast.payment(17), "amount": PART}),),
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
            seeds={"orders": (order(cast.order(18)),)},
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


def _one_item(order_no: str) -> dict[str, Any]:
    return {"orderNo": order_no, "totalCancelAmount": 3_000.0, "items": items()[1:]}
