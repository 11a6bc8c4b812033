"""The oracle's verdict: the provider's own statement of money against what accounting was told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from local.demo.play import cancel_request_id, detail_type
from local.demo.scenario import Request, Scenario
from local.simulator.control import SimulatorControl
from local.simulator.faults import Operation
from local.simulator.movements import Actor, Movement, MovementKind
from local.stack import OutcomeLog
from local.stack.statements import believed, by_currency, cancelled, in_words, is_final

_SENDS = (Operation.CANCEL, Operation.REVOKE, Operation.RECEIPT)


@dataclass(frozen=True)
class Verdict:
    """One scenario judged; ``moved`` is by currency, ``problems`` empty if everything is as it must be."""

    scenario: Scenario
    moved: Mapping[str, Decimal]
    voided: int
    heard: tuple[str, ...]
    dead: tuple[str, ...]
    sends: int
    problems: tuple[str, ...]


def judge(
    scenario: Scenario, simulator: SimulatorControl, log: OutcomeLog, dead: Iterable[Mapping[str, Any]]
) -> Verdict:
    """Compare oracle, accounting bus and DLQ with each other and with what the scenario demands."""
    movements = [m for m in simulator.ledger(scenario.subject) if m.who is Actor.API]
    moved = by_currency((m.currency, m.amount) for m in movements if m.kind is MovementKind.REFUND)
    voided = sum(1 for m in movements if _is_void(m))
    keys = {request.cancel_request_id for request in scenario.requests}
    letters = _one_per_request(
        dead_letter for dead_letter in dead if cancel_request_id(dead_letter["Body"]) in keys
    )
    finals = [believed(log.of(request.cancel_request_id)) for request in scenario.requests]
    return Verdict(
        scenario=scenario,
        moved=moved,
        voided=voided,
        heard=tuple(_heard(log.of(request.cancel_request_id)) for request in scenario.requests),
        dead=tuple(_code(dead_letter) for dead_letter in letters),
        sends=sum(simulator.calls(scenario.subject, operation) for operation in _SENDS),
        problems=(
            *_money_problems(scenario, moved, voided),
            *_outcome_problems(scenario, log, finals, moved),
            *_letter_problems(scenario, len(letters)),
        ),
    )


def _one_per_request(letters: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """A process killed between the copy to the DLQ and the acknowledgement leaves a second copy."""
    return list({cancel_request_id(dead_letter["Body"]): dead_letter for dead_letter in letters}.values())


def _is_void(movement: Movement) -> bool:
    return movement.kind not in (MovementKind.REFUND, MovementKind.DEPOSIT)


def _heard(outcomes: Sequence[Mapping[str, Any]]) -> str:
    """What accounting heard of a request, in the order of its revisions, each kind once."""
    in_order = sorted(outcomes, key=lambda one: (is_final(one), one.get("revision", 0)))
    return " → ".join(dict.fromkeys(detail_type(one) for one in in_order)) or "nothing"


def _money_problems(scenario: Scenario, moved: Mapping[str, Decimal], voided: int) -> list[str]:
    problems = []
    wanted = by_currency([(scenario.currency, Decimal(scenario.moved))])
    if moved != wanted:
        problems.append(f"the provider moved {in_words(moved)} instead of {in_words(wanted)}")
    if voided != scenario.voided:
        problems.append(f"the provider voided {voided} instead of {scenario.voided}")
    return problems


def _outcome_problems(
    scenario: Scenario,
    log: OutcomeLog,
    finals: Sequence[Mapping[str, Any] | None],
    moved: Mapping[str, Decimal],
) -> list[str]:
    problems = []
    for request, final, expected in zip(scenario.requests, finals, scenario.expected, strict=True):
        heard = detail_type(final) if final else "nothing"
        if heard != expected:
            problems.append(f"{request.cancel_request_id}: accounting heard {heard} instead of {expected}")
        problems += _contradictions(request, log)
        if scenario.books_late and "CancelPending" not in _heard(log.of(request.cancel_request_id)):
            problems.append(f"{request.cancel_request_id}: accounting did not hear that it is booked later")
    told = by_currency(cancelled(final) for final in finals if final)
    unknown = any(final and final["error"] and final["error"]["may_have_been_applied"] for final in finals)
    if told != moved and not unknown:
        problems.append(f"accounting was told {in_words(told)}, the provider moved {in_words(moved)}")
    return problems


def _contradictions(request: Request, log: OutcomeLog) -> list[str]:
    """A request has one terminal outcome, however often it is told."""
    terminal = {o["outcome_id"] for o in log.of(request.cancel_request_id) if is_final(o)}
    return [f"{request.cancel_request_id}: {len(terminal)} terminal outcomes"] if len(terminal) > 1 else []


def _letter_problems(scenario: Scenario, found: int) -> list[str]:
    if found == scenario.in_dlq:
        return []
    return [f"{found} messages in the DLQ instead of {scenario.in_dlq}"]


def _code(dead_letter: Mapping[str, Any]) -> str:
    attribute = dead_letter.get("MessageAttributes", {}).get("error_code")
    return str(attribute["StringValue"]) if attribute else "no reason"
