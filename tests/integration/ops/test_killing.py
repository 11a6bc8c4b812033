"""refundctl killed at the worst moments of a replay, and started again."""

from __future__ import annotations

import json
import signal
import subprocess
import uuid
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from local.demo.play import pascal
from local.simulator.control import SimulatorControl
from local.stack import OutcomeLog, Stack
from tests.integration.ops.cases import PATIENCE, Case, Cases
from tests.integration.ops.conftest import Eventually
from tests.integration.ops.gate import Gate, Moment, gate
from tests.integration.ops.operator_shell import Shell
from tests.integration.ops.queues import hidden, seen

_TYPES = ("payment_cancel", "order_cancel")
_ORDER = ("--hold", "1", "--rate", "1000", "--yes", "--reason", "outage over", "--by", "kim")
_MOMENTS = (
    Moment("ReceiveMessage", heard=True),
    Moment("SendMessageBatch", heard=False),
    Moment("SendMessageBatch", heard=True),
    Moment("UpdateItem", heard=True),  # noted, not yet deleted
    Moment("DeleteMessageBatch", heard=True),
)


@dataclass(frozen=True)
class Scene:
    """One moment, with dead-letter queues and messages of its own."""

    moment: Moment
    shell: Shell
    dlqs: dict[str, str]
    cases: list[Case]


@pytest.fixture(scope="module")
def scenes(
    stack: Stack, simulator: SimulatorControl, shell: Shell, tmp_path_factory: pytest.TempPathFactory
) -> list[Scene]:
    """Two refunds and an order wait in each scene's dead-letter queues."""
    cases, folder = Cases(simulator), tmp_path_factory.mktemp("killing")
    return [
        _scene(stack, shell, folder / str(number), moment, [cases.refund(), cases.refund(), cases.order()])
        for number, moment in enumerate(_MOMENTS)
    ]


def _scene(stack: Stack, shell: Shell, folder: Path, moment: Moment, cases: list[Case]) -> Scene:
    name = f"killing-{uuid.uuid4().hex[:8]}"
    dlqs = {kind: stack.aws.sqs.create_queue(QueueName=f"{name}-{kind}")["QueueUrl"] for kind in _TYPES}
    for case in cases:
        stack.aws.sqs.send_message(QueueUrl=dlqs[case.cancel_type], MessageBody=json.dumps(case.detail()))
    outputs = {f"{pascal(kind)}DlqUrl": url for kind, url in dlqs.items()}
    return Scene(moment, shell.elsewhere(folder, outputs=outputs), dlqs, cases)


@pytest.fixture(scope="module")
def killed(stack: Stack, scenes: list[Scene]) -> None:
    """Each scene's refundctl has come to its moment, and was killed there."""
    with ExitStack() as running:
        started: list[tuple[Gate, subprocess.Popen[bytes]]] = []
        for scene in scenes:
            guard = running.enter_context(gate(stack.endpoint_url, scene.moment))
            shell = scene.shell.elsewhere(scene.shell.stack_file.parent / "gate", endpoint_url=guard.url)
            types = [part for kind in _TYPES for part in ("--type", kind)]
            started.append((guard, shell.start("dlq", "replay", *types, *_ORDER)))
        for guard, process in started:
            assert guard.reached.wait(PATIENCE), f"it never came to {guard.moment}"
            process.kill()
            process.communicate()
            assert process.returncode == -signal.SIGKILL


@pytest.mark.usefixtures("killed")
def test_killed_at_any_moment_and_started_again_nothing_is_lost_or_doubled(
    stack: Stack,
    simulator: SimulatorControl,
    outcomes: OutcomeLog,
    scenes: list[Scene],
    eventually: Eventually,
) -> None:
    """Whatever was received, sent, noted or deleted before: each request succeeds once and moves once."""
    for scene in scenes:
        left = sum(seen(stack, url) + hidden(stack, url) for url in scene.dlqs.values())
        assert left > 0 or scene.moment == _MOMENTS[-1], f"nothing was left {scene.moment}"
        eventually(
            lambda scene=scene: all(hidden(stack, url) == 0 for url in scene.dlqs.values()),  # type: ignore[misc]
            PATIENCE,
        )
        types = [part for kind in _TYPES for part in ("--type", kind)]
        again = scene.shell.run("dlq", "replay", *types, *_ORDER)
        assert again.of("replay")[0]["replayed"] == left
        assert all(seen(stack, url) + hidden(stack, url) == 0 for url in scene.dlqs.values())
    cases = [case for scene in scenes for case in scene.cases]
    outcomes.wait_for_requests([case.cancel_request_id for case in cases], PATIENCE)
    outcomes.read(wait_seconds=1)
    for case in cases:
        told = outcomes.of(case.cancel_request_id)
        assert {one["outcome"] for one in told} == {"succeeded"}
        assert len({one["outcome_id"] for one in told}) == 1
        assert len(simulator.ledger(case.subject)) == 1
