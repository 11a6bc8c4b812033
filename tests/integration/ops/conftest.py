"""A stack of the operators' own: what they reconcile must not hold what other tests have planted."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from typing import Final

import pytest

from local.demo.play import pascal
from local.simulator.control import SimulatorControl
from local.stack import Options, OutcomeLog, Stack, start
from local.stack.timing import time_scale
from tests.integration.ops.cases import DETAIL_TYPES, Cases
from tests.integration.ops.operator_shell import Shell
from tests.integration.ops.parked import Parked, lose_answers, wait_until_parked

#: Two receives, so that an outage soon fills the dead-letter queues; two batches at a time and a long
#: visibility timeout, so that a slow machine does not make it one receive.
PARAMETERS: Final = {"SweepMinAgeSeconds": "1", "MaxReceiveCount": "2", "MaximumConcurrency": "2"}
_VISIBILITY: Final = 30.0  # seconds, and enough for functions that have three times the usual time

Eventually = Callable[[Callable[[], bool], float], None]


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """With this machine's timeouts: a function that has too little time leaves a second copy in a DLQ."""
    scale = time_scale(os.environ)
    visibility = f"{_VISIBILITY * max(scale / 3, 1.0):.0f}"
    parameters = PARAMETERS | {f"{pascal(name)}VisibilityTimeout": visibility for name in DETAIL_TYPES}
    options = Options(tmp_path_factory.mktemp("ops-stack"), parameters=parameters, time_scale=scale)
    with start(options) as running:
        yield running


@pytest.fixture(scope="session")
def simulator(stack: Stack) -> Iterator[SimulatorControl]:
    assert stack.simulator_url is not None
    with SimulatorControl(stack.simulator_url) as control:
        yield control


@pytest.fixture(scope="session")
def outcomes(stack: Stack) -> Iterator[OutcomeLog]:
    with OutcomeLog.attach(stack) as log:
        yield log


@pytest.fixture
def cases(simulator: SimulatorControl) -> Cases:
    return Cases(simulator)


@pytest.fixture(scope="session")
def shell(stack: Stack) -> Shell:
    return Shell.at(stack)


@pytest.fixture(scope="session", autouse=True)
def lost(stack: Stack, simulator: SimulatorControl, outcomes: OutcomeLog) -> Parked:
    """Sent before anything else: until they are parked takes two leases, and other tests pass the time."""
    del outcomes  # listens already
    return lose_answers(stack, simulator)


@pytest.fixture(scope="session")
def parked(lost: Parked, outcomes: OutcomeLog) -> Parked:
    """Requests whose outcome nobody knows, their messages in the dead-letter queues."""
    wait_until_parked(outcomes, lost)
    return lost


@pytest.fixture(scope="session")
def eventually() -> Eventually:
    """Wait until something holds, at most so many seconds."""

    def wait(holds: Callable[[], bool], seconds: float) -> None:
        until = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < until, "it never came true"
            time.sleep(0.1)

    return wait
