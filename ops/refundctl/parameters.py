"""What is typed on the command line, read and checked."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Final

import typer

from refunds.operators.dead_letters import Selection

_DURATION: Final = re.compile(r"(\d+)\s*([smhd])")
_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def duration(text: str) -> float:
    """``90s``, ``15m``, ``2h`` or ``3d`` in seconds."""
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise typer.BadParameter(f"{text!r} is no duration such as 90s, 15m, 2h or 3d")
    return float(int(match[1]) * _UNITS[match[2]])


def moment(text: str, now: float) -> float:
    """A time with a zone (``2026-11-21T05:00:00+09:00``), or how long ago (``2h``), in UNIX seconds."""
    if _DURATION.fullmatch(text.strip()):
        return now - duration(text)
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        parsed = None
    if parsed is None or parsed.tzinfo is None:
        raise typer.BadParameter(f"{text!r} is no time such as 2026-11-21T05:00:00+09:00 or 2h")
    return parsed.timestamp()


@dataclass(frozen=True)
class Filters:
    """The options that choose dead letters."""

    cancel_types: Annotated[
        list[str] | None, typer.Option("--type", "-t", help="Cancel type, e.g. payment_cancel; repeatable.")
    ] = None
    error_codes: Annotated[
        list[str] | None, typer.Option("--error-code", "-e", help="Error code; repeatable.")
    ] = None
    orders: Annotated[list[str] | None, typer.Option("--order", help="order_id; repeatable.")] = None
    ids: Annotated[
        list[str] | None, typer.Option("--id", help="cancel_request_id or message id; repeatable.")
    ] = None
    older_than: Annotated[
        str | None, typer.Option("--older-than", help="In the DLQ for at least: 90s, 15m, 2h, 3d.")
    ] = None
    younger_than: Annotated[
        str | None, typer.Option("--younger-than", help="In the DLQ for at most: 90s, 15m, 2h, 3d.")
    ] = None

    def selection(self) -> Selection:
        """The filter that these options describe."""
        return Selection(
            error_codes=frozenset(self.error_codes or ()),
            orders=frozenset(self.orders or ()),
            ids=frozenset(self.ids or ()),
            older_than=duration(self.older_than) if self.older_than else None,
            younger_than=duration(self.younger_than) if self.younger_than else None,
        )
