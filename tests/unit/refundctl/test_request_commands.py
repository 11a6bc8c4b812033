from __future__ import annotations

from decimal import Decimal

import pytest
from botocore.exceptions import ClientError

from refundctl.actions import queueing
from refunds.errors import ErrorCode
from tests.unit.refundctl.station import Station, detail


def test_nothing_known_and_nothing_waiting_is_an_error(station: Station) -> None:
    """Exit code 1, also as an object."""
    ran = station.rows("status", "cr-9", code=1)
    assert "no message waits in a queue" in ran.of("error")[0]["message"]


def test_what_still_waits_is_told_as_such(station: Station) -> None:
    """Not in the ledger yet: how many messages wait in which queue, exit code 4."""
    for number in range(3):
        station.queue().put(f"m{number}")
    ran = station.run("status", "cr-1")
    assert ran.code == 4
    assert "cr-1 is not in the ledger yet" in ran.words
    assert "3 messages in payment_cancel" in ran.words
    assert station.rows("status", "cr-1", code=4).of("waiting")[0]["messages"] == {"payment_cancel": 3}


def test_what_is_tried_again_is_told_as_such(station: Station) -> None:
    """Its message is in its queue; nobody has it."""
    station.operators.claim("cr-1", in_doubt=False)
    station.queue().put("m1")
    assert "to be tried again: 1 message in its queue" in station.run("status", "cr-1").words


def test_a_status_is_typed(station: Station) -> None:
    """The timeline as objects, times in UTC and of one form, ages and amounts as numbers."""
    station.operators.succeed(
        "cr-1", amount="181.56", currency="USD", requested_at="2026-11-21T14:00:00+09:00"
    )
    station.operators.now += 90
    (row,) = station.rows("status", "cr-1").of("request")
    assert row["age_seconds"] == 90
    assert row["requested_at"] == "2026-11-21T05:00:00Z"
    assert row["outcome"]["money"]["cancelled"] == 181.56
    assert row["baseline"]["cancellable"] == 10_000
    assert [event["at"] for event in row["timeline"]] == ["2027-01-15T08:00:00Z"] * 2
    assert row["timeline"][0]["event"] == "STARTED attempt 1"
    assert row["audit"] == []


@pytest.mark.parametrize(
    ("state", "shown"),
    [("done", None), ("leased", None), ("doubt", True), ("parked", False), ("pending", True)],
)
def test_whether_it_may_have_been_applied_is_told_where_it_means_something(
    station: Station,
    state: str,
    *,
    shown: bool | None,
) -> None:
    """Not of what has ended, and not while a worker is at it."""
    operators = station.operators
    match state:
        case "done":
            operators.succeed()
        case "leased":
            operators.claim(lease_until=operators.now + 60)
        case "doubt":
            operators.claim()
        case "parked":
            operators.park(code=ErrorCode.LIMIT_EXCEEDED, in_doubt=False)
        case _:
            operators.pend()
    (row,) = station.rows("status", "cr-1").of("request")
    assert row["may_have_been_applied"] is shown
    words = station.run("status", "cr-1").words
    assert ("may_have_been_applied " in words.partition("Outcome")[0]) is (shown is not None)


def test_status_waits_for_an_end(station: Station, monkeypatch: pytest.MonkeyPatch) -> None:
    """It looks again and again; exit code 0 once it has ended."""
    looks = []

    def sleep(seconds: float) -> None:
        looks.append(seconds)
        station.operators.now += seconds
        if len(looks) == 3:
            station.operators.succeed("cr-1")

    monkeypatch.setattr("refundctl.actions.telling.time.sleep", sleep)
    assert station.rows("status", "cr-1", "--wait").of("request")[0]["state"] == "SUCCEEDED"
    assert len(looks) == 3


def test_status_waits_no_longer_than_it_is_told(station: Station, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 4: it has not ended."""
    station.operators.claim("cr-1")

    def sleep(seconds: float) -> None:
        station.operators.now += seconds

    monkeypatch.setattr("refundctl.actions.telling.time.sleep", sleep)
    began = station.operators.now
    station.rows("status", "cr-1", "--wait-for", "30s", code=4)
    assert 30 <= station.operators.now - began < 40


def test_waiting_ends_where_a_person_has_to_do_something(station: Station) -> None:
    """A parked request does not go on by itself."""
    station.operators.park("cr-1")
    station.rows("status", "cr-1", "--wait", code=4)


def test_an_amount_by_hand_is_exact_and_has_a_currency(station: Station) -> None:
    """Where the ledger knows neither: both are typed, and accounting hears them as they were typed."""
    station.operators.park("cr-1", baseline=None, payment_ref="imp_1", request={"imp_uid": "imp_1"})
    by_hand = ("--as", "succeeded", "--by", "kim", "--evidence", "console", "--confirm", "cr-1")
    refused = station.rows("resolve", "cr-1", *by_hand, code=1)
    assert "--amount" in refused.of("error")[0]["message"]
    (row,) = station.rows("resolve", "cr-1", *by_hand, "--amount", "181.56", "--currency", "usd").of(
        "resolution"
    )
    assert (row["state"], row["resolved"], row["published"]) == ("SUCCEEDED", True, True)
    assert row["outcome"]["money"]["cancelled"] == 181.56
    outcome = station.operators.entry().outcome
    assert outcome is not None
    assert outcome.money is not None
    assert outcome.money.cancelled == Decimal("181.56")


def test_queues_are_shown_with_depths_and_ages(station: Station) -> None:
    """The age of the oldest where CloudWatch has it, and where the queue is not empty by now."""
    station.park()
    station.account.ages = {"payment-cancel-dlq": 3_700.0, "vbank-revoke": 60.0}
    rows = station.rows("queues").of("queue")
    assert len(rows) == 10
    (dead,) = [row for row in rows if row["waiting"]]
    assert (dead["cancel_type"], dead["dead_letters"]) == ("payment_cancel", True)
    assert dead["oldest_age_seconds"] == 3_700
    assert {row["oldest_age_seconds"] for row in rows if row != dead} == {None}
    shown = station.run("queues", "-t", "payment_cancel")
    assert "1h 1m" in shown.out
    assert "refundctl dlq list" in shown.out


def test_queues_are_shown_without_ages_where_metrics_are_not_for_everybody(
    station: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Depths are worth having alone."""

    def refuse(*_: object) -> dict[str, int]:
        raise ClientError({"Error": {"Code": "AccessDenied"}}, "GetMetricData")

    monkeypatch.setattr(queueing, "ages", refuse)
    ran = station.run("queues")
    assert ran.code == 0
    assert "Ages are not known" in ran.err


def test_a_stray_message_is_shown_with_its_entry_of_the_runbook(station: Station) -> None:
    """Nothing was sent for it; the code's entry is one command away."""
    station.park()
    ran = station.run("status", "cr-1")
    assert ran.code == 0
    assert "refundctl explain PROVIDER_UNAVAILABLE" in ran.words
    assert detail()["cancel_request_id"] in ran.words


@pytest.mark.parametrize("command", ["status", "resolve"])
def test_a_blank_names_nothing(station: Station, command: str) -> None:
    """It is said before anybody is asked."""
    assert "it is blank" in station.run(command, " ").words
