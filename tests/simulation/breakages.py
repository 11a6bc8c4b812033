"""What would go wrong if the protocol did not do what it does: mistakes made on purpose, one at a time.

Each replaces one part of a process by a slightly wrong one. ``shortest`` looks for the shortest schedule in
which the invariant that must notice does.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final

from tests.simulation import invariants, mistakes, scenarios
from tests.simulation.enumeration import (
    GIVEN_BACK,
    ISSUED_AGAIN,
    ONE_FAULT,
    SAID_TWICE,
    TWO_FAULTS,
    USED_AGAIN,
    Axis,
    Schedule,
)
from tests.simulation.process import Wiring
from tests.simulation.simulation import Setting

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.simulation.scenarios import Scenario
    from tests.simulation.simulation import Simulation


@dataclass(frozen=True)
class Breakage:
    """One deliberate mistake.

    Attributes:
        caught_by: the invariant that must notice.
        axis: the schedules to look through, shortest first, in ``where``.
    """

    name: str
    wiring: Wiring
    caught_by: Callable[..., str | None]
    where: tuple[Scenario, ...]
    axis: Axis = ONE_FAULT

    def shortest(self) -> tuple[Schedule, Simulation]:
        """The first of the shortest schedules in which the invariant is broken.

        Raises:
            LookupError: there is none: the suite would not notice this mistake.
        """
        waiting = [Schedule(scenario) for scenario in self.where]
        for depth in range(self.axis.depth + 1):
            longer: list[Schedule] = []
            for schedule in waiting:
                simulation = schedule.play(Setting(wiring=self.wiring))
                if any(name == self.caught_by.__name__ for name, _found in simulation.broken):
                    return schedule, simulation
                if depth < self.axis.depth:
                    longer += self.axis.extended(schedule, simulation)
            waiting = longer
        raise LookupError(f"nothing notices: {self.name}")


_REFUNDS: Final = (scenarios.PART_LOOKED, scenarios.FULL_LOOKED, scenarios.PART_CHECKED)
_ORDERS: Final = (scenarios.ORDER_PART, scenarios.ORDER_FULL)
_NUMBERS: Final = (scenarios.VBANK, scenarios.CVS)
_FORGETFUL: Final = (scenarios.BY_NAME["two equal parts, reasons dropped"],)

BREAKAGES: Final = (
    Breakage(
        "no checksum is sent",
        Wiring(provider_http=mistakes.WithoutChecksum),
        invariants.a_request_moves_money_at_most_once,
        _REFUNDS,
    ),
    Breakage(
        "a read timeout is answered by sending again, without asking",
        Wiring(provider_http=mistakes.RepeatsOrders),
        invariants.a_request_moves_money_at_most_once,
        _ORDERS,
    ),
    Breakage(
        "the end is recorded whoever owns the item",
        Wiring(client=mistakes.Unfenced),
        invariants.a_terminal_state_is_final,
        _REFUNDS,
    ),
    Breakage(
        "`code: 0` is believed",
        Wiring(operation=mistakes.TrustsCodeZero),
        invariants.a_recorded_success_is_true,
        _REFUNDS,
    ),
    Breakage(
        "a message text is believed",
        Wiring(operation=mistakes.TrustsTexts),
        invariants.a_recorded_success_is_true,
        _REFUNDS,
    ),
    Breakage(
        "a refusal is believed without asking",
        Wiring(operation=mistakes.TrustsRefusals),
        invariants.a_recorded_failure_is_true,
        _REFUNDS,
    ),
    Breakage(
        "acknowledged before published",
        Wiring(publisher=mistakes.PublishesLater),
        invariants.a_message_is_acknowledged_only_after_its_outcome,
        _REFUNDS,
        TWO_FAULTS,
    ),
    Breakage(
        "one failed publication fails the batch",
        Wiring(publisher=mistakes.FailsTheBatch),
        invariants.a_batch_never_raises,
        _REFUNDS,
        TWO_FAULTS,
    ),
    Breakage(
        "a worker that was replaced publishes all the same",
        Wiring(ledger=mistakes.IgnoresTheFence),
        invariants.a_request_has_one_final_outcome,
        _REFUNDS,
    ),
    Breakage(
        "a parked request is never taken up again",
        Wiring(ledger=mistakes.GivesUpOnParked),
        invariants.everything_that_can_be_resolved_is,
        (scenarios.ASKED_TWICE,),
    ),
    Breakage(
        "a partial refund is sent without its amount",
        Wiring(provider_http=mistakes.WithoutAmount),
        invariants.the_amount_moved_is_the_amount_asked,
        _REFUNDS,
    ),
    Breakage(
        "what the provider shows as sent is sent again once its item is lost",
        Wiring(operation=mistakes.OverlooksItsMark),
        invariants.a_request_moves_money_at_most_once,
        (scenarios.ITEM_LOST,),
    ),
    Breakage(
        "another cancellation's mark is sent among the customer's words",
        Wiring(provider_http=mistakes.SendsTheWordsAsTheyCome),
        invariants.a_recorded_success_is_true,
        (scenarios.BY_NAME["two equal parts, the words of one hold the other's mark"],),
    ),
    Breakage(
        "acknowledged before it is in the DLQ",
        Wiring(queue=mistakes.ForgetsTheDeadLetter),
        invariants.a_message_is_acknowledged_only_after_its_outcome,
        _ORDERS,
    ),
    Breakage(
        "the lease ends before the call",
        Wiring(lease_margin=-85.0),
        invariants.a_worker_is_not_replaced_while_it_lives,
        _REFUNDS,
    ),
    Breakage(
        "the message id is the idempotency key",
        Wiring(record=mistakes.keyed_by_message),
        invariants.a_request_moves_money_at_most_once,
        _REFUNDS,
    ),
    Breakage(
        "money is a float",
        Wiring(provider_http=mistakes.FloatMoney),
        invariants.amounts_are_sent_exactly,
        _REFUNDS,
    ),
    Breakage(
        "who takes over sends first",
        Wiring(ledger=mistakes.SendsAfterTakeover),
        invariants.an_order_cancel_is_never_sent_twice_while_unproven,
        _ORDERS,
    ),
    Breakage(
        "the HTTP client retries `DELETE`",
        Wiring(provider_http=mistakes.RepeatsDeletes),
        invariants.nothing_is_sent_again_without_asking,
        _NUMBERS,
    ),
    Breakage(
        "a takeover is conditional on the owner alone",
        Wiring(client=mistakes.FencedByOwnerOnly),
        invariants.a_request_moves_money_at_most_once,
        (scenarios.BY_NAME["part, reason dropped"],),
        GIVEN_BACK,
    ),
    Breakage(
        "other requests' cancellations are not excluded",
        Wiring(ledger=mistakes.KnowsNoSiblings),
        invariants.no_cancellation_is_claimed_by_two_requests,
        _FORGETFUL,
        TWO_FAULTS,
    ),
    Breakage(
        "a parked request is always reported as not carried out",
        Wiring(ledger=mistakes.ParksAsNotApplied),
        invariants.a_parked_request_says_whether_it_may_have_been_applied,
        _ORDERS,
    ),
    Breakage(
        "a number that was paid is refunded",
        Wiring(operation=mistakes.RefundsPaidNumbers),
        invariants.a_voided_number_never_becomes_a_refund,
        _NUMBERS,
    ),
    Breakage(
        "what a gateway still works on is sent again",
        Wiring(under_way=0.0),
        invariants.a_request_moves_money_at_most_once,
        (scenarios.PART_LOOKED,),
    ),
    Breakage(
        "the end of a former receipt is believed",
        Wiring(operation=mistakes.BelievesFormerEnds),
        invariants.a_recorded_success_is_true,
        (scenarios.RECEIPT,),
        ISSUED_AGAIN,
    ),
    Breakage(
        "a PG that books later is taken for one that books at once",
        Wiring(operation=mistakes.BooksAtOnce),
        invariants.nothing_is_sent_twice_at_a_pg_that_books_later,
        scenarios.LATE,
    ),
    Breakage(
        "a read timeout is answered by sending again, where it is booked later",
        Wiring(provider_http=mistakes.RepeatsOrders),
        invariants.nothing_is_accepted_twice,
        scenarios.LATE,
    ),
    Breakage(
        "the payment of a merchant_uid is chosen anew",
        Wiring(operation=mistakes.ChoosesAnew),
        invariants.the_amount_moved_is_the_amount_asked,
        (scenarios.REUSED,),
        USED_AGAIN,
    ),
    Breakage(
        "a payment made after the event is meant by it",
        Wiring(operation=mistakes.MeansYoungerPayments),
        invariants.the_amount_moved_is_the_amount_asked,
        (scenarios.REUSED,),
    ),
    Breakage(
        "one bad item ends the sweeper's run",
        Wiring(sweeper=mistakes.StopsAtOneItem),
        invariants.a_run_is_stopped_by_nothing,
        (scenarios.BESIDE_POISON,),
    ),
    Breakage(
        "every amount is told as won",
        Wiring(operation=mistakes.TellsWon),
        invariants.accounting_believes_what_the_books_say,
        scenarios.CURRENCIES,
    ),
    Breakage(
        "cents are cut off",
        Wiring(provider_http=mistakes.CutsCents),
        invariants.amounts_are_sent_exactly,
        scenarios.CURRENCIES,
    ),
    Breakage(
        "every code of EBP's is a refusal",
        Wiring(operation=mistakes.TrustsAnyCode),
        invariants.a_recorded_failure_is_true,
        _ORDERS,
    ),
    Breakage(
        "one id for everything that is parked",
        Wiring(publisher=mistakes.NamesByKindAlone),
        invariants.a_statement_has_one_content,
        (scenarios.ASKED_TWICE,),
        SAID_TWICE,
    ),
    Breakage(
        "nothing is marked as unpublished",
        Wiring(ledger=mistakes.MarksNothing),
        invariants.a_message_is_acknowledged_only_after_its_outcome,
        (scenarios.QUIET,),
        TWO_FAULTS,
    ),
    Breakage(
        "whose an entry is, is left to an index",
        Wiring(ledger=mistakes.HoldsNothing),
        invariants.no_cancellation_is_claimed_by_two_requests,
        (scenarios.UNINDEXED,),
    ),
    Breakage(
        "a number that cannot be represented hides whom a message is about",
        Wiring(record=mistakes.unreadable),
        invariants.nothing_is_lost,
        (scenarios.MALFORMED,),
    ),
    Breakage(
        "limits know no amount",
        Wiring(operation=mistakes.MovesNothing),
        invariants.nothing_is_sent_beyond_the_guard_rails,
        (scenarios.BEYOND_A_LIMIT,),
    ),
    Breakage(
        "an outcome is made anew when it is published",
        Wiring(publisher=mistakes.TellsWhatItHasAtHand),
        invariants.what_is_published_was_recorded_so,
        _REFUNDS,
    ),
    Breakage(
        "accounting hears of ends only",
        Wiring(publisher=mistakes.KeepsQuietAboutParked),
        invariants.what_a_function_buries_is_told,
        (scenarios.ASKED_TWICE,),
    ),
    Breakage(
        "nobody looks at what the queue moved itself",
        Wiring(telling=mistakes.TellsOfNoDeadLetter),
        invariants.every_dead_letter_is_told,
        (scenarios.LEFT_ALONE,),
    ),
    Breakage(
        "what settles later is looked at once",
        Wiring(due_after=()),
        invariants.what_comes_back_is_noticed,
        (scenarios.REJECTED_LATER,),
    ),
)


@cache
def shortest_schedule(number: int) -> tuple[Schedule, Simulation]:
    """What ``BREAKAGES[number].shortest`` finds, looked for once."""
    return BREAKAGES[number].shortest()
