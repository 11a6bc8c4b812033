"""``receipt_revoke``: revoke a cash receipt issued outside PortOne payments (document 002)."""

from __future__ import annotations

from refunds.contracts.fields import MerchantUid
from refunds.contracts.inbound import Cancellation, PortOneRequest


class ReceiptRevokeRequest(PortOneRequest):
    """The order number the receipt was issued under."""

    merchant_uid: MerchantUid


class ReceiptRevocation(Cancellation[ReceiptRevokeRequest]):
    """The detail of a ``ReceiptRevokeRequested`` event."""
