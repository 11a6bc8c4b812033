"""PortOne's list and its payments, as reconciliation asks for them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from refunds.errors import LookupFailed
from refunds.providers.portone.models import CancelledPage, Payment


def payment(key: str, *cancelled: Any, currency: str = "KRW", at: int = 0, **fields: Any) -> dict[str, Any]:
    """A payment of a request with these cancellations: amounts, or whole entries."""
    history = [
        one if isinstance(one, dict) else {"cancellation_id": f"c-{key}", "amount": one, "cancelled_at": at}
        for one in cancelled
    ]
    return {
        "imp_uid": f"imp_{key}",
        "merchant_uid": f"M-{key}",
        "amount": 100_000,
        "cancel_amount": sum(one["amount"] for one in history),
        "status": "cancelled",
        "currency": currency,
        "cancel_history": history,
    } | fields


@dataclass
class PortOne:
    """Answers from ``payments``, of which ``listed`` are on the list; ``silent`` are not answered about."""

    payments: dict[str, dict[str, Any]] = field(default_factory=dict)
    listed: list[str] = field(default_factory=list)
    silent: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)
    size: int = 1000

    def add(self, shown: dict[str, Any], *, listed: bool = False) -> None:
        """A payment."""
        self.payments[shown["imp_uid"]] = shown
        if listed:
            self.listed.append(shown["imp_uid"])

    def cancelled_between(self, _since: int, _until: int, *, page: int, **_options: Any) -> CancelledPage:
        """One page of the list."""
        begin = (page - 1) * self.size
        following = page + 1 if begin + self.size < len(self.listed) else 0
        return CancelledPage.model_validate(
            {
                "total": len(self.listed),
                "previous": page - 1,
                "next": following,
                "list": [self.payments[name] for name in self.listed[begin : begin + self.size]],
            }
        )

    def payment(self, imp_uid: str, **_options: Any) -> Payment | None:
        """One payment."""
        self.asked.append(imp_uid)
        if imp_uid in self.silent:
            raise LookupFailed("made up")
        shown = self.payments.get(imp_uid)
        return None if shown is None else Payment.model_validate(shown)
