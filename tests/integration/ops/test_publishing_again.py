"""Outcomes told again: by republish, and by replays from the archive."""

from __future__ import annotations

import json
import uuid

import pytest

from local import trigger
from local.simulator.control import SimulatorControl
from local.stack import OutcomeLog, Stack
from tests.integration.ops.cases import DETAIL_TYPES, PATIENCE, Case, Cases, publish
from tests.integration.ops.operator_shell import Shell


@pytest.fixture(scope="module")
def finished(stack: Stack, simulator: SimulatorControl, outcomes: OutcomeLog) -> list[Case]:
    """One finished request per type."""
    cases = Cases(simulator).mixed(len(DETAIL_TYPES))
    publish(stack, cases)
    outcomes.wait_for_requests([case.cancel_request_id for case in cases], PATIENCE)
    return cases


def test_stored_outcomes_are_published_again_with_their_id(
    outcomes: OutcomeLog, shell: Shell, finished: list[Case]
) -> None:
    """Only counted at first; then published once each, recognisable by the same outcome_id."""
    ids = [case.cancel_request_id for case in finished if case.cancel_type == "cvs_revoke"]
    order = ("republish", "--since", "1h", "--type", "cvs_revoke", "--rate", "500")
    counted = shell.run(*order).of("republication")[0]
    assert counted["total"] >= len(ids)
    outcomes.read()
    known = {i: [one["outcome_id"] for one in outcomes.of(i)] for i in ids}
    told = shell.run(*order, "--yes").of("republication")[0]
    assert (told["total"], told["failed"]) == (counted["total"], 0)
    outcomes.wait_for(lambda log: all(len(log.of(i)) > len(known[i]) for i in ids), PATIENCE)
    for i in ids:
        assert [one["outcome_id"] for one in outcomes.of(i)] == [*known[i], known[i][-1]]
    others = [case.cancel_request_id for case in finished if case.cancel_type != "cvs_revoke"]
    assert all(len(outcomes.of(i)) == 1 for i in others)


def test_a_replay_from_the_archive_only_publishes_again_or_does_nothing(
    stack: Stack, simulator: SimulatorControl, outcomes: OutcomeLog, finished: list[Case]
) -> None:
    """Nothing of a finished request is sent again; a name that begins with quiet- does not even publish."""
    case = next(case for case in finished if case.cancel_type == "payment_cancel")
    calls = simulator.calls(case.subject)
    _replay(stack, case, "quiet-after-restore")
    _replay(stack, case, "lost-outcomes")
    outcomes.wait_for(lambda log: len(log.of(case.cancel_request_id)) >= 2, PATIENCE)
    outcomes.read(wait_seconds=2)
    assert len({one["outcome_id"] for one in outcomes.of(case.cancel_request_id)}) == 1
    assert len(outcomes.of(case.cancel_request_id)) == 2
    assert simulator.calls(case.subject) == calls


def _replay(stack: Stack, case: Case, name: str) -> None:
    """What the rule hands to the queue when EventBridge replays an event from an archive."""
    envelope = trigger.envelope(
        case.detail(), case.cancel_type, id=str(uuid.uuid4()), **{"replay-name": name}
    )
    stack.aws.sqs.send_message(
        QueueUrl=stack.outputs["PaymentCancelQueueUrl"], MessageBody=json.dumps(envelope, ensure_ascii=False)
    )
