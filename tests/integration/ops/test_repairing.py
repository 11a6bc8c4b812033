"""Messages that break the contract, corrected by an operator."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from local.simulator.control import SimulatorControl
from local.stack import OutcomeLog, Stack
from tests.integration.ops.cases import PART, PATIENCE, Case, Cases, publish
from tests.integration.ops.conftest import Eventually
from tests.integration.ops.operator_shell import Shell
from tests.integration.ops.queues import visible

_PATCH = json.dumps({"request": {"amount": PART}})
_WAYS = (("--patch", _PATCH), ("--edit",))
_ORDER = ("--yes", "--reason", "order service sent text", "--by", "kim")


@pytest.fixture(scope="module")
def broken(
    stack: Stack, simulator: SimulatorControl, eventually: Eventually, outcomes: OutcomeLog
) -> list[Case]:
    """Two refunds whose amount is text."""
    cases = [Cases(simulator).refund(amount=str(PART)) for _ in range(2)]
    before = visible(stack)
    publish(stack, cases)
    eventually(lambda: visible(stack) - before >= len(cases), PATIENCE)
    outcomes.wait_for_requests([case.cancel_request_id for case in cases], PATIENCE)
    return cases


@pytest.fixture
def editor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An $EDITOR that writes the amount as a number."""
    script = tmp_path / "editor"
    script.write_text(f'#!/bin/sh\nsed -i \'s/"{PART}"/{PART}/\' "$1"\n', encoding="utf-8")
    script.chmod(0o700)
    monkeypatch.setenv("EDITOR", str(script))
    monkeypatch.delenv("VISUAL", raising=False)
    return script


def test_an_invalid_message_is_not_replayed_as_it_is(stack: Stack, shell: Shell, broken: list[Case]) -> None:
    """Its verdict says what is wrong with it; replaying leaves it where it is."""
    before = visible(stack)
    told = shell.run("dlq", "replay", "--id", broken[0].cancel_request_id, *_ORDER, code=4)
    (row,) = told.of("message")
    assert (row["verdict"], row["replayed"]) == ("invalid", False)
    assert "request.amount" in row["verdict_why"]
    assert visible(stack) == before


def test_a_correction_must_leave_the_request_the_same_and_make_it_valid(
    stack: Stack, shell: Shell, broken: list[Case]
) -> None:
    """Another cancel_request_id, or a patch that mends nothing, is refused."""
    before = visible(stack)
    one = ("dlq", "replay", "--id", broken[0].cancel_request_id, *_ORDER)
    other_id = json.dumps({"cancel_request_id": "cr-other", "request": {"amount": PART}})
    assert "must stay so" in shell.run(*one, "--patch", other_id, code=1).stderr
    assert "still invalid" in shell.run(*one, "--patch", '{"request": {"amount": -1}}', code=1).stderr
    assert visible(stack) == before


@pytest.mark.parametrize("number", range(len(_WAYS)), ids=["patched", "edited"])
@pytest.mark.usefixtures("editor")
def test_a_corrected_copy_takes_the_messages_place(
    stack: Stack,
    simulator: SimulatorControl,
    outcomes: OutcomeLog,
    shell: Shell,
    broken: list[Case],
    number: int,
) -> None:
    """Patched or edited, it is carried out under its own id, and its history names what was corrected."""
    case, way, before = broken[number], _WAYS[number], visible(stack)
    one = ("dlq", "replay", "--id", case.cancel_request_id)
    assert shell.run(*one, *way).of("repair")[0]["replayed"] is False
    assert visible(stack) == before
    (repair,) = shell.run(*one, *way, *_ORDER).of("repair")
    assert (repair["changed"], repair["replayed"]) == (["detail.request.amount"], True)
    assert visible(stack) == before - 1
    outcomes.wait_for(
        lambda log: {"parked", "succeeded"} == {o["outcome"] for o in log.of(case.cancel_request_id)},
        PATIENCE,
    )
    assert [movement.amount for movement in simulator.ledger(case.subject)] == [PART]
    (request,) = shell.run("status", case.cancel_request_id, "--no-dlq").of("request")
    assert any("corrected in detail.request.amount" in line["event"] for line in request["audit"])
