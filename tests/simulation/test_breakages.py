from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from local.simulator.movements import Actor, Movement, MovementKind
from tests.simulation import document, invariants
from tests.simulation.aws import Event
from tests.simulation.breakages import BREAKAGES, shortest_schedule
from tests.simulation.gate import NoFaults
from tests.simulation.scenarios import PART_LOOKED

FORGED = {
    invariants.a_payment_is_never_refunded_beyond_what_was_paid,
    invariants.the_ledger_holds_no_binary_fraction,
    invariants.published_money_is_whole_won,
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
        *invariants.ON_WRITE,
        *invariants.ON_PUBLISH,
        *invariants.ON_SEND,
        *invariants.ON_ACKNOWLEDGE,
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


def test_a_fraction_of_a_won_is_noticed() -> None:
    """In the ledger and in events."""
    simulation = PART_LOOKED.simulate(NoFaults())
    (item,) = simulation.table.items.values()
    text = item["outcome"]["S"].replace("3000", "3000.0")
    assert invariants.the_ledger_holds_no_binary_fraction(simulation, item, {**item, "outcome": {"S": text}})
    assert invariants.published_money_is_whole_won(
        simulation, Event("payment_cancel#cr-1", "succeeded", text)
    )
    assert not invariants.published_money_is_whole_won(simulation, simulation.bus.events[0])


def test_a_request_that_is_nowhere_is_noticed() -> None:
    """Neither ended and published nor in the DLQ."""
    simulation = PART_LOOKED.simulate(NoFaults())
    assert invariants.nothing_is_lost(simulation) is None
    simulation.bus.events.clear()
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
