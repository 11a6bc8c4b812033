from __future__ import annotations

import json
import time
from dataclasses import replace
from decimal import Decimal

import pytest

from local.simulator.faults import FaultKind
from local.trigger import record
from refunds.contracts.outbound import Outcome
from refunds.domain.entry import Entry, Key, State
from refunds.ledger.audit import Actor
from refunds.operators.operations import Operations
from refunds.operators.resolution import Finding, ResolutionRefused
from tests.fakes.answers import AwsError
from tests.unit.operators.requests import PAID, order_cancel, park_in_doubt, pay, settle
from tests.unit.rig import MAX_RECEIVE_COUNT, Rig, Wanted, limits

KIM = Actor("kim", "arn:aws:iam::1:user/kim", "resolve")
CONSOLE = Finding(succeeded=True, evidence="console, ticket 4711")


def entry(operations: Operations) -> Entry:
    """The only request there is, as the ledger has it now."""
    (found,) = operations.ledger_queries.open_entries()
    return found


def now(operations: Operations, old: Entry) -> Entry:
    return operations.ledger_queries.entries([old.key])[old.key]


def outcome(entry: Entry) -> Outcome:
    assert entry.outcome is not None
    return entry.outcome


@pytest.fixture
def doubtful(rig: Rig, operations: Operations) -> Entry:
    """A refund that was carried out, which nobody knows."""
    pay(rig)
    park_in_doubt(rig, FaultKind.DROP_AFTER_COMMIT)
    return entry(operations)


def test_asking_proves_a_success_and_publishes_it(rig: Rig, operations: Operations, doubtful: Entry) -> None:
    """One question, one conditional write, one event, and then the note that it was published."""
    rig.tables.writes.clear()
    resolution = operations.resolver.ask(doubtful)
    assert (resolution.settled, resolution.published) == (True, True)
    after = now(operations, doubtful)
    assert (after.state, after.unpublished, after.in_doubt) == (State.SUCCEEDED, False, False)
    assert rig.tables.writes == ["UpdateItem", "UpdateItem"]
    assert rig.outcomes()[doubtful.key.cancel_request_id] == "succeeded"
    assert outcome(after).attempts == doubtful.attempt
    assert len(rig.world.money.movements) == 1


@pytest.mark.parametrize(("pay_method", "settles"), [("card", None), ("vbank", "next_business_day")])
def test_what_the_ledger_never_stored_is_not_guessed(
    rig: Rig, operations: Operations, pay_method: str, settles: str | None
) -> None:
    """Whether a bank account was given decides when a refund settles: without it only PortOne can tell."""
    pay(rig, pay_method=pay_method)
    wanted = Wanted()
    wanted.detail["request"] |= {"refund_holder": "김", "refund_bank": "88", "refund_account": "1"}
    park_in_doubt(rig, FaultKind.DROP_AFTER_COMMIT, body=wanted.body)
    told = outcome(operations.resolver.ask(entry(operations)).entry)
    assert told.money is not None
    assert told.money.settles == settles


def test_asking_proves_a_failure_only_where_nothing_can_arrive_any_more(
    rig: Rig, operations: Operations
) -> None:
    """A refund that does not show may still come; once the balance has moved away it cannot."""
    pay(rig)
    park_in_doubt(rig, FaultKind.DROP_BEFORE_COMMIT)
    open_ = entry(operations)
    assert operations.resolver.ask(open_).settled is False
    assert now(operations, open_) == open_
    rig.world.somebody_else("imp_1", "cancel", PAID, "관리자 취소")
    assert operations.resolver.ask(open_).settled is False, "a slow gateway may still be at work"
    later = replace(operations, clock=lambda: time.time() + 3_600)
    assert later.resolver.ask(open_).settled is True
    assert now(operations, open_).state is State.FAILED


def test_asking_never_sends(rig: Rig, operations: Operations) -> None:
    """However often a refund is asked about that the provider does not show, nothing moves."""
    pay(rig)
    park_in_doubt(rig, FaultKind.DROP_BEFORE_COMMIT)
    for _ in range(3):
        operations.resolver.ask(entry(operations))
    assert rig.world.money.movements == []
    assert entry(operations).state is State.PARKED


def test_what_was_provably_not_sent_is_not_asked_about(rig: Rig, operations: Operations) -> None:
    """It waits for a replay, and says so."""
    rig.world.start_outage()
    settle(rig, Wanted().body, receives=MAX_RECEIVE_COUNT)
    asked = len(rig.world.requests)
    assert "replay its message" in operations.resolver.ask(entry(operations)).finding
    assert len(rig.world.requests) == asked


def test_a_request_that_changed_meanwhile_is_left_alone(
    rig: Rig, operations: Operations, doubtful: Entry
) -> None:
    """An operator who decides by what he saw before a function took the request over is refused."""
    taken = operations.ledger.take_over(doubtful, owner="function", lease_until=0.0)
    with pytest.raises(ResolutionRefused, match="changed while you looked"):
        operations.resolver.by_hand(doubtful, CONSOLE, KIM)
    with pytest.raises(ResolutionRefused, match="changed while you looked"):
        operations.resolver.ask(doubtful)
    assert now(operations, doubtful) == taken
    assert rig.outcomes()[doubtful.key.cancel_request_id] == "parked"


def test_a_function_that_took_it_over_cannot_win_against_a_settlement(
    operations: Operations, doubtful: Entry
) -> None:
    """The same the other way round: what was settled is not taken over any more."""
    operations.resolver.by_hand(doubtful, CONSOLE, KIM)
    with pytest.raises(Exception, match="already in the ledger"):
        operations.ledger.take_over(doubtful, owner="function", lease_until=0.0)
    assert now(operations, doubtful).state is State.SUCCEEDED


def test_a_live_lease_refuses_everybody(operations: Operations, doubtful: Entry) -> None:
    """Neither question nor hand, and the operator is told for how long."""
    busy = replace(doubtful, lease_until=operations.clock() + 60)
    assert "try again in" in operations.resolver.ask(busy).finding
    with pytest.raises(ResolutionRefused, match="try again in"):
        operations.resolver.by_hand(busy, CONSOLE, KIM)
    assert now(operations, doubtful) == doubtful


def test_a_settlement_by_hand_tells_accounting_the_amount(operations: Operations, doubtful: Entry) -> None:
    """Amount, balance and the provider's reference, without the evidence and without the operator's name."""
    finding = replace(CONSOLE, reference="cancellation-7")
    after = operations.resolver.by_hand(doubtful, finding, KIM).entry
    told = outcome(after)
    assert told.money is not None
    amounts = [told.money.cancelled, told.money.cancellable_before, told.money.cancellable_after]
    assert amounts == [1_000, PAID, PAID - 1_000]
    assert told.provider.cancellation_id == "cancellation-7"
    assert not {"kim", "4711"} & set(told.model_dump_json().replace('"', " ").split())
    assert any("by kim (arn:aws:iam::1:user/kim): resolve: console, ticket 4711" in e for e in after.timeline)


def test_an_order_settled_by_hand_names_its_items(rig: Rig, operations: Operations) -> None:
    """Accounting learns what was cancelled of an EBP order."""
    park_in_doubt(rig, FaultKind.DROP_AFTER_COMMIT, "order_cancel", order_cancel(rig))
    told = outcome(
        operations.resolver.by_hand(entry(operations), replace(CONSOLE, reference="RR-1"), KIM).entry
    )
    assert [item.item_id for item in told.items] == ["P001", "D001"]
    assert told.provider.return_request_id == "RR-1"
    assert told.money is not None
    assert told.money.cancelled == 7_000


def test_a_failure_by_hand_moved_nothing(rig: Rig, operations: Operations) -> None:
    """Zero won, final, and with a code of the closed set."""
    pay(rig)
    park_in_doubt(rig, FaultKind.DROP_BEFORE_COMMIT)
    lost = entry(operations)
    told = outcome(operations.resolver.by_hand(lost, replace(CONSOLE, succeeded=False), KIM).entry)
    assert told.error is not None
    assert (told.error.code, told.error.may_have_been_applied) == ("PROVIDER_REFUSED", False)
    assert told.money is not None
    assert told.money.cancelled == 0


def test_what_the_provider_shows_as_carried_out_is_not_recorded_as_failed(
    operations: Operations, doubtful: Entry
) -> None:
    """The provider is asked first; its own proof outweighs what a person believes."""
    with pytest.raises(ResolutionRefused, match="carried out"):
        operations.resolver.by_hand(doubtful, replace(CONSOLE, succeeded=False), KIM)
    assert now(operations, doubtful).state is State.PARKED


def test_evidence_with_an_account_number_is_cleaned(operations: Operations, doubtful: Entry) -> None:
    """What an operator pastes does not bring personal data into the ledger."""
    finding = replace(CONSOLE, evidence="paid to 302-198765-4321, call 010-9876-5432")
    after = operations.resolver.by_hand(doubtful, finding, KIM).entry
    assert not any("4321" in event or "5432" in event for event in after.timeline)


def test_an_unpublished_outcome_is_not_forgotten(rig: Rig, operations: Operations, doubtful: Entry) -> None:
    """If the bus takes nothing, the request stays among the open ones until it is published."""
    rig.bus.fate.extend([AwsError("InternalException", status=500)] * 2)
    resolution = operations.resolver.ask(doubtful)
    assert (resolution.settled, resolution.published) == (True, False)
    (waiting,) = operations.ledger_queries.open_entries()
    assert (waiting.key, waiting.state, waiting.unpublished) == (doubtful.key, State.SUCCEEDED, True)
    assert operations.resolver.ask(waiting).published is True
    assert list(operations.ledger_queries.open_entries()) == []
    assert rig.outcomes()[doubtful.key.cancel_request_id] == "succeeded"


def test_a_ledger_write_that_dies_publishes_nothing(
    rig: Rig, operations: Operations, doubtful: Entry
) -> None:
    """Recorded first, published then: without the record accounting hears nothing."""

    def die(operation: str, _key: str) -> None:
        if operation == "UpdateItem":
            raise AwsError("InternalServerError", status=500)

    rig.tables.disturb = die
    with pytest.raises(Exception, match="InternalServerError"):
        operations.resolver.ask(doubtful)
    assert rig.outcomes()[doubtful.key.cancel_request_id] == "parked"


def test_an_amount_nobody_knows_must_be_given(rig: Rig, operations: Operations) -> None:
    """A refund of all that is left, claimed without a look, can only be settled with --amount."""
    pay(rig)
    rig.world.start_outage()
    settle(rig, Wanted(amount=None).body, receives=MAX_RECEIVE_COUNT)
    open_ = entry(operations)
    with pytest.raises(ResolutionRefused, match="--amount"):
        operations.resolver.by_hand(open_, CONSOLE, KIM)
    told = outcome(
        operations.resolver.by_hand(open_, replace(CONSOLE, amount=Decimal(PAID), currency="KRW"), KIM).entry
    )
    assert told.money is not None
    assert told.money.cancelled == PAID


def test_a_request_kept_back_by_a_limit_passes_when_a_person_says_so(
    rig: Rig, operations: Operations
) -> None:
    """Admitted once, the same message is carried out although the limit still holds."""
    pay(rig)
    limit = limits(largest=500)
    body = Wanted().body
    rig.batch("payment_cancel", record(body), changed=limit)
    kept = entry(operations)
    assert outcome(kept).error.code == "LIMIT_EXCEEDED"  # type: ignore[union-attr]
    operations.ledger.admit(kept, str(KIM))
    assert rig.batch("payment_cancel", record(body), changed=limit) == []
    assert [movement.amount for movement in rig.world.money.movements] == [1_000]


def test_an_event_older_than_the_ledgers_memory_waits_for_a_person(rig: Rig, operations: Operations) -> None:
    """It may have been carried out and forgotten; a person who knows better admits it."""
    pay(rig)
    body = json.dumps(Wanted(key="cr-old").detail | {"requested_at": "2024-01-01T00:00:00Z"})
    settle(rig, body)
    settle(rig, body)
    kept = entry(operations)
    error = outcome(kept).error
    assert error is not None
    assert (error.code, error.may_have_been_applied, kept.in_doubt) == ("LIMIT_EXCEEDED", True, True)
    assert len({detail["outcome_id"] for detail in rig.bus.details()}) == 1
    assert rig.world.money.movements == []
    with pytest.raises(ResolutionRefused):
        operations.resolver.by_hand(kept, CONSOLE, KIM)
    operations.ledger.admit(kept, str(KIM))
    settle(rig, body)
    assert [movement.amount for movement in rig.world.money.movements] == [1_000]


def test_a_request_is_found_by_every_name(rig: Rig, operations: Operations, doubtful: Entry) -> None:
    """Its id, its order, its payment; nothing is found for anybody else."""
    for name in (doubtful.key.cancel_request_id, "ORD-1", "imp_1"):
        assert [found.key for found in operations.ledger_queries.find(name)] == [doubtful.key]
    assert operations.ledger_queries.find("imp_2") == []
    assert operations.ledger_queries.entries([Key("payment_cancel", "cr-nobody")]) == {}
    assert rig.items
