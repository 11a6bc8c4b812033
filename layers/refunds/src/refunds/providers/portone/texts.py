"""What PG messages hint at. They never prove anything: they choose when to try again, or lower certainty.

Source: docs/providers.md, "Answers" and "Time". Whether money moved is always found out by asking; a text
that is missing here only ends a request that could have been tried again under a new key.
"""

from __future__ import annotations

import re
from typing import Final

_TRY_LATER: Final = (
    "미정산 금액",  # Nice: the refund is larger than what the merchant has not been paid out yet
    "[8178]",  # KCP, the same
    "[9029]",  # Kiwoom, the same
    "취소불가 상태",  # Danal, the same
    "점검",  # maintenance of a bank or PG
)

_MAY_BE_DONE: Final = re.compile(
    r"기\s*취소|이미.{0,12}취소|취소\s*완료|처리\s*중|중복|시간\s*초과|타임\s*아웃|응답\s*없음|응답이\s*없|통신\s*(?:오류|장애|에러)"
    r"|already|duplicat|cancell?ed before|time[ds]?[\s_-]?out|in progress|no response",
    re.IGNORECASE,
)
"""A PG that says so may have carried it out: this attempt, or an earlier one."""


def means_later(message: str | None) -> bool:
    """Whether a refusal with this text is worth repeating after a while."""
    return message is not None and any(text in message for text in _TRY_LATER)


def may_be_done(message: str | None) -> bool:
    """Whether a refusal with this text leaves room for the cancellation having been carried out."""
    return message is not None and _MAY_BE_DONE.search(message) is not None
