"""EBP state: orders, their items and what of them was cancelled. Amounts are KRW won, per unit."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from local.simulator.records import checked_seed
from local.simulator.wire import whole_number

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ERROR_STYLES = ("errors", "errorDetails")
ITEM_TYPES = ("PHYSICAL", "DIGITAL", "DELIVERY", "SERVICE", "SUBSCRIPTION")


@dataclass(frozen=True, slots=True)
class CancelLine:
    """One item of a cancellation request (document 004): `quantity` units at `amount` won each."""

    seq: int
    item_type: str
    item_id: str
    quantity: int
    amount: int
    tax_amount: int

    @property
    def total(self) -> int:
        """Won of the whole line."""
        return self.quantity * self.amount

    def payload(self) -> dict[str, Any]:
        """As document 004 writes it."""
        return {
            "seq": self.seq,
            "itemType": self.item_type,
            "itemId": self.item_id,
            "quantity": self.quantity,
            "amount": as_shown(self.amount),
            "taxAmount": as_shown(self.tax_amount),
        }


def as_shown(won: int) -> float:
    """EBP's samples show amounts as `106000.0`; a JSON writer prints that for floats only.

    Exact: won up to 2**53 are whole in a double. Nothing is ever computed with it.
    """
    return float(won)


@dataclass(frozen=True, slots=True)
class OrderItem:
    """An ordered item, `quantity` units at `amount` won, and the won cancelled of it so far."""

    seq: int
    item_type: str
    item_id: str
    quantity: int
    amount: int
    tax_amount: int = 0
    cancelled_amount: int = 0

    @property
    def left(self) -> int:
        """Won not cancelled yet."""
        return self.quantity * self.amount - self.cancelled_amount

    def payload(self) -> dict[str, Any]:
        """As the detail query shows it."""
        return {
            "seq": self.seq,
            "itemType": self.item_type,
            "itemId": self.item_id,
            "quantity": self.quantity,
            "amount": as_shown(self.amount),
            "taxAmount": as_shown(self.tax_amount),
            "cancelAmount": as_shown(self.cancelled_amount),
        }


@dataclass(frozen=True, slots=True)
class OrderCancellation:
    """One cancellation that was carried out. `cancelled_at` is UNIX seconds."""

    return_request_id: str
    lines: tuple[CancelLine, ...]
    cancelled_at: float

    @property
    def total(self) -> int:
        """Won of the whole cancellation."""
        return sum(line.total for line in self.lines)


@dataclass(frozen=True, slots=True)
class Order:
    """An order paid through EBP.

    Switches: `captured` (before capture only all of it can be cancelled), `approved` (False: still
    REQUESTED), `error_style` ("errors" as of 0.5.21, "errorDetails" as of 0.5.12), and what a partly or fully
    cancelled order reports, because EBP's list of statuses is not public.
    """

    order_no: str
    items: tuple[OrderItem, ...]
    captured: bool = True
    approved: bool = True
    error_style: str = "errors"
    partial_status: str = "APPROVED"
    cancelled_status: str = "CANCELLED"
    cancellations: tuple[OrderCancellation, ...] = ()

    @property
    def total(self) -> int:
        """Won paid for the order."""
        return sum(item.quantity * item.amount for item in self.items)

    @property
    def left(self) -> int:
        """Won not cancelled yet."""
        return sum(item.left for item in self.items)

    @property
    def payment_status(self) -> str:
        """What the detail query reports."""
        if not self.approved:
            return "REQUESTED"
        if self.left == 0:
            return self.cancelled_status
        return self.partial_status if self.cancellations else "APPROVED"

    def item(self, seq: int, item_id: str) -> OrderItem | None:
        """The item a line means; both seq and id must fit."""
        return next((i for i in self.items if i.seq == seq and i.item_id == item_id), None)

    def with_cancellation(self, cancellation: OrderCancellation) -> Order:
        """The order after a cancellation."""
        taken = {line.seq: line.total for line in cancellation.lines}
        items = tuple(
            replace(i, cancelled_amount=i.cancelled_amount + taken.get(i.seq, 0)) for i in self.items
        )
        return replace(self, items=items, cancellations=(*self.cancellations, cancellation))

    def lines_worth(self, amount: int) -> tuple[CancelLine, ...]:
        """Lines that take `amount` won, or all that is left, from the first items that have room."""
        lines: list[CancelLine] = []
        for item in self.items:
            share = min(item.left, amount)
            if share > 0:
                lines.append(CancelLine(item.seq, item.item_type, item.item_id, 1, share, 0))
                amount -= share
        return tuple(lines)

    def detail(self, grown_by: int = 0) -> dict[str, Any]:
        """`data` of EBP_API_237. Names beyond those in providers.md are this simulator's own."""
        last = self.cancellations[-1] if self.cancellations else None
        return {
            "orderNo": self.order_no,
            "paymentStatus": self.payment_status,
            "pgTransactionId": f"pg-{self.order_no}",
            "pgCancelTransactionId": f"pgc-{last.return_request_id}" if last else None,
            "totalAmount": as_shown(self.total + grown_by),
            "totalCancelAmount": as_shown(self.total - self.left),
            "items": [item.payload() for item in self.items],
            "cancelDetails": [
                {
                    "returnRequestId": cancellation.return_request_id,
                    "cancelAmount": as_shown(cancellation.total),
                    "items": [line.payload() for line in cancellation.lines],
                }
                for cancellation in self.cancellations
            ],
        }


_WIRE_NAMES = {"orderNo": "order_no", "itemType": "item_type", "itemId": "item_id", "taxAmount": "tax_amount"}


def order_from_seed(seed: Mapping[str, Any]) -> Order:
    """An order from its JSON form: `orderNo`, `items` named as in document 004, any switch of `Order`.

    Raises ValueError.
    """
    named = {_WIRE_NAMES.get(name, name): value for name, value in seed.items()}
    chosen = checked_seed(Order, named, internal=frozenset({"cancellations"}))
    if not chosen.get("order_no") or not chosen.get("items"):
        raise ValueError("an order needs orderNo and at least one item")
    if chosen.get("error_style", "errors") not in ERROR_STYLES:
        raise ValueError(f"error_style is one of {ERROR_STYLES}")
    chosen["items"] = tuple(_item_from_seed(item) for item in chosen["items"])
    return Order(**chosen)


def _item_from_seed(seed: Mapping[str, Any]) -> OrderItem:
    line = cancel_line(seed)
    return OrderItem(line.seq, line.item_type, line.item_id, line.quantity, line.amount, line.tax_amount)


def cancel_line(item: Mapping[str, Any]) -> CancelLine:
    """One item as document 004 writes it. Raises ValueError naming what is missing or wrong."""
    missing = [name for name in ("seq", "itemType", "itemId", "quantity", "amount") if item.get(name) is None]
    if missing:
        raise ValueError(f"items: {', '.join(missing)} missing")
    if item["itemType"] not in ITEM_TYPES:
        raise ValueError(f"items: itemType {item['itemType']!r} unknown")
    seq, quantity, amount = (whole_number(item[name]) for name in ("seq", "quantity", "amount"))
    tax_amount = whole_number(item.get("taxAmount") or 0)
    if quantity < 1 or amount < 0 or tax_amount < 0:
        raise ValueError("items: quantity must be at least 1, amounts not negative")
    return CancelLine(seq, item["itemType"], str(item["itemId"]), quantity, amount, tax_amount)


def lines_total(lines: Sequence[CancelLine]) -> int:
    """Won of several lines."""
    return sum(line.total for line in lines)
