"""PG messages that mean "not today". They choose when to try again and never prove anything.

Source: providers.md, "Answers" (merchant's balance at the PG too small) and "Timing" (nightly bank
maintenance). Whether money moved is always settled by asking; a text that is missing here only
ends a request that could have been tried again under a new key.
"""

from __future__ import annotations

from typing import Final

_TRY_LATER: Final = (
    "미정산 금액",  # Nice: the refund is larger than what the merchant has not been paid out yet
    "[8178]",  # KCP, the same
    "[9029]",  # Kiwoom, the same
    "취소불가 상태",  # Danal, the same
    "점검",  # maintenance of a bank or PG
)


def means_later(message: str | None) -> bool:
    """Whether a refusal with this text is worth repeating after a while."""
    return message is not None and any(text in message for text in _TRY_LATER)
