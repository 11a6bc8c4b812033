from __future__ import annotations

from typing import Any

import pytest

from refunds.contracts.outbound import OutcomeKind, outcome_id
from refunds.contracts.payment_cancel import PaymentCancellation
from refunds.domain.disposition import DeadLetter, Publish, Reason, Source
from refunds.domain.entry import State
from refunds.errors import ErrorCode, LookupFailed
from tests.unit.service.world import Gateway, World, wanted

PARTIAL: Any = {"amount": 3_000}
WHY = Reason(ErrorCode.OUTCOME_UNKNOWN, "the invocation's time was used up")


def unanswered(world: World, patch: pytest.MonkeyPatch) -> None:
    """PortOne answers no question."""

    def fail(*_: Any, **__: Any) -> Any:
        raise LookupFailed("no answer")

    patch.setattr(world.portone, "payment", fail)


def test_two_statements_have_two_ids_and_the_later_one_the_higher_revision() -> None:
    """Nothing was sent, and then something may have been: an accounting consumer keeps the second."""
    world = World((Gateway(answers=["lose before"]),))
    with pytest.MonkeyPatch.context() as patch:
        unanswered(world, patch)
        world.deliver(wanted(**PARTIAL), final=True)
    with pytest.MonkeyPatch.context() as patch:
        lookups = iter([world.portone.payment("imp_1")])
        patch.setattr(world.portone, "payment", lambda *_, **__: next(lookups))
        with pytest.raises(StopIteration):
            world.deliver(wanted(**PARTIAL), final=True)
        unanswered(world, patch)
        world.deliver(wanted(**PARTIAL), final=True)
    assert world.told() == [("parked", "PROVIDER_UNAVAILABLE", False), ("parked", "OUTCOME_UNKNOWN", True)]
    first, second = world.published
    assert first.outcome_id != second.outcome_id
    assert first.revision < second.revision
    assert first.revision == 1


def test_what_was_said_before_and_is_said_again_is_a_new_statement() -> None:
    """A, then B, then A: the third is not the first, for a consumer that deduplicates by the id."""
    world = World((Gateway(pg_provider="newpay"), Gateway(imp_uid="imp_2", status="failed")))
    by_order = wanted(merchant_uid="ORD-1")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(world.portone, "payments_of", _raise)
        world.deliver(by_order, final=True)
    world.gateways[1].status = "paid"
    world.deliver(by_order, final=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(world.portone, "payments_of", _raise)
        world.deliver(by_order, final=True)
        world.deliver(by_order, final=True)
    assert [told[1] for told in world.told()] == [
        "PROVIDER_UNAVAILABLE",
        "INVALID_REQUEST",
        "PROVIDER_UNAVAILABLE",
        "PROVIDER_UNAVAILABLE",
    ]
    ids = [outcome.outcome_id for outcome in world.published]
    assert len(set(ids)) == 3
    assert world.published[2].to_json() == world.published[3].to_json()
    error = world.published[2].error
    assert ids[2] == outcome_id("payment_cancel", "cr-1", OutcomeKind.PARKED, error, number=3)


def test_a_final_outcome_has_no_number() -> None:
    """It is said once, and its id is the one it always had."""
    world = World((Gateway(answers=["lose before"]),))
    with pytest.MonkeyPatch.context() as patch:
        unanswered(world, patch)
        world.deliver(wanted(**PARTIAL), final=True)
    for _ in range(2):
        world.deliver(wanted(**PARTIAL))
    assert world.published[-1].outcome_id == outcome_id("payment_cancel", "cr-1", OutcomeKind.SUCCEEDED)
    assert world.published[-1].revision > world.published[0].revision


def test_every_statement_names_the_payment_of_the_request() -> None:
    """Also one about a request of which nothing was seen."""
    world = World()
    with pytest.MonkeyPatch.context() as patch:
        unanswered(world, patch)
        world.deliver(wanted(**PARTIAL, merchant_uid="ORD-7") | {}, final=True)
    assert world.published[0].provider.merchant_uid == "ORD-7"


# --- whatever way a message leaves, accounting is told, or the ledger knows that it is not


@pytest.mark.parametrize(("final", "republished"), [(True, True), (False, False), (True, False)])
def test_what_no_later_delivery_publishes_is_marked_until_it_is_published(
    *, final: bool, republished: bool
) -> None:
    """A last receive and a quiet replay: recorded as unpublished, and the mark goes after PutEvents."""
    world = World()
    disposition = world.deliver(wanted(**PARTIAL), final=final, republished=republished)
    assert isinstance(disposition, Publish)
    assert disposition.mark is not None
    assert disposition.mark.unpublished
    assert not world.item().unpublished


def test_what_stays_marked_is_offered_again() -> None:
    """PutEvents failed: a later delivery publishes the stored outcome and takes the mark away."""
    world = World()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(world.service, "published", lambda _mark: None)
        world.deliver(wanted(**PARTIAL), final=True)
    assert world.item().unpublished
    again = world.deliver(wanted(**PARTIAL))
    assert isinstance(again, Publish)
    assert again.source is Source.LEDGER
    assert not world.item().unpublished


def test_an_ordinary_delivery_needs_no_mark() -> None:
    """Two writes on the happy path: its redelivery publishes it again."""
    world = World()
    disposition = world.deliver(wanted(**PARTIAL))
    assert isinstance(disposition, Publish)
    assert disposition.mark is None
    assert world.item().revision == 2


def test_nothing_is_begun_after_the_deadline() -> None:
    """A thread that wakes up when the invocation is over asks nobody and writes nothing."""
    world = World()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("refunds.domain.deadline.Deadline.remaining", lambda _self: float("-inf"))
        world.deliver(wanted(**PARTIAL))
    assert (world.ledger.items, world.portone.asked, world.gateway.sent) == ({}, 0, [])


def test_a_live_lease_on_the_last_receive_leaves_a_note() -> None:
    """The message leaves for the DLQ, and the ledger knows that nobody was told."""
    world = World((Gateway(answers=["die"]),))
    world.dies(wanted(**PARTIAL))
    world.now -= 250
    assert isinstance(world.deliver(wanted(**PARTIAL), final=True), DeadLetter)
    assert world.ledger.open == [world.item().key]


def cancellation(**request: Any) -> Any:
    """What the message says."""
    return PaymentCancellation.model_validate(wanted(**request))


def test_a_message_that_was_never_begun_is_told() -> None:
    """No item: nothing was sent."""
    world = World()
    disposition = world.service.park_unfinished(cancellation(**PARTIAL), WHY)
    assert isinstance(disposition, Publish)
    assert disposition.mark is not None
    assert disposition.dead_letter is not None
    error = disposition.outcome.error
    assert error is not None
    assert (str(error.code), error.may_have_been_applied) == ("PROVIDER_UNAVAILABLE", False)


def test_a_message_whose_process_died_is_told_that_it_may_have_been_applied() -> None:
    """The lease is over, and what was sent is unknown; nobody is asked."""
    world = World((Gateway(answers=["die"]),))
    world.dies(wanted(**PARTIAL))
    asked = world.portone.asked
    disposition = world.service.park_unfinished(cancellation(**PARTIAL), WHY)
    assert isinstance(disposition, Publish)
    error = disposition.outcome.error
    assert error is not None
    assert (str(error.code), error.may_have_been_applied) == ("OUTCOME_UNKNOWN", True)
    assert (world.item().state, world.item().in_doubt) == (State.PARKED, True)
    assert world.portone.asked == asked


def test_a_message_of_an_ended_request_publishes_its_outcome_again() -> None:
    """Its outcome was not taken on the last receive: it is marked, and offered."""
    world = World()
    world.deliver(wanted(**PARTIAL))
    disposition = world.service.park_unfinished(cancellation(**PARTIAL), WHY)
    assert isinstance(disposition, Publish)
    assert disposition.dead_letter is None
    assert disposition.mark is not None
    assert disposition.outcome.to_json() == world.published[0].to_json()


def test_a_message_whose_worker_still_hangs_leaves_a_note() -> None:
    """Nobody is fenced out while what was sent may still be answered."""
    world = World((Gateway(answers=["die"]),))
    world.dies(wanted(**PARTIAL))
    world.now -= 250
    before = world.item()
    assert isinstance(world.service.park_unfinished(cancellation(**PARTIAL), WHY), DeadLetter)
    assert world.ledger.open == [before.key]
    assert world.item() is before


def test_what_is_stored_needs_no_provider() -> None:
    """An open circuit or a pause holds no finished request back."""
    world = World()
    assert world.service.stored(cancellation(**PARTIAL)) is None
    world.deliver(wanted(**PARTIAL))
    stored = world.service.stored(cancellation(**PARTIAL))
    assert isinstance(stored, Publish)
    assert stored.source is Source.LEDGER
    assert isinstance(world.service.stored(cancellation(amount=1)), DeadLetter)


def _raise(*_: Any, **__: Any) -> Any:
    raise LookupFailed("no answer")


def test_an_address_that_says_who_was_refunded_is_not_told() -> None:
    """A PG may put the account into the path of its receipt."""
    account: Any = {"refund_holder": "홍길동", "refund_bank": "04", "refund_account": "11012345678"}
    one = World((Gateway(pay_method="vbank"),))
    one.gateway.said["receipt_url"] = "https://receipts.invalid/11012345678"
    one.deliver(wanted(amount=1_000, **account))
    assert one.published[0].outcome == "succeeded"
    assert one.published[0].provider.receipt_url is None
    one.gateway.said["receipt_url"] = "https://receipts.invalid/c-2"
    one.deliver(wanted("cr-2", amount=1_000, **account))
    assert one.published[1].provider.receipt_url == "https://receipts.invalid/c-2"
