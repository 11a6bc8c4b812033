"""Requests that a provider may still book although it does not show them yet.

At such a gateway neither an unchanged balance nor a missing entry proves anything, so nothing is ever sent
again by anybody (docs/protocol.md).
"""

from __future__ import annotations

from refunds.cancel_types import cancel_type
from refunds.domain.entry import Entry, State


def may_be_booked_later(entry: Entry) -> bool:
    """Whether what was sent may still be booked, however long ago that was."""
    if entry.state is State.PENDING:
        return True
    return entry.in_doubt and cancel_type(entry.key.cancel_type).policy.may_book_later(entry.baseline)
