"""Asks the refund handler for cancellations, typed and checked before anything is sent."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from refunds.contracts import strict_json
from refunds.contracts.inbound import Cancellation, ProviderRequest, RequestedBy
from refunds.contracts.payment_cancel import PaymentCancellation

if TYPE_CHECKING:
    from types_boto3_events import EventBridgeClient
    from types_boto3_events.type_defs import PutEventsRequestEntryTypeDef

SOURCE = "order-service"
_ATTEMPTS = 5


def refund(  # noqa: PLR0913 - an order, a payment, an amount, and why
    cancel_request_id: str,
    order_id: str,
    imp_uid: str,
    *,
    amount: Decimal | None,
    currency: str,
    reason: str,
    requested_by: RequestedBy = "customer",
) -> PaymentCancellation:
    """A refund of a PortOne payment; without ``amount``, of all that is left.

    Store ``cancel_request_id`` before this is published, and publish under the same id again when in doubt.

    Raises:
        pydantic.ValidationError: the handler would not take it either.
    """
    return PaymentCancellation.model_validate(
        {
            "schema_version": "1.1",
            "cancel_request_id": cancel_request_id,
            "order_id": order_id,
            "requested_at": datetime.now(UTC).isoformat(),
            "requested_by": requested_by,
            "reason": reason,
            "currency": currency,
            "request": {"imp_uid": imp_uid, **({} if amount is None else {"amount": amount})},
        }
    )


def publish(
    events: EventBridgeClient, bus: str, cancellations: Sequence[Cancellation[ProviderRequest]]
) -> None:
    """Put up to ten cancellations on the order bus; what is not taken is put again.

    Raises:
        RuntimeError: EventBridge did not take all of them; publishing all of them again is harmless.
    """
    waiting = [_entry(bus, cancellation) for cancellation in cancellations]
    for attempt in range(_ATTEMPTS):
        answers = events.put_events(Entries=waiting)["Entries"]
        waiting = [entry for entry, answer in zip(waiting, answers, strict=True) if "ErrorCode" in answer]
        if not waiting:
            return
        time.sleep(0.1 * 2**attempt)
    raise RuntimeError(f"EventBridge did not take {len(waiting)} events")


def _entry(bus: str, cancellation: Cancellation[ProviderRequest]) -> PutEventsRequestEntryTypeDef:
    detail = cancellation.model_dump(exclude_none=True)
    detail["requested_at"] = cancellation.requested_at.isoformat()
    return {
        "EventBusName": bus,
        "Source": SOURCE,
        "DetailType": cancellation.detail_type,
        "Detail": strict_json.dumps(detail),
    }
