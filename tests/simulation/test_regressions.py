"""The schedules that once led to wrong money or a wrong statement about it, each as short as it gets."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from refunds.ledger import timeline
from refunds.ledger.item import decode
from refunds.ledger.queries import recorded_at
from refunds.ledger.shards import day_of
from tests.simulation import faults
from tests.simulation.enumeration import ONE_FAULT, Schedule
from tests.simulation.gate import Fault, NoFaults, Script
from tests.simulation.requests import refund
from tests.simulation.scenarios import BY_NAME, COLD, ITEM_LOST, Scenario
from tests.simulation.trace import report

if TYPE_CHECKING:
    from tests.simulation.simulation import Simulation


def play(scenario: str, **struck: Fault) -> Simulation:
    """Play a schedule; a fault is named by the call it strikes: ``cancel_1`` is the first cancellation."""
    script = Script({call.replace("_", " "): fault for call, fault in struck.items()})
    simulation = BY_NAME[scenario].simulate(script)
    assert not simulation.broken, report(simulation, scenario)
    return simulation


def state(simulation: Simulation, number: int = 1) -> str:
    """How a request ended."""
    key = next(key for key in simulation.wanted if key.endswith(f"#cr-{number}"))
    return str(simulation.table.requests[key].entry.state)


def refunded(simulation: Simulation) -> int:
    """Won that left the payment."""
    return int(simulation.books.refunded("imp_1"))


def test_a_false_refusal_with_the_pgs_own_text_is_not_sent_again() -> None:
    """Carried out, answered with "cancelled already", the reason replaced: 3,000 won go out once."""
    simulation = play("part, reason replaced", cancel_1=faults.DENIED)
    assert refunded(simulation) == 3_000
    assert state(simulation) == "PARKED"


def test_a_false_refusal_under_the_events_checksum_is_no_failure() -> None:
    """Nobody looked before, so an equal cancellation may be ours: never CancelFailed."""
    simulation = play("part, checksum, reason dropped", cancel_1=faults.DENIED)
    assert refunded(simulation) == 3_000
    assert state(simulation) != "FAILED"


def test_a_payment_that_was_seen_and_then_denied_is_no_failure() -> None:
    """Seen, carried out, refused, and unknown at the next look: the lookups contradict each other."""
    simulation = play("part", cancel_1=faults.DENIED, lookup_2=faults.UNKNOWN_TO_LOOKUP)
    assert refunded(simulation) == 3_000
    assert state(simulation) != "FAILED"


def test_two_equal_refunds_in_one_second_keep_their_own_ids() -> None:
    """The second success names the second cancellation."""
    simulation = play("two equal parts, checksums in order, reasons dropped")
    assert refunded(simulation) == 6_000


def test_a_success_whose_history_lacks_it_is_not_proven_by_an_older_one() -> None:
    """The equal cancellation of another request proves nothing about this one."""
    play("two equal parts, checksums in order, reasons dropped", cancel_2=faults.NO_HISTORY)


def test_a_late_attempt_is_not_ruled_out_while_the_balance_is_above_its_checksum() -> None:
    """The event's checksum is too low; another refund makes it true, and only then the attempt arrives."""
    simulation = play("a part whose checksum comes true later", cancel_1=faults.LATEST)
    assert refunded(simulation) == 5_000
    assert state(simulation) == "SUCCEEDED"


@pytest.mark.parametrize(
    ("scenario", "look", "won"), [("part", "lookup_2", 3_000), ("order, an item", "detail_2", 50_000)]
)
def test_a_takeover_knows_the_last_thing_its_victim_did(scenario: str, look: str, won: int) -> None:
    """Between the read and the takeover the old owner wakes up, sends and dies: nothing is sent again."""
    simulation = play(
        scenario,
        cancel_1=faults.NOT_SENT,
        **{look: faults.held("duplicate", 1, skew=150)},
        update_4=faults.DEATH,
    )
    assert sum(movement.amount for movement, _owner in simulation.books.owned) == won


def test_a_clock_that_is_ahead_does_not_make_our_own_cancellation_older_than_our_send() -> None:
    """150 s ahead of PortOne's: what a false refusal left there may still be ours."""
    simulation = play("part, checksum, reason dropped", claim_1=faults.SKEWED, cancel_1=faults.DENIED)
    assert refunded(simulation) == 3_000
    assert state(simulation) != "FAILED"


@pytest.mark.parametrize("scenario", ["part", "part, checksum"])
def test_a_refused_request_does_not_succeed_with_somebody_elses_cancellation(scenario: str) -> None:
    """Refused because somebody else cancelled as much: the next delivery still knows that."""
    simulation = play(scenario, cancel_1=faults.somebody_cancels_silently(3_000))
    assert state(simulation) == "PARKED"
    assert simulation.books.of_request("payment_cancel#cr-1") == []


def test_a_takeover_does_not_succeed_with_a_cancellation_of_yesterday() -> None:
    """The event's checksum is a day old; the worker freezes before it sends, and the next one asks."""
    simulation = play("part, checksum from before another", cancel_1=faults.ZOMBIE)
    assert state(simulation) != "SUCCEEDED"


@pytest.mark.parametrize("scenario", ["cvs, a virtual account", "receipt, unsupported"])
def test_what_can_never_be_voided_fails_even_after_an_attempt_of_unknown_fate(scenario: str) -> None:
    """A crash before an impossible revocation needs no person: no late attempt can succeed either."""
    assert state(play(scenario, token_1=faults.DEATH)) == "FAILED"


def test_an_item_says_when_its_outcome_was_recorded() -> None:
    """Reconciliation picks finished items by when they ended, not by when they were claimed."""
    simulation = play("part", cancel_1=faults.ZOMBIE)
    (item,) = simulation.table.stored.values()
    entry = decode(item)
    began, ended = (timeline.seconds(entry.timeline[at]) for at in (0, -1))
    assert recorded_at(entry) == ended > began
    assert item["day"]["S"].startswith(str(day_of(ended)))


@pytest.mark.parametrize("lag", [0.03, 1.0, 30.0, 1_800.0])
@pytest.mark.parametrize(
    "scenario", ["two equal parts, reasons dropped", "two equal parts, checksums in order, reasons dropped"]
)
@pytest.mark.parametrize(
    "fault",
    [faults.LOST_BEFORE, faults.LOST_AFTER, faults.LATE_1, faults.DENIED],
    ids=lambda fault: fault.name,
)
@pytest.mark.parametrize("call", ["cancel 1", "cancel 2"])
def test_an_index_that_lags_proves_nothing(lag: float, scenario: str, fault: Fault, call: str) -> None:
    """Two equal cancellations, one lost: no entry proves both, however late the index shows the other one.

    Seeds 1002 and 7796 at one second, 298 and 2269 at half an hour, of the histories at the time.
    """
    simulation = BY_NAME[scenario].simulate(Script({call: fault}), replace(COLD, index_lag=lag))
    assert not simulation.broken, report(simulation, scenario)
    succeeded = [key for key, seen in simulation.table.requests.items() if seen.entry.state == "SUCCEEDED"]
    assert len(succeeded) <= len(simulation.books.owned)


def test_a_payment_made_anew_under_the_same_merchant_uid_is_not_refunded() -> None:
    """Refused for today, cancelled at the console, paid again: the retry leaves the new payment alone."""
    scenario = "part by a merchant_uid that is used again"
    simulation = play(scenario, cancel_1=faults.REFUSED_LATER, get_2=faults.PAID_AGAIN_EARLIER)
    assert simulation.books.refunded("imp_1_2") == 0
    assert state(simulation) == "FAILED"


@pytest.mark.parametrize("name", ["booked later, part", "booked later by a PG nobody has heard of"])
@pytest.mark.parametrize("lost", [faults.LOST_AFTER, faults.BROKEN_AFTER, faults.LOST_BEFORE, faults.LATE_2])
def test_what_a_pg_books_later_is_accepted_once(name: str, lost: Fault) -> None:
    """The answer is lost: no redelivery, no sweeper and no replay sends it again."""
    simulation = play(name, cancel_1=lost)
    assert len(simulation.books.accepted_for) <= 1
    assert len(simulation.books.owned) <= 1


def test_a_worker_that_parks_and_dies_before_it_tells_has_told() -> None:
    """The next delivery finds the lease of what was parked: on its last receive it tells what it says."""
    simulation = play("order, an item", cancel_1=faults.LOST_AFTER, update_1=faults.AWS_LOST)
    assert any(event.kind == "parked" for event in simulation.bus.events)


def test_a_booked_cancellation_is_recognised_beside_another_one() -> None:
    """Two cancellations wait when the event's own checksum is sent; the whole history adds up in the end."""
    two = tuple(refund(number, "imp_1", 10 * number, checksum=100, currency="USD") for number in (1, 2))
    payment = {"imp_uid": "imp_1", "merchant_uid": "M", "amount": 100, "pg_provider": "paypal_v2"}
    scenario = Scenario("two at once", two, {**payment, "booking": {"lookups": 2}})
    simulation = scenario.simulate(NoFaults())
    assert not simulation.broken, report(simulation, scenario.name)
    assert {state(simulation, number) for number in (1, 2)} == {"SUCCEEDED"}


def test_what_carries_our_mark_is_not_sent_again_whatever_fails() -> None:
    """The ledger has lost the item; only a lookup that hides what was done could mislead."""
    undisturbed = Schedule(ITEM_LOST)
    hidden = (*faults.CONCEALMENTS, faults.NO_HISTORY)
    schedules = list(ONE_FAULT.extended(undisturbed, undisturbed.play()))
    assert len(schedules) > 150
    for schedule in schedules:
        if not any(fault in hidden for _at, fault in schedule.steps):
            simulation = schedule.play()
            assert not simulation.broken, schedule.told(simulation)
