from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal

import pytest

from local.simulator.movements import Actor, Movement, MovementKind
from tests.simulation import document, invariants
from tests.simulation.accounting import listen
from tests.simulation.aws import Event
from tests.simulation.breakages import BREAKAGES, shortest_schedule
from tests.simulation.gate import NoFaults
from tests.simulation.scenarios import PART_LOOKED
from tests.simulation.table import Seen

FORGED = {
    invariants.a_payment_is_never_refunded_beyond_what_was_paid,
    invariants.the_ledger_holds_exact_amounts,
    invariants.published_money_is_exact,
    invariants.nothing_is_lost,
    invariants.the_ledger_agrees_with_the_provider,
}
"""No mistake of ours alone breaks these: they are shown forged facts instead."""


@pytest.mark.parametrize("number", range(len(BREAKAGES)), ids=[breakage.name for breakage in BREAKAGES])
def test_every_mistake_is_noticed_by_its_invariant(number: int) -> None:
    """A suite that cannot fail proves nothing."""
    _schedule, simulation = shortest_schedule(number)
    assert BREAKAGES[number].caught_by.__name__ in {name for name, _found in simulation.broken}


def test_every_invariant_can_be_broken() -> None:
    """Each is broken by a mistake or by forged facts below."""
    asked = (
        *invariants.ON_MOVE,
        *invariants.ON_ACCEPT,
        *invariants.ON_WRITE,
        *invariants.ON_PUBLISH,
        *invariants.ON_SEND,
        *invariants.ON_ACKNOWLEDGE,
        *invariants.ON_BURY,
        *invariants.AT_REST,
    )
    assert {breakage.caught_by for breakage in BREAKAGES} | FORGED == set(asked)


def test_a_refund_beyond_what_was_paid_is_noticed() -> None:
    """The simulated provider refuses it; a real one may not."""
    simulation = PART_LOOKED.simulate(NoFaults())
    extra = Movement(
        0.0, "portone", MovementKind.REFUND, "imp_1", Decimal(7_001), "forged", "", Actor.SOMEBODY_ELSE
    )
    simulation.books.record(extra)
    assert invariants.a_payment_is_never_refunded_beyond_what_was_paid(simulation, extra, None)


@pytest.mark.parametrize("noise", ["3000.0", "2999.9999999999995", "3e3", "3000.5"])
def test_an_amount_that_is_none_is_noticed(noise: str) -> None:
    """In the ledger and in events."""
    simulation = PART_LOOKED.simulate(NoFaults())
    (seen,) = simulation.table.requests.values()
    request = {"S": seen.item["request"]["S"].replace("3000", noise)}
    forged = Seen({**seen.item, "request": request}, seen.entry)
    half_a_won_is_a_number_of_cents = noise == "3000.5"
    found = invariants.the_ledger_holds_exact_amounts(simulation, None, forged)
    assert bool(found) is not half_a_won_is_a_number_of_cents
    text = simulation.bus.events[0].detail.replace("3000", noise)
    assert invariants.published_money_is_exact(simulation, Event("payment_cancel#cr-1", "succeeded", text))
    assert not invariants.published_money_is_exact(simulation, simulation.bus.events[0])


def test_a_belief_that_the_books_do_not_share_is_noticed() -> None:
    """Another amount, another currency, or money that moved and was told as not moved."""
    simulation = PART_LOOKED.simulate(NoFaults())
    assert invariants.accounting_believes_what_the_books_say(simulation) is None
    told = simulation.bus.events[0]
    for words in ('"cancelled":3000', '"currency":"KRW"'):
        wrong = told.detail.replace(words, words.replace("3000", "3001").replace("KRW", "USD"))
        simulation.bus.events[:] = [Event(told.key, told.kind, wrong)]
        assert invariants.accounting_believes_what_the_books_say(simulation)


@pytest.mark.parametrize("order", range(5))
def test_accounting_keeps_no_order(order: int) -> None:
    """A final statement beats a later one that is parked; a higher revision beats a lower one."""
    said = [
        {
            "outcome_id": name,
            "revision": revision,
            "outcome": outcome,
            "cancel_type": "t",
            "cancel_request_id": "r",
        }
        for name, revision, outcome in (("a", 2, "parked"), ("b", 3, "succeeded"), ("c", 5, "parked"))
    ]
    events = [Event("t#r", str(one["outcome"]), json.dumps(one)) for one in said]
    assert listen(events, order).believed["t#r"]["outcome_id"] == "b"
    assert listen([events[0], events[2]], order).believed["t#r"]["outcome_id"] == "c"


def test_a_request_that_is_nowhere_is_noticed() -> None:
    """Neither ended and published nor in the DLQ."""
    simulation = PART_LOOKED.simulate(NoFaults())
    assert invariants.nothing_is_lost(simulation) is None
    simulation.bus.forget()
    assert invariants.nothing_is_lost(simulation)


def test_a_success_the_provider_does_not_know_is_noticed() -> None:
    """Also when it becomes untrue later."""
    simulation = PART_LOOKED.simulate(NoFaults())
    assert invariants.the_ledger_agrees_with_the_provider(simulation) is None
    simulation.books.owned = [(replace(m, amount=Decimal(1)), owner) for m, owner in simulation.books.owned]
    assert invariants.the_ledger_agrees_with_the_provider(simulation)


def test_the_document_shows_the_suite_as_it_is() -> None:
    """`python -m tests.simulation --document` writes its tables anew."""
    text = document.PATH.read_text(encoding="utf-8")
    assert document.generated(text) == text
