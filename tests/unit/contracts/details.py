"""Valid details to break, and what the model of a cancel type says of them."""

from __future__ import annotations

import copy
import json
from typing import Any

from refunds.cancel_types import MODULES, cancel_type
from refunds.contracts import strict_json
from refunds.contracts.inbound import Cancellation, parse_cancellation

CANCEL_TYPES = tuple(MODULES)

REQUESTS: dict[str, dict[str, Any]] = {
    "payment_cancel": {
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
    "vbank_revoke": {"imp_uid": "imp_1", "tier": "A01"},
    "cvs_revoke": {"imp_uid": "imp_1", "tier": "A01"},
    "receipt_revoke": {"merchant_uid": "ORD-1", "tier": "A01"},
    "order_cancel": {
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
}


def detail(name: str = "payment_cancel", **changes: Any) -> dict[str, Any]:
    """A valid detail with every field there is, changed as told."""
    return {
        "schema_version": "1.0",
        "cancel_request_id": "cr-20261121-0001",
        "order_id": "ORD-1",
        "requested_at": "2026-11-21T05:00:00Z",
        "requested_by": "customer",
        "reason": "고객 변심",
        "request": copy.deepcopy(REQUESTS[name]),
        **changes,
    }


def asking(name: str, **fields: Any) -> dict[str, Any]:
    """A valid detail whose request is changed as told."""
    return detail(name, request={**copy.deepcopy(REQUESTS[name]), **fields})


def refunding(**fields: Any) -> dict[str, Any]:
    """A payment_cancel with nothing but these request fields."""
    return detail(request=fields)


def ordering(*lines: dict[str, Any], total: Any, **fields: Any) -> dict[str, Any]:
    """An order_cancel of lines, each a PHYSICAL item of one unit unless it says otherwise."""
    items = [
        {"seq": place, "itemType": "PHYSICAL", "itemId": f"P{place}", "quantity": 1, **line}
        for place, line in enumerate(lines, start=1)
    ]
    request = {"orderNo": "ORD-1", "totalCancelAmount": total, "items": items, **fields}
    return detail("order_cancel", request=request)


def parse(name: str, content: object) -> Cancellation[Any]:
    """What the model of a cancel type makes of a detail. Raises InvalidRequest."""
    return parse_cancellation(cancel_type(name).policy.contract, content)


def parse_text(name: str, text: str) -> Cancellation[Any]:
    """The same for a detail as text. Raises InvalidRequest or NotStrictJson."""
    return parse(name, strict_json.loads(text))


def with_literal(name: str, field: str, literal: str) -> str:
    """The text of a valid detail whose request field is this literal, JSON or not."""
    return json.dumps(asking(name, **{field: "@"})).replace('"@"', literal)
