"""Operators at work with the product's own code: replays, repairs, resolutions by hand, admissions.

An operator knows what the providers' books say and never lies; everything else may go wrong.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from refunds.cancel_types import cancel_type
from refunds.errors import ErrorCode, Fenced
from refunds.ledger.audit import Actor
from refunds.operators import repair
from refunds.operators.dead_letters import Selection
from refunds.operators.rate_limiter import RateLimiter
from refunds.operators.replay import Plan, Replay
from refunds.operators.replay_verdicts import Judge
from refunds.operators.resolution import Finding, ResolutionRefused
from tests.simulation.sweeping import LANES, dead_letters, queries, resolver

if TYPE_CHECKING:
    from refunds.domain.entry import Entry
    from tests.simulation.process import Process
    from tests.simulation.simulation import Simulation

_OPERATOR: Final = Actor("operator", "operator", "on call")


class _Notes:
    """The audit trail: notes in the trace."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation

    def append(self, subject: str, _actor: Actor, what: str) -> None:
        """Add a line."""
        self._simulation.gate.note(f"  audit {subject}: {what}")


def _replay(process: Process) -> Replay:
    notes: Any = _Notes(process.simulation)
    judge = Judge(queries(process), None, clock=process.wall_clock)
    return Replay(dead_letters(process.simulation), judge, notes)


def replay(process: Process) -> None:
    """``refundctl dlq replay --yes``: whatever ends well or brings clarity."""
    for lane in LANES:
        if process.simulation.queues[lane.cancel_type].dlq:
            for _ in _replay(process).run([lane], Plan(Selection(), _OPERATOR), RateLimiter(None)):
                pass


def mend(process: Process) -> None:
    """``refundctl dlq repair``: invalid messages get the payload that was meant."""
    simulation = process.simulation
    for lane in LANES:
        if not simulation.queues[lane.cancel_type].dlq:
            continue
        with dead_letters(simulation).peek(lane) as peek:
            letters = [letter for shown in peek for letter in shown]
        for letter in letters:
            wanted = simulation.wanted.get(f"{lane.cancel_type}#{letter.cancel_request_id}")
            if wanted is None:
                continue
            with suppress(repair.NotRepairable):
                changed = repair.check(letter, wanted.body)
                _replay(process).replace(letter, wanted.body, _OPERATOR, changed)


def resolve(process: Process) -> None:
    """``refundctl resolve``: what nobody can ask about is ended by hand, as the providers' books say."""
    simulation, by_hand = process.simulation, resolver(process)
    for key in list(simulation.table.requests):
        entry = simulation.table.requests[key].entry
        finding = _finding(simulation, entry)
        if finding is None or entry.state.terminal:
            continue
        simulation.resolved_by_hand.add(key)
        with suppress(ResolutionRefused):
            by_hand.by_hand(entry, finding, _OPERATOR)


def _finding(simulation: Simulation, entry: Entry) -> Finding | None:
    """What the books say, if nothing is under way that could still change it."""
    key, books = str(entry.key), simulation.books
    under_way = bool(simulation.world.late) or books.waits(key)
    if key not in simulation.wanted or under_way:
        return None
    policy = cancel_type(entry.key.cancel_type).policy
    if not policy.moves_money:
        return None
    moved = books.of_request(key)
    if len(moved) > 1:
        return None
    if moved:
        (movement,) = moved
        reference = movement.cancellation_id if policy.provider == "portone" else None
        return Finding(
            succeeded=True,
            evidence="seen in the console",
            amount=movement.amount,
            currency=movement.currency,
            reference=reference or None,
        )
    return Finding(
        succeeded=False, evidence="not in the console", code=ErrorCode.PROVIDER_REFUSED, never_booked=True
    )


def resolve_loosely(process: Process) -> None:
    """The same, but the operator does not say which entry it is."""
    simulation, by_hand = process.simulation, resolver(process)
    for key in list(simulation.table.requests):
        entry = simulation.table.requests[key].entry
        finding = _finding(simulation, entry)
        if finding is None or entry.state.terminal or not finding.succeeded:
            continue
        simulation.resolved_by_hand.add(key)
        with suppress(ResolutionRefused):
            by_hand.by_hand(entry, replace(finding, reference=None), _OPERATOR)


def admit(process: Process) -> None:
    """``refundctl admit``: what the guard rails keep back may pass."""
    for key, seen in list(process.simulation.table.requests.items()):
        error = seen.entry.outcome.error if seen.entry.outcome else None
        if error is None or error.code != ErrorCode.LIMIT_EXCEEDED or seen.entry.state.terminal:
            continue
        process.simulation.let_pass.add(key)  # also where AWS's answer is lost
        with suppress(Fenced):
            process.ledger.admit(seen.entry, str(_OPERATOR))
