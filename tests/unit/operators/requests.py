"""Requests in every state an operator may find them in, brought there by the functions themselves."""

from __future__ import annotations

import json
from typing import Any

from local.simulator.faults import Fault, FaultBoard, FaultKind, Operation
from local.trigger import record
from refunds.cancel_types import cancel_type
from refunds.operators.cancel_queues import CancelQueues
from refunds.operators.dead_letters import DeadLetterMessage
from tests.unit.rig import DLQ_URL, MAX_RECEIVE_COUNT, QUEUE_URL, Rig, Wanted

PAID = 10_000
ORDER_ITEMS = [
    {"seq": 1, "itemType": "PHYSICAL", "itemId": "P001", "quantity": 2, "amount": 2_000},
    {"seq": 2, "itemType": "DELIVERY", "itemId": "D001", "quantity": 1, "amount": 3_000},
]


def dead_letter(body: str, name: str = "payment_cancel", **attributes: str) -> DeadLetterMessage:
    """A dead letter."""
    queues = CancelQueues(cancel_type(name).policy, QUEUE_URL, DLQ_URL)
    return DeadLetterMessage(queues, f"message of {hash(body)}", "receipt", body, 1_000.0, attributes)


def pay(rig: Rig, imp_uid: str = "imp_1", **fields: Any) -> None:
    """A payment that can be cancelled."""
    seed = {"imp_uid": imp_uid, "merchant_uid": f"M-{imp_uid}", "amount": PAID, "status": "paid"}
    rig.world.seed_payment(seed | fields)


def settle(rig: Rig, body: str, name: str = "payment_cancel", receives: int = 1) -> None:
    """Let the function receive a message, which it must acknowledge."""
    assert rig.batch(name, record(body, receives=receives)) == []


def park_in_doubt(rig: Rig, kind: FaultKind, name: str = "payment_cancel", body: str | None = None) -> str:
    """A request whose answer was lost, and whose provider then said nothing until it was parked."""
    message = body or Wanted().body
    question = Operation.DETAIL if name == "order_cancel" else Operation.LOOKUP
    rig.world.add_fault(Fault(kind, operation=Operation.CANCEL))
    rig.world.add_fault(Fault(FaultKind.HTTP_5XX_BEFORE_COMMIT, operation=question, times=None, skip=1))
    settle(rig, message, name, receives=MAX_RECEIVE_COUNT)
    rig.world.faults = FaultBoard()
    rig.end_leases()
    return message


def order_cancel(rig: Rig, key: str = "cr-order", *, part: bool = False) -> str:
    """A message that cancels an order, which is seeded."""
    rig.world.seed_order({"orderNo": "ORD-9", "items": ORDER_ITEMS})
    items = ORDER_ITEMS[:1] if part else ORDER_ITEMS
    account = {"accountNumber": "3021987654321", "bankCode": "088", "accountHolderName": "김비밀"}
    return json.dumps(
        Wanted(key=key).detail
        | {
            "request": {
                "orderNo": "ORD-9",
                "totalCancelAmount": 4_000 if part else 7_000,
                "items": items,
                "refundAccount": account,
            }
        }
    )
