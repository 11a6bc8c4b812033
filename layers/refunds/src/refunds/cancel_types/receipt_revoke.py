"""``receipt_revoke``: revokes a cash receipt at PortOne."""

from __future__ import annotations

from typing import Final

from refunds.contracts.receipt_revoke import ReceiptRevocation
from refunds.policy import Policy
from refunds.providers.clients import ProviderClients
from refunds.providers.portone.receipt_revoke import ReceiptRevoke

POLICY: Final = Policy(
    cancel_type="receipt_revoke",
    detail_type="ReceiptRevokeRequested",
    contract=ReceiptRevocation,
    provider="portone",
    moves_money=False,
    resend_unproven=True,
)


def operation(clients: ProviderClients) -> ReceiptRevoke:
    """Idempotent by nature."""
    return ReceiptRevoke(clients.portone())
