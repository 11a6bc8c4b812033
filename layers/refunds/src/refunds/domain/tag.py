"""The mark that a cancellation leaves in a provider's history."""

from __future__ import annotations

import base64
import hashlib
import re
from functools import lru_cache
from typing import Final

_ANY_TAG: Final = re.compile(r"\[rf:[a-z2-7]{10}\]")
_OPENING: Final = "[rf:"
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]+")
_MAX_REASON: Final = 256  # characters, at PortOne


@lru_cache(maxsize=1024)
def tag_of(cancel_type: str, cancel_request_id: str) -> str:
    """A short mark of the idempotency key, e.g. ``[rf:k5ndwq3hfa]``: 50 bits of its hash."""
    digest = hashlib.sha256(f"{cancel_type}#{cancel_request_id}".encode()).digest()
    return f"[rf:{base64.b32encode(digest).decode().lower()[:10]}]"


def reason_with(tag: str, reason: str) -> str:
    """The reason as sent: the customer's words, cut so that the tag at the end fits into 256 characters.

    An empty tag leaves the words alone. A mark among the words, copied from a provider's console perhaps, is
    another cancellation's: it is sent in round brackets.
    """
    words = _CONTROL.sub(" ", reason).replace(_OPENING, "(rf:")
    words = words.strip()[: _MAX_REASON - len(tag) - 1].rstrip()
    return f"{words} {tag}".strip()


def is_tagged(reason: str | None) -> bool:
    """Whether some cancellation of ours left its mark in ``reason``."""
    return bool(reason and _ANY_TAG.search(reason))


def carries(reason: str | None, tag: str) -> bool:
    """Whether ``reason`` is that of the cancellation with this tag: ours stands behind all other words."""
    return bool(reason and _ANY_TAG.findall(reason)[-1:] == [tag])
