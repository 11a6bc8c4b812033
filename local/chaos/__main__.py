"""`make chaos`: cancellations drawn from a seed on a stack of its own, everything going wrong at once."""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import time
from collections.abc import Mapping
from operator import itemgetter
from pathlib import Path

from local.chaos.consumer import Belief, Consumer
from local.chaos.havoc import Killer, Rounds
from local.chaos.plan import Plan, draw
from local.chaos.redrive import redrive
from local.chaos.verdict import Verdict, is_open, judge, unheard
from local.contract.validation import broken_promises
from local.demo.play import is_idle, send_events
from local.demo.privacy import leaks
from local.demo.scenario import Request
from local.demo.screen import Screen
from local.simulator.control import SimulatorControl
from local.stack import Options, OutcomeLog, Stack, StackError, start
from local.stack.statements import in_words
from local.stack.timing import time_scale
from refunds.cancel_types import MODULES

_TYPES = tuple(MODULES)
_WAVES = 20
_OUTAGE_WAVE = 7
_EARLY = 0.75
_QUIET_SECONDS = 240.0
_BOOKING_SECONDS = 60.0
_REDRIVES = 6
_IDLE_LOOKS = 3
_SAY_SECONDS = 10.0


def main() -> int:
    """Run; the exit status is 0 only if nothing was doubled or lost."""
    parser = argparse.ArgumentParser(prog="python -m local.chaos", description=__doc__)
    parser.add_argument("--requests", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1_000_000))
    parser.add_argument("--outage", type=float, default=60.0, help="seconds the providers are down")
    arguments = parser.parse_args()
    screen = Screen()
    with tempfile.TemporaryDirectory(prefix="refunds-chaos-") as directory:
        try:
            options = Options(directory=Path(directory), time_scale=time_scale(os.environ))
            with start(options, screen.say) as stack:
                run = _Run(stack, screen, arguments.seed, options.time_scale)
                return 0 if run.play(arguments.requests, arguments.outage) else 1
        except StackError as error:
            screen.say(str(error))
            return 1
        except KeyboardInterrupt:
            screen.say("interrupted: nothing is left running")
            return 130  # what a shell says of a program that Ctrl-C has ended


class _Run:
    def __init__(self, stack: Stack, screen: Screen, seed: int, time_scale: float) -> None:
        self._stack = stack
        self._screen = screen
        self._seed = seed
        self._time_scale = time_scale

    def play(self, requests: int, outage_seconds: float) -> bool:
        plan = draw(str(int(time.time()))[-8:], self._seed, requests)
        self._screen.say(
            f"seed {self._seed}: {len(plan.requests)} cancellations, {len(plan.repetitions)} repeated"
        )
        if self._stack.simulator_url is None:
            raise StackError("chaos needs the provider simulator")
        with SimulatorControl(self._stack.simulator_url) as simulator, OutcomeLog.attach(self._stack) as log:
            _seed(simulator, plan)
            with Rounds(self._stack) as rounds:
                with Killer(self._stack, _TYPES, self._seed, self._time_scale) as killer:
                    self._publish(plan, simulator, log, outage_seconds)
                    self._wait_until_idle(plan, log)
                self._screen.say(f"{killer.kills} processes killed; faults end, the DLQs are replayed")
                replayed = self._replay(plan, simulator, log)
                self._wait_until_booked(plan, simulator, log)
            self._screen.say(f"the sweeper made {rounds.made} rounds, {rounds.broken} of them were killed")
            books = self._accounting(log)
            shown = leaks(self._stack, log, _TYPES)
            wrong = (*shown, *broken_promises(log.events))
            self._screen.say(
                f"{len(log.events)} statements held against the JSON Schema, its draft-4 edition and AsyncAPI"
            )
            verdict = judge(plan, log, books, simulator.ledger(), wrong)
        return self._report(plan, verdict, kills=killer.kills, replayed=replayed)

    def _publish(
        self, plan: Plan, simulator: SimulatorControl, log: OutcomeLog, outage_seconds: float
    ) -> None:
        """In waves, repetitions among them; the providers go down after the first third."""
        events = _shuffled(plan, self._seed)
        size = -(-len(events) // _WAVES)
        for wave in range(_WAVES):
            send_events(self._stack, events[wave * size : (wave + 1) * size])
            if wave == _OUTAGE_WAVE:
                simulator.start_outage("unavailable", seconds=outage_seconds)
                self._screen.say(f"the providers are down for {outage_seconds:.0f} s")
            log.read(wait_seconds=1)
            time.sleep(outage_seconds / _WAVES)
        self._screen.say(
            f"{len(events)} events published; {unheard(plan, log)} cancellations unheard of so far"
        )

    def _wait_until_idle(self, plan: Plan, log: OutcomeLog) -> None:
        """Until no queue holds a message: what is not heard of then waits in a DLQ."""
        until = said = time.monotonic()
        until += _QUIET_SECONDS
        idle = 0
        while time.monotonic() < until and idle < _IDLE_LOOKS:
            log.read(wait_seconds=1)
            idle = idle + 1 if is_idle(self._stack, _TYPES) else 0
            if time.monotonic() - said > _SAY_SECONDS:
                self._screen.say(f"{unheard(plan, log)} cancellations unheard of")
                said = time.monotonic()
        log.read(wait_seconds=1)

    def _replay(self, plan: Plan, simulator: SimulatorControl, log: OutcomeLog) -> int:
        simulator.end_outage()
        simulator.clear_faults()
        simulator.settle()
        replayed = 0
        for _ in range(_REDRIVES):
            moved = redrive(self._stack, _TYPES)
            replayed += moved
            self._screen.say(f"replayed {moved} messages from the DLQs")
            self._wait_until_idle(plan, log)
            if not is_open(plan, log, simulator.ledger()):
                break
        return replayed

    def _wait_until_booked(self, plan: Plan, simulator: SimulatorControl, log: OutcomeLog) -> None:
        """Until the sweeper has found what late-booking PGs have booked."""
        until = time.monotonic() + _BOOKING_SECONDS
        while time.monotonic() < until and is_open(plan, log, simulator.ledger()):
            log.read(wait_seconds=1)

    def _accounting(self, log: OutcomeLog) -> Mapping[str, Belief]:
        """What the consumer of examples/ has in its books after all that was published."""
        log.read(wait_seconds=1)
        self._screen.say(
            f"the consumer of examples/ takes {len(log.events)} statements, shuffled and repeated"
        )
        consumer = Consumer(self._stack)
        consumer.take(log.events, self._seed)
        return consumer.books()

    def _report(self, plan: Plan, verdict: Verdict, *, kills: int, replayed: int) -> bool:
        for problem in verdict.problems[:20]:
            self._screen.say(f"[red]✗ {problem}[/red]")
        self._screen.say(
            f"refunds {verdict.refunds} ({in_words(verdict.moved)}) · duplicates absorbed "
            f"{len(plan.repetitions)} · outcomes told again {verdict.repeated_outcomes} · "
            f"kills survived {kills} · DLQ replays {replayed} · booked later {verdict.pending} · "
            f"parked for a person {verdict.parked} ({verdict.parked_late} at PGs that book later) · "
            f"{verdict.double} double · {verdict.lost} lost"
        )
        self._screen.say(
            "[green]passed[/green]" if not verdict.problems else f"[red]failed[/red], seed {self._seed}"
        )
        return not verdict.problems


def _seed(simulator: SimulatorControl, plan: Plan) -> None:
    for kind, seed in (
        ("payments", simulator.seed_payments),
        ("receipts", simulator.seed_receipts),
        ("orders", simulator.seed_orders),
    ):
        seed(*(dict(subject.seed) for subject in plan.subjects if subject.kind == kind))
    simulator.add_faults(*(subject.fault for subject in plan.subjects if subject.fault is not None))


def _shuffled(plan: Plan, seed: int) -> list[Request]:
    """All events in random order, repetitions anywhere after their first publication or before it.

    Most of those for PGs that book later come before the outage: what meets it there is never sent again.
    """
    chance = random.Random(seed)
    late = {request.cancel_request_id for one in plan.subjects if one.late for request in one.requests}
    events = [*plan.requests, *plan.repetitions]
    chance.shuffle(events)
    early = {key for key in sorted(late) if chance.random() < _EARLY}
    shares = [_OUTAGE_WAVE / _WAVES if event.cancel_request_id in early else 1.0 for event in events]
    places = [place * share for place, share in enumerate(shares)]
    return [event for _, event in sorted(zip(places, events, strict=True), key=itemgetter(0))]


if __name__ == "__main__":
    sys.exit(main())
