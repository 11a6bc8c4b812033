"""``vbank_revoke``: voids an unpaid virtual account at PortOne."""

from __future__ import annotations

from typing import Final

from refunds.contracts.number_revoke import NumberRevokeRequest, VbankRevocation
from refunds.domain.operation import Operation
from refunds.domain.policy import Policy
from refunds.providers.clients import ProviderClients
from refunds.providers.portone.number_revoke import vbank_revoke

POLICY: Final = Policy(
    cancel_type="vbank_revoke",
    detail_type="VbankRevokeRequested",
    contract=VbankRevocation,
    provider="portone",
    moves_money=False,
    resend_unproven=True,
)


def operation(clients: ProviderClients) -> Operation[NumberRevokeRequest]:
    """Idempotent by nature."""
    return vbank_revoke(clients.portone())
