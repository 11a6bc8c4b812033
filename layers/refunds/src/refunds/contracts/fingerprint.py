"""Whether two messages with one idempotency key ask for the same thing."""

from __future__ import annotations

import hashlib
from typing import Final

from refunds.contracts import strict_json
from refunds.contracts.inbound import Cancellation, ProviderRequest

#: Bump when the canonical form changes, so that an old item is never mistaken for another payload.
VERSION: Final = "1"
_PERSONAL_HEX_DIGITS: Final = 6


def fingerprint(cancel_type: str, cancellation: Cancellation[ProviderRequest]) -> str:
    """Hash of the canonical request: order, type and provider fields, ``1000`` equal to ``1000.0``.

    When it was asked for, by whom and why is not part of it: a publisher that repeats itself may
    say that differently, the money is the same. ``currency`` counts where the event names one: an event
    without it keeps the fingerprint it had before the contract knew currencies. Of personal data only
    24 bits of a digest go in: enough to notice another refund account, too few to find an account number
    by trying them all.
    """
    request = cancellation.request
    asked: list[object] = [cancel_type, cancellation.order_id, request.public()]
    if cancellation.currency is not None:
        asked.append(cancellation.currency)
    money = strict_json.dumps(asked)
    personal = strict_json.dumps([cancellation.cancel_request_id, request.personal()])
    return f"{VERSION}:{_digest(money)}:{_digest(personal)[:_PERSONAL_HEX_DIGITS]}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
