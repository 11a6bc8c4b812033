"""Requests that a provider may still book although it does not show them yet.

At such a gateway neither an unchanged balance nor a missing entry proves anything, so nothing is ever sent
again by anybody (docs/protocol.md).
"""

from __future__ import annotations

from refunds.cancel_types import cancel_type
from refunds.domain.entry import Entry, State
from refunds.providers.portone.gateways import gateway


def may_be_booked_later(entry: Entry) -> bool:
    """Whether what was sent may still be booked, however long ago that was.

    A gateway that nobody has seen, because the event brought its own checksum, may be one of them.
    """
    if entry.state is State.PENDING:
        return True
    policy = cancel_type(entry.key.cancel_type).policy
    if not entry.in_doubt or policy.provider != "portone" or not policy.moves_money:
        return False
    baseline = entry.baseline
    if baseline is None or baseline.accepted or baseline.cancellation_ids is None:
        return True
    found = gateway(baseline.pg_provider)
    return found.is_late(baseline.pay_method) or not found.books_at_once
