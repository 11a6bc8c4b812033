"""Whether a success answers the cancellation that was asked for.

The texts give numbers and places only: they are told to accounting, and nothing of a person may be in them.
"""

from __future__ import annotations

from decimal import Decimal

from refunds.contracts.order_cancel import OrderCancelRequest
from refunds.providers.ebp.models import CancelData, CancelledItem


def difference(request: OrderCancelRequest, data: CancelData) -> str | None:
    """Which part of a success answer contradicts the request; ``None`` if none does."""
    if data.order_no != request.order_no:
        return "the order number differs"
    return _size(request, data) or _items(request, data) or _taxes(request, data)


def tax(data: CancelData) -> Decimal | None:
    """The taxes of what was cancelled, where EBP says both of their sums."""
    product, delivery = data.total_product_tax_amount, data.total_delivery_tax_amount
    return None if product is None or delivery is None else product + delivery


def _size(request: OrderCancelRequest, data: CancelData) -> str | None:
    """EBP may have processed a part only."""
    asked, answered = len(request.items), len(data.items)
    total = data.total_product_amount + data.total_delivery_amount
    if (
        answered == asked
        and data.processed_count in (None, asked)
        and total == request.total_cancel_amount
        and _sum(data.items) in (None, total)
    ):
        return None
    count = "" if data.processed_count is None else f", processedCount {data.processed_count}"
    return (
        f"it names {answered} of {asked} items{count} and {total:f} of {request.total_cancel_amount:f} "
        "as cancelled"
    )


def _sum(items: tuple[CancelledItem, ...]) -> Decimal | None:
    """Of the lines, if each gives its amount; amounts are per unit."""
    total = Decimal(0)
    for item in items:
        if item.amount is None:
            return None
        total += item.quantity * item.amount
    return total


def _items(request: OrderCancelRequest, data: CancelData) -> str | None:
    asked = {item.seq: item for item in request.items}
    if {item.seq for item in data.items} != set(asked):
        return "it names other items"
    for item in data.items:
        own = asked[item.seq]
        if item.item_id != own.item_id or item.item_type not in (None, own.item_type):
            return f"item {item.seq} is another one"
        if item.quantity != own.quantity:
            return f"item {item.seq} has quantity {item.quantity} instead of {own.quantity}"
        if item.amount not in (None, own.amount):
            return f"item {item.seq} has amount {item.amount:f} instead of {own.amount:f}"
    return None


def _taxes(request: OrderCancelRequest, data: CancelData) -> str | None:
    """Compared where both sides say them; they are per unit, as the amounts are."""
    asked = {item.seq: item.tax_amount for item in request.items}
    for item in data.items:
        own = asked[item.seq]
        if own is not None and item.tax_amount is not None and item.tax_amount != own:
            return f"item {item.seq} has taxAmount {item.tax_amount:f} instead of {own:f}"
    expected, answered = _expected_tax(request), tax(data)
    if expected is None or answered is None or answered == expected:
        return None
    return f"its taxes are {answered:f} instead of {expected:f}"


def _expected_tax(request: OrderCancelRequest) -> Decimal | None:
    total = Decimal(0)
    for item in request.items:
        if item.tax_amount is None:
            return None
        total += item.quantity * item.tax_amount
    return total
