"""Publishes stored outcomes again, for an accounting system that lost them.

A period is read from the index of its days: it costs what these have, however large the ledger is. Same
``outcome_id`` as the first time: consumers recognise what they have already. A request that was
parked for breaking the contract has no ledger item; replaying its message publishes its outcome.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from refunds.contracts.outbound import Outcome
from refunds.domain.entry import State
from refunds.ledger.queries import LedgerQueries
from refunds.messaging.publisher import Publisher
from refunds.operators.rate_limiter import RateLimiter

_BATCH: Final = 10  # entries in one PutEvents (AWS limit)
_STATES: Final = (State.SUCCEEDED, State.FAILED, State.PENDING, State.PARKED)


@dataclass(frozen=True)
class Period:
    """UNIX seconds, ``until`` excluded; the cancel types meant, all if none is named."""

    since: float
    until: float
    cancel_types: tuple[str, ...] = ()


class Republication:
    """Publishes what the ledger holds."""

    def __init__(self, ledger_queries: LedgerQueries, publisher: Publisher) -> None:
        self._ledger_queries = ledger_queries
        self._publisher = publisher

    def outcomes(self, period: Period) -> Iterator[Outcome]:
        """The outcomes recorded in a period, as they stand now."""
        entries = self._ledger_queries.ended_between(
            period.since, period.until, cancel_types=period.cancel_types, states=_STATES
        )
        return (entry.outcome for entry in entries if entry.outcome is not None)

    def run(self, period: Period, rate_limiter: RateLimiter) -> Iterator[tuple[Outcome, bool]]:
        """Publish them again; each with whether EventBridge took it."""
        batch: list[Outcome] = []
        for outcome in self.outcomes(period):
            batch.append(outcome)
            if len(batch) == rate_limiter.burst(_BATCH):
                yield from self._publish(batch, rate_limiter)
                batch = []
        if batch:
            yield from self._publish(batch, rate_limiter)

    def _publish(self, batch: Sequence[Outcome], rate_limiter: RateLimiter) -> Iterator[tuple[Outcome, bool]]:
        rate_limiter.wait(len(batch))
        refused = self._publisher.publish(batch)
        for outcome in batch:
            yield outcome, outcome.outcome_id not in refused
