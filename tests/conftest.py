"""The deployed stack, started at most once per run and worker, and the lines tests add to the report."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from local.simulator.control import SimulatorControl
from local.stack import Options, OutcomeLog, Stack, start

_LINES = pytest.StashKey[list[str]]()


@pytest.fixture(scope="session")
def summary(pytestconfig: pytest.Config) -> list[str]:
    """Lines for the end of the test report."""
    return pytestconfig.stash.setdefault(_LINES, [])


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker of pytest-xdist hands its lines over."""
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["summary"] = session.config.stash.get(_LINES, [])


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Keep together what shares a stack."""
    from tests.scheduling import ByStack  # noqa: PLC0415 - only where pytest-xdist runs

    return ByStack(config, log) if config.getvalue("dist") == "loadfile" else None


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Collect the lines of a worker of pytest-xdist."""
    lines = getattr(node, "workeroutput", {}).get("summary", [])
    node.config.stash.setdefault(_LINES, []).extend(lines)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say how much was simulated and measured."""
    lines = config.stash.get(_LINES, [])
    if lines:
        terminalreporter.section("simulated and measured")
        for line in lines:
            terminalreporter.write_line(line)


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
