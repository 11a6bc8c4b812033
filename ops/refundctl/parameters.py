"""What is typed on the command line, read and checked."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Annotated, Final

import typer

from refundctl.choices import check_dlq_code, check_type, complete_dlq_code, complete_type

if TYPE_CHECKING:
    from refunds.operators.dead_letters import Selection

_DURATION: Final = re.compile(r"(\d+)\s*([smhd])")
_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}

CancelTypes = Annotated[
    list[str] | None,
    typer.Option(
        "--type",
        "-t",
        metavar="TYPE",
        callback=check_type,
        autocompletion=complete_type,
        help="Cancel type, e.g. payment_cancel; repeatable. Without it, every one.",
    ),
]
CancelTypeOption = Annotated[
    str | None,
    typer.Option(
        "--type",
        "-t",
        metavar="TYPE",
        callback=check_type,
        autocompletion=complete_type,
        help="Cancel type, where the id was used in several.",
    ),
]
By = Annotated[str | None, typer.Option("--by", metavar="NAME", help="Your name; else your AWS identity.")]
Reason = Annotated[
    str | None, typer.Option("--reason", metavar="TEXT", help="Why; for the audit trail. Needed with --yes.")
]


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


def not_blank(text: str) -> str:
    """What names something: DynamoDB has no key that is empty."""
    if not text.strip():
        raise typer.BadParameter("it is blank")
    return text


def amount(text: str) -> Decimal:
    """An amount of money as it is typed: ``1000`` or ``181.56``, without a currency or separators."""
    try:
        found = Decimal(text)
    except InvalidOperation:
        found = None
    if found is None or not found.is_finite() or found <= 0:
        raise typer.BadParameter(f"{text!r} is no amount such as 1000 or 181.56")
    return found


@dataclass(frozen=True)
class Filters:
    """The options that choose dead letters; each that is given must hold."""

    cancel_types: CancelTypes = None
    error_codes: Annotated[
        list[str] | None,
        typer.Option(
            "--error-code",
            "-e",
            metavar="CODE",
            callback=check_dlq_code,
            autocompletion=complete_dlq_code,
            help="Error code; repeatable.",
        ),
    ] = None
    orders: Annotated[
        list[str] | None, typer.Option("--order", metavar="ORDER", help="order_id; repeatable.")
    ] = None
    ids: Annotated[
        list[str] | None,
        typer.Option("--id", metavar="ID", help="cancel_request_id or message id; repeatable."),
    ] = None
    matches: Annotated[
        list[str] | None,
        typer.Option(
            "--match",
            "-m",
            metavar="[FIELD=]TEXT",
            help="TEXT stands in the message or in its reason; or the event's FIELD is TEXT "
            "(request.imp_uid=imp_1). Repeatable.",
        ),
    ] = None
    older_than: Annotated[
        str | None,
        typer.Option("--older-than", metavar="AGE", help="In the DLQ for at least: 90s, 15m, 2h, 3d."),
    ] = None
    younger_than: Annotated[
        str | None,
        typer.Option("--younger-than", metavar="AGE", help="In the DLQ for at most: 90s, 15m, 2h, 3d."),
    ] = None

    @property
    def narrows(self) -> bool:
        """Whether anything but the cancel type is asked for: then it is an error that nothing matches."""
        return any(
            (self.error_codes, self.orders, self.ids, self.matches, self.older_than, self.younger_than)
        )

    def selection(self) -> Selection:
        """The filter that these options describe."""
        from refundctl.actions.matching import selection

        return selection(self)
