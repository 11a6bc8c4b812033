from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from refunds.domain.entry import State
from refunds.domain.operation import Unproven
from refunds.errors import ErrorCode
from refunds.ledger.audit import Actor
from refunds.operators.resolution import Finding, ResolutionRefused
from tests.unit.operators.rig import DAY, SHOWN, OperatorRig

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
