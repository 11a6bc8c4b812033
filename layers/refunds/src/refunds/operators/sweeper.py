"""Settles without an operator what the provider can be asked about, and tells how old the rest is.

Runs on a schedule. It never sends: what is proven unsent waits for a replay.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from refunds.cancel_types import MODULES, cancel_type
from refunds.domain.deadline import Deadline
from refunds.domain.entry import Entry
from refunds.errors import ConfigurationError, InvalidRequest, LookupFailed, NotSent
from refunds.ledger.queries import LedgerQueries
from refunds.operators.resolution import ResolutionRefused, Resolver

#: Questions in a row that a provider leaves unanswered before it is left in peace until the next run.
_PATIENCE: Final = 3


@dataclass
class Sweep:
    """What one run found and did. Ages are seconds; the dictionaries are keyed by cancel type."""

    unresolved: Counter[str] = field(default_factory=Counter)
    oldest: dict[str, float] = field(default_factory=lambda: dict.fromkeys(MODULES, 0.0))
    resolved: Counter[str] = field(default_factory=Counter)
    republished: int = 0
    asked: int = 0
    unanswered: int = 0

    def count(self, entry: Entry, now: float) -> None:
        """Note an entry that is still open."""
        kind = entry.key.cancel_type
        self.unresolved[kind] += 1
        self.oldest[kind] = max(self.oldest.get(kind, 0.0), now - claimed_at(entry))

    def summary(self) -> dict[str, object]:
        """For the log and for whoever invoked it."""
        return {
            "unresolved": dict(self.unresolved),
            "oldest_seconds": {kind: round(age) for kind, age in self.oldest.items()},
            "resolved": dict(self.resolved),
            "republished": self.republished,
            "asked": self.asked,
            "unanswered": self.unanswered,
        }


class Sweeper:
    """One run over everything open.

    Args:
        min_age: seconds since its last change before an entry is touched: retries come first.
        most: questions per run. With more to ask, chance decides, so that nothing waits for ever.
        clock: UNIX seconds.
    """

    def __init__(
        self,
        ledger_queries: LedgerQueries,
        resolver: Resolver,
        *,
        min_age: float,
        most: int,
        clock: Callable[[], float],
        jitter: random.Random | None = None,
    ) -> None:
        self._ledger_queries = ledger_queries
        self._resolver = resolver
        self._min_age = min_age
        self._most = most
        self._clock = clock
        self._jitter = jitter or random.Random()  # noqa: S311 - fairness, no secret

    def run(self, deadline: Deadline) -> Sweep:
        """Publish what was not published, ask what can be asked, count what stays open."""
        sweep = Sweep()
        silent: Counter[str] = Counter()
        for entry in self._choose(sweep):
            provider = cancel_type(entry.key.cancel_type).policy.provider
            if deadline.remaining() > 0 and silent[provider] < _PATIENCE:
                silent[provider] = 0 if self._ask(entry, sweep) else silent[provider] + 1
            else:
                sweep.count(entry, self._clock())
        return sweep

    def _choose(self, sweep: Sweep) -> Sequence[Entry]:
        """What to ask about: a fair sample if it is too much. Everything else that is open is counted.

        In an order by chance: the few that a provider never answers, always the first in line, would
        end every run before the others have had their turn.
        """
        chosen: list[Entry] = []
        ripe = 0
        for entry in self._ledger_queries.open_entries():
            left = entry
            if entry.unpublished:
                sweep.republished += self._resolver.publish(entry).published
                continue
            if self._is_ripe(entry):
                ripe += 1
                if len(chosen) < self._most:
                    chosen.append(entry)
                    continue
                if (place := self._jitter.randrange(ripe)) < self._most:
                    left, chosen[place] = chosen[place], entry
            sweep.count(left, self._clock())
        self._jitter.shuffle(chosen)
        return chosen

    def _is_ripe(self, entry: Entry) -> bool:
        untouched = self._clock() - _moment(entry.timeline[-1])
        return untouched >= self._min_age and self._resolver.unaskable(entry) is None

    def _ask(self, entry: Entry, sweep: Sweep) -> bool:
        """Whether the provider answered."""
        sweep.asked += 1
        settled, answered = False, True
        try:
            settled = self._resolver.ask(entry).settled
        except (LookupFailed, NotSent, ConfigurationError):
            answered = False
            sweep.unanswered += 1
        except (ResolutionRefused, InvalidRequest):
            settled = False
        if settled:
            sweep.resolved[entry.key.cancel_type] += 1
        else:
            sweep.count(entry, self._clock())
        return answered


def claimed_at(entry: Entry) -> float:
    """UNIX seconds at which a function first took the request on."""
    return _moment(entry.timeline[0])


def _moment(event: str) -> float:
    return datetime.fromisoformat(event.split(" ", 1)[0]).timestamp()
