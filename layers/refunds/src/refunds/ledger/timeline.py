"""What happened to a request, in order: written short, and never longer than a fixed number of events.

An event is ``<ISO time> <what happened>``. An item keeps the first one so; the others have the
milliseconds since then in the place of the time, as in ``+4821 SUCCEEDED: …``. Items of version 1 have the
whole time in each event, and may hold both.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

from refunds.domain.entry import LEFT_OUT

#: Events of an item: the first ones and the last ones stay.
MOST_EVENTS: Final = 16
_FIRST: Final = 3
_LAST: Final = MOST_EVENTS - _FIRST - 1  # one says how many were left out
#: Characters of an event. The whole proof is kept beside the timeline where this cuts it off.
_MOST_CHARACTERS: Final = 400

_LEFT_OUT: Final = re.compile(rf"\S+ \((\d+){re.escape(LEFT_OUT)}")
_RECORDED: Final = re.compile(r"(\S+) (?:SUCCEEDED|FAILED|PARKED|PENDING)(?: [A-Z0-9_]+)?: (.*)", re.DOTALL)


def iso(now: float) -> str:
    """UNIX seconds as the ledger writes times: the order of the texts is the order of the times."""
    return datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def appended(timeline: Sequence[str], now: float, what: str) -> tuple[str, ...]:
    """The timeline with one more event; one in the middle goes where there are too many."""
    event = f"{iso(now)} {what}"
    events = (*timeline, event if len(event) <= _MOST_CHARACTERS else f"{event[: _MOST_CHARACTERS - 1]}…")
    if len(events) <= MOST_EVENTS:
        return events
    first, middle, last = events[:_FIRST], events[_FIRST:-_LAST], events[-_LAST:]
    left_out = sum(_events_in(one) for one in middle)
    time, _, _ = middle[-1].partition(" ")
    return (*first, f"{time} ({left_out}{LEFT_OUT}", *last)


def shortened(timeline: Sequence[str]) -> list[str]:
    """As an item holds it."""
    if not timeline:
        return []
    start = _moment(timeline[0])
    return [timeline[0], *(_short(event, start) for event in timeline[1:])]


def restored(events: Sequence[str]) -> tuple[str, ...]:
    """From what an item holds, in this version or in version 1."""
    if not events:
        return ()
    start = _moment(events[0])
    return (events[0], *(_long(event, start) for event in events[1:]))


def seconds(event: str) -> float:
    """UNIX seconds of an event."""
    return _moment(event).timestamp()


def recorded(timeline: Sequence[str]) -> tuple[str, str] | None:
    """When an outcome was recorded last (ISO time), and what proved it; ``None`` before that."""
    for event in reversed(timeline):
        if match := _RECORDED.fullmatch(event):
            return match[1], match[2]
    return None


def _events_in(event: str) -> int:
    match = _LEFT_OUT.fullmatch(event)
    return int(match[1]) if match else 1


@lru_cache(maxsize=512)  # every write of an item writes all its events
def _short(event: str, start: datetime) -> str:
    time, space, what = event.partition(" ")
    milliseconds = round((_moment(event) - start) / timedelta(milliseconds=1))
    short = f"{milliseconds:+d}{space}{what}"
    return short if _long(short, start) == f"{time}{space}{what}" else event


@lru_cache(maxsize=512)
def _long(event: str, start: datetime) -> str:
    if not event.startswith(("+", "-")):
        return event
    milliseconds, space, what = event.partition(" ")
    moment = start + timedelta(milliseconds=int(milliseconds))
    return f"{moment.isoformat(timespec='milliseconds').replace('+00:00', 'Z')}{space}{what}"


def _moment(event: str) -> datetime:
    return datetime.fromisoformat(event.partition(" ")[0])
