"""What EBP checks of a cancellation, with its codes, and how it shapes a success (EBP_API_232).

The meaning of the single codes EBP-C-0001..0007 is not public; which one stands for what is this simulator's
own choice, as are the texts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from local.simulator.currencies import NOTHING, fits, money
from local.simulator.orders import CancelLine, Order, as_shown, cancel_line, lines_total

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal

AUTHENTICATION = "EBP-A-0001"
FORMAT = "EBP-B-0001"
UNKNOWN_ORDER = "EBP-C-0001"
UNKNOWN_ITEM = "EBP-C-0002"
OVER_AMOUNT = "EBP-C-0003"
WRONG_TOTAL = "EBP-C-0004"
NOT_CAPTURED = "EBP-C-0005"
NOT_APPROVED = "EBP-C-0006"
ALREADY_CANCELLED = "EBP-C-0007"
CANCELLATION_FAILED = "EBP-C-0010"
RETRY_RECOMMENDED = "EBP-C-0011"
INTERNAL = "EBP-Z-0010"


def requested(fields: Mapping[str, Any], currency: str) -> tuple[Decimal, tuple[CancelLine, ...]]:
    """The total and the lines; a tax may have any number of decimals. Raises ValueError."""
    items = fields.get("items")
    if not isinstance(items, list) or not items or not all(isinstance(item, dict) for item in items):
        raise ValueError("items must be a list of objects")
    total, lines = money(fields.get("totalCancelAmount")), tuple(cancel_line(item) for item in items)
    if not all(fits(amount, currency) for amount in (total, *(line.amount for line in lines))):
        raise ValueError(f"an amount has more decimals than {currency}")
    return total, lines


def objection(order: Order, total: Decimal, lines: tuple[CancelLine, ...]) -> str | None:
    """The code of the first rule a cancellation breaks."""
    if not order.approved:
        return NOT_APPROVED
    if order.left == 0:
        return ALREADY_CANCELLED
    if total != lines_total(lines) or total <= 0:
        return WRONG_TOTAL
    if len({line.seq for line in lines}) != len(lines):
        return UNKNOWN_ITEM
    code = next(filter(None, (_line_objection(order, line) for line in lines)), None)
    if code:
        return code
    return NOT_CAPTURED if not order.captured and total != order.total else None


def _line_objection(order: Order, line: CancelLine) -> str | None:
    item = order.item(line.seq, line.item_id)
    if item is None or item.item_type != line.item_type:
        return UNKNOWN_ITEM
    return OVER_AMOUNT if line.total > item.left or line.quantity > item.quantity else None


def cancelled(order_no: str, lines: tuple[CancelLine, ...], request_id: str) -> dict[str, Any]:
    """`data` exactly as the samples of EBP_API_232 shape it."""
    delivery = [line for line in lines if line.item_type == "DELIVERY"]
    products = [line for line in lines if line.item_type != "DELIVERY"]
    return {
        "orderNo": order_no,
        "totalProductAmount": as_shown(lines_total(products)),
        "totalProductTaxAmount": as_shown(_tax_total(products)),
        "totalDeliveryAmount": as_shown(lines_total(delivery)),
        "totalDeliveryTaxAmount": as_shown(_tax_total(delivery)),
        "processedCount": len(lines),
        "returnRequestId": request_id,
        "items": [line.payload() for line in lines],
    }


def _tax_total(lines: list[CancelLine]) -> Decimal:
    return sum((line.quantity * line.tax_amount for line in lines), NOTHING)
