"""`make dashboard`: a run on a stack of its own, drawn as the deployed dashboard would show it."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from local.dashboard.alarms import Alarm
from local.dashboard.picture import Clock, draw
from local.dashboard.run import SPEED, measured, play
from local.demo.screen import Screen
from local.simulator.control import SimulatorControl
from local.stack import Options, Stack, StackError, start

#: The breaker on, so that there is something to see of it; ages that a run of minutes can reach.
_PARAMETERS = {
    "CircuitFailures": "3",
    "CircuitCoolDownSeconds": "5",
    "OldestMessageAlarmSeconds": "60",
    "UnresolvedAlarmSeconds": "60",
}
_SEED = 7


def main() -> int:
    """Run, draw, write."""
    parser = argparse.ArgumentParser(prog="python -m local.dashboard", description=__doc__)
    parser.add_argument("picture", type=Path, help="SVG file to write")
    parser.add_argument("--seconds", type=float, default=240.0, help="length of the run")
    parser.add_argument("--rate", type=float, default=4.0, help="cancellations per second")
    arguments = parser.parse_args()
    screen = Screen()
    with tempfile.TemporaryDirectory(prefix="refunds-dashboard-") as directory:
        try:
            with start(Options(directory=Path(directory), parameters=_PARAMETERS), screen.say) as stack:
                picture = _picture(stack, arguments.rate, arguments.seconds, screen)
        except StackError as error:
            screen.say(str(error))
            return 1
    arguments.picture.parent.mkdir(parents=True, exist_ok=True)
    arguments.picture.write_text(picture, encoding="utf-8")
    screen.say(f"written: {arguments.picture}")
    return 0


def _picture(stack: Stack, rate: float, seconds: float, screen: Screen) -> str:
    if stack.simulator_url is None:
        raise StackError("the dashboard's run needs the provider simulator")
    cloudwatch = stack.aws.cloudwatch
    (entry,) = cloudwatch.list_dashboards()["DashboardEntries"]
    name = entry["DashboardName"]
    widgets = json.loads(cloudwatch.get_dashboard(DashboardName=name)["DashboardBody"])["widgets"]
    described = [
        one for page in cloudwatch.get_paginator("describe_alarms").paginate() for one in page["MetricAlarms"]
    ]
    alarms = {one["AlarmArn"]: Alarm.of(one) for one in described}
    screen.say(
        f"{len(widgets)} widgets, {len(alarms)} alarms; {rate:g} cancellations a second for {seconds:.0f} s"
    )
    with SimulatorControl(stack.simulator_url) as simulator:
        day = play(stack, simulator, rate=rate, seconds=seconds, seed=_SEED)
    clock = Clock(day.begun, day.ended, SPEED)
    subtitle = (
        f"Local run of {len(day.published)} cancellations on {datetime.now(UTC):%Y-%m-%d}: the providers are"
        f" down for a while, answers get lost, processes are killed. {SPEED:g} times as fast as production:"
        f" a minute of the dashboard is {60 / SPEED:g} s of the run."
    )
    return draw(widgets, alarms, measured(stack, day), clock, f"CloudWatch dashboard {name}", subtitle)


if __name__ == "__main__":
    sys.exit(main())
