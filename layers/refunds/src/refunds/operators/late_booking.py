"""Requests that a provider may still book although it does not show them yet.

At such a gateway neither an unchanged balance nor a missing entry proves anything, so nothing is ever sent
again by anybody (docs/protocol.md).
"""

from __future__ import annotations

from typing import Final

from refunds.cancel_types import cancel_type
from refunds.domain.entry import Entry, State

_LATE: Final = {"paypal_v2": None, "smartro_v2": "vbank", "daou": "vbank"}


def may_be_booked_later(entry: Entry) -> bool:
    """Whether what was sent may still be booked however long ago that was.

    A gateway that nobody has seen (the event brought its own checksum) may be one of them.
    """
    if entry.state is State.PENDING:
        return True
    if not entry.in_doubt or cancel_type(entry.key.cancel_type).policy.provider != "portone":
        return False
    if not cancel_type(entry.key.cancel_type).policy.moves_money:
        return False
    baseline = entry.baseline
    if baseline is None or baseline.pg_provider is None:
        return True
    if baseline.accepted:
        return True
    return baseline.pg_provider in _LATE and _LATE[baseline.pg_provider] in (None, baseline.pay_method)
