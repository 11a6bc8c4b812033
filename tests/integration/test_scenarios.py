"""Every fault the simulator knows, on the deployed stack, judged by the provider's own statement of money."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from local.demo.cast import Cast
from local.demo.play import (
    LateBookings,
    dead_letters,
    is_idle,
    is_settled,
    publish_with_kills,
    seed,
)
from local.demo.scenario import Scenario
from local.demo.scenarios import every_type, everything_that_goes_wrong
from local.demo.verdict import Verdict, judge
from local.simulator.control import SimulatorControl
from local.simulator.faults import Fault, FaultKind, Operation
from local.stack import Options, OutcomeLog, Stack, start
from local.stack.timing import time_scale
from refunds.cancel_types import MODULES

_PATIENCE_SECONDS = 240.0
_PAID = 10_000
_PART = 3_000
_TYPES = tuple(MODULES)


@dataclass(frozen=True)
class Trouble:
    """A fault of the cancel call and what must come of a partial refund that meets it."""

    name: str
    fault: Fault
    expected: str = "CancelSucceeded"
    moved: int = _PART
    in_dlq: int = 0
    checksum: bool = False


def _fault(kind: FaultKind, **parameters: Any) -> Fault:
    return Fault(kind, operation=Operation.CANCEL, **parameters)


TROUBLES = (
    Trouble("connection refused", _fault(FaultKind.REFUSE_CONNECTION)),
    Trouble("connection lost before the commit", _fault(FaultKind.DROP_BEFORE_COMMIT)),
    Trouble("connection lost after the commit", _fault(FaultKind.DROP_AFTER_COMMIT)),
    Trouble(
        "connection lost after the commit, with checksum", _fault(FaultKind.DROP_AFTER_COMMIT), checksum=True
    ),
    Trouble("503 before the commit", _fault(FaultKind.HTTP_5XX_BEFORE_COMMIT)),
    Trouble("500 after the commit", _fault(FaultKind.HTTP_5XX_AFTER_COMMIT)),
    Trouble("HTML before the commit", _fault(FaultKind.HTML_BEFORE_COMMIT)),
    Trouble("HTML after the commit", _fault(FaultKind.HTML_AFTER_COMMIT)),
    Trouble("truncated body after the commit", _fault(FaultKind.TRUNCATED_BODY_AFTER_COMMIT)),
    Trouble("empty body after the commit", _fault(FaultKind.EMPTY_BODY_AFTER_COMMIT)),
    Trouble("applied late, after the next lookup", _fault(FaultKind.LATE_APPLY, lookups=1)),
    Trouble("refused, although it was applied", _fault(FaultKind.ERROR_ANSWER_AFTER_COMMIT)),
    Trouble("token expired", _fault(FaultKind.TOKEN_EXPIRED)),
    Trouble("429", _fault(FaultKind.HTTP_429, seconds=1.0)),
    Trouble("slow", _fault(FaultKind.SLOW, seconds=1.0)),
    Trouble("somebody else cancels a part meanwhile", _fault(FaultKind.SOMEBODY_ELSE, amount=1_000)),
    Trouble(
        "somebody else cancels a part, the event has a checksum",
        _fault(FaultKind.SOMEBODY_ELSE, amount=1_000),
        expected="CancelFailed",
        moved=0,
        checksum=True,
    ),
    Trouble(
        "refused by the payment gateway",
        _fault(FaultKind.REFUSE, times=None),
        expected="CancelFailed",
        moved=0,
    ),
    Trouble(
        "success claimed for another payment",
        _fault(FaultKind.WRONG_ECHO, variant="identity"),
        in_dlq=1,  # parked first, then found by the sweeper
    ),
    Trouble(
        "success claimed with another amount",
        _fault(FaultKind.WRONG_ECHO, variant="amount"),
        in_dlq=1,  # parked first, then found by the sweeper
    ),
    Trouble(
        "success claimed, nothing done",
        _fault(FaultKind.FALSE_SUCCESS),
        expected="CancelParked",  # after `PendingDays` of `CancelPending`: nobody can say what becomes of it
        moved=0,
    ),
)


def _scenarios(cast: Cast) -> dict[str, Scenario]:
    stories = [*every_type(cast), *everything_that_goes_wrong(cast)]
    found = {story.title: story for story in stories}
    for number, trouble in enumerate(TROUBLES, start=30):
        fields: dict[str, Any] = {"imp_uid": cast.payment(number), "amount": _PART}
        if trouble.checksum:
            fields["checksum"] = _PAID
        fault = Fault.from_mapping({**trouble.fault.as_mapping(state=False), "subject": cast.payment(number)})
        found[trouble.name] = Scenario(
            title=trouble.name,
            subject=cast.payment(number),
            requests=(cast.request("payment_cancel", number, fields),),
            seeds={"payments": (cast.paid(number),)},
            faults=(fault,),
            answer_decides=trouble.fault.kind in (FaultKind.WRONG_ECHO, FaultKind.FALSE_SUCCESS),
            expected=(trouble.expected,),
            moved=trouble.moved,
            in_dlq=trouble.in_dlq,
        )
    return found


_NAMES = tuple(_scenarios(Cast("0")))


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack of its own, with this machine's timeouts: what is lost at a late PG is never sent again."""
    parameters = {"PendingDays": "0.0005"}  # 43 seconds
    scale = time_scale(os.environ)
    with start(Options(tmp_path_factory.mktemp("story"), parameters=parameters, time_scale=scale)) as running:
        yield running


@pytest.fixture(scope="module")
def simulator(stack: Stack) -> Iterator[SimulatorControl]:
    assert stack.simulator_url is not None
    with SimulatorControl(stack.simulator_url) as control:
        yield control


@pytest.fixture(scope="module")
def outcomes(stack: Stack) -> Iterator[OutcomeLog]:
    with OutcomeLog.attach(stack) as log:
        yield log


@pytest.fixture(scope="module")
def verdicts(stack: Stack, simulator: SimulatorControl, outcomes: OutcomeLog) -> Mapping[str, Verdict]:
    """All scenarios, played together on one stack: they must not disturb each other either."""
    scenarios = _scenarios(Cast(run=str(int(time.time()))[-8:]))
    seed(simulator, scenarios.values())
    assert publish_with_kills(stack, simulator, list(scenarios.values()), _PATIENCE_SECONDS) > 0
    until, late = time.monotonic() + _PATIENCE_SECONDS, LateBookings(scenarios.values())
    while time.monotonic() < until and not (
        all(is_settled(scenario, outcomes) for scenario in scenarios.values()) and is_idle(stack, _TYPES)
    ):
        outcomes.read(wait_seconds=1)
        late.go_on(stack, simulator, outcomes)
    letters = dead_letters(stack, _TYPES)
    return {name: judge(scenario, simulator, outcomes, letters) for name, scenario in scenarios.items()}


@pytest.mark.parametrize("name", _NAMES)
def test_provider_accounting_and_queues_agree(verdicts: Mapping[str, Verdict], name: str) -> None:
    """What the provider moved, what accounting was told and what waits in the DLQ fit together."""
    verdict = verdicts[name]
    assert verdict.problems == ()


def test_no_message_is_left_in_a_queue(stack: Stack, verdicts: Mapping[str, Verdict]) -> None:
    """When all is settled every message has been acknowledged or waits in a DLQ."""
    assert verdicts
    assert is_idle(stack, _TYPES)
