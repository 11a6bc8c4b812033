"""Valid details to break, and what the model of a cancel type says of them."""

from __future__ import annotations

import copy
import json
from typing import Any

from local import trigger
from local.cancel_types import all_examples
from refunds.cancel_types import MODULES, cancel_type
from refunds.contracts import strict_json
from refunds.contracts.inbound import Cancellation, parse_cancellation

CANCEL_TYPES = tuple(MODULES)

REQUESTS: dict[str, dict[str, Any]] = {name: one.every_field for name, one in all_examples().items()}


def detail(name: str = "payment_cancel", **changes: Any) -> dict[str, Any]:
    """A valid detail with every field there is, changed as told."""
    return trigger.detail("cr-20261121-0001", copy.deepcopy(REQUESTS[name])) | changes


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
