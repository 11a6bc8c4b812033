from __future__ import annotations

import time
from typing import Final

import pytest

from tests.simulation.campaign import Tally, play, run
from tests.simulation.randomised import History

#: Few enough for every run; `make simulate` plays as many as one likes.
SOME: Final = range(1_000, 1_220)
MORE: Final = range(1_220, 1_400)


@pytest.fixture(scope="module")
def some() -> Tally:
    """The histories that are played twice."""
    return play(SOME)


def test_every_invariant_holds_in_random_histories(some: Tally, summary: list[str]) -> None:
    """Several requests and payments, duplicates, redrives and replays, with faults at random rates."""
    began = time.process_time()
    tally = play(MORE)
    rate = tally.histories / (time.process_time() - began)
    tally.join(some)
    summary.append(f"{tally}, {rate:,.0f} histories a second on one processor")
    assert not tally.failures, "\n\n".join(
        f"{told}\n\nreplay: make simulate SEED={seed} HISTORIES=1" for seed, told in tally.failures[:3]
    )


def test_a_seed_replays_its_history_exactly() -> None:
    """A failure that was found once can be looked at as often as one likes."""
    assert History(7).play().gate.trace == History(7).play().gate.trace


def test_two_equal_refunds_that_nobody_can_tell_apart_are_made_once_each() -> None:
    """A PG without reasons, an index half an hour late: one has the other's entry, which is made anew."""
    simulation = History(5_058).play()
    assert simulation.gate.trace.count("  refund of imp_3: 3000 KRW by payment_cancel#cr-5") == 2
    owners = [owner for line, owner in simulation.books.owned if line.subject == "imp_3" and owner]
    assert owners == ["payment_cancel#cr-4", "payment_cancel#cr-5"]
    assert not simulation.broken


def test_processors_share_the_work_without_changing_it(some: Tally) -> None:
    """Which process plays a seed does not matter."""
    shared = list(run(SOME.start, len(SOME), processes=2))[-1]
    assert shared.counts == some.counts
