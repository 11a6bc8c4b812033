"""Providers are asked by the functions: refundctl has no keys of theirs."""

from __future__ import annotations

from refunds.cancel_types import cancel_type
from refunds.contracts.fingerprint import fingerprint
from refunds.contracts.inbound import parse_cancellation
from refunds.domain.operation import Rejected
from refunds.errors import LookupFailed
from tests.unit.operators.rig import applied, refused
from tests.unit.refundctl.station import Station, detail


def test_resolve_asks_through_the_sweeper(station: Station) -> None:
    """The function asks, records and tells; refundctl shows what became of the request."""
    station.operators.park("cr-1")
    station.operators.provider.answers = {"imp_cr-1": applied("cr-1")}
    ran = station.rows("resolve", "cr-1")
    (row,) = ran.of("resolution")
    assert (row["state"], row["resolved"], row["published"]) == ("SUCCEEDED", True, True)
    assert station.account.invoked == [{"ask": ["payment_cancel#cr-1"]}]
    assert station.operators.told() == [("cr-1", "succeeded")]


def test_a_provider_that_does_not_answer_leaves_the_request_open(station: Station) -> None:
    """Exit code 4: something is left to do."""
    station.operators.park("cr-1")
    station.operators.provider.answers = {"imp_cr-1": LookupFailed("it is down")}
    (row,) = station.rows("resolve", "cr-1", code=4).of("resolution")
    assert (row["state"], row["resolved"]) == ("PARKED", False)
    assert row["finding"] == "The provider could not be asked now: it is down"


def test_verdicts_come_from_the_replay_function(station: Station) -> None:
    """Which asks the provider about the messages that refundctl has received."""
    _park_in_doubt(station, "cr-1")
    station.operators.provider.answers = {"imp_cr-1": Rejected(refused())}
    (row,) = station.rows("dlq", "replay").of("message")
    assert (row["cancel_request_id"], row["verdict"]) == ("cr-1", "stale")
    (asked,) = station.account.invoked
    assert [message["cancel_type"] for message in asked["judge"]] == ["payment_cancel"]


def test_a_message_too_many_is_asked_about_in_another_invocation(station: Station) -> None:
    """Lambda takes six megabytes at once; the verdicts come back in order."""
    for number in range(3):
        station.park(f"cr-{number}", filler="x" * 600_000)
    rows = station.rows("dlq", "replay").of("message")
    assert sorted(row["cancel_request_id"] for row in rows) == ["cr-0", "cr-1", "cr-2"]
    assert [len(event["judge"]) for event in station.account.invoked] == [1, 1, 1]


def test_without_asking_no_function_is_invoked(station: Station) -> None:
    """The ledger alone is heard."""
    station.park("cr-1")
    (row,) = station.rows("dlq", "replay", "--no-ask").of("message")
    assert (row["verdict"], station.account.invoked) == ("safe", [])


def test_whoever_may_not_ask_goes_by_the_ledger(station: Station) -> None:
    """And is told so."""
    station.account.functions = {}
    _park_in_doubt(station, "cr-1")
    station.park("cr-2")
    ran = station.run("dlq", "replay")
    assert ran.code == 0
    assert "2 could not be asked about" in ran.words
    assert "you may not invoke replay" in ran.words
    alone = station.run("resolve", "cr-1")
    assert alone.code == 1
    assert "you may not invoke sweeper" in alone.err


def test_a_function_that_fails_is_named(station: Station) -> None:
    """With its own error."""

    def fails(_event: object) -> None:
        raise ValueError("the secret is malformed")

    station.account.functions = {"sweeper": fails}
    station.operators.park("cr-1")
    ran = station.run("resolve", "cr-1")
    assert ran.code == 1
    assert "sweeper failed: the secret is malformed" in ran.err


def _park_in_doubt(station: Station, key: str) -> None:
    """A dead letter and the ledger item of its request."""
    cancellation = parse_cancellation(cancel_type("payment_cancel").policy.contract, detail(key))
    station.operators.park(key, fingerprint=fingerprint("payment_cancel", cancellation))
    station.park(key, "OUTCOME_UNKNOWN")
