"""``receipt_revoke``: revoke a cash receipt issued outside PortOne payments (docs/providers.md)."""

from __future__ import annotations

from typing import ClassVar

from refunds.contracts.fields import MerchantUid
from refunds.contracts.inbound import Cancellation, PortOneRequest


class ReceiptRevokeRequest(PortOneRequest):
    """The order number the receipt was issued under."""

    merchant_uid: MerchantUid
    """The order number under which the cash receipt was issued at PortOne."""


class ReceiptRevocation(Cancellation[ReceiptRevokeRequest]):
    """The detail of a ``ReceiptRevokeRequested`` event: revoke a cash receipt issued outside PortOne."""

    detail_type: ClassVar[str] = "ReceiptRevokeRequested"
