"""Every command, for scripts and for people, whatever there is to tell."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.core import TyperGroup
from typer.main import get_command

from local.demo.play import pascal
from local.simulator.control import SimulatorControl
from local.stack import OutcomeLog, Stack
from refundctl.commands import app
from tests.integration.ops.cases import DETAIL_TYPES, PATIENCE, Case, Cases, publish
from tests.integration.ops.operator_shell import Shell

_TYPES = tuple(DETAIL_TYPES)
_NOBODY = "cr-nobody"
_NOTHING_THERE = {
    ("dlq", "list"): 0,
    ("dlq", "replay"): 0,
    ("dlq", "show", _NOBODY): 1,
    ("status", _NOBODY, "--no-dlq"): 1,
    ("resolve", _NOBODY): 1,
    ("admit", _NOBODY, "--by", "kim", "--reason", "none"): 1,
}


@pytest.fixture(scope="module")
def waiting(stack: Stack, simulator: SimulatorControl) -> Case:
    """A refund that waits in its dead-letter queue."""
    case = Cases(simulator).refund()
    stack.aws.sqs.send_message(
        QueueUrl=stack.outputs["PaymentCancelDlqUrl"], MessageBody=json.dumps(case.detail())
    )
    return case


@pytest.fixture(scope="module")
def finished(stack: Stack, outcomes: OutcomeLog, simulator: SimulatorControl) -> Case:
    """A refund that has succeeded."""
    case = Cases(simulator).refund()
    publish(stack, [case])
    outcomes.wait_for_requests([case.cancel_request_id], PATIENCE)
    return case


def _commands(group: TyperGroup, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The words that name each command."""
    for name, command in group.commands.items():
        if isinstance(command, TyperGroup):
            yield from _commands(command, (*path, name))
        else:
            yield (*path, name)


def test_every_command_speaks_json(shell: Shell, waiting: Case, finished: Case, tmp_path: Path) -> None:
    """On standard output there are objects that name their type, one per line, and nothing else."""
    ended, one = finished.cancel_request_id, ("--id", waiting.cancel_request_id)
    expected = {
        ("dlq", "list", *one): {"group", "message"},
        ("dlq", "show", waiting.cancel_request_id): {"message"},
        ("dlq", "export", "--to", str(tmp_path), *one): {"file"},
        ("dlq", "discard", *one, "--by", "kim", "--reason", "test"): {"discarded"},
        ("queues",): {"queue"},
        ("explain", "OUTCOME_UNKNOWN"): {"explanation"},
        ("dlq", "replay", *one): {"message", "verdicts", "replay"},
        ("dlq", "replay", *one, "--yes", "--reason", "test"): {"message", "verdicts", "replay"},
        ("status", ended, "--no-dlq"): {"request"},
        ("resolve", ended): {"resolution"},
        ("republish", "--since", "1h", "--until", "59m"): {"republication"},
        ("reconcile", "--date", "2026-01-01"): {"reconciliation"},
        ("sending",): {"sending"},
        ("carry-over", "--type", "cvs_revoke"): {"waiting"},
        ("pause", "--type", "cvs_revoke"): {"sending"},
        ("carry-over", "--type", "cvs_revoke", "--yes"): {"carried_over"},
        ("resume", "--type", "cvs_revoke"): {"sending"},
    }
    for command, types in expected.items():
        assert {row["type"] for row in shell.run(*command).rows} == types, command
    refused = ("admit", ended, "--by", "kim", "--reason", "no limit keeps it back")
    assert [row["type"] for row in shell.run(*refused, code=1).rows] == ["error"]
    tried = {tuple(words[: 1 + (words[0] == "dlq")]) for words in (*expected, refused)}
    main = get_command(app)
    assert isinstance(main, TyperGroup)
    # A script for a shell is no answer to be read by one.
    assert tried | {("completion",)} == set(_commands(main))


@pytest.fixture(scope="module")
def empty(stack: Stack, shell: Shell, tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """A terminal for which all queues are one that is empty: nothing waits that somebody may ask about."""
    queue = stack.aws.sqs.create_queue(QueueName="empty")["QueueUrl"]
    outputs = {f"{pascal(name)}{kind}Url": queue for name in _TYPES for kind in ("Queue", "Dlq")}
    return shell.elsewhere(tmp_path_factory.mktemp("empty"), outputs=outputs)


@pytest.mark.parametrize("command", _NOTHING_THERE, ids=" ".join)
def test_nothing_there_is_said_in_words(empty: Shell, command: tuple[str, ...]) -> None:
    """Empty queues are no error, an unknown id is; neither leaves a blank or a traceback."""
    shown = empty.shown(*command, code=_NOTHING_THERE[command])
    assert shown.strip()
    assert "Traceback" not in shown
