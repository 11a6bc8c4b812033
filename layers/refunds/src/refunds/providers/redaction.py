"""Takes personal data and credentials out of texts that providers send.

A provider's message may quote what was sent to it or pass a payment gateway's own text
through, and it ends up in outbound events: it is cleaned before anything else sees it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

MAX_LENGTH = 512
"""Characters kept of a text."""

_SHORTEST_SECRET = 2
_MASK = "***"
_LONG_NUMBER = re.compile(r"\d(?:[- ]?\d){6,}")
"""Account, card and phone numbers: seven digits or more, grouped or not."""

_EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+")


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """Mask ``secrets``, long numbers and e-mail addresses; drop control characters; cap the length.

    Args:
        text: as the provider sent it.
        secrets: values that must not remain, however they are spaced. Those of one character
            are ignored: masking them would leave nothing to read.
    """
    if not text:
        return ""  # most answers say nothing: it is not worth building patterns for
    cleaned = _visible(text)
    for pattern in _patterns(secrets):
        cleaned = pattern.sub(_MASK, cleaned)
    cleaned = _EMAIL.sub(_MASK, _LONG_NUMBER.sub(_MASK, cleaned))
    return cleaned[:MAX_LENGTH].strip()


def _visible(text: str) -> str:
    """Compatibility form, so that full-width digits are digits, without characters nobody sees."""
    normal = unicodedata.normalize("NFKC", text)
    return "".join(
        " " if character.isspace() else character
        for character in normal
        if character.isspace() or unicodedata.category(character)[0] != "C"
    )


def _patterns(secrets: Iterable[str]) -> list[re.Pattern[str]]:
    """Longest first: a secret that contains another one is masked as a whole."""
    values = {_visible(secret).strip() for secret in secrets}
    return [
        _pattern(value) for value in sorted(values, key=len, reverse=True) if len(value) >= _SHORTEST_SECRET
    ]


def _pattern(value: str) -> re.Pattern[str]:
    """Numbers are grouped with spaces and hyphens, names written with spaces or without."""
    digits = re.sub(r"[\s-]", "", value)
    if digits.isdecimal():
        return re.compile(r"[\s-]*".join(digits))
    return re.compile(r"\s*".join(map(re.escape, "".join(value.split()))), re.IGNORECASE)
