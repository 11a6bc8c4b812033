"""`make demo`: start a local stack, play the story, print the oracle's verdict, stop."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from local.demo.cast import Cast
from local.demo.play import (
    LateBookings,
    dead_letters,
    is_idle,
    is_settled,
    publish_with_kills,
    seed,
)
from local.demo.privacy import leaks
from local.demo.scenario import Scenario
from local.demo.scenarios import every_type, everything_that_goes_wrong
from local.demo.screen import Screen
from local.demo.verdict import judge
from local.simulator.control import SimulatorControl
from local.stack import Options, OutcomeLog, Stack, StackError, start
from local.stack.timing import time_scale

_PATIENCE_SECONDS = 60.0


def main() -> int:
    """Play the story; the exit status is 0 only if the oracle finds nothing wrong."""
    screen = Screen()
    with tempfile.TemporaryDirectory(prefix="refunds-demo-") as directory:
        try:
            scale = time_scale(os.environ)
            with start(Options(directory=Path(directory), time_scale=scale), screen.say) as stack:
                return 0 if tell(stack, screen, _PATIENCE_SECONDS * scale) else 1
        except StackError as error:
            screen.say(str(error))
            return 1
        except KeyboardInterrupt:
            screen.say("interrupted: nothing is left running")
            return 130  # what a shell says of a program that Ctrl-C has ended


def tell(stack: Stack, screen: Screen, patience: float = _PATIENCE_SECONDS) -> bool:
    """The story on a running stack; whether the oracle is content.

    ``patience`` is how many seconds a scenario may take.
    """
    cast = Cast(run=str(int(time.time()))[-8:])
    scenarios = [*every_type(cast), *everything_that_goes_wrong(cast)]
    types = sorted({request.cancel_type for s in scenarios for request in s.requests})
    published = sum(s.copies * len(s.requests) for s in scenarios)
    with SimulatorControl(_url(stack)) as simulator, OutcomeLog.attach(stack) as log:
        screen.say(f"seeding {len(scenarios)} payments, numbers, receipts and orders, and their faults")
        seed(simulator, scenarios)
        screen.say(f"publishing {published} events on the order bus")
        killed = publish_with_kills(stack, simulator, scenarios, patience)
        screen.say(f"killed {killed} function process(es) right after the provider paid")
        _follow(scenarios, stack, simulator, log, screen, time.monotonic() + patience)
        letters = dead_letters(stack, types)
        verdicts = [judge(scenario, simulator, log, letters) for scenario in scenarios]
        screen.table(verdicts)
        waiting = not is_idle(stack, types)
        return screen.verdict(verdicts, published, waiting=waiting, leaks=leaks(stack, log, types))


def _follow(
    scenarios: Sequence[Scenario],
    stack: Stack,
    simulator: SimulatorControl,
    log: OutcomeLog,
    screen: Screen,
    until: float,
) -> None:
    """Report each scenario as it settles, until all have or patience ends.

    What is pending is booked by its provider as soon as accounting has heard of it; then the sweeper asks.
    """
    waiting, late = list(scenarios), LateBookings(scenarios)
    types = sorted({request.cancel_type for s in scenarios for request in s.requests})
    while time.monotonic() < until and (waiting or not is_idle(stack, types)):
        log.read(wait_seconds=1)
        for scenario in late.go_on(stack, simulator, log):
            screen.say(f"pending: {scenario.title}; it is booked now")
        for scenario in [s for s in waiting if is_settled(s, log)]:
            waiting.remove(scenario)
            screen.say(f"settled: {scenario.title} → {', '.join(scenario.expected)}")
    for scenario in waiting:
        screen.say(f"[red]not settled:[/red] {scenario.title}")


def _url(stack: Stack) -> str:
    if stack.simulator_url is None:
        raise StackError("the demo needs the provider simulator")
    return stack.simulator_url


if __name__ == "__main__":
    sys.exit(main())
