"""A provider outage, from the first look into the dead-letter queues to the last refund."""

from __future__ import annotations

import re
import signal
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import pytest
from rich.cells import cell_len

from local.simulator.control import SimulatorControl
from local.stack import OutcomeLog, Stack
from tests.integration.ops.cases import ACCOUNT, DETAIL_TYPES, HOLDER, PATIENCE, PHONE, Case, Cases, publish
from tests.integration.ops.conftest import Eventually
from tests.integration.ops.operator_shell import Shell
from tests.integration.ops.parked import Parked
from tests.integration.ops.queues import held, visible
from tests.integration.ops.terminal import COLUMNS, without_control

_MESSAGES = 250
_RATE = 100  # messages per second
_SLOWLY = 15  # so that the end is far when the signal comes, however busy the machine
_BURST = 10  # messages that may go at once
#: Never sent; or already on its way, with an access token from before, when the provider went down.
_CODES: Final = ("PROVIDER_UNAVAILABLE", "OUTCOME_UNKNOWN")


@dataclass(frozen=True)
class Outage:
    """What fell into the dead-letter queues."""

    cases: list[Case]

    def chosen(self) -> tuple[str, ...]:
        """The options that choose the messages of this outage: their ids begin alike."""
        return ("--match", self.cases[0].cancel_request_id.rpartition("-")[0])


@pytest.fixture(scope="module")
def outage(
    stack: Stack, simulator: SimulatorControl, parked: Parked, eventually: Eventually
) -> Iterator[Outage]:
    """Cancellations of all types that an outage has put into the dead-letter queues."""
    del parked  # there already
    cases = Cases(simulator).mixed(_MESSAGES)
    before = visible(stack)
    simulator.start_outage()
    try:
        publish(stack, cases)
        eventually(lambda: visible(stack) - before >= _MESSAGES, PATIENCE)
        yield Outage(cases)
    finally:
        simulator.end_outage()  # whatever failed: other tests need the provider


def test_the_list_explains_an_outage_and_leaves_every_message_where_it_is(
    stack: Stack, shell: Shell, outage: Outage
) -> None:
    """Each message is told with its type and cause, none is hidden afterwards, no personal data is shown."""
    before = visible(stack)
    listed = shell.run("dlq", "list")
    with shell.at_terminal("dlq", "list") as terminal:
        assert terminal.end() == 0
    assert (visible(stack), held(stack)) == (before, 0)
    mine = {case.cancel_request_id for case in outage.cases}
    messages = [row for row in listed.of("message") if row["cancel_request_id"] in mine]
    assert Counter(row["cancel_type"] for row in messages) == dict.fromkeys(DETAIL_TYPES, _MESSAGES // 5)
    assert {row["error_code"] for row in messages} <= set(_CODES)
    assert all("HTTP 503" in row["why"] or "no access token" in row["why"] for row in messages)
    times = [row["sent_at"] for row in listed.of("message")]
    assert times == sorted(times)
    assert sum(row["count"] for row in listed.of("group")) == len(times)
    for text in (listed.stdout, listed.stderr, terminal.shown):
        assert not any(secret in text for secret in (ACCOUNT, HOLDER, PHONE))


def test_a_terminal_shows_whole_ids_and_the_sum_at_the_end(shell: Shell, outage: Outage) -> None:
    """In 80 columns no line is broken that somebody copies from, and what to do next stands last."""
    with shell.at_terminal("dlq", "list", *outage.chosen()) as terminal:
        assert terminal.end() == 0
    lines = without_control(terminal.shown).splitlines()
    assert max(map(cell_len, lines)) <= COLUMNS
    ids = {case.cancel_request_id for case in outage.cases}
    assert sum(any(part in ids for part in line.split()) for line in lines) == 20
    (total,) = [number for number, line in enumerate(lines) if line == f"{_MESSAGES} dead letters"]
    assert total > 20
    assert lines[-1].strip().startswith("$ refundctl")


def test_verdicts_come_from_the_ledger_when_the_provider_is_out(shell: Shell, outage: Outage) -> None:
    """A forecast during the outage says what would be sent, and that nobody could be asked."""
    chosen = ("--type", "payment_cancel", *outage.chosen())
    told = shell.run("dlq", "replay", *chosen)
    rows = told.of("message")
    refunds = [case for case in outage.cases if case.cancel_type == "payment_cancel"]
    assert {row["cancel_request_id"] for row in rows} == {case.cancel_request_id for case in refunds}
    assert {row["verdict"] for row in rows} == {"safe"}
    assert all("could not be asked now" in row["verdict_why"] for row in rows)
    (summary,) = told.of("replay")
    assert (summary["executed"], summary["replayed"]) == (False, 0)
    assert summary["unanswered"] == summary["matched"] == len(refunds)
    oldest = shell.run("dlq", "replay", *chosen, "--limit", "3", "--no-ask").of("message")
    assert [row["sent_at"] for row in oldest] == [row["sent_at"] for row in rows[:3]]


def test_a_replay_that_is_killed_and_started_again_refunds_each_once(
    stack: Stack,
    simulator: SimulatorControl,
    outcomes: OutcomeLog,
    shell: Shell,
    outage: Outage,
    eventually: Eventually,
) -> None:
    """However often refundctl dies on the way, every request ends in one success and one movement."""
    simulator.end_outage()
    forecast = shell.run("dlq", "replay", *outage.chosen())
    assert {row["verdict"] for row in forecast.of("verdicts")} <= {"safe", "unknown"}
    order = ("--hold", "3", "--yes", "--reason", "outage over", "--by", "kim")
    # The interruption first: what a killed one was about to receive may be hidden a moment after its end.
    for how in (signal.SIGINT, signal.SIGKILL):
        before = visible(stack) + held(stack)
        running = shell.start("dlq", "replay", *outage.chosen(), *order, "--rate", str(_SLOWLY))
        eventually(lambda before=before: visible(stack) + held(stack) <= before - 30, PATIENCE)  # type: ignore[misc]
        running.send_signal(how)
        _, stderr = running.communicate()
        if how is signal.SIGKILL:
            assert running.returncode == -how
            eventually(lambda: held(stack) == 0, PATIENCE)
        else:
            assert (running.returncode, held(stack)) == (130, 0), stderr
    began = time.monotonic()
    with shell.at_terminal("dlq", "replay", *outage.chosen(), *order, "--rate", str(_RATE)) as last:
        assert last.end() == 0, last.shown
    replayed = int(_number(r"(\d+) replayed\.", last.shown))
    assert f"{replayed}/{replayed}" in last.shown, "the progress bar came to its end"
    assert time.monotonic() - began >= (replayed - _BURST) / _RATE, "faster than it was told"

    ids = [case.cancel_request_id for case in outage.cases]
    outcomes.wait_for(
        lambda log: all({"parked", "succeeded"} == {one["outcome"] for one in log.of(i)} for i in ids),
        PATIENCE,
    )
    moved = Counter(movement.subject for movement in simulator.ledger())
    assert {moved[case.subject] for case in outage.cases} == {1}
    left = shell.run("dlq", "list", *outage.chosen(), code=1).of("message")
    assert left == []


def test_who_replayed_a_request_when_and_why_is_part_of_its_story(shell: Shell, outage: Outage) -> None:
    """The status of a replayed request names the operator, the reason and the verdict."""
    (request,) = shell.run("status", outage.cases[0].cancel_request_id, "--no-dlq").of("request")
    assert request["state"] == "SUCCEEDED"
    assert any(
        "replayed (safe, PROVIDER_UNAVAILABLE) by kim (arn:" in what and what.endswith("outage over")
        for what in (event["event"] for event in request["audit"])
    )


def _number(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    assert found is not None, text
    return found[1]
