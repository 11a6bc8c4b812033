"""``payment_cancel``: refunds at PortOne, full and partial."""

from __future__ import annotations

from typing import Final

from refunds.contracts.payment_cancel import PaymentCancellation
from refunds.policy import Policy
from refunds.providers.clients import ProviderClients
from refunds.providers.portone.payment_cancel import PaymentCancel

POLICY: Final = Policy(
    cancel_type="payment_cancel",
    detail_type="PaymentCancelRequested",
    contract=PaymentCancellation,
    provider="portone",
    moves_money=True,
    resend_unproven=True,
)


def operation(clients: ProviderClients) -> PaymentCancel:
    """Made safe to repeat by ``checksum``."""
    return PaymentCancel(clients.portone())
