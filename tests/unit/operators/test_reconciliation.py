from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, date, timedelta, timezone
from decimal import Decimal

import pytest

from local.simulator.faults import FaultKind
from refunds.errors import LookupFailed
from refunds.ledger.audit import Actor
from refunds.operators.operations import Operations
from refunds.operators.reconciliation import Difference, Kind, Window, _what_several_are
from refunds.operators.resolution import Finding
from refunds.providers.portone.models import CancelHistoryEntry
from tests.unit.operators.requests import PAID, park_in_doubt, pay, settle
from tests.unit.operators.rig import SHOWN, OperatorRig
from tests.unit.rig import Rig, Wanted

KIM = Actor("kim", "arn", "resolve")


def today() -> Window:
    now = int(time.time())
    return Window(now - 600, now + 600)


def differences(operations: Operations, window: Window | None = None) -> list[Difference]:
    return list(operations.reconciliation().run(window or today()))


def refund(rig: Rig, imp_uid: str, **payment: object) -> Wanted:
    pay(rig, imp_uid, **payment)
    wanted = Wanted(imp_uid)
    settle(rig, wanted.body)
    return wanted


def test_refunds_that_both_sides_know_are_no_difference(rig: Rig, operations: Operations) -> None:
    """Listed or not: a partly cancelled payment may still be "paid", and is asked about."""
    refund(rig, "imp_paid", partial_status="paid")
    refund(rig, "imp_cancelled", partial_status="cancelled")
    settle(rig, Wanted("imp_cancelled").body)
    assert differences(operations) == []


def test_a_refund_made_elsewhere_is_found(rig: Rig, operations: Operations) -> None:
    """On a payment of ours or on one we never heard of."""
    refund(rig, "imp_1")
    pay(rig, "imp_2")
    rig.world.somebody_else("imp_1", "cancel", 700)
    rig.world.somebody_else("imp_2", "cancel", PAID)
    found = {one.imp_uid: one for one in differences(operations)}
    assert {one.kind for one in found.values()} == {Kind.NOT_IN_LEDGER}
    assert {uid: one.provider_amount for uid, one in found.items()} == {"imp_1": 700, "imp_2": PAID}


def test_our_own_refund_that_the_ledger_does_not_know_of_says_what_to_do(
    rig: Rig, operations: Operations
) -> None:
    """Its mark names the request, which waits to be resolved."""
    pay(rig, partial_status="cancelled")
    park_in_doubt(rig, FaultKind.DROP_AFTER_COMMIT)
    (difference,) = differences(operations)
    (entry,) = operations.ledger_queries.open_entries()
    assert (difference.kind, difference.cancel_request_id) == (
        Kind.NOT_IN_LEDGER,
        entry.key.cancel_request_id,
    )
    assert "refundctl resolve" in difference.note


@pytest.mark.parametrize("known", [True, False])
def test_a_recorded_refund_that_never_was_is_found(rig: Rig, operations: Operations, *, known: bool) -> None:
    """Whether PortOne shows the payment without it, or no such payment at all."""
    pay(rig)
    park_in_doubt(rig, FaultKind.DROP_BEFORE_COMMIT)
    (entry,) = operations.ledger_queries.open_entries()
    operations.resolver.by_hand(entry, Finding(succeeded=True, evidence="misread"), KIM)
    if not known:
        rig.world.reset()
    (difference,) = differences(operations)
    assert (difference.kind, difference.ledger_amount) == (Kind.NOT_AT_PROVIDER, Decimal(1_000))


def test_two_amounts_for_one_refund_are_found(rig: Rig, operations: Operations) -> None:
    """The same cancellation_id, another amount."""
    pay(rig)
    park_in_doubt(rig, FaultKind.DROP_AFTER_COMMIT)
    (entry,) = operations.ledger_queries.open_entries()
    (really,) = rig.world.money.movements
    typo = Finding(succeeded=True, evidence="typo", amount=Decimal(999), reference=really.cancellation_id)
    operations.resolver.by_hand(entry, typo, KIM)
    (difference,) = differences(operations)
    assert difference.kind is Kind.AMOUNT_DIFFERS
    assert (difference.provider_amount, difference.ledger_amount) == (Decimal(1_000), Decimal(999))


def test_one_cancellation_that_two_items_claim_is_told(rig: Rig, operations: Operations) -> None:
    """One of them was told as refunded, and nothing moved for it."""
    first = refund(rig, "imp_1")
    stored = rig.tables.items["ledger"]
    name, item = next(one for one in stored.items() if one[0].endswith(f"#{first.key}"))
    stored[name.replace(first.key, "cr-twin")] = {
        **item,
        "pk": {"S": item["pk"]["S"].replace(first.key, "cr-twin")},
    }
    (difference,) = differences(operations)
    assert difference.kind is Kind.NOT_AT_PROVIDER


@pytest.mark.parametrize("asked", [3_000, None])
def test_parts_of_one_refund_are_not_called_a_repetition(asked: int | None) -> None:
    """Two entries with one mark that are together what was asked for, or all that was left."""
    request = {"imp_uid": "imp_1"} | ({} if asked is None else {"amount": asked})
    baseline = replace(SHOWN, cancellable=Decimal(3_000))
    entry = OperatorRig().park(request=request, baseline=baseline)
    parts = [CancelHistoryEntry(amount=Decimal(amount)) for amount in (2_000, 1_000)]
    assert _what_several_are(parts, entry) == "together they are what it asked for"
    assert _what_several_are(parts[:1] * 2, entry) == "it was carried out 2 times"


def test_a_settlement_without_a_reference_is_matched_by_its_amount(rig: Rig, operations: Operations) -> None:
    """An operator need not know the cancellation_id; a second refund of that amount is still found."""
    pay(rig)
    park_in_doubt(rig, FaultKind.DROP_AFTER_COMMIT)
    (entry,) = operations.ledger_queries.open_entries()
    operations.resolver.by_hand(entry, Finding(succeeded=True, evidence="console"), KIM)
    assert differences(operations) == []
    rig.world.somebody_else("imp_1", "cancel", 1_000)
    (difference,) = differences(operations)
    assert difference.kind is Kind.NOT_IN_LEDGER


def test_a_payment_with_two_kinds_of_difference_tells_each_once(rig: Rig, operations: Operations) -> None:
    """Listed and then asked about, its console refund is not told twice."""
    pay(rig, partial_status="cancelled")
    park_in_doubt(rig, FaultKind.DROP_BEFORE_COMMIT)
    (entry,) = operations.ledger_queries.open_entries()
    operations.resolver.by_hand(entry, Finding(succeeded=True, evidence="misread"), KIM)
    rig.world.somebody_else("imp_1", "cancel", 500)
    assert sorted(one.kind for one in differences(operations)) == [Kind.NOT_AT_PROVIDER, Kind.NOT_IN_LEDGER]


def test_another_days_refunds_are_not_told(rig: Rig, operations: Operations) -> None:
    """A difference belongs to the day of its cancellation."""
    pay(rig)
    rig.world.somebody_else("imp_1", "cancel", PAID)
    window = today()
    yesterday = Window(window.since - 86_400, window.until - 86_400)
    assert differences(operations, yesterday) == []


def test_every_page_of_the_list_is_read(rig: Rig, operations: Operations) -> None:
    """More payments than a page holds: each difference once."""
    for number in range(1_005):
        pay(rig, f"imp_{number}")
        rig.world.somebody_else(f"imp_{number}", "cancel", PAID)
    found = differences(operations)
    assert len(found) == len({one.imp_uid for one in found}) == 1_005


def test_a_provider_that_does_not_answer_is_no_agreement(rig: Rig, operations: Operations) -> None:
    """The comparison fails; it never reports a clean day it did not see."""
    rig.world.start_outage()
    with pytest.raises(LookupFailed):
        differences(operations)


def test_a_sub_merchants_refund_is_asked_for_under_its_tier(rig: Rig, operations: Operations) -> None:
    """What the merchant's own list does not show is looked up with the Tier the request had."""
    pay(rig)
    wanted = Wanted()
    wanted.detail["request"]["tier"] = "ABC"
    settle(rig, wanted.body)
    rig.world.requests.clear()
    assert differences(operations) == []
    assert [request.tier for request in rig.world.requests if request.path == "/payments/imp_1"] == ["ABC"]


def test_days_begin_and_end_in_their_zone() -> None:
    """Midnight in Korea is 15:00 UTC of the day before; the end belongs to the next day."""
    korea = timezone(timedelta(hours=9))
    window = Window.of_days(date(2026, 11, 20), 1, korea)
    assert window.until - window.since == 86_400
    assert window.since == Window.of_days(date(2026, 11, 20), 1, UTC).since - 9 * 3600
    assert window.has(window.since)
    assert not window.has(window.until)
    assert replace(window, until=window.until + 1).has(window.until)


@pytest.mark.parametrize("days", [0, 91])
def test_a_period_that_portone_does_not_list_is_refused(days: int) -> None:
    """One to ninety days, as documented."""
    with pytest.raises(ValueError, match="1 to 90 days"):
        Window.of_days(date(2026, 1, 1), days, UTC)
