"""Requests of unknown outcome: asked about, and settled by hand."""

from __future__ import annotations

import json

import pytest

from local.simulator.control import SimulatorControl
from local.simulator.faults import Fault, FaultKind, Operation
from local.stack import OutcomeLog, Stack
from tests.integration.ops.cases import PART, PATIENCE, Case
from tests.integration.ops.conftest import Eventually
from tests.integration.ops.operator_shell import Ended, Shell
from tests.integration.ops.parked import (
    Parked,
    ask_freely,
    held_by_a_worker,
    ledger_item,
    wait_for_leases,
)

_BY_HAND = ("--evidence", "EBP console, ticket 4711", "--by", "kim")


def by_hand(case: Case, ending: str, *more: str) -> tuple[str, ...]:
    confirmed = ("--confirm", case.cancel_request_id)
    return ("resolve", case.cancel_request_id, "--as", ending, *_BY_HAND, *confirmed, *more)


def refusal(ended: Ended) -> str:
    assert ended.code == 1
    assert [row["type"] for row in ended.rows] == ["error"]
    return ended.stderr


@pytest.fixture(scope="module")
def rested(stack: Stack, parked: Parked) -> Parked:
    """Parked requests that no worker can have any more."""
    wait_for_leases(stack, parked.all())
    return parked


def test_a_request_that_a_worker_may_still_have_is_left_alone(
    stack: Stack, shell: Shell, parked: Parked
) -> None:
    """While its lease is live, neither the question nor the operator ends it."""
    case = parked.refunded
    with held_by_a_worker(stack, case):
        before = ledger_item(stack, case)
        asked = shell.run("resolve", case.cancel_request_id, code=4)
        assert "try again in" in asked.of("resolution")[0]["finding"]
        assert "try again in" in refusal(shell.run(*by_hand(case, "failed"), code=1))
        assert ledger_item(stack, case) == before


def test_what_the_provider_can_prove_is_settled_by_asking(
    stack: Stack, simulator: SimulatorControl, outcomes: OutcomeLog, shell: Shell, rested: Parked
) -> None:
    """A refund whose answer was lost is found in the payment's history, recorded and published."""
    case = rested.refunded
    ask_freely(simulator, case)
    (resolution,) = shell.run("resolve", case.cancel_request_id).of("resolution")
    assert (resolution["state"], resolution["resolved"], resolution["published"]) == ("SUCCEEDED", True, True)
    outcomes.wait_for(lambda log: len(log.of(case.cancel_request_id)) >= 2, PATIENCE)
    last = outcomes.of(case.cancel_request_id)[-1]
    assert (last["outcome"], last["money"]["cancelled"]) == ("succeeded", PART)
    assert [movement.amount for movement in simulator.ledger(case.subject)] == [PART]
    assert "open_state" not in ledger_item(stack, case)


def test_what_nobody_can_prove_stays_parked_when_asked(
    stack: Stack, outcomes: OutcomeLog, shell: Shell, rested: Parked
) -> None:
    """A part of an EBP order cannot be asked about: the answer says so, and nothing is written."""
    case = rested.order_cancelled
    before = ledger_item(stack, case)
    (resolution,) = shell.run("resolve", case.cancel_request_id, code=4).of("resolution")
    assert "look in its console, then resolve it by hand" in resolution["finding"]
    assert ledger_item(stack, case) == before
    outcomes.read()
    assert len(outcomes.of(case.cancel_request_id)) == 1


def test_an_operator_settles_a_parked_order_with_evidence(
    simulator: SimulatorControl, outcomes: OutcomeLog, shell: Shell, rested: Parked
) -> None:
    """Carried out or not, the order ends as the operator found out; evidence and name are its history."""
    for case, ending in ((rested.order_cancelled, "succeeded"), (rested.order_untouched, "failed")):
        assert "not confirmed" in refusal(
            shell.run("resolve", case.cancel_request_id, "--as", ending, *_BY_HAND, "--confirm", "no", code=1)
        )
        (resolution,) = shell.run(*by_hand(case, ending, "--reference", "RR-1")).of("resolution")
        assert resolution["state"] == ending.upper()
        (request,) = shell.run("status", case.cancel_request_id, "--no-dlq").of("request")
        story = [event["event"] for event in request["timeline"]]
        assert any("resolved by hand by kim" in what and "ticket 4711" in what for what in story)
        outcomes.wait_for(lambda log, case=case: len(log.of(case.cancel_request_id)) >= 2, PATIENCE)  # type: ignore[misc]
        told = outcomes.of(case.cancel_request_id)[-1]
        assert told["outcome"] == ending
        assert told["money"]["cancelled"] == (4_000 if ending == "succeeded" else 0)
        assert "4711" not in str(told)
        assert len(simulator.ledger(case.subject)) == (1 if ending == "succeeded" else 0)


def test_what_has_ended_is_not_settled_again(shell: Shell, rested: Parked) -> None:
    """A second opinion is refused, whatever it says."""
    case = rested.order_cancelled
    assert "stays so" in refusal(shell.run(*by_hand(case, "failed"), code=1))


def test_of_two_operators_one_wins(outcomes: OutcomeLog, shell: Shell, rested: Parked) -> None:
    """Two who disagree at the same moment leave one outcome, and the loser is told."""
    case = rested.order_disputed
    both = [shell.start(*by_hand(case, ending), "--json") for ending in ("succeeded", "failed")]
    ended = [shell.ended(process) for process in both]
    assert sorted(one.code for one in ended) == [0, 1]
    winner = next(one for one in ended if one.code == 0).of("resolution")[0]["state"].lower()
    loser = next(one for one in ended if one.code == 1)
    assert any(text in refusal(loser) for text in ("changed while you looked at it", "stays so"))
    outcomes.wait_for(lambda log: len(log.of(case.cancel_request_id)) >= 2, PATIENCE)
    assert [one["outcome"] for one in outcomes.of(case.cancel_request_id)] == ["parked", winner]


def test_of_an_operator_and_a_running_function_one_wins(
    stack: Stack, simulator: SimulatorControl, shell: Shell, rested: Parked, eventually: Eventually
) -> None:
    """While a function asks, nobody settles; who looked before it began is told that all has changed."""
    case = rested.order_contested
    looked = ("resolve", case.cancel_request_id, "--as", "failed", *_BY_HAND)
    with shell.at_terminal(*looked) as early:
        early.wait_for("to go on", PATIENCE)
        slow = Fault(FaultKind.SLOW, subject=case.subject, operation=Operation.DETAIL, seconds=1.5)
        simulator.add_faults(slow)
        stack.aws.sqs.send_message(
            QueueUrl=stack.outputs["OrderCancelQueueUrl"], MessageBody=json.dumps(case.detail())
        )
        eventually(lambda: ledger_item(stack, case)["state"]["S"] == "STARTED", PATIENCE)
        late = shell.run(*by_hand(case, "succeeded"), code=1)
        assert "A worker has" in refusal(late)
        eventually(lambda: ledger_item(stack, case)["state"]["S"] == "PARKED", PATIENCE)
        early.type(case.cancel_request_id)
        assert early.end() == 1
        assert "changed while you looked at it" in " ".join(early.shown.split())
    story = [line["S"] for line in ledger_item(stack, case)["timeline"]["L"]]
    assert not any("resolved by hand" in line for line in story)
    assert simulator.ledger(case.subject) == []


def test_the_message_of_a_settled_request_only_publishes_again(
    simulator: SimulatorControl, outcomes: OutcomeLog, shell: Shell, rested: Parked
) -> None:
    """Replaying it is "done": same outcome_id, nothing sent, and the dead-letter queue is rid of it."""
    case = rested.order_cancelled
    calls = simulator.calls(case.subject)
    known = [one["outcome_id"] for one in outcomes.of(case.cancel_request_id)]
    replayed = shell.run(
        "dlq", "replay", "--id", case.cancel_request_id, "--yes", "--reason", "settled by hand"
    )
    assert [row["verdict"] for row in replayed.of("message")] == ["done"]
    outcomes.wait_for(lambda log: len(log.of(case.cancel_request_id)) > len(known), PATIENCE)
    assert outcomes.of(case.cancel_request_id)[-1]["outcome_id"] == known[-1]
    assert simulator.calls(case.subject) == calls
    assert shell.run("dlq", "list", "--id", case.cancel_request_id, code=1).of("message") == []
