"""PortOne lookups: by imp_uid, by merchant_uid, by status, and cash receipts (portone-v1.openapi.json)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from local.simulator.calls import Plan
from local.simulator.payments import STATUSES, Payment
from local.simulator.portone_state import PortOneState, failure, success

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from local.simulator.records import Sight
    from local.simulator.wire import Reply, Request

UNKNOWN_PAYMENT = "존재하지 않는 결제정보입니다."  # docs/providers.md, HTTP 404, code -1
WRONG_PARAMETER = "요청 파라미터가 올바르지 않습니다."  # own text

LONGEST_SPAN_SECONDS = 90 * 24 * 3600
DEFAULT_LIMIT = 20
LARGEST_LIMIT = 1000

_SORT_KEYS: Mapping[str, Callable[[Payment], int]] = {
    "started": lambda payment: payment.started_at,
    "paid": lambda payment: payment.paid_at,
    "updated": lambda payment: payment.updated_at,
}
_STATUS_TIMES: Mapping[str, Callable[[Payment], int]] = {
    "ready": lambda payment: payment.started_at,
    "paid": lambda payment: payment.paid_at,
    "cancelled": lambda payment: payment.cancelled_at,
    "failed": lambda payment: payment.failed_at,
}


class LookupDesk:
    """Answers questions; changes nothing."""

    def __init__(self, state: PortOneState) -> None:
        self._state = state

    def not_found(self) -> Reply:
        """HTTP 404, as for a payment that does not exist."""
        return failure(404, -1, UNKNOWN_PAYMENT)

    def one(self, request: Request, imp_uid: str, sight: Sight) -> Plan | Reply:
        """A payment by imp_uid; a test payment only with include_sandbox=true."""
        payment = self._state.payments.get(imp_uid, sight)
        if payment is None or (payment.sandbox and request.query.get("include_sandbox") != "true"):
            return self.not_found()
        return _shown(payment, sight)

    def first(self, request: Request, merchant_uid: str, status: str, sight: Sight) -> Plan | Reply:
        """The first payment of a merchant_uid in the order asked for."""
        try:
            found = self._sorted(request, self._of_merchant(merchant_uid, status, sight))
        except ValueError:
            return failure(400, -1, WRONG_PARAMETER)
        return _shown(found[0], sight) if found else self.not_found()

    def all(self, request: Request, merchant_uid: str, status: str, sight: Sight) -> Plan | Reply:
        """A page of all payments of a merchant_uid."""
        if merchant_uid not in self._state.by_merchant:
            return self.not_found()
        try:
            return self._page(request, self._of_merchant(merchant_uid, status, sight), sight)
        except ValueError:
            return failure(400, -1, WRONG_PARAMETER)

    def by_status(self, request: Request, status: str, sight: Sight) -> Plan | Reply:
        """Within `from`..`to` (UNIX seconds, at most 90 days), by the time that belongs to the status."""
        try:
            since, to = _span(request, self._state.clock())
            matching = self._with_status(
                self._state.payments.current, "" if status == "all" else status, sight
            )
            found = [p for p in matching if since <= _STATUS_TIMES[p.status](p) <= to]
            return self._page(request, found, sight)
        except ValueError:
            return failure(400, -1, WRONG_PARAMETER)

    def receipt(self, _request: Request, merchant_uid: str, sight: Sight) -> Plan | Reply:
        """An external cash receipt; cancelled_at is 0 while it is valid."""
        receipt = self._state.receipts.get(merchant_uid, sight)
        if receipt is None:
            return self.not_found()
        return Plan(reply=lambda: success(receipt.annotation()))

    def _of_merchant(self, merchant_uid: str, status: str, sight: Sight) -> list[Payment]:
        return self._with_status(self._state.by_merchant.get(merchant_uid, ()), status, sight)

    def _with_status(self, keys: Iterable[str], status: str, sight: Sight) -> list[Payment]:
        if status and status not in STATUSES:
            raise ValueError(status)
        payments = (self._state.payments.get(key, sight) for key in keys)
        return [p for p in payments if p and status in ("", p.status)]

    def _sorted(self, request: Request, payments: list[Payment]) -> list[Payment]:
        sorting = request.query.get("sorting") or "-started"
        descending, name = sorting.startswith("-"), sorting.removeprefix("-")
        if name not in _SORT_KEYS:
            raise ValueError(sorting)
        # Equal times are the rule (whole seconds): the later seeded payment counts as the newer one.
        ordered = reversed(payments) if descending else payments
        return sorted(ordered, key=_SORT_KEYS[name], reverse=descending)

    def _page(self, request: Request, payments: list[Payment], sight: Sight) -> Plan | Reply:
        page = int(request.query.get("page") or 1)
        limit = int(request.query.get("limit") or DEFAULT_LIMIT)
        start = (page - 1) * limit
        if page < 1 or not 1 <= limit <= LARGEST_LIMIT or (page > 1 and start >= len(payments)):
            raise ValueError("page or limit out of range")
        shown = self._sorted(request, payments)[start : start + limit]
        response: dict[str, Any] = {
            "total": len(payments),
            "previous": page - 1,
            "next": page + 1 if start + limit < len(payments) else 0,
            "list": [payment.annotation(sight.grown_by) for payment in shown],
        }
        return Plan(reply=lambda: success(response))


def _span(request: Request, now: float) -> tuple[int, int]:
    to = int(request.query.get("to") or now)
    since = int(request.query.get("from") or to - LONGEST_SPAN_SECONDS)
    if to - since > LONGEST_SPAN_SECONDS:
        raise ValueError("more than 90 days")
    return since, to


def _shown(payment: Payment, sight: Sight) -> Plan:
    return Plan(reply=lambda: success(payment.annotation(sight.grown_by)))
