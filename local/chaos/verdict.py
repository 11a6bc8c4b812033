"""The oracle's verdict on a chaos run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from local.chaos.plan import Plan, Subject
from local.simulator.movements import Actor, Movement, MovementKind
from local.stack import OutcomeLog


@dataclass(frozen=True)
class Verdict:
    """``refunds`` counts movements of money and voids. ``problems`` is empty if nothing went wrong."""

    refunds: int
    won: int
    repeated_outcomes: int
    parked: int
    double: int
    lost: int
    problems: tuple[str, ...]


def judge(plan: Plan, log: OutcomeLog, movements: Sequence[Movement], leaks: Sequence[str] = ()) -> Verdict:
    """Compare the provider's statement with what accounting was told, request by request.

    ``leaks``: what the run shows of anybody's account or key, or publishes against its contract; each is a
    problem.
    """
    by_subject: dict[str, list[Movement]] = {}
    for movement in movements:
        if movement.who is Actor.API:
            by_subject.setdefault(movement.subject, []).append(movement)
    told = _outcomes(log)
    problems = [
        problem
        for subject in plan.subjects
        for problem in _problems(subject, by_subject.get(subject.name, []), told)
    ]
    parked = [r for r in plan.requests if _final(told.get(r.cancel_request_id, ()))[0] == "parked"]
    own = [m for name in (s.name for s in plan.subjects) for m in by_subject.get(name, [])]
    return Verdict(
        refunds=len(own),
        won=int(sum(m.amount for m in own if m.kind is MovementKind.REFUND)),
        repeated_outcomes=sum(
            len(details) - len({d["outcome_id"] for d in details}) for details in told.values()
        ),
        parked=len(parked),
        double=sum("more than once" in problem for problem in problems),
        lost=sum("no outcome" in problem for problem in problems),
        problems=(*problems, *leaks),
    )


def is_open(plan: Plan, log: OutcomeLog) -> bool:
    """Whether a request still has no final outcome that a replay could bring."""
    told = _outcomes(log)
    return any(
        _final(told.get(request.cancel_request_id, ()))[0] not in ("succeeded", "failed")
        and request.cancel_type != "order_cancel"
        for request in plan.requests
    )


def unheard(plan: Plan, log: OutcomeLog) -> int:
    """Requests accounting has heard nothing of."""
    told = _outcomes(log)
    return sum(request.cancel_request_id not in told for request in plan.requests)


def _outcomes(log: OutcomeLog) -> Mapping[str, list[Mapping[str, Any]]]:
    told: dict[str, list[Mapping[str, Any]]] = {}
    for event in log.events:
        told.setdefault(event["detail"]["cancel_request_id"], []).append(event["detail"])
    return told


def _final(outcomes: Sequence[Mapping[str, Any]]) -> tuple[str, Mapping[str, Any] | None]:
    """What accounting holds true in the end: a terminal outcome outranks a parked one."""
    terminal = [o for o in outcomes if o["outcome"] != "parked"]
    chosen = (terminal or list(outcomes))[-1:]
    return (str(chosen[0]["outcome"]), chosen[0]) if chosen else ("nothing", None)


def _problems(
    subject: Subject, movements: Sequence[Movement], told: Mapping[str, Sequence[Mapping[str, Any]]]
) -> Iterator[str]:
    moved = sum(m.amount for m in movements if m.kind is MovementKind.REFUND)
    succeeded = certain = 0
    for request in subject.requests:
        outcomes = told.get(request.cancel_request_id, ())
        kind, final = _final(outcomes)
        if final is None:
            yield f"{request.cancel_request_id}: no outcome"
            continue
        if len({o["outcome_id"] for o in outcomes if o["outcome"] != "parked"}) > 1:
            yield f"{request.cancel_request_id}: two terminal outcomes"
        may_have = bool(final["error"] and final["error"]["may_have_been_applied"])
        certain += kind != "parked" or not may_have
        if kind == "succeeded":
            succeeded += (final["money"] or {}).get("cancelled") or 0
        elif request.cancel_type != "order_cancel":
            yield f"{request.cancel_request_id}: {kind}, though it could be carried out ({final['error']})"
    if moved > subject.amount or len(movements) > len(subject.requests):
        yield f"{subject.name}: moved more than once ({moved} won in {len(movements)} movements)"
    if certain == len(subject.requests) and moved != succeeded:
        yield f"{subject.name}: the provider moved {moved} won, accounting was told {succeeded}"
