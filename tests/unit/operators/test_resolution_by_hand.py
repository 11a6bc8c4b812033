from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from local.simulator.faults import FaultKind
from refunds.domain.entry import State
from refunds.domain.operation import Unproven
from refunds.errors import ErrorCode
from refunds.ledger.audit import Actor, ActorUnnamed
from refunds.operators.operations import Operations
from refunds.operators.resolution import Finding, ResolutionRefused
from tests.unit.operators.requests import order_cancel, park_in_doubt, settle
from tests.unit.operators.rig import DAY, SHOWN, OperatorRig
from tests.unit.rig import MAX_RECEIVE_COUNT, Rig

KIM = Actor("kim", "arn", "ticket 1")
DONE = Finding(succeeded=True, evidence="console")
REFUSED = Finding(succeeded=False, evidence="support says no")


@pytest.fixture
def operators() -> OperatorRig:
    return OperatorRig()


def test_cents_and_currency_are_told_exactly(operators: OperatorRig) -> None:
    """USD 181.56 is neither 181 nor won."""
    entry = operators.park(baseline=replace(SHOWN, currency="USD", cancellable=Decimal("200.00")))
    operators.resolver.by_hand(entry, replace(DONE, amount=Decimal("181.56")), KIM)
    (detail,) = operators.bus.details()
    assert (detail["money"]["cancelled"], detail["money"]["currency"]) == (181.56, "USD")


def test_a_currency_nobody_has_seen_must_be_given(operators: OperatorRig) -> None:
    """The event brought its own checksum, so nobody looked."""
    entry = operators.park(baseline=replace(SHOWN, currency=None))
    with pytest.raises(ResolutionRefused, match="--currency"):
        operators.resolver.by_hand(entry, DONE, KIM)
    operators.resolver.by_hand(entry, replace(DONE, currency="USD", amount=Decimal(10)), KIM)
    assert operators.bus.details()[0]["money"]["currency"] == "USD"


def test_another_currency_than_the_payments_is_refused(operators: OperatorRig) -> None:
    """A slip of the keyboard ends up in no book."""
    with pytest.raises(ResolutionRefused, match="is in KRW"):
        operators.resolver.by_hand(operators.park(), replace(DONE, currency="USD"), KIM)


def test_an_amount_that_the_currency_cannot_have_is_refused(operators: OperatorRig) -> None:
    """There is no tenth of a won."""
    with pytest.raises(ResolutionRefused, match="decimals"):
        operators.resolver.by_hand(operators.park(), replace(DONE, amount=Decimal("0.1")), KIM)


def test_more_than_was_asked_for_is_refused(operators: OperatorRig) -> None:
    """A zero too many ends up in no book; less may be what a gateway paid out."""
    entry = operators.park()
    asked = Decimal(str(entry.request["amount"]))
    with pytest.raises(ResolutionRefused, match="asked for"):
        operators.resolver.by_hand(entry, replace(DONE, amount=asked * 10), KIM)
    operators.resolver.by_hand(entry, replace(DONE, amount=asked - 1), KIM)
    assert operators.bus.details()[0]["money"]["cancelled"] == asked - 1


def test_of_a_part_nobody_says_which_lines_it_was(rig: Rig, operations: Operations) -> None:
    """All that was asked for is told with its lines, less of it without them."""
    park_in_doubt(rig, FaultKind.DROP_AFTER_COMMIT, "order_cancel", order_cancel(rig))
    (entry,) = operations.ledger_queries.open_entries()
    report = operations.resolver.by_hand(entry, replace(DONE, amount=Decimal(6_999)), KIM)
    assert report.entry.outcome is not None
    assert report.entry.outcome.items == ()


@pytest.mark.parametrize("finding", [DONE, REFUSED])
def test_an_order_that_nobody_could_look_at_is_in_the_deployments_currency(
    rig: Rig, operations: Operations, finding: Finding
) -> None:
    """EBP was out at every receive: what an operator records fits the published schema all the same."""
    body = order_cancel(rig)
    rig.world.start_outage()
    settle(rig, body, "order_cancel", receives=MAX_RECEIVE_COUNT)
    (entry,) = operations.ledger_queries.open_entries()
    outcome = operations.resolver.by_hand(entry, finding, KIM).entry.outcome
    assert outcome is not None
    assert outcome.money is not None
    assert outcome.money.currency == "KRW"
    assert len(outcome.items) == (2 if finding.succeeded else 0)


def test_money_in_another_currency_than_the_events_is_told_as_it_is_given(operators: OperatorRig) -> None:
    """The provider showed dollars: neither won nor any amount that the ledger knows is told."""
    entry = operators.park(code=ErrorCode.CURRENCY_MISMATCH)
    with pytest.raises(ResolutionRefused, match="--amount"):
        operators.resolver.by_hand(entry, DONE, KIM)
    with pytest.raises(ResolutionRefused, match="--currency"):
        operators.resolver.by_hand(entry, replace(DONE, amount=Decimal(20)), KIM)
    operators.resolver.by_hand(entry, replace(DONE, amount=Decimal(20), currency="USD"), KIM)
    money = operators.bus.details()[0]["money"]
    assert (money["cancelled"], money["currency"], money["cancellable_before"]) == (20, "USD", None)


def test_nothing_is_recorded_on_nobodys_word(operators: OperatorRig) -> None:
    """A blank is no evidence, no name and no reason, and "unknown" is no way to end."""
    entry = operators.park()
    with pytest.raises(ResolutionRefused, match="how you know"):
        operators.resolver.by_hand(entry, replace(REFUSED, evidence=" "), KIM)
    with pytest.raises(ResolutionRefused, match="nobody knows"):
        operators.resolver.by_hand(entry, replace(REFUSED, code=ErrorCode.OUTCOME_UNKNOWN), KIM)
    for name, reason in ((" ", "ticket"), ("kim", "\t")):
        with pytest.raises(ActorUnnamed):
            Actor(name, "arn", reason)
    assert operators.told() == []


def test_what_was_carried_out_twice_is_not_recorded_as_failed(operators: OperatorRig) -> None:
    """The provider shows our own mark more than once."""
    entry = operators.park()
    twice = Unproven("carried out more than once", unresolvable=True, code=ErrorCode.RESPONSE_MISMATCH)
    operators.provider.answers["imp_cr-1"] = twice
    with pytest.raises(ResolutionRefused, match="more than once"):
        operators.resolver.by_hand(entry, REFUSED, KIM)
    assert operators.told() == []


@pytest.mark.parametrize(
    "baseline",
    [
        replace(SHOWN, shown={"pg_provider": "paypal_v2", "pay_method": "card"}),
        replace(SHOWN, shown={"pg_provider": "smartro_v2", "pay_method": "vbank"}),
        replace(SHOWN, shown={"pg_provider": "a_new_one", "pay_method": "card"}),
        replace(SHOWN, accepted=True),
        replace(SHOWN, cancellation_ids=None, shown={"pay_method": "card"}),
    ],
)
def test_a_failure_where_it_may_still_be_booked_needs_the_gateways_word(
    operators: OperatorRig, baseline: object
) -> None:
    """Late gateways, unknown ones, and those that nobody has seen."""
    entry = operators.park(baseline=baseline)
    with pytest.raises(ResolutionRefused, match="--never-booked"):
        operators.resolver.by_hand(entry, REFUSED, KIM)
    operators.resolver.by_hand(entry, replace(REFUSED, never_booked=True), KIM)
    assert operators.told() == [("cr-1", "failed")]


def test_a_failure_at_a_gateway_that_books_at_once_needs_no_more(operators: OperatorRig) -> None:
    """What it does not show did not happen."""
    operators.resolver.by_hand(operators.park(), REFUSED, KIM)
    assert operators.told() == [("cr-1", "failed")]


def test_a_pending_refund_is_resolved_without_its_message(operators: OperatorRig) -> None:
    """Its message was acknowledged long ago."""
    entry = operators.pend()
    operators.now += 20 * DAY
    operators.resolver.by_hand(entry, replace(DONE, reference="c-9"), KIM)
    assert (operators.entry().state, operators.told()) == (State.SUCCEEDED, [("cr-1", "succeeded")])


def test_nothing_is_resolved_while_a_worker_has_it(operators: OperatorRig) -> None:
    """What it sent may still arrive."""
    entry = operators.claim(lease_until=operators.now + 60)
    with pytest.raises(ResolutionRefused, match="A worker has"):
        operators.resolver.by_hand(entry, DONE, KIM)


def test_a_cancellation_that_proves_another_request_proves_no_second_one(operators: OperatorRig) -> None:
    """The reference that was typed in belongs to a sibling."""
    same = replace(SHOWN, subject="imp_9")
    operators.resolver.by_hand(operators.park("cr-1", baseline=same), replace(DONE, reference="c-1"), KIM)
    second = operators.park("cr-2", baseline=same)
    with pytest.raises(ResolutionRefused, match="another request"):
        operators.resolver.by_hand(second, replace(DONE, reference="c-1"), KIM)


def test_a_cancellation_that_carries_a_siblings_mark_proves_no_second_one(operators: OperatorRig) -> None:
    """What was proven by its mark is held under no name, and taken all the same."""
    same = replace(SHOWN, subject="imp_9")
    operators.succeed("cr-1", baseline=same, cancellation_id="c-1")
    with pytest.raises(ResolutionRefused, match="another request"):
        operators.resolver.by_hand(operators.park("cr-2", baseline=same), replace(DONE, reference="c-1"), KIM)


def test_a_resolution_without_a_reference_is_a_rival_of_its_siblings(operators: OperatorRig) -> None:
    """It may be any entry of that amount, so no sibling is proven by one."""
    same = replace(SHOWN, subject="imp_9")
    operators.resolver.by_hand(operators.park("cr-1", baseline=same), DONE, KIM)
    assert operators.ledger.siblings(operators.park("cr-2", baseline=same)).settled_by_hand == (
        Decimal(1000),
    )


def test_what_a_newer_version_wrote_is_left_to_it(operators: OperatorRig) -> None:
    """Its state may be an end that this version does not know."""
    operators.park()
    operators.spoil("payment_cancel#cr-1", state={"S": "REVERSED"})
    with pytest.raises(ResolutionRefused, match="newer version"):
        operators.resolver.by_hand(operators.entry(), DONE, KIM)
