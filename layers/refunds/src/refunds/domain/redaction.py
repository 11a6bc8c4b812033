"""Takes personal data and credentials out of texts that providers send.

A provider's message may quote what was sent to it or pass a payment gateway's own text
through, and it ends up in outbound events: it is cleaned before anything else sees it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from urllib.parse import unquote

MAX_LENGTH = 512
"""Characters kept of a text."""

_READ = 32 * MAX_LENGTH
"""Characters of a text that are looked at. An answer may have 8 MiB, and cleaning that takes seconds of the
time that is left to record what happened."""

_SHORTEST_SECRET = 2
_TELLING = 5  # characters
_MASK = "***"
_BETWEEN = r"[\s\-./()_·]"
"""What people group digits and join names with; dashes of every kind are hyphens by then."""

_LONG_NUMBER = re.compile(rf"\d(?:{_BETWEEN}{{0,2}}\d){{6,}}")
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
    cleaned = _visible(text[:_READ])
    for pattern in _patterns(secrets):
        cleaned = pattern.sub(_MASK, cleaned)
    cleaned = _EMAIL.sub(_MASK, _LONG_NUMBER.sub(_MASK, cleaned))
    if len(text) > _READ and len(cleaned) <= MAX_LENGTH:
        return _MASK  # next to nothing of it can be seen, and it may end in half a secret
    return cleaned[:MAX_LENGTH].strip()


def holds(address: str, secrets: Iterable[str]) -> bool:
    """Whether an address has one of ``secrets`` in it, percent-encoded or not, however it is spaced.

    A code of a few letters or digits, as a bank's, is in many addresses and says nothing there.
    """
    telling = [secret for secret in secrets if len(secret) >= _TELLING or not secret.isascii()]
    text = _visible(unquote(address))
    return any(pattern.search(text) for pattern in _patterns(telling))


def _visible(text: str) -> str:
    """Compatibility form, so that full-width digits are digits, without characters nobody sees."""
    return "".join(map(_seen, unicodedata.normalize("NFKC", text)))


def _seen(character: str) -> str:
    if character.isspace():
        return " "
    category = unicodedata.category(character)
    if category == "Pd":
        return "-"
    return "" if category[0] == "C" else character


def _patterns(secrets: Iterable[str]) -> list[re.Pattern[str]]:
    """Longest first: a secret that contains another one is masked as a whole."""
    # Without what may stand between: were it asked for too, a row of dashes could be read in endless ways.
    values = {re.sub(_BETWEEN, "", _visible(secret)) for secret in secrets}
    return [
        _pattern(value) for value in sorted(values, key=len, reverse=True) if len(value) >= _SHORTEST_SECRET
    ]


def _pattern(value: str) -> re.Pattern[str]:
    """Numbers are grouped and names joined in many ways; neither hides them."""
    return re.compile(f"{_BETWEEN}*".join(map(re.escape, value)), re.IGNORECASE)
