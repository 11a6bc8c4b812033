"""EBP's purchase API (`/api/v2`): see docs/providers.md, section EBP."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from local.simulator.calls import Call, Plan
from local.simulator.currencies import DEFAULT_CURRENCY
from local.simulator.ebp_rules import (
    AUTHENTICATION,
    CANCELLATION_FAILED,
    FORMAT,
    INTERNAL,
    RETRY_RECOMMENDED,
    UNKNOWN_ORDER,
    cancelled,
    objection,
    requested,
)
from local.simulator.echoes import distort_code, distort_order
from local.simulator.faults import Fault, Operation
from local.simulator.movements import Actor, MoneyLedger, Movement, MovementKind
from local.simulator.orders import CancelLine, Order, OrderCancellation, lines_total
from local.simulator.records import CLEAR_SIGHT, Records, Sight
from local.simulator.reversal import check_shape
from local.simulator.wire import Reply, Request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from decimal import Decimal

REQUIRED_HEADERS = (
    "x-access-key",
    "x-ebp-signature",
    "x-division-code",
    "x-store-id",
    "x-channel-code",
    "x-ric-code",
    "x-country-code",
    "x-currency-code",
)
RIC_CODES = ("KIC", "AIC", "EIC")

CANCEL_PATH = "/api/v2/payment/cancel"
DETAIL_PATH = "/api/v2/payment/detail"


@dataclass(frozen=True, slots=True)
class EbpKeys:
    """What a caller must know: the access key, and the store's hash key that signs bodies."""

    access_key: str = "simulator-access-key"
    hash_key: str = "simulator-hash-key"


@dataclass(slots=True)
class EbpState:
    """Orders. `clock` gives UNIX seconds, `next_id` a new id for a prefix."""

    clock: Callable[[], float]
    next_id: Callable[[str], str]
    money: MoneyLedger
    orders: Records[Order] = field(default_factory=Records)


class Ebp:
    """Routes, credentials, checks and lies of EBP."""

    name = "ebp"

    def __init__(self, state: EbpState, keys: EbpKeys) -> None:
        self._state = state
        self._keys = keys

    def rotate(self, keys: EbpKeys) -> None:
        """Take `keys` from now on and no others."""
        self._keys = keys

    def recognise(self, request: Request) -> Call | None:
        """The call behind a cancellation or a detail request."""
        if request.method != "POST" or request.path not in (CANCEL_PATH, DETAIL_PATH):
            return None
        cancelling = request.path == CANCEL_PATH
        operation = Operation.CANCEL if cancelling else Operation.DETAIL
        try:
            fields = request.fields()
        except ValueError:
            refusal = self._refusal("", FORMAT, "body", "the body is not a JSON object")
            return Call(self, operation, (), request, lambda _sight: refusal)
        order_no = str(fields.get("orderNo") or "")
        plan = self._plan_cancel if cancelling else self._plan_detail
        return Call(
            self,
            operation,
            (order_no,) if order_no else (),
            request,
            partial(plan, order_no, fields, request),
        )

    def refuse_credentials(self, call: Call) -> Reply | None:
        """Check the required headers (EBP-B-0001), the access key and the signature (EBP-A-0001)."""
        headers = call.request.headers
        missing = [name for name in REQUIRED_HEADERS if not headers.get(name)]
        content_type = (headers.get("content-type") or "").replace(" ", "").lower()
        if content_type != "application/json;charset=utf-8":
            missing.append("content-type")
        if headers.get("accept") != "application/json":
            missing.append("accept")
        if missing:
            return self._refusal(call.subject, FORMAT, missing[0], f"missing or wrong headers: {missing}")
        if headers["x-ric-code"] not in RIC_CODES:
            return self._refusal(call.subject, FORMAT, "x-ric-code", f"must be one of {RIC_CODES}")
        signature = hashlib.sha256(call.request.body + self._keys.hash_key.encode()).hexdigest()
        if headers["x-access-key"] != self._keys.access_key or headers["x-ebp-signature"] != signature:
            return self._refusal(call.subject, AUTHENTICATION, "x-ebp-signature", "authentication failed")
        return None

    def expire_credentials(self, call: Call) -> Reply:
        """Answer as for an expired access key."""
        return self._refusal(call.subject, AUTHENTICATION, "x-access-key", "the access key has expired")

    def error(self, call: Call, fault: Fault, status: int) -> Reply:
        """A technical error, EBP-Z-0010 unless told otherwise."""
        return self._refusal_as_told(call, fault, INTERNAL, status)

    def refuse(self, call: Call, fault: Fault) -> Reply:
        """HTTP 400 with a validation code unless told otherwise."""
        return self._refusal_as_told(call, fault, UNKNOWN_ORDER, 400)

    def refuse_for_now(self, call: Call) -> Reply:
        """HTTP 500 EBP-C-0011: retry recommended."""
        return self._refusal(call.subject, RETRY_RECOMMENDED, "orderNo", "retry recommended", 500)

    def applied_but_refused(self, call: Call, fault: Fault) -> Reply:
        """HTTP 500 EBP-C-0010 (cancellation failed) unless told otherwise."""
        return self._refusal_as_told(call, fault, CANCELLATION_FAILED, 500)

    def not_found(self, call: Call) -> Reply:
        """HTTP 400: there is no documented 404."""
        return self._refusal(call.subject, UNKNOWN_ORDER, "orderNo", "no such order")

    def distort(self, reply: Reply, variant: str) -> None:
        """Change the order number, a total or the items of a success."""
        data = reply.payload.get("data")
        if isinstance(data, dict):
            distort_order(data, variant)
            distort_code(reply.payload, variant)

    def interfere(self, call: Call, amount: Decimal | None) -> None:
        """Somebody else cancels `amount` of the order."""
        self.cancel_by_somebody_else(call.subject, amount)

    def deposit(self, subject: str, who: Actor) -> None:
        """Nothing of EBP waits for a deposit."""

    def pay_again(self, subject: str, *, keep: bool) -> None:
        """An orderNo is never used again."""

    def reissue(self, subject: str) -> None:
        """EBP knows no cash receipts."""

    def reverse(self, subject: str, shape: str) -> None:
        """The last booked refund of an order is rejected after all."""
        order = self._state.orders.current.get(subject)
        if order is not None and order.left < order.total:
            self.reverse_by_bank(subject, None, shape)

    def book_due(self, now: float) -> None:
        """EBP books at once."""

    def count_lookup(self, subjects: Iterable[str]) -> None:
        """Nothing of EBP waits for a lookup."""

    def book_all(self) -> None:
        """EBP books at once."""

    def cancel_by_somebody_else(self, order_no: str, amount: Decimal | None) -> None:
        """Another channel cancels `amount` of the first items with room, never more than is left."""
        order = self._state.orders.current.get(order_no)
        if order is None or not order.approved or order.left == 0:
            return
        lines = order.lines_worth(order.left if amount is None else amount)
        self._apply(order, lines, Actor.SOMEBODY_ELSE, order.currency or DEFAULT_CURRENCY)

    def reverse_by_bank(self, order_no: str, return_request_id: str | None, shape: str) -> None:
        """The bank rejects a booked cancellation (default: the last one). Raises ValueError."""
        check_shape(shape)
        order = self._state.orders.current[order_no]
        booked = [
            one
            for one in order.cancellations
            if one.sign > 0 and return_request_id in (None, one.return_request_id)
        ]
        if not booked:
            raise ValueError(f"{order_no} has no such cancellation")
        now, rejected = self._state.clock(), booked[-1]
        self._state.orders.change(order_no, order.with_reversal(rejected, shape, now))
        self._record(
            MovementKind.REFUND_REVERSAL,
            order_no,
            rejected.total,
            rejected.return_request_id,
            Actor.SOMEBODY_ELSE,
            order.currency or DEFAULT_CURRENCY,
        )

    def _found(self, order_no: str, request: Request, sight: Sight) -> Order | None:
        """The order, unless it belongs to a region with another currency than the request names."""
        order = self._state.orders.get(order_no, sight)
        elsewhere = order and order.currency not in ("", request.headers.get("x-currency-code"))
        return None if elsewhere else order

    def _plan_detail(
        self, order_no: str, _fields: Mapping[str, Any], request: Request, sight: Sight
    ) -> Plan | Reply:
        order = self._found(order_no, request, sight)
        if order is None:
            return self._refusal(order_no, UNKNOWN_ORDER, "orderNo", "no such order")
        return Plan(reply=lambda: self._success(order.detail(sight.grown_by)))

    def _plan_cancel(
        self, order_no: str, fields: Mapping[str, Any], request: Request, _sight: Sight
    ) -> Plan | Reply:
        currency = request.headers.get("x-currency-code") or DEFAULT_CURRENCY
        try:
            total, lines = requested(fields, currency)
        except ValueError as wrong:
            return self._refusal(order_no, FORMAT, "items", str(wrong))
        order = self._found(order_no, request, CLEAR_SIGHT)
        if order is None:
            return self._refusal(order_no, UNKNOWN_ORDER, "orderNo", "no such order")
        code = objection(order, total, lines)
        if code:
            return self._refusal(order_no, code, "items", "the cancellation is not possible")
        request_id = self._state.next_id("RETREQ")
        return Plan(
            reply=lambda: self._success(cancelled(order_no, lines, request_id)),
            commit=partial(self._apply, order, lines, Actor.API, currency, request_id),
        )

    def _apply(
        self, order: Order, lines: tuple[CancelLine, ...], who: Actor, currency: str, request_id: str = ""
    ) -> None:
        request_id = request_id or self._state.next_id("RETREQ")
        cancellation = OrderCancellation(request_id, lines, self._state.clock())
        self._state.orders.change(order.order_no, order.with_cancellation(cancellation))
        self._record(MovementKind.REFUND, order.order_no, lines_total(lines), request_id, who, currency)

    def _record(
        self, kind: MovementKind, order_no: str, amount: Decimal, number: str, who: Actor, currency: str
    ) -> None:
        now = self._state.clock()
        self._state.money.record(Movement(now, self.name, kind, order_no, amount, number, "", who, currency))

    def _refusal_as_told(self, call: Call, fault: Fault, code: str, status: int) -> Reply:
        message = fault.message or "the request failed"
        # A number stays a number: EBP's families of codes are not one type.
        told = code if fault.code is None else fault.code
        return self._refusal(call.subject, told, "orderNo", message, fault.status or status)

    def _success(self, data: dict[str, Any]) -> Reply:
        return Reply(200, {**self._envelope("0", "SUCCESS"), "data": data})

    def _refusal(self, order_no: str, code: str | int, name: str, detail: str, status: int = 400) -> Reply:
        order = self._state.orders.get(order_no, CLEAR_SIGHT)
        payload = self._envelope(code, detail)
        details = [{"field": name, "message": detail}]
        if order and order.error_style == "errorDetails":
            payload["error"] = {"errorDetails": details}
        else:
            payload["errors"] = details
        return Reply(status, payload)

    def _envelope(self, code: str | int, message: str) -> dict[str, Any]:
        now = self._state.clock()
        shown = datetime.fromtimestamp(now, UTC)
        return {
            "resultCode": code,
            "message": message,
            "requestId": str(int(now * 1000)),
            "timestamp": f"{shown:%Y-%m-%dT%H:%M:%S}.{shown.microsecond:06d}000Z",
        }
