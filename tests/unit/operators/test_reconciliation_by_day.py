from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from refunds.domain.deadline import Deadline
from refunds.domain.tag import tag_of
from refunds.errors import LookupFailed
from refunds.operators.reconciliation import Difference, Kind, Reconciliation, Stop, Window
from tests.unit.operators.old_copies import OldCopies
from tests.unit.operators.portone import PortOne, payment
from tests.unit.operators.rig import DAY, SHOWN, OperatorRig


class Station:
    """A ledger of the day before, and PortOne."""

    def __init__(self) -> None:
        self.operators = OperatorRig()
        self.portone = PortOne()
        self.noon = int(self.operators.now // DAY * DAY + DAY / 2)
        self.operators.now = float(self.noon)
        self.window = Window(self.noon - 43_200, self.noon + 43_200)

    def comparison(self) -> Reconciliation:
        """A fresh one, as every invocation has."""
        client: Any = self.portone
        return Reconciliation(
            self.operators.queries,
            client,
            patience=1.0,
            status_inquiry=self.operators.inquiry,
            due_after=(4, 14),
            clock=lambda: self.operators.now,
        )

    def differences(self, window: Window | None = None) -> list[Difference]:
        """All of a day."""
        return list(self.comparison().run(window or self.window))


@pytest.fixture
def station() -> Station:
    return Station()


def test_cents_and_currencies_are_compared_exactly(station: Station) -> None:
    """USD 181.56 is not 181, and not 181.56 won; amounts are told as they are."""
    station.operators.succeed("1", currency="USD", amount="181.56")
    station.operators.succeed("2", currency="USD", amount="181.00")
    station.operators.succeed("3", currency="KRW", amount="181")
    for key, amount in (("1", "181.56"), ("2", "181.56"), ("3", "181")):
        station.portone.add(payment(key, Decimal(amount), currency="USD", at=station.noon), listed=True)
    found = {one.imp_uid: one for one in station.differences()}
    assert {one.kind for one in found.values()} == {Kind.AMOUNT_DIFFERS}
    assert found.keys() == {"imp_2", "imp_3"}
    told = found["imp_2"].to_json()
    assert (told["provider_amount"], told["ledger_amount"], told["currency"]) == ("181.56", "181", "USD")
    assert "in KRW" in found["imp_3"].note


def test_a_payment_that_cannot_be_read_is_named_and_passed_over(station: Station) -> None:
    """An entry without a usable id spoils its own payment only."""
    station.operators.succeed("1")
    station.portone.add(payment("1", Decimal(1000), at=station.noon), listed=True)
    odd = payment("2", Decimal(500), at=station.noon)
    odd["cancel_history"][0]["cancellation_id"] = 7
    station.portone.add(odd, listed=True)
    (found,) = station.differences()
    assert (found.kind, found.imp_uid) == (Kind.UNANSWERED, "imp_2")


@pytest.mark.parametrize("tagged", [True, False])
def test_what_was_carried_out_twice_says_so(station: Station, *, tagged: bool) -> None:
    """A second cancellation with our mark, or of our amount, on a payment whose refund has succeeded."""
    entry = station.operators.succeed("1")
    shown = payment("1", Decimal(1000), at=station.noon)
    mark = tag_of(entry.key.cancel_type, entry.key.cancel_request_id)
    again = shown["cancel_history"][0] | {"cancellation_id": "again", "reason": mark if tagged else ""}
    station.portone.add(
        shown | {"cancel_history": [*shown["cancel_history"], again], "cancel_amount": 2000}, listed=True
    )
    (found,) = station.differences()
    assert (found.kind, found.cancellation_id) == (Kind.NOT_IN_LEDGER, "again")
    assert "carried out twice" in found.note


@pytest.mark.parametrize("days", [4, 14])
def test_a_late_settlement_that_was_taken_back_is_reversed(station: Station, days: int) -> None:
    """Booked and told on its day; gone when it was due. Immediate ones are not looked at again."""
    station.operators.succeed("1", settles="later")
    station.operators.succeed("2", settles="next_business_day")
    station.operators.succeed("3")
    for key in "123":
        station.portone.add(payment(key, Decimal(1000), at=station.noon), listed=True)
    assert station.differences() == []
    station.portone.listed.clear()
    station.portone.payments["imp_1"] = payment("1")
    failed = {"cancellation_id": "c-2", "amount": 1000, "cancelled_at": station.noon, "status": "FAILED"}
    station.portone.payments["imp_2"] = payment("2", failed)
    station.portone.payments["imp_3"] = payment("3")
    due = Window(station.window.since + days * 86_400, station.window.until + days * 86_400)
    found = station.differences(due)
    assert {(one.kind, one.imp_uid) for one in found} == {(Kind.REVERSED, "imp_1"), (Kind.REVERSED, "imp_2")}
    assert "imp_3" not in station.portone.asked


@pytest.mark.parametrize("hour", range(0, 24, 3))
def test_what_settles_late_is_looked_at_once_each_time_it_is_due(hour: int) -> None:
    """Days begin elsewhere in Korea and in the ledger: none is left out, none looked at early or twice."""
    station = Station()
    midnight = station.window.since
    station.operators.now = float(midnight + hour * 3_600)
    station.operators.succeed("1", settles="later")
    station.portone.payments["imp_1"] = payment("1")
    found = {}
    for day in range(20):
        morning = midnight + day * 86_400 + 19 * 3_600  # 04:00 in Korea
        station.operators.now = float(morning)
        yesterday = Window(morning - 28 * 3_600, morning - 4 * 3_600)
        found[morning] = [one.kind for one in station.differences(yesterday)]
    looked = [(at - midnight) // 3_600 - hour for at, kinds in found.items() if kinds]
    assert all(kinds in ([], [Kind.REVERSED]) for kinds in found.values())
    assert [hours // 24 for hours in looked[1:]] in ([4, 14], [5, 15])
    assert len(looked) == 3


def test_what_is_due_is_read_once(station: Station) -> None:
    """The ledger's days are UTC's: one of Korea's would be two of them."""
    station.operators.succeed("1")
    old = OldCopies(station.operators)
    for days in (4, 14):
        due = Window(
            station.window.since + days * 86_400 + 54_000, station.window.until + days * 86_400 + 54_000
        )
        station.operators.now = float(due.until + 14_400)
        assert station.differences(due) == []
    assert old.read == [("payment_cancel#1", False)] * 2


def test_a_late_settlement_that_stands_is_no_difference(station: Station) -> None:
    """Neither on its day nor when it is due."""
    station.operators.succeed("1", settles="later")
    station.portone.add(payment("1", Decimal(1000), at=station.noon))
    due = Window(station.window.since + 4 * 86_400, station.window.until + 4 * 86_400)
    assert station.differences() + station.differences(due) == []


def test_what_the_list_does_not_show_is_asked_for(station: Station) -> None:
    """A partly cancelled payment may still be "paid"; one that is not there was never refunded."""
    station.operators.succeed("1")
    station.operators.succeed("2")
    station.portone.add(payment("1", Decimal(1000), at=station.noon, status="paid"))
    (difference,) = station.differences()
    assert (difference.kind, difference.imp_uid) == (Kind.NOT_AT_PROVIDER, "imp_2")


def test_what_the_list_shows_is_not_asked_for_again(station: Station) -> None:
    """One question per payment that the list leaves out, none for the others."""
    station.operators.succeed("1")
    station.portone.add(payment("1", Decimal(1000), at=station.noon), listed=True)
    assert (station.differences(), station.portone.asked) == ([], [])


def test_one_payment_that_cannot_be_asked_about_ends_nothing(station: Station) -> None:
    """It is named; the others are compared. A provider that is out is no agreement."""
    for key in ("1", "2"):
        station.operators.succeed(key)
    station.portone.add(payment("1", Decimal(1000), at=station.noon))
    station.portone.silent = {"imp_2"}
    (difference,) = station.differences()
    assert (difference.kind, difference.imp_uid) == (Kind.UNANSWERED, "imp_2")
    for key in ("3", "4"):
        station.operators.succeed(key)
    station.portone.silent = {f"imp_{key}" for key in range(5)}
    with pytest.raises(LookupFailed):
        station.differences()


def test_one_item_that_cannot_be_read_ends_nothing(station: Station) -> None:
    """It is named by its key."""
    station.operators.succeed("1")
    station.operators.succeed("2")
    station.operators.spoil("payment_cancel#1", version={"S": "?"})
    station.portone.add(payment("2", Decimal(1000), at=station.noon))
    (difference,) = station.differences()
    assert (difference.kind, difference.cancel_request_id) == (Kind.UNANSWERED, "1")


def test_a_day_that_is_not_long_over_is_read_consistently(station: Station) -> None:
    """An old copy would hide what was recorded a moment ago."""
    station.operators.claim("1")
    old = OldCopies(station.operators)
    station.operators.tables.items["ledger"].clear()
    station.operators.succeed("1")
    station.operators.now = station.window.until + 3_599
    (difference,) = station.differences()
    assert (difference.kind, difference.imp_uid) == (Kind.NOT_AT_PROVIDER, "imp_1")
    assert {consistent for _, consistent in old.read} == {True}


def test_a_day_that_is_long_over_is_read_once_at_half_the_price(station: Station) -> None:
    """What succeeded does not change; the payment's other cancellations are read consistently."""
    station.operators.succeed("1")
    station.operators.park("2", baseline=replace(SHOWN, subject="imp_1"))
    old = OldCopies(station.operators)
    station.portone.add(payment("1", Decimal(1000), at=station.noon))
    station.operators.now = station.window.until + 3_600
    assert station.differences() == []
    assert sorted(old.read) == [
        ("payment_cancel#1", False),
        ("payment_cancel#2", False),
        ("payment_cancel#2", True),
    ]


def test_no_old_copy_is_told_of(station: Station) -> None:
    """What cannot be read, or does not explain a refund, is read consistently before anybody hears of it."""
    station.operators.succeed("1")
    readable = deepcopy(station.operators.tables.items["ledger"]["payment_cancel#1"])
    station.operators.spoil("payment_cancel#1", version={"S": "?"})
    station.operators.claim("2")
    OldCopies(station.operators)
    station.operators.tables.items["ledger"] = {"payment_cancel#1": readable}
    station.operators.succeed("2")
    for key in "12":
        station.portone.add(payment(key, Decimal(1000), at=station.noon), listed=key == "2")
    station.operators.now = station.window.until + 3_600
    assert station.differences() == []


def test_a_day_is_compared_in_pieces(station: Station) -> None:
    """Each piece goes on where the last one stopped; all together find what one would."""
    for number in range(60):
        station.operators.succeed(f"cr-{number}")
        station.portone.add(
            payment(f"cr-{number}", Decimal(1000 + number % 2), at=station.noon), listed=number < 30
        )
    station.portone.size = 10
    found, pieces, stop = [], 0, None
    while pieces < 50:
        pieces += 1
        comparison = station.comparison()
        over = Deadline(0.0, lambda: 1.0)
        found += list(comparison.run(station.window, deadline=over, start=stop))
        if comparison.stopped is None:
            break
        stop = Stop.of_json(comparison.stopped.to_json())
    assert 5 < pieces < 50
    assert {one.imp_uid for one in found} == {f"imp_cr-{number}" for number in range(1, 60, 2)}
    assert {one.kind for one in found} == {Kind.AMOUNT_DIFFERS}
