"""The words that options choose from, known without loading what they stand for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, Literal

import typer

from refunds.cancel_types import MODULES
from refunds.errors import ErrorCode

CANCEL_TYPES: Final = tuple(MODULES)
#: What a dead letter may say besides the error codes: how it came there without a function of ours.
ARRIVALS: Final = ("CRASHED", "UNDELIVERED", "UNHANDLED")
ERROR_CODES: Final = tuple(code.value for code in ErrorCode)
DLQ_CODES: Final = (*ERROR_CODES, *ARRIVALS)
VERDICTS: Final = ("done", "safe", "unknown", "stale", "wait", "invalid", "unreadable")

Shell = Literal["bash", "zsh", "fish"]


def one_of(
    choices: Sequence[str], what: str, fold: Callable[[str], str]
) -> Callable[[list[str] | str | None], list[str] | str | None]:
    """A check of an option: its value, or each of them, is one of ``choices`` once it is folded.

    Raises (the check):
        typer.BadParameter: it is none; the text lists them.
    """

    def read(text: str) -> str:
        folded = fold(text.strip())
        if folded not in choices:
            raise typer.BadParameter(f"{text!r} is no {what}: choose from {', '.join(choices)}")
        return folded

    def check(value: list[str] | str | None) -> list[str] | str | None:
        if value is None or isinstance(value, str):
            return None if value is None else read(value)
        return [read(text) for text in value]

    return check


def type_name(text: str) -> str:
    """A cancel type, in whatever case and with whatever dashes it was typed."""
    return text.lower().replace("-", "_")


check_type = one_of(CANCEL_TYPES, "cancel type", type_name)
check_code = one_of(ERROR_CODES, "error code", str.upper)
check_dlq_code = one_of(DLQ_CODES, "error code", str.upper)
check_verdict = one_of(VERDICTS, "verdict", str.lower)


def complete_type() -> list[str]:
    """For the shell."""
    return list(CANCEL_TYPES)


def complete_code() -> list[str]:
    """For the shell."""
    return list(ERROR_CODES)


def complete_dlq_code() -> list[str]:
    """For the shell."""
    return list(DLQ_CODES)


def complete_verdict() -> list[str]:
    """For the shell."""
    return list(VERDICTS)
