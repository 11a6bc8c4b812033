from __future__ import annotations

import random
import time

from local.simulator.faults import Fault, FaultKind, Operation
from refunds.domain.deadline import Deadline
from refunds.domain.entry import State
from refunds.operators.operations import Operations
from refunds.operators.sweeper import Sweep, Sweeper
from tests.unit.aws.endpoint import AwsError
from tests.unit.operators.requests import order_cancel, park_in_doubt, pay, settle
from tests.unit.rig import MAX_RECEIVE_COUNT, Rig, Wanted

DAY = 86_400.0


def sweep(
    operations: Operations, *, most: int = 100, min_age: float = 0.0, seconds: float = 60.0, seed: int = 0
) -> Sweep:
    sweeper = Sweeper(
        operations.ledger_queries,
        operations.resolver,
        min_age=min_age,
        most=most,
        clock=operations.clock,
        jitter=random.Random(seed),  # noqa: S311 - a fair draw, repeated exactly
    )
    return sweeper.run(Deadline(seconds, lambda: 0.0))


def doubtful(rig: Rig, number: int, kind: FaultKind = FaultKind.DROP_AFTER_COMMIT) -> None:
    pay(rig, f"imp_{number}")
    park_in_doubt(rig, kind, body=Wanted(f"imp_{number}").body)


def test_what_can_be_proven_is_settled_and_the_rest_is_left_as_it_was(
    rig: Rig, operations: Operations
) -> None:
    """Refunds that show succeed; one that does not show, and an order that cannot be asked about, stay."""
    doubtful(rig, 1)
    doubtful(rig, 2)
    doubtful(rig, 3, FaultKind.DROP_BEFORE_COMMIT)
    park_in_doubt(rig, FaultKind.DROP_AFTER_COMMIT, "order_cancel", order_cancel(rig, part=True))
    open_before = {entry.key: entry for entry in operations.ledger_queries.open_entries()}
    found = sweep(operations)
    assert (found.resolved["payment_cancel"], found.unresolved["payment_cancel"]) == (2, 1)
    assert found.unresolved["order_cancel"] == 1
    for entry in operations.ledger_queries.open_entries():
        assert open_before[entry.key] == entry
    assert sorted(rig.outcomes().values()) == ["parked", "parked", "succeeded", "succeeded"]


def test_nothing_is_ever_sent(rig: Rig, operations: Operations) -> None:
    """Neither what was provably not sent, nor what does not show."""
    doubtful(rig, 1, FaultKind.DROP_BEFORE_COMMIT)
    rig.world.start_outage()
    settle(rig, Wanted("imp_2").body, receives=MAX_RECEIVE_COUNT)
    rig.world.end_outage()
    sends = [request for request in rig.world.requests if request.operation == Operation.CANCEL]
    assert sweep(operations).unresolved["payment_cancel"] == 2
    assert sends == [request for request in rig.world.requests if request.operation == Operation.CANCEL]


def test_messages_own_retries_come_first(rig: Rig, operations: Operations) -> None:
    """What changed a moment ago is counted and not asked about."""
    doubtful(rig, 1)
    found = sweep(operations, min_age=900)
    assert (found.asked, found.unresolved["payment_cancel"]) == (0, 1)


def test_the_age_is_that_of_the_oldest_open_request(rig: Rig, operations: Operations) -> None:
    """Counted from when it was first taken on, not from its last change."""
    doubtful(rig, 1, FaultKind.DROP_BEFORE_COMMIT)
    operations.clock = lambda: time.time() + DAY
    age = sweep(operations).oldest
    assert DAY <= age["payment_cancel"] < DAY + 60
    assert age["order_cancel"] == 0


def test_a_provider_that_is_out_is_left_in_peace(rig: Rig, operations: Operations) -> None:
    """After a few questions without an answer no more are asked, and all is still counted."""
    for number in range(6):
        doubtful(rig, number)
    rig.world.start_outage()
    found = sweep(operations)
    assert (found.asked, found.unanswered, found.unresolved["payment_cancel"]) == (3, 3, 6)


def test_too_much_to_ask_is_sampled_fairly(rig: Rig, operations: Operations) -> None:
    """A limited run asks only so many; over several runs everything gets its turn."""
    for number in range(6):
        doubtful(rig, number, FaultKind.DROP_BEFORE_COMMIT)
    asked = set()
    for seed in range(20):
        rig.world.requests.clear()
        found = sweep(operations, most=2, seed=seed)
        assert (found.asked, found.unresolved["payment_cancel"]) == (2, 6)
        asked |= {request.subjects for request in rig.world.requests if request.operation == Operation.LOOKUP}
    assert len(asked) == 6


def test_time_that_is_up_ends_the_questions(rig: Rig, operations: Operations) -> None:
    """What was not asked about is counted as open."""
    doubtful(rig, 1)
    found = sweep(operations, seconds=0.0)
    assert (found.asked, found.unresolved["payment_cancel"]) == (0, 1)


def test_an_outcome_that_never_got_out_is_published(rig: Rig, operations: Operations) -> None:
    """Whoever recorded it died before publishing: the sweeper does it, once."""
    doubtful(rig, 1)
    (entry,) = operations.ledger_queries.open_entries()
    rig.bus.fate.extend([AwsError("InternalException", status=500)] * 2)
    operations.resolver.ask(entry)
    assert rig.outcomes()[entry.key.cancel_request_id] == "parked"
    assert (sweep(operations).republished, sweep(operations).republished) == (1, 0)
    assert rig.outcomes()[entry.key.cancel_request_id] == "succeeded"
    assert operations.ledger_queries.entries([entry.key])[entry.key].state is State.SUCCEEDED


def test_a_silent_subject_does_not_silence_its_provider(rig: Rig, operations: Operations) -> None:
    """One payment that cannot be looked up costs one question; the others are settled."""
    for number in range(4):
        doubtful(rig, number)
    rig.world.add_fault(
        Fault(FaultKind.HTTP_5XX_BEFORE_COMMIT, subject="imp_0", operation=Operation.LOOKUP, times=None)
    )
    found = sweep(operations)
    assert (found.resolved["payment_cancel"], found.unanswered) == (3, 1)


def test_those_that_are_never_answered_do_not_hide_the_others_for_ever(
    rig: Rig, operations: Operations
) -> None:
    """As many silent ones as end a run, and parked first: the last one is settled within a few runs."""
    for number in range(4):
        doubtful(rig, number)
    for number in range(3):
        rig.world.add_fault(
            Fault(
                FaultKind.HTTP_5XX_BEFORE_COMMIT,
                subject=f"imp_{number}",
                operation=Operation.LOOKUP,
                times=None,
            )
        )
    assert sum(sweep(operations, seed=seed).resolved["payment_cancel"] for seed in range(10)) == 1
