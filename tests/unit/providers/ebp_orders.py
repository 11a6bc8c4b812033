"""One order at EBP and everything that cancels it here: the real client, operation and service."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, Final, cast

import httpx

from local.trigger import detail
from refunds.contracts.order_cancel import OrderCancellation
from refunds.contracts.outbound import Outcome
from refunds.domain.deadline import Deadline
from refunds.domain.disposition import Disposition, Publish
from refunds.domain.entry import Entry, Key
from refunds.domain.limits import Limits
from refunds.ledger.claims import Ledger
from refunds.providers.ebp.client import EbpClient
from refunds.providers.ebp.order_cancel import POLICY, OrderCancel
from refunds.providers.http import wire
from refunds.providers.http.provider_http import ProviderHttp, open_http
from refunds.service.guard import Guard
from refunds.service.parts import Delivery, Timing
from refunds.service.refund_service import RefundService
from tests.unit.providers.provider_stub import BASE_URL, EBP_HEADERS, TIMEOUTS, credentials
from tests.unit.service.world import LEASE, NOW, Died, Memory, statement

ITEMS: Final[tuple[dict[str, Any], ...]] = (
    {"seq": 1, "itemType": "PHYSICAL", "itemId": "P001", "quantity": 2, "amount": 50_000, "taxAmount": 5_000},
    {"seq": 2, "itemType": "PHYSICAL", "itemId": "P002", "quantity": 1, "amount": 3_000, "taxAmount": 0},
    {"seq": 3, "itemType": "DELIVERY", "itemId": "P003", "quantity": 1, "amount": 3_000, "taxAmount": 0},
)
TOTAL: Final = 106_000


@dataclass
class Refuse:
    """An answer that is no success; ``applies``: it was carried out all the same."""

    code: object = "EBP-C-0003"
    status: int = 400
    applies: bool = False
    more: dict[str, Any] = field(default_factory=dict)


@dataclass
class Order:
    """An order, and what EBP makes of a cancellation.

    Attributes:
        plans: what becomes of the next cancellations: ``lose`` (after carrying out), ``lose before``, ``die``
            (after carrying out), ``die before``, a ``Refuse``, or what is changed in a success's data.
        shown: changes of the detail; ``None``: it is not shown, an int: HTTP status of a failing query.
        shown_after: the same from the first cancellation on.
    """

    order_no: str = "ORD-1"
    total: Decimal = Decimal(TOTAL)
    status: str = "APPROVED"
    cancelled_status: str = "CANCELLED"
    plans: list[object] = field(default_factory=list)
    shown: dict[str, Any] | int | None = field(default_factory=dict)
    shown_after: dict[str, Any] | int | None = field(default_factory=lambda: {"as": "before"})
    refunds: list[Decimal] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    signatures: list[str] = field(default_factory=list)
    asked: int = 0
    numbers: Any = field(default_factory=lambda: (f"RETREQ-{n}" for n in itertools.count(1)))

    @property
    def refunded(self) -> Decimal:
        """What went back to the customer."""
        return sum(self.refunds, Decimal(0))

    def cancel(self, amount: object = TOTAL) -> None:
        """Carry a cancellation out, whoever asked for it."""
        self.refunds.append(Decimal(str(amount)))
        if self.refunded >= self.total:
            self.status = self.cancelled_status

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer one request."""
        if request.url.path.endswith("/detail"):
            self.asked += 1
            return self._detail()
        self.bodies.append(request.content)
        self.signatures.append(request.headers["X-EBP-Signature"])
        if self.shown_after != {"as": "before"}:
            self.shown = self.shown_after
        return self._cancellation(cast("dict[str, Any]", wire.decode(request.content)))

    def _detail(self) -> httpx.Response:
        if isinstance(self.shown, int):
            return httpx.Response(self.shown, text="<html>")
        if self.shown is None:
            return answer(400, "EBP-C-0001")
        number = f"pgc-{len(self.refunds)}" if self.refunds else None
        data = {
            "orderNo": self.order_no,
            "paymentStatus": self.status,
            "pgCancelTransactionId": number,
            "totalAmount": float(self.total),
        }
        return answer(200, "0", data | self.shown)

    def _cancellation(self, body: dict[str, Any]) -> httpx.Response:
        plan = self.plans.pop(0) if self.plans else {}
        if plan == "die before":
            raise Died
        if plan != "lose before" and (not isinstance(plan, Refuse) or plan.applies):
            self.cancel(body["totalCancelAmount"])
        if plan == "die":
            raise Died
        if isinstance(plan, str):
            raise httpx.ReadTimeout(plan)
        if isinstance(plan, Refuse):
            return answer(plan.status, plan.code, **plan.more)
        return answer(200, "0", self.success(body) | cast("dict[str, Any]", plan))

    def success(self, body: dict[str, Any]) -> dict[str, Any]:
        """The data of a success."""
        products = [item for item in body["items"] if item["itemType"] != "DELIVERY"]
        deliveries = [item for item in body["items"] if item["itemType"] == "DELIVERY"]
        return {
            "orderNo": body["orderNo"],
            "totalProductAmount": _sum(products, "amount"),
            "totalProductTaxAmount": _sum(products, "taxAmount"),
            "totalDeliveryAmount": _sum(deliveries, "amount"),
            "totalDeliveryTaxAmount": _sum(deliveries, "taxAmount"),
            "processedCount": len(body["items"]),
            "returnRequestId": next(self.numbers),
            "items": [{name: _shown(value) for name, value in item.items()} for item in body["items"]],
        }


def _sum(items: list[dict[str, Any]], name: str) -> float:
    return float(sum((item["quantity"] * Decimal(item.get(name, 0)) for item in items), Decimal(0)))


def _shown(value: object) -> object:
    return float(value) if isinstance(value, Decimal) else value


def answer(status: int, code: object, data: object = None, **more: object) -> httpx.Response:
    """EBP's frame."""
    frame = {"resultCode": code, "message": "text", "requestId": "1", "timestamp": "t", "data": data, **more}
    return httpx.Response(status, content=json.dumps(frame).encode())


@dataclass
class Shop:
    """A service of ``order_cancel`` and all it works with; time stands still between deliveries."""

    order: Order = field(default_factory=Order)
    currency: str = "KRW"
    limits: Limits = field(default_factory=Limits)
    now: float = NOW

    def __post_init__(self) -> None:
        """Put it together."""
        http = ProviderHttp(open_http(1, transport=httpx.MockTransport(self.order)), TIMEOUTS)
        headers = replace(EBP_HEADERS, currency_code=self.currency)
        self.operation = OrderCancel(EbpClient(http, BASE_URL, headers, credentials()))
        self.ledger = Memory(lambda: self.now)
        self.published: list[Outcome] = []
        owners = itertools.count(1)
        self.service = RefundService(
            POLICY,
            self.operation,
            cast("Ledger", self.ledger),
            timing=Timing(clock=lambda: self.now, send_budget=10.0, lease_margin=LEASE),
            new_owner=lambda: f"owner-{next(owners)}",
            guard=Guard(self.limits),
        )

    def deliver(self, detail: dict[str, Any], *, final: bool = False) -> Disposition:
        """One delivery of a message; what is to be published is."""
        cancellation = OrderCancellation.model_validate(detail)
        try:
            disposition = self.service.process(
                cancellation, Delivery(Deadline(60.0, lambda: 0.0), final_receive=final)
            )
        finally:
            self.now += 60.0 + 2 * LEASE
        if isinstance(disposition, Publish):
            self.published.append(disposition.outcome)
        return disposition

    def dies(self, detail: dict[str, Any]) -> None:
        """One delivery in which the process dies."""
        try:
            self.deliver(detail)
        except Died:
            return
        raise AssertionError("it was meant to die")

    def told(self) -> list[tuple[str, str | None, bool | None]]:
        """What accounting was told."""
        return [statement(outcome) for outcome in self.published]

    def said(self) -> str:
        """The last error's text."""
        error = self.published[-1].error
        assert error is not None
        return error.message

    def item(self, key: str = "cr-1") -> Entry:
        """The ledger item."""
        return self.ledger.items[Key("order_cancel", key)]


def wanted(
    key: str = "cr-1",
    *,
    items: tuple[dict[str, Any], ...] = ITEMS,
    currency: str | None = None,
    **request: Any,
) -> dict[str, Any]:
    """The detail of an event; without items, the whole order is cancelled."""
    total = sum((Decimal(item["quantity"]) * Decimal(str(item["amount"])) for item in items), Decimal(0))
    said = {} if currency is None else {"currency": currency}
    request = {"orderNo": "ORD-1", "totalCancelAmount": total, "items": list(items), **request}
    return detail(key, request, requested_at="2027-01-15T07:00:00Z", **said)


def part(amount: str = "2000", **item: Any) -> dict[str, Any]:
    """The detail of an event that cancels an amount of one item."""
    return {"items": ({**ITEMS[1], "amount": Decimal(amount), **item},)}


PARKED: Final = ("parked", "OUTCOME_UNKNOWN", True)
FAILED: Final = ("failed", "PROVIDER_REFUSED", False)
SUCCEEDED: Final = ("succeeded", None, None)
