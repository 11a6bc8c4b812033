"""A provider outage, from the first look into the dead-letter queues to the last refund."""

from __future__ import annotations

import re
import signal
import time
from collections import Counter

import pytest
from rich.cells import cell_len

from local.simulator.control import SimulatorControl
from local.stack import OutcomeLog, Stack
from tests.integration.ops.cases import ACCOUNT, DETAIL_TYPES, HOLDER, PHONE, Case, Cases, publish
from tests.integration.ops.conftest import Eventually
from tests.integration.ops.operator_shell import Shell
from tests.integration.ops.queues import held, visible
from tests.integration.ops.terminal import COLUMNS, without_control

_MESSAGES = 500
_PATIENCE = 120.0
_RATE = 100  # messages per second
_BURST = 10  # messages that may go at once


@pytest.fixture(scope="module")
def fallen(stack: Stack, simulator: SimulatorControl, eventually: Eventually) -> list[Case]:
    """500 cancellations of all types that an outage has put into the dead-letter queues."""
    cases = Cases(simulator).mixed(_MESSAGES)
    before = visible(stack)
    simulator.start_outage()
    publish(stack, cases)
    eventually(lambda: visible(stack) - before >= _MESSAGES, _PATIENCE)
    return cases


def test_the_list_explains_an_outage_and_leaves_every_message_where_it_is(
    stack: Stack, shell: Shell, fallen: list[Case]
) -> None:
    """Each message is told with its type and cause, none is hidden afterwards, no personal data is shown."""
    before = visible(stack)
    listed = shell.run("dlq", "list")
    with shell.at_terminal("dlq", "list") as terminal:
        assert terminal.end() == 0
    assert (visible(stack), held(stack)) == (before, 0)
    mine = {case.cancel_request_id for case in fallen}
    messages = [row for row in listed.of("message") if row["cancel_request_id"] in mine]
    assert Counter(row["cancel_type"] for row in messages) == dict.fromkeys(DETAIL_TYPES, _MESSAGES // 5)
    assert {row["error_code"] for row in messages} == {"PROVIDER_UNAVAILABLE"}
    times = [row["sent_at"] for row in listed.of("message")]
    assert times == sorted(times)
    assert sum(row["count"] for row in listed.of("group")) == len(times)
    for text in (listed.stdout, listed.stderr, terminal.shown):
        assert not any(secret in text for secret in (ACCOUNT, HOLDER, PHONE))
    assert max(map(cell_len, without_control(terminal.shown).splitlines())) <= COLUMNS
    oldest = listed.of("message")[0]
    assert f"{oldest['cancel_type']}  {oldest['error_code']}" in terminal.shown
    assert oldest["cancel_request_id"] in terminal.shown


def test_verdicts_come_from_the_ledger_when_the_provider_is_out(shell: Shell, fallen: list[Case]) -> None:
    """A forecast during the outage says what would be sent, and that nobody could be asked."""
    chosen = ("--type", "payment_cancel", "--error-code", "PROVIDER_UNAVAILABLE")
    told = shell.run("dlq", "replay", *chosen)
    rows = {row["cancel_request_id"]: row for row in told.of("message")}
    mine = [rows[case.cancel_request_id] for case in fallen if case.cancel_type == "payment_cancel"]
    assert {row["verdict"] for row in mine} == {"safe"}
    assert all("could not be asked now" in row["verdict_why"] for row in mine)
    (summary,) = told.of("replay")
    assert (summary["executed"], summary["replayed"]) == (False, 0)
    assert summary["unanswered"] == summary["matched"] >= len(mine)
    oldest = shell.run("dlq", "replay", *chosen, "--limit", "3", "--no-ask").of("message")
    assert [row["sent_at"] for row in oldest] == [row["sent_at"] for row in told.of("message")[:3]]


def test_a_replay_that_is_killed_and_started_again_refunds_each_once(
    stack: Stack,
    simulator: SimulatorControl,
    outcomes: OutcomeLog,
    shell: Shell,
    fallen: list[Case],
    eventually: Eventually,
) -> None:
    """However often refundctl dies on the way, every request ends in one success and one movement."""
    simulator.end_outage()
    order = ("--error-code", "PROVIDER_UNAVAILABLE", "--hold", "3", "--rate", str(_RATE))
    forecast = shell.run("dlq", "replay", *order)
    assert {row["verdict"] for row in forecast.of("verdicts")} == {"safe"}
    for how in (signal.SIGKILL, signal.SIGINT):
        before = visible(stack) + held(stack)
        running = shell.start("dlq", "replay", *order, "--yes", "--reason", "outage over", "--by", "kim")
        eventually(lambda before=before: visible(stack) + held(stack) <= before - 30, 30.0)  # type: ignore[misc]
        running.send_signal(how)
        ended = shell.ended(running)
        if how is signal.SIGKILL:
            assert ended.code == -how
            eventually(lambda: held(stack) == 0, 60.0)
        else:
            assert (ended.code, held(stack)) == (130, 0), ended.stderr
    began = time.monotonic()
    with shell.at_terminal(
        "dlq", "replay", *order, "--yes", "--reason", "outage over", "--by", "kim"
    ) as last:
        assert last.end() == 0, last.shown
    replayed = int(_number(r"(\d+) replayed\.", last.shown))
    assert f"{replayed}/{replayed}" in last.shown, "the progress bar came to its end"
    assert time.monotonic() - began >= (replayed - _BURST) / _RATE, "faster than it was told"

    ids = [case.cancel_request_id for case in fallen]
    outcomes.wait_for(
        lambda log: all({"parked", "succeeded"} == {one["outcome"] for one in log.of(i)} for i in ids),
        _PATIENCE,
    )
    moved = Counter(movement.subject for movement in simulator.ledger())
    assert {moved[case.subject] for case in fallen} == {1}
    left = shell.run("dlq", "list", "--error-code", "PROVIDER_UNAVAILABLE")
    assert left.of("message") == []


def test_who_replayed_a_request_when_and_why_is_part_of_its_story(shell: Shell, fallen: list[Case]) -> None:
    """The status of a replayed request names the operator, the reason and the verdict."""
    (request,) = shell.run("status", fallen[0].cancel_request_id, "--no-dlq").of("request")
    assert request["state"] == "SUCCEEDED"
    assert any(
        "replayed (safe, PROVIDER_UNAVAILABLE) by kim (arn:" in line and line.endswith("outage over")
        for line in request["audit"]
    )


def _number(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    assert found is not None, text
    return found[1]
