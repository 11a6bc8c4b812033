"""Cancellations in numbers: every type, seeded at the providers and ready to be published."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from local import trigger
from local.simulator.control import SimulatorControl
from local.stack import Stack
from refunds.cancel_types import all_cancel_types

DETAIL_TYPES = {kind.policy.cancel_type: kind.policy.detail_type for kind in all_cancel_types()}
PAID = 10_000
PART = 3_000
PATIENCE = 240.0  # seconds at most, on a machine that others keep busy

#: What no output of an operator's tool may ever show.
ACCOUNT = "3021987654321"
HOLDER = "김비밀이름"
PHONE = "01098765432"


@dataclass(frozen=True)
class Case:
    """One cancellation; ``subject`` is what the provider's own ledger knows it by."""

    cancel_type: str
    cancel_request_id: str
    subject: str
    request: dict[str, Any]

    def detail(self) -> dict[str, Any]:
        """The event's detail."""
        return trigger.detail(self.cancel_request_id, self.request, order_id=f"O-{self.cancel_request_id}")


@dataclass
class Cases:
    """A run's cancellations, with ids that no other run has."""

    simulator: SimulatorControl
    run: str = field(default_factory=lambda: uuid.uuid4().hex[:6])
    made: int = 0

    def mixed(self, count: int) -> list[Case]:
        """``count`` cancellations of all types in turn, their payments seeded."""
        makers = (self.refund, self.vbank, self.cvs, self.receipt, self.order)
        return [makers[number % len(makers)]() for number in range(count)]

    def refund(self, **fields: Any) -> Case:
        """A partial refund with a bank account."""
        case = self._case("payment_cancel", "imp", {"amount": PART, **fields})
        self.simulator.seed_payments(_payment(case.subject, pay_method="card"))
        account = {"refund_holder": HOLDER, "refund_bank": "88", "refund_account": ACCOUNT}
        case.request.update(imp_uid=case.subject, refund_tel=PHONE, **account)
        return case

    def vbank(self) -> Case:
        """An unpaid virtual account."""
        return self._number("vbank_revoke", "vbank")

    def cvs(self) -> Case:
        """An unpaid convenience-store number."""
        return self._number("cvs_revoke", "cvs")

    def receipt(self) -> Case:
        """A cash receipt."""
        case = self._case("receipt_revoke", "rcp", {})
        self.simulator.seed_receipts({"merchant_uid": case.subject, "amount": PAID})
        case.request["merchant_uid"] = case.subject
        return case

    def order(self, *, part: bool = False) -> Case:
        """An order of two items, cancelled whole or its first item only."""
        items = [
            {"seq": 1, "itemType": "PHYSICAL", "itemId": "P001", "quantity": 2, "amount": 2_000},
            {"seq": 2, "itemType": "DELIVERY", "itemId": "D001", "quantity": 1, "amount": PART},
        ]
        case = self._case("order_cancel", "ORD", {})
        self.simulator.seed_orders({"orderNo": case.subject, "items": items})
        chosen = items[:1] if part else items
        account = {"accountNumber": ACCOUNT, "bankCode": "088", "accountHolderName": HOLDER}
        case.request.update(
            orderNo=case.subject,
            totalCancelAmount=4_000 if part else 7_000,
            refundAccount=account,
            items=chosen,
        )
        return case

    def _number(self, cancel_type: str, pay_method: str) -> Case:
        case = self._case(cancel_type, "imp", {})
        self.simulator.seed_payments(_payment(case.subject, pay_method=pay_method, status="ready"))
        case.request["imp_uid"] = case.subject
        return case

    def _case(self, cancel_type: str, prefix: str, request: dict[str, Any]) -> Case:
        self.made += 1
        number = f"{self.run}-{self.made:05d}"
        return Case(cancel_type, f"cr-{number}", f"{prefix}_{number}", request)


def _payment(imp_uid: str, **fields: Any) -> dict[str, Any]:
    return {"imp_uid": imp_uid, "merchant_uid": f"M{imp_uid}", "amount": PAID, "status": "paid", **fields}


def publish(stack: Stack, cases: Sequence[Case]) -> None:
    """Publish them on the order bus."""
    entries: list[Any] = [
        {
            "Source": "order-service",
            "DetailType": DETAIL_TYPES[case.cancel_type],
            "Detail": json.dumps(case.detail(), ensure_ascii=False),
            "EventBusName": stack.outputs["OrderBusName"],
        }
        for case in cases
    ]
    for chunk in chunks(entries):
        assert stack.aws.events.put_events(Entries=chunk)["FailedEntryCount"] == 0


def chunks(things: Sequence[Any], size: int = 10) -> Iterator[Sequence[Any]]:
    """``things`` in tens, as AWS takes them."""
    return (things[start : start + size] for start in range(0, len(things), size))
