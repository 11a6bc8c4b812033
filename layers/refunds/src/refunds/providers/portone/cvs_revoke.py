"""``cvs_revoke``: voids an unpaid convenience-store number at PortOne."""

from __future__ import annotations

from typing import Final

from refunds.contracts.number_revoke import CvsRevocation, NumberRevokeRequest
from refunds.domain.operation import Operation
from refunds.domain.policy import Policy
from refunds.providers.clients import ProviderClients
from refunds.providers.portone.number_revoke import cvs_revoke

POLICY: Final = Policy(
    cancel_type="cvs_revoke",
    detail_type="CvsRevokeRequested",
    contract=CvsRevocation,
    provider="portone",
    moves_money=False,
    resend_unproven=True,
)


def operation(clients: ProviderClients) -> Operation[NumberRevokeRequest]:
    """Idempotent by nature."""
    return cvs_revoke(clients.portone())
