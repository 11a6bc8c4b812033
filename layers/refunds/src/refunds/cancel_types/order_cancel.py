"""``order_cancel``: cancels an order, items or an amount at EBP."""

from __future__ import annotations

from typing import Final

from refunds.contracts.order_cancel import OrderCancellation
from refunds.policy import Policy
from refunds.providers.clients import ProviderClients
from refunds.providers.ebp.order_cancel import OrderCancel

POLICY: Final = Policy(
    cancel_type="order_cancel",
    detail_type="OrderCancelRequested",
    contract=OrderCancellation,
    provider="ebp",
    moves_money=True,
    resend_unproven=False,
)


def operation(clients: ProviderClients) -> OrderCancel:
    """Never sent twice while unproven: EBP has neither an idempotency key nor a compare-and-set."""
    return OrderCancel(clients.ebp())
