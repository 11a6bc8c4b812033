"""Brings open requests to their end without an operator, and tells what was not told.

Runs on a schedule. It never sends: what is proven unsent waits for a replay. One request that cannot be
read, judged or written never stops a run: it is counted, named by its key and passed over.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final

from refunds.cancel_types import MODULES, cancel_type
from refunds.domain.deadline import Deadline
from refunds.domain.entry import Entry, Key, State
from refunds.domain.outcomes import Trouble
from refunds.errors import ConfigurationError, ErrorCode, LookupFailed, NotSent
from refunds.ledger.claims import Ledger
from refunds.ledger.queries import LedgerQueries
from refunds.operators.asking_schedule import (
    AskingSchedule,
    became_pending,
    last_attempt,
    last_change,
    moment,
)
from refunds.operators.resolution import ResolutionRefused, ResolutionReport, Resolver
from refunds.operators.walk import Place, Walk

#: Questions in a row that a provider leaves unanswered before it is asked no more in this run.
_PATIENCE: Final = 3
#: Of a run's time, what reading may take: the rest is for asking.
_READING: Final = 0.5
_DAY_INDEX: Final = "by_day"
_PREVIOUS_INDEX: Final = "by_state"
_DAYS_BACK: Final = 2  # days whose claims the daily pass reads
_SHOWN: Final = 20  # keys named in a summary


@dataclass(frozen=True)
class SweepRules:
    """When a request is touched. Seconds.

    Attributes:
        min_age: since its last change: the messages' own retries come first.
        most: questions per run. With more to ask, a random sample is asked, so that nothing waits for ever.
        pending_for: from the acceptance on; what is not booked by then is parked, and asked about daily.
        abandoned_after: since the last change of a request that no message will bring any more: longer than
            a queue keeps a message.
    """

    min_age: float = 900.0
    most: int = 500
    pending_for: float = 14 * 86_400.0
    abandoned_after: float = 5 * 86_400.0
    asking: AskingSchedule = field(default_factory=AskingSchedule)


@dataclass
class Sweep:
    """What one run found and did. Ages are seconds; the dictionaries are keyed by cancel type.

    Attributes:
        passed_over: keys of requests that something was wrong with.
        place: where the next run goes on; ``None`` if this one saw everything.
    """

    unresolved: Counter[str] = field(default_factory=Counter)
    oldest: dict[str, float] = field(default_factory=lambda: dict.fromkeys(MODULES, 0.0))
    pending: Counter[str] = field(default_factory=Counter)
    resolved: Counter[str] = field(default_factory=Counter)
    parked: Counter[str] = field(default_factory=Counter)
    found_again: int = 0
    republished: int = 0
    asked: int = 0
    unanswered: int = 0
    passed_over: dict[Key, str] = field(default_factory=dict)
    place: Place | None = None

    def count(self, entry: Entry, now: float) -> None:
        """Note an entry that is still open."""
        kind = entry.key.cancel_type
        if entry.state is State.PENDING:
            self.pending[kind] += 1
            return
        self.unresolved[kind] += 1
        self.oldest[kind] = max(self.oldest.get(kind, 0.0), now - claimed_at(entry))

    def summary(self) -> dict[str, object]:
        """For the log and for the caller."""
        return {
            "complete": self.place is None,
            "unresolved": dict(self.unresolved),
            "oldest_seconds": {kind: round(age) for kind, age in self.oldest.items()},
            "pending": dict(self.pending),
            "resolved": dict(self.resolved),
            "parked": dict(self.parked),
            "found_again": self.found_again,
            "republished": self.republished,
            "asked": self.asked,
            "unanswered": self.unanswered,
            "passed_over": len(self.passed_over),
            "passed_over_keys": [str(key) for key in list(self.passed_over)[:_SHOWN]],
        }


class Sweeper:
    """One run over everything open.

    Args:
        clock: UNIX seconds.
        passed_over: told of each request that was passed over, and of the kind of the error.
    """

    def __init__(  # noqa: PLR0913 - what it works with, each once
        self,
        ledger: Ledger,
        ledger_queries: LedgerQueries,
        resolver: Resolver,
        rules: SweepRules,
        *,
        clock: Callable[[], float],
        jitter: random.Random | None = None,
        passed_over: Callable[[Key, str], None] = lambda _key, _why: None,
    ) -> None:
        self._ledger = ledger
        self._ledger_queries = ledger_queries
        self._resolver = resolver
        self._rules = rules
        self._clock = clock
        self._jitter = jitter or random.Random()  # noqa: S311 - fairness, no secret
        self._passed_over = passed_over

    def run(self, deadline: Deadline, *, daily: bool = False, place: Place | None = None) -> Sweep:
        """Publish what was not published, ask what is due, park what has no progress, count what stays open.

        ``daily``: look for claims of the last days that never got further, too.
        """
        sweep = Sweep()
        sample = _Sample(self._rules.most, self._jitter)
        reading_ends = deadline.remaining() * (1 - _READING)
        walk = self._walk(place, daily=daily)
        for number, keys in enumerate(walk):
            if number and deadline.remaining() <= reading_ends:  # every run gets at least one step on
                sweep.place = walk.place
                break
            of_day = walk.index == _DAY_INDEX
            note = of_day or (daily and walk.index == _PREVIOUS_INDEX)
            for entry in self._left_claims(keys, sweep) if of_day else self._read(keys, sweep):
                self._guarded(entry, sweep, partial(self._sort, sample=sample, sweep=sweep, note=note))
        self._ask_all(sample.drawn(), deadline, sweep)
        return sweep

    def _walk(self, place: Place | None, *, daily: bool) -> Walk:
        partitions = self._ledger_queries.open_partitions()
        if daily:
            today = datetime.fromtimestamp(self._clock(), UTC).date()
            for days in range(1, _DAYS_BACK + 1):
                partitions += self._ledger_queries.day_partitions(today - timedelta(days=days))
        return Walk(self._ledger_queries, partitions, place)

    def _left_claims(self, keys: Iterable[Key], sweep: Sweep) -> Iterator[Entry]:
        """Which of a day's requests were left, among many that have ended.

        They are read at half the price. A copy that is behind may show as left what has ended, so what
        looks left is read again, strongly consistent. It hides none for long: a request is left when nothing
        has been written for ``min_age``, and the pass of the next day reads it again.
        """
        copies = self._ledger_queries.readable(keys, consistent=False)
        left = [key for key, entry in copies.entries.items() if self._was_left(entry)]
        yield from filter(self._was_left, self._read([*left, *copies.unreadable], sweep))

    def _read(self, keys: Iterable[Key], sweep: Sweep) -> Iterator[Entry]:
        readings = self._ledger_queries.readable(keys)
        for key in readings.unreadable:
            self._pass_over(key, "unreadable", sweep)
        yield from readings.entries.values()

    def _guarded(self, entry: Entry, sweep: Sweep, act: Callable[[Entry], None]) -> None:
        try:
            act(entry)
        except ResolutionRefused:  # somebody else was at work: the next run sees what came of it
            sweep.count(entry, self._clock())
        except Exception as error:  # noqa: BLE001 - whatever is wrong with one request, the others are swept
            self._pass_over(entry.key, type(error).__name__, sweep)

    def _pass_over(self, key: Key, why: str, sweep: Sweep) -> None:
        sweep.passed_over[key] = why
        self._passed_over(key, why)

    def _sort(self, entry: Entry, *, sample: _Sample, sweep: Sweep, note: bool) -> None:
        """Do what needs no question, and put what does into the sample.

        ``note``: enter it among the open requests, where it was not found.
        """
        if entry.state is State.UNKNOWN or entry.key.cancel_type not in MODULES:
            self._pass_over(entry.key, "of a newer version", sweep)
            return
        if entry.unpublished and entry.outcome is not None:
            report = self._resolver.publish(entry)
            sweep.republished += report.published
            entry = report.entry
            if entry.state.terminal:
                return
        if entry.state.terminal:
            self._ledger.note_open(entry)  # it takes it out: it is no longer open
            return
        if note:
            self._ledger.note_open(entry)
            sweep.found_again += 1
        if self._may_ask(entry):
            left_out = sample.offer(entry)
            if left_out is not None:
                sweep.count(left_out, self._clock())
            return
        if self._resolver.unaskable(entry) is None or not self._park_if_over(entry, sweep):
            sweep.count(entry, self._clock())

    def _was_left(self, entry: Entry) -> bool:
        """Whether a worker left its claim without another write; such an item is in no index of open ones."""
        now = self._clock()
        return (
            entry.state is State.STARTED
            and not entry.leased(now)
            and now - last_change(entry.timeline) >= self._rules.min_age
        )

    def _may_ask(self, entry: Entry) -> bool:
        now = self._clock()
        if now - last_change(entry.timeline) < self._rules.min_age:
            return False
        if self._resolver.unaskable(entry) is not None:
            return False
        return self._over(entry) or self._rules.asking.due(last_attempt(entry.timeline), now)

    def _ask_all(self, entries: list[Entry], deadline: Deadline, sweep: Sweep) -> None:
        silent: Counter[str] = Counter()
        for entry in entries:
            provider = cancel_type(entry.key.cancel_type).policy.provider
            if deadline.remaining() > 0 and silent[provider] < _PATIENCE:
                unanswered = sweep.unanswered
                self._guarded(entry, sweep, partial(self._ask, sweep=sweep))
                silent[provider] = silent[provider] + 1 if sweep.unanswered > unanswered else 0
            else:
                sweep.count(entry, self._clock())

    def _ask(self, entry: Entry, *, sweep: Sweep) -> None:
        sweep.asked += 1
        try:
            report = self._resolver.ask(entry)
        except (LookupFailed, NotSent, ConfigurationError):
            sweep.unanswered += 1
            report = ResolutionReport(entry, "the provider gave no usable answer")
        if report.settled:
            sweep.resolved[entry.key.cancel_type] += 1
        elif not self._park_if_over(entry, sweep):
            sweep.count(entry, self._clock())

    def _over(self, entry: Entry) -> bool:
        """Whether it was waited for long enough, so that accounting is told that there is no progress."""
        if entry.state is State.PENDING:
            return self._clock() - became_pending(entry.timeline) >= self._rules.pending_for
        return self._abandoned(entry)

    def _abandoned(self, entry: Entry) -> bool:
        """Whether no message will bring it any more, and nobody was told."""
        untouched = self._clock() - last_change(entry.timeline)
        left = entry.unpublished or untouched >= self._rules.abandoned_after
        return entry.state is State.STARTED and left and not entry.leased(self._clock())

    def _park_if_over(self, entry: Entry, sweep: Sweep) -> bool:
        if not self._over(entry):
            return False
        self._resolver.park(entry, why_parked(entry))
        sweep.parked[entry.key.cancel_type] += 1
        return True


@dataclass
class _Sample:
    """What to ask about: a fair sample where it is too much.

    In a random order. In a fixed one, a few requests that a provider never answers would end every run
    before the others are asked.
    """

    most: int
    jitter: random.Random
    chosen: list[Entry] = field(default_factory=list)
    offered: int = 0

    def offer(self, entry: Entry) -> Entry | None:
        """Take it, perhaps in the place of another one; returns what is left out."""
        self.offered += 1
        if len(self.chosen) < self.most:
            self.chosen.append(entry)
            return None
        place = self.jitter.randrange(self.offered)
        if place >= self.most:
            return entry
        left_out, self.chosen[place] = self.chosen[place], entry
        return left_out

    def drawn(self) -> list[Entry]:
        self.jitter.shuffle(self.chosen)
        return self.chosen


def why_parked(entry: Entry) -> Trouble:
    """What accounting is told of a request that makes no progress."""
    if entry.state is State.PENDING:
        return Trouble(
            ErrorCode.OUTCOME_UNKNOWN,
            "the provider accepted it and has not booked it for too long; it may still be booked, and is "
            "asked about daily: do not ask for it again under a new cancel_request_id",
            may_have_been_applied=True,
        )
    missing = (
        "its message has left for the dead-letter queue"
        if entry.unpublished
        else ("no message has brought it for days")
    )
    if entry.in_doubt:
        return Trouble(
            ErrorCode.OUTCOME_UNKNOWN,
            f"it may have been carried out, and {missing}; it is asked about until that is known",
            may_have_been_applied=True,
        )
    return Trouble(
        ErrorCode.PROVIDER_UNAVAILABLE,
        f"nothing was sent, and {missing}: replay it; if none waits any more, publish the event again under "
        "the same cancel_request_id",
        may_have_been_applied=False,
    )


def claimed_at(entry: Entry) -> float:
    """UNIX seconds at which a function first took the request on."""
    return moment(entry.timeline[0])
