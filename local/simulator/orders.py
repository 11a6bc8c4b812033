"""EBP state: orders, their items and what of them was cancelled. Amounts are per unit."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from local.simulator.currencies import NOTHING, fits, known_currency, money
from local.simulator.records import checked_seed, shown_without
from local.simulator.wire import whole_number

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from decimal import Decimal

ERROR_STYLES = ("errors", "errorDetails")
ITEM_TYPES = ("PHYSICAL", "DIGITAL", "DELIVERY", "SERVICE", "SUBSCRIPTION")


@dataclass(frozen=True, slots=True)
class CancelLine:
    """One item of a cancellation request (EBP_API_232): `quantity` units at `amount` each."""

    seq: int
    item_type: str
    item_id: str
    quantity: int
    amount: Decimal
    tax_amount: Decimal

    @property
    def total(self) -> Decimal:
        """Of the whole line."""
        return self.quantity * self.amount

    def payload(self) -> dict[str, Any]:
        """As EBP_API_232 writes it."""
        return {
            "seq": self.seq,
            "itemType": self.item_type,
            "itemId": self.item_id,
            "quantity": self.quantity,
            "amount": as_shown(self.amount),
            "taxAmount": as_shown(self.tax_amount),
        }


def as_shown(amount: Decimal) -> float:
    """EBP's samples show amounts as `106000.0`; a JSON writer prints that for floats only.

    A double prints up to 15 digits as they were written. Nothing is ever computed with it.
    """
    return float(amount)


@dataclass(frozen=True, slots=True)
class OrderItem:
    """An ordered item, `quantity` units at `amount`, and what was cancelled of it so far."""

    seq: int
    item_type: str
    item_id: str
    quantity: int
    amount: Decimal
    tax_amount: Decimal = NOTHING
    cancelled_amount: Decimal = NOTHING

    @property
    def left(self) -> Decimal:
        """Not cancelled yet."""
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
    """One cancellation that was carried out. `cancelled_at` is UNIX seconds.

    `sign` is -1 for one that compensates another, which was rejected after it had been booked.
    """

    return_request_id: str
    lines: tuple[CancelLine, ...]
    cancelled_at: float
    sign: int = 1

    @property
    def total(self) -> Decimal:
        """Of the whole cancellation."""
        return self.sign * lines_total(self.lines)

    def payload(self) -> dict[str, Any]:
        """As the detail query shows it."""
        return {
            "returnRequestId": self.return_request_id,
            "cancelAmount": as_shown(self.total),
            "items": [line.payload() for line in self.lines],
        }


@dataclass(frozen=True, slots=True)
class Order:
    """An order paid through EBP.

    Switches: `captured` (before capture only all of it can be cancelled), `approved` (False: still
    REQUESTED), `error_style` ("errors" as of 0.5.21, "errorDetails" as of 0.5.12), and what a partly or fully
    cancelled order reports, because EBP's list of statuses is not public. `currency` is its region's: a
    request from another region does not find the order; empty: whatever the request says. `extra` is merged
    into every detail, `omits` names what no detail shows.
    """

    order_no: str
    items: tuple[OrderItem, ...]
    captured: bool = True
    approved: bool = True
    error_style: str = "errors"
    partial_status: str = "APPROVED"
    cancelled_status: str = "CANCELLED"
    currency: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict)
    omits: tuple[str, ...] = ()
    cancellations: tuple[OrderCancellation, ...] = ()

    @property
    def total(self) -> Decimal:
        """Paid for the order."""
        return sum((item.quantity * item.amount for item in self.items), NOTHING)

    @property
    def left(self) -> Decimal:
        """Not cancelled yet."""
        return sum((item.left for item in self.items), NOTHING)

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
        items = self._items_with(cancellation.lines, 1)
        return replace(self, items=items, cancellations=(*self.cancellations, cancellation))

    def with_reversal(self, cancellation: OrderCancellation, shape: str, at: float) -> Order:
        """The order after a booked cancellation was rejected; see `reversal.SHAPES`."""
        cancellations = self.cancellations
        if shape == "removed":
            cancellations = tuple(one for one in cancellations if one is not cancellation)
        elif shape == "entry":
            number = f"{cancellation.return_request_id}-back"
            back = OrderCancellation(number, cancellation.lines, at, sign=-1)
            cancellations = (*cancellations, back)
        return replace(self, items=self._items_with(cancellation.lines, -1), cancellations=cancellations)

    def _items_with(self, lines: Sequence[CancelLine], sign: int) -> tuple[OrderItem, ...]:
        taken = {line.seq: sign * line.total for line in lines}
        return tuple(
            replace(i, cancelled_amount=i.cancelled_amount + taken.get(i.seq, NOTHING)) for i in self.items
        )

    def lines_worth(self, amount: Decimal) -> tuple[CancelLine, ...]:
        """Lines that take `amount`, or all that is left, from the first items that have room."""
        lines: list[CancelLine] = []
        for item in self.items:
            share = min(item.left, amount)
            if share > 0:
                lines.append(CancelLine(item.seq, item.item_type, item.item_id, 1, share, NOTHING))
                amount -= share
        return tuple(lines)

    def detail(self, grown_by: Decimal = NOTHING) -> dict[str, Any]:
        """`data` of EBP_API_237. Names beyond those in docs/providers.md are this simulator's own."""
        last = self.cancellations[-1] if self.cancellations else None
        shown = {
            "orderNo": self.order_no,
            "paymentStatus": self.payment_status,
            "pgTransactionId": f"pg-{self.order_no}",
            "pgCancelTransactionId": f"pgc-{last.return_request_id}" if last else None,
            "totalAmount": as_shown(self.total + grown_by),
            "totalCancelAmount": as_shown(self.total - self.left),
            "items": [item.payload() for item in self.items],
            "cancelDetails": [cancellation.payload() for cancellation in self.cancellations],
            **({"currencyCode": self.currency} if self.currency else {}),
            **self.extra,
        }
        return shown_without(shown, self.omits)


_WIRE_NAMES = {"orderNo": "order_no", "itemType": "item_type", "itemId": "item_id", "taxAmount": "tax_amount"}


def order_from_seed(seed: Mapping[str, Any]) -> Order:
    """An order from its JSON form: `orderNo`, `items` named as in EBP_API_232, any switch of `Order`.

    Raises ValueError.
    """
    named = {_WIRE_NAMES.get(name, name): value for name, value in seed.items()}
    chosen = checked_seed(Order, named, internal=frozenset({"cancellations"}))
    if not chosen.get("order_no") or not chosen.get("items"):
        raise ValueError("an order needs orderNo and at least one item")
    if chosen.get("error_style", "errors") not in ERROR_STYLES:
        raise ValueError(f"error_style is one of {ERROR_STYLES}")
    chosen["items"] = tuple(_item_from_seed(item) for item in chosen["items"])
    chosen["omits"] = tuple(chosen.get("omits", ()))
    currency = chosen.get("currency") or ""
    if currency and not all(fits(item.amount, known_currency(currency)) for item in chosen["items"]):
        raise ValueError(f"an amount has more decimals than {currency}")
    return Order(**chosen)


def _item_from_seed(seed: Mapping[str, Any]) -> OrderItem:
    line = cancel_line(seed)
    return OrderItem(line.seq, line.item_type, line.item_id, line.quantity, line.amount, line.tax_amount)


def cancel_line(item: Mapping[str, Any]) -> CancelLine:
    """One item as EBP_API_232 writes it. Raises ValueError naming what is missing or wrong."""
    missing = [name for name in ("seq", "itemType", "itemId", "quantity", "amount") if item.get(name) is None]
    if missing:
        raise ValueError(f"items: {', '.join(missing)} missing")
    if item["itemType"] not in ITEM_TYPES:
        raise ValueError(f"items: itemType {item['itemType']!r} unknown")
    seq, quantity = whole_number(item["seq"]), whole_number(item["quantity"])
    amount, tax_amount = money(item["amount"]), money(item.get("taxAmount") or 0)
    if quantity < 1 or amount < 0 or tax_amount < 0:
        raise ValueError("items: quantity must be at least 1, amounts not negative")
    return CancelLine(seq, item["itemType"], str(item["itemId"]), quantity, amount, tax_amount)


def lines_total(lines: Sequence[CancelLine]) -> Decimal:
    """Of several lines."""
    return sum((line.total for line in lines), NOTHING)
