"""Fixtures of every test that needs the deployed stack. Each of its users starts it at most once per run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from local.simulator.control import SimulatorControl
from local.stack import Options, OutcomeLog, Stack, start


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A local stack of its own, on free ports, with the working tree deployed."""
    with start(Options(directory=tmp_path_factory.mktemp("stack"))) as running:
        yield running


@pytest.fixture(scope="session")
def simulator(stack: Stack) -> Iterator[SimulatorControl]:
    """Control of the stack's provider simulator."""
    assert stack.simulator_url is not None
    with SimulatorControl(stack.simulator_url) as control:
        yield control


@pytest.fixture(scope="session")
def outcomes(stack: Stack) -> Iterator[OutcomeLog]:
    """Everything published on the accounting bus since the stack's first use."""
    with OutcomeLog.attach(stack) as log:
        yield log
