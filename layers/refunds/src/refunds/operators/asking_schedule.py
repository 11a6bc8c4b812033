"""When a provider is asked about an open request: at growing intervals, told by the request's own timeline.

Nothing is written when asking has shown nothing: an open item costs no write, however long it stays open.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

#: What a timeline says when an attempt was made or was accepted; asking begins to count there.
_BEGINNINGS: Final = ("STARTED ", "PENDING:")


_SHORTEST: Final = 1.0  # seconds


@dataclass(frozen=True)
class AskingSchedule:
    """Asked for the first time after ``base`` seconds, then after twice as long each time, up to ``longest``.

    Attributes:
        every: seconds from one run of the sweeper to the next: a turn that came since the last run is due.
    """

    base: float = 900.0
    longest: float = 86_400.0
    every: float = 600.0

    def due(self, since: float, now: float) -> bool:
        """Whether a turn came within the last ``every`` seconds; ``since`` is when it was last attempted."""
        age = now - since
        turn = interval = min(max(self.base, _SHORTEST), self.longest)
        if self.longest <= self.every:
            return age >= min(self.base, self.longest)
        if age < turn:
            return False
        while interval < self.longest:
            following = min(2 * interval, self.longest)
            if turn + following > age:
                break
            interval, turn = following, turn + following
        if interval >= self.longest:
            turn += (age - turn) // self.longest * self.longest
        return age - turn < self.every or min(2 * interval, self.longest) <= self.every


def moment(event: str) -> float:
    """UNIX seconds of an event of a timeline."""
    return datetime.fromisoformat(event.partition(" ")[0]).timestamp()


def last_attempt(timeline: Sequence[str]) -> float:
    """UNIX seconds at which the last attempt began or was accepted; of the first event where none says so."""
    for event in reversed(timeline):
        if event.partition(" ")[2].startswith(_BEGINNINGS):
            return moment(event)
    return moment(timeline[0])


def became_pending(timeline: Sequence[str]) -> float:
    """UNIX seconds at which a provider first accepted the request without booking it."""
    return next(
        (moment(event) for event in timeline if event.partition(" ")[2].startswith("PENDING")),
        moment(timeline[0]),
    )


def last_change(timeline: Sequence[str]) -> float:
    """UNIX seconds of the last event."""
    return moment(timeline[-1])
