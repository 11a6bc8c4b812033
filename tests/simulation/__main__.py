"""``make simulate``: random histories, for as long as one likes; or one of them, told call by call."""

# ruff: noqa: T201 - talks to a developer at a terminal

from __future__ import annotations

import argparse
import sys
import time

from tests.simulation import document
from tests.simulation.campaign import Tally, run
from tests.simulation.enumeration import DEEP, digest
from tests.simulation.randomised import History
from tests.simulation.trace import readable, report

REPORT_EVERY = 20.0
SHOWN_FAILURES = 3


def main() -> int:
    """Returns the number of broken histories, 1 at most."""
    parser = argparse.ArgumentParser(prog="make simulate", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="of the first history")
    parser.add_argument("--histories", type=int, default=1, help="how many; a single one is told")
    parser.add_argument("--processes", type=int, help="as many as there are processors")
    parser.add_argument("--deep", action="store_true", help="instead: every two faults in every scenario")
    parser.add_argument("--document", action="store_true", help="instead: write the tables of the docs")
    chosen = parser.parse_args()
    if chosen.document:
        text = document.PATH.read_text(encoding="utf-8")
        document.PATH.write_text(document.generated(text), encoding="utf-8")
        return 0
    if chosen.deep:
        return _enumerate()
    if chosen.histories == 1:
        return _tell(chosen.seed)
    return _play(chosen.seed, chosen.histories, chosen.processes)


def _tell(seed: int) -> int:
    simulation = History(seed).play()
    print(report(simulation, f"seed {seed}") if simulation.broken else readable(simulation))
    return int(bool(simulation.broken))


def _play(first: int, histories: int, processes: int | None) -> int:
    total, began = Tally(), time.monotonic()
    said = began
    for total in run(first, histories, processes=processes):
        if time.monotonic() - said >= REPORT_EVERY:
            said = time.monotonic()
            print(
                f"{total.histories:,} histories, {total.histories / (said - began):,.0f} a second", flush=True
            )
    for seed, told in total.failures[:SHOWN_FAILURES]:
        print(f"\n{told}\n\nreplay: make simulate SEED={seed} HISTORIES=1")
    if total.failures:
        print("broken seeds:", *sorted(seed for seed, _told in total.failures))
    rate = total.histories / (time.monotonic() - began)
    print(f"seeds {first} to {first + histories - 1}: {total}, {rate:,.0f} histories a second")
    return int(bool(total.failures))


def _enumerate() -> int:
    distinct: set[bytes] = set()
    began, played = time.monotonic(), 0
    for schedule, simulation in DEEP.schedules():
        played += 1
        distinct.add(digest(simulation))
        if simulation.broken:
            print(report(simulation, schedule.told(simulation)))
            return 1
    print(
        f"{played:,} schedules, {len(distinct):,} distinct, in {time.monotonic() - began:,.0f} s: none broken"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
