"""Cancel requests as the order service publishes them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from local import trigger
from local.simulator.currencies import as_number

if TYPE_CHECKING:
    from collections.abc import Mapping

REASON: Final = "고객 변심"


@dataclass(frozen=True)
class Wanted:
    """One cancellation somebody wants.

    Attributes:
        subject: the payment, receipt or order at the provider.
        amount: in ``currency``; ``None`` for all that is left, and for what moves no money.
        currency: what the payment or order is in.
        said: the event says the currency.
        requested_at: ISO 8601.
        reason: the customer's words, as the order service has them.
    """

    cancel_type: str
    cancel_request_id: str
    subject: str
    amount: Decimal | None
    request: Mapping[str, Any]
    order_id: str = "ORD1"
    currency: str = "KRW"
    said: bool = False
    requested_at: str = "2026-11-21T05:00:00Z"
    reason: str = REASON

    @property
    def key(self) -> str:
        """Its partition key in the ledger."""
        return f"{self.cancel_type}#{self.cancel_request_id}"

    @cached_property
    def body(self) -> str:
        """The SQS message body: an EventBridge envelope."""
        return self._body()

    @cached_property
    def quiet_body(self) -> str:
        """The same event from a replay that is silent about what was published."""
        return self._body(**{"replay-name": "quiet-again"})

    def _body(self, **fields: Any) -> str:
        said = {"currency": self.currency} if self.said else {}
        content = trigger.detail(
            self.cancel_request_id,
            self.request,
            order_id=self.order_id,
            requested_at=self.requested_at,
            reason=self.reason,
            **said,
        )
        return json.dumps(trigger.envelope(content, self.cancel_type, **fields), default=as_number)


def _exact(amount: Any) -> Decimal | None:
    return None if amount is None else Decimal(str(amount))


def refund(  # noqa: PLR0913 - everything a test may want to say, by name
    number: int,
    imp_uid: str,
    amount: Any,
    *,
    checksum: Any = None,
    merchant_uid: str | None = None,
    currency: str | None = None,
    requested_at: str = Wanted.requested_at,
    **fields: Any,
) -> Wanted:
    """A ``payment_cancel``; with ``merchant_uid`` the event does not name the payment itself.

    ``currency``: the event says it; amounts are won otherwise.
    """
    request: dict[str, Any] = {"merchant_uid": merchant_uid} if merchant_uid else {"imp_uid": imp_uid}
    optional = {"amount": amount, "checksum": checksum, **fields}
    request.update({name: value for name, value in optional.items() if value is not None})
    return Wanted(
        "payment_cancel",
        f"cr-{number}",
        imp_uid,
        _exact(amount),
        request,
        currency=currency or "KRW",
        said=currency is not None,
        requested_at=requested_at,
    )


def revoke(number: int, kind: str, subject: str) -> Wanted:
    """A ``vbank_revoke``, ``cvs_revoke`` or ``receipt_revoke``."""
    name = "merchant_uid" if kind == "receipt_revoke" else "imp_uid"
    return Wanted(kind, f"cr-{number}", subject, None, {name: subject})


def order_cancel(
    number: int, order_no: str, items: list[dict[str, Any]], currency: str = "KRW", **fields: Any
) -> Wanted:
    """An ``order_cancel`` of the given lines; the event leaves the currency to the deployment."""
    total = sum((item["quantity"] * Decimal(str(item["amount"])) for item in items), Decimal(0))
    request = {"orderNo": order_no, "totalCancelAmount": total, "items": items, **fields}
    return Wanted(
        "order_cancel", f"cr-{number}", order_no, total, request, order_id=order_no, currency=currency
    )


def line(seq: int, quantity: int, amount: Any, item_type: str = "PHYSICAL") -> dict[str, Any]:
    """One order line; ``amount`` is won per unit."""
    return {
        "seq": seq,
        "itemType": item_type,
        "itemId": f"item-{seq}",
        "quantity": quantity,
        "amount": amount,
    }


def unwritable(body: str) -> str:
    """The same event with a number that nobody can represent."""
    return body.replace('"request": {', '"request": {"tax_free": 1e400, ', 1)
