"""``vbank_revoke``: voids an unpaid virtual account at PortOne."""

from __future__ import annotations

from typing import Final

from refunds.contracts.naming import PORTONE
from refunds.contracts.number_revoke import VbankRevocation
from refunds.domain.policy import Policy
from refunds.providers.cancel_type import CancelType
from refunds.providers.portone.number_revoke import vbank_revoke

POLICY: Final = Policy(
    cancel_type="vbank_revoke",
    detail_type="VbankRevokeRequested",
    contract=VbankRevocation,
    naming=PORTONE,
    moves_money=False,
    resend_unproven=True,
)

CANCEL_TYPE: Final = CancelType(POLICY, lambda clients: vbank_revoke(clients.portone()))
