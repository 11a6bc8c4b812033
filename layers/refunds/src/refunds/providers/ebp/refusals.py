"""Which of EBP's answers are a refusal: a closed list; an unknown code makes nothing certain.

A refusal says that nothing was carried out. Only what EBP's page documents as found out before the payment is
touched says so; every other code, and every answer that says two things, leaves the outcome unknown.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from http import HTTPStatus
from typing import Final

from refunds.providers.ebp.models import Envelope

SUCCESS: Final = "0"

_REFUSAL: Final = re.compile(r"EBP-(?:[AB]-[0-9]{4}|C-000[1-7])")
_AUTHENTICATION: Final = "EBP-A-"

#: Any spelling of a code inside a text; a header's name ("X-EBP-Signature") is none.
_MENTIONED: Final = re.compile(r"\bEBP-[A-Z]-[0-9][0-9A-Z-]*", re.IGNORECASE)

#: The names under which an error's details may give a code; they are not documented.
_CODE_NAMES: Final = frozenset({"code", "errorcode", "resultcode"})

#: Statuses of a proxy before EBP, or of a call that is still at work there.
_NOT_A_VERDICT: Final = frozenset({408, 409, 425, 429, 499})


def is_refusal(status: int, envelope: Envelope) -> bool:
    """Whether the answer to a cancellation says, and nothing in it contradicts, that nothing was done."""
    return (
        HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR
        and status not in _NOT_A_VERDICT
        and all(_REFUSAL.fullmatch(code) for code in _codes(envelope))
        and not _names_a_return(envelope.data)
    )


def is_success(status: int, envelope: Envelope) -> bool:
    """Whether the answer says that it was done, and no code in it says anything else."""
    return status == HTTPStatus.OK and all(code == SUCCESS for code in _codes(envelope))


def is_authentication(code: str) -> bool:
    """Whether a refusal's code says that EBP does not accept our keys."""
    return code.startswith(_AUTHENTICATION)


def worst_code(envelope: Envelope) -> str:
    """The code that decides what the answer means: one that proves nothing, where there is one."""
    return min(_codes(envelope), key=lambda code: (_rank(code), code != envelope.result_code))


def _rank(code: str) -> int:
    if code == SUCCESS:
        return 2
    return 1 if _REFUSAL.fullmatch(code) else 0


def _codes(envelope: Envelope) -> tuple[str, ...]:
    """Every code in the answer, the frame's own first."""
    return (envelope.result_code, *_within((envelope.message, envelope.error, envelope.errors)))


def _within(value: object, name: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for key, member in value.items():
            yield from _within(member, str(key))
    elif isinstance(value, list | tuple):
        for member in value:
            yield from _within(member, name)
    elif name.replace("_", "").lower() in _CODE_NAMES and value not in (None, ""):
        yield str(value)
    elif isinstance(value, str):
        yield from _MENTIONED.findall(value)


def _names_a_return(data: object) -> bool:
    """A refusal with the number of an application for a return says two things."""
    return isinstance(data, dict) and data.get("returnRequestId") not in (None, "")
