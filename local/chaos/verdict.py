"""The oracle's verdict on a chaos run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from local.chaos.consumer import Belief
from local.chaos.plan import Plan, Subject
from local.demo.scenario import Request
from local.simulator.movements import Actor, Movement, MovementKind
from local.stack import OutcomeLog
from local.stack.statements import believed, by_currency, is_final


@dataclass(frozen=True)
class Verdict:
    """``refunds`` counts movements of money and voids, ``moved`` is money by currency.

    ``parked`` counts what waits for a person in the end, ``parked_late`` of it what PGs may book later, and
    ``pending`` what was told to be booked later.
    ``problems`` is empty if nothing went wrong.
    """

    refunds: int
    moved: Mapping[str, Decimal]
    repeated_outcomes: int
    pending: int
    parked: int
    parked_late: int
    double: int
    lost: int
    problems: tuple[str, ...]


def judge(
    plan: Plan,
    log: OutcomeLog,
    books: Mapping[str, Belief],
    movements: Sequence[Movement],
    leaks: Sequence[str] = (),
) -> Verdict:
    """Compare the provider's statement with what accounting's consumer believes, request by request.

    ``leaks``: what the run shows of anybody's account or key, or publishes against its contract; each is a
    problem.
    """
    by_subject = _by_subject(movements)
    told = _outcomes(log)
    problems = [
        problem
        for subject in plan.subjects
        for problem in _problems(subject, by_subject.get(subject.name, []), told, books)
    ]
    parked = [
        subject.late
        for subject in plan.subjects
        for request in subject.requests
        if _belief(request, books).outcome == "parked"
    ]
    own = [m for name in (s.name for s in plan.subjects) for m in by_subject.get(name, [])]
    return Verdict(
        refunds=len(own),
        moved=by_currency((m.currency, m.amount) for m in own if m.kind is MovementKind.REFUND),
        repeated_outcomes=sum(
            len(details) - len({d["outcome_id"] for d in details}) for details in told.values()
        ),
        pending=sum(any(d["outcome"] == "pending" for d in details) for details in told.values()),
        parked=len(parked),
        parked_late=sum(parked),
        double=sum("more than once" in problem for problem in problems),
        lost=sum("no outcome" in problem for problem in problems),
        problems=(*problems, *leaks),
    )


def is_open(plan: Plan, log: OutcomeLog, movements: Sequence[Movement]) -> bool:
    """Whether a replay or the sweeper could still bring a request to its end.

    Of a PG that books later that is so while accounting has not heard of all that was booked.
    """
    told, by_subject = _outcomes(log), _by_subject(movements)
    return any(
        _succeeded(subject, told) < len(by_subject.get(subject.name, []))
        if subject.late
        else not all(map(is_final, _last_words(subject, told)))
        for subject in plan.subjects
        if subject.kind != "orders"
    )


def unheard(plan: Plan, log: OutcomeLog) -> int:
    """Requests accounting has heard nothing of."""
    told = _outcomes(log)
    return sum(request.cancel_request_id not in told for request in plan.requests)


def _by_subject(movements: Sequence[Movement]) -> Mapping[str, list[Movement]]:
    found: dict[str, list[Movement]] = {}
    for movement in movements:
        if movement.who is Actor.API:
            found.setdefault(movement.subject, []).append(movement)
    return found


def _outcomes(log: OutcomeLog) -> Mapping[str, list[Mapping[str, Any]]]:
    told: dict[str, list[Mapping[str, Any]]] = {}
    for event in log.events:
        told.setdefault(event["detail"]["cancel_request_id"], []).append(event["detail"])
    return told


def _last_words(subject: Subject, told: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[Mapping[str, Any]]:
    nothing = {"outcome": "nothing"}
    return [believed(told.get(one.cancel_request_id, ())) or nothing for one in subject.requests]


def _succeeded(subject: Subject, told: Mapping[str, Sequence[Mapping[str, Any]]]) -> int:
    return sum(statement["outcome"] == "succeeded" for statement in _last_words(subject, told))


def _belief(request: Request, books: Mapping[str, Belief]) -> Belief:
    nothing = Belief("nothing", None, None)
    return books.get(f"{request.cancel_type}#{request.cancel_request_id}", nothing)


def _problems(
    subject: Subject,
    movements: Sequence[Movement],
    told: Mapping[str, Sequence[Mapping[str, Any]]],
    books: Mapping[str, Belief],
) -> Iterator[str]:
    moved = sum((m.amount for m in movements if m.kind is MovementKind.REFUND), Decimal(0))
    beliefs = [_belief(request, books) for request in subject.requests]
    for request, belief in zip(subject.requests, beliefs, strict=True):
        for problem in _untold(told.get(request.cancel_request_id, ()), belief):
            yield f"{request.cancel_request_id}: {problem}"
        if belief.outcome != "succeeded" and (belief.outcome == "failed" or not _may_stay_open(subject)):
            yield f"{request.cancel_request_id}: {belief.outcome}, though it could be carried out"
    if moved > subject.amount or len(movements) > len(subject.requests):
        yield f"{subject.name}: moved more than once ({moved} in {len(movements)} movements)"
    booked = [belief for belief in beliefs if belief.outcome == "succeeded"]
    currencies = {one.currency for one in booked if one.cancelled} | {
        m.currency for m in movements if m.amount
    }
    if currencies - {subject.currency}:
        yield f"{subject.name}: not in {subject.currency} alone, but {currencies}"
    # Of an order nobody can say what became of an unproven attempt; of all else, what was booked is known.
    succeeded = sum((belief.cancelled or Decimal(0) for belief in booked), Decimal(0))
    if (subject.late or len(booked) == len(beliefs)) and moved != succeeded:
        yield f"{subject.name}: the provider moved {moved}, accounting believes {succeeded}"


def _untold(statements: Sequence[Mapping[str, Any]], belief: Belief) -> Iterator[str]:
    if not statements:
        yield "no outcome"
    elif belief.outcome == "nothing":
        yield "the consumer has not kept what it was told"
    if len({one["outcome_id"] for one in statements if is_final(one)}) > 1:
        yield "two final outcomes"


def _may_stay_open(subject: Subject) -> bool:
    """Whether the provider may leave a request unproven for ever: EBP, and PGs that book later or never."""
    return subject.late or subject.kind == "orders"
