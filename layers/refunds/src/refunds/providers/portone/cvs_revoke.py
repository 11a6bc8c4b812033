"""``cvs_revoke``: voids an unpaid convenience-store number at PortOne."""

from __future__ import annotations

from typing import Final

from refunds.contracts.naming import PORTONE
from refunds.contracts.number_revoke import CvsRevocation
from refunds.domain.policy import Policy
from refunds.providers.cancel_type import CancelType
from refunds.providers.portone.number_revoke import cvs_revoke

POLICY: Final = Policy(
    cancel_type="cvs_revoke",
    detail_type="CvsRevokeRequested",
    contract=CvsRevocation,
    naming=PORTONE,
    moves_money=False,
    resend_unproven=True,
)

CANCEL_TYPE: Final = CancelType(POLICY, lambda clients: cvs_revoke(clients.portone()))
