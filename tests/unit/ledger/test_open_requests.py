"""The sparse index of what somebody has to see to: what enters it, and what leaves it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date

import pytest

from refunds.contracts.outbound import OutcomeKind
from refunds.domain.entry import Entry, Key, State
from refunds.domain.operation import Baseline
from refunds.errors import ErrorCode, Fenced
from refunds.ledger.queries import INDEXES, LedgerQueries
from tests.unit.ledger.conftest import NOON, TABLE, Shelf, new_entry, outcome, parked


def open_keys(shelf: Shelf) -> set[str]:
    return {str(entry.key) for entry in shelf.queries.open_entries()}


def test_a_claim_enters_no_index_of_open_requests(shelf: Shelf) -> None:
    """What its first delivery ends never costs a write unit there."""
    entry = shelf.claimed()
    assert "open" not in shelf.item(entry)
    shelf.ledger.record(entry, State.SUCCEEDED, outcome(entry), in_doubt=False, proof="a tag of ours")
    assert "open" not in shelf.item(entry)
    assert open_keys(shelf) == set()


def _park(shelf: Shelf, entry: Entry) -> object:
    return shelf.ledger.record(entry, State.PARKED, parked(entry), in_doubt=True, proof="nobody knows")


def _pend(shelf: Shelf, entry: Entry) -> object:
    told = outcome(entry, OutcomeKind.PENDING)
    return shelf.ledger.record(entry, State.PENDING, told, in_doubt=True, proof="accepted")


def _release(shelf: Shelf, entry: Entry) -> object:
    shelf.ledger.release(entry, in_doubt=True)
    return entry


def _renew(shelf: Shelf, entry: Entry) -> object:
    return shelf.ledger.renew(entry, baseline=Baseline("imp_448280090641"), lease_until=NOON + 95)


def _learn(shelf: Shelf, entry: Entry) -> object:
    return shelf.ledger.learn(entry, baseline=Baseline("imp_448280090641", suspects=("c-1",)))


def _take_over(shelf: Shelf, entry: Entry) -> object:
    return shelf.ledger.take_over(entry, owner="f" * 32, lease_until=NOON + 95)


def _end_unpublished(shelf: Shelf, entry: Entry) -> object:
    return shelf.ledger.record(
        entry, State.SUCCEEDED, outcome(entry), in_doubt=False, proof="by hand", unpublished=True
    )


@pytest.mark.parametrize("write", [_park, _pend, _release, _renew, _learn, _take_over, _end_unpublished])
def test_what_a_second_write_leaves_open_is_found(
    shelf: Shelf, write: Callable[[Shelf, Entry], object]
) -> None:
    """Parked, pending, released, in doubt after a second write, or unpublished: the sweeper sees it."""
    entry = shelf.claimed()
    write(shelf, entry)
    assert open_keys(shelf) == {str(entry.key)}


@pytest.mark.parametrize("write", [_park, _pend, _release, _renew, _learn, _take_over])
def test_what_ends_leaves(shelf: Shelf, write: Callable[[Shelf, Entry], object]) -> None:
    """Whatever it was left open as, its record takes it out."""
    entry = shelf.claimed()
    write(shelf, entry)
    found = shelf.read(entry)
    shelf.ledger.record(found, State.SUCCEEDED, outcome(found), in_doubt=False, proof="a tag of ours")
    assert "open" not in shelf.item(entry)


def test_a_request_that_is_parked_at_once_is_found(shelf: Shelf) -> None:
    """What was parked without being sent has one write, and is open."""
    entry = new_entry(state=State.PARKED, in_doubt=False, lease_until=0.0, proof="the limit is reached")
    told = parked(entry, ErrorCode.LIMIT_EXCEEDED, applied=False)
    shelf.ledger.claim(replace(entry, outcome=told))
    assert open_keys(shelf) == {str(entry.key)}
    assert shelf.read(entry).timeline == (
        "2026-11-21T12:00:00.000Z PARKED LIMIT_EXCEEDED: the limit is reached",
    )


def test_a_published_outcome_leaves(shelf: Shelf) -> None:
    """The mark of an outcome that was not published goes, and the outcome stays as it was."""
    entry = shelf.claimed()
    recorded = shelf.ledger.record(
        entry, State.SUCCEEDED, outcome(entry), in_doubt=False, proof="by hand", unpublished=True
    )
    assert shelf.read(entry) == recorded
    assert recorded.unpublished
    published = shelf.ledger.published(recorded)
    assert open_keys(shelf) == set()
    assert shelf.read(entry) == published
    assert published.outcome == recorded.outcome


def test_an_outcome_that_nobody_publishes_is_marked(shelf: Shelf) -> None:
    """A message that leaves without its outcome having been published leaves a mark in the ledger."""
    entry = shelf.claimed()
    entry = shelf.ledger.record(entry, State.SUCCEEDED, outcome(entry), in_doubt=False, proof="a tag of ours")
    shelf.ledger.mark_unpublished(entry)
    assert open_keys(shelf) == {str(entry.key)}
    assert shelf.read(entry).unpublished


def test_a_request_is_noted_as_open_without_a_new_version(shelf: Shelf) -> None:
    """Who notes it disturbs nobody: the worker that has the item records, and that takes the note away."""
    entry = shelf.claimed()
    shelf.ledger.note_open(shelf.read(entry))
    assert open_keys(shelf) == {str(entry.key)}
    assert shelf.read(entry) == entry
    shelf.ledger.record(entry, State.SUCCEEDED, outcome(entry), in_doubt=False, proof="a tag of ours")
    assert "open" not in shelf.item(entry)


def test_a_note_that_comes_too_late_does_nothing(shelf: Shelf) -> None:
    """The request ended while its message was leaving: nothing is noted."""
    entry = shelf.claimed()
    shelf.ledger.record(entry, State.SUCCEEDED, outcome(entry), in_doubt=False, proof="a tag of ours")
    shelf.ledger.note_open(entry)
    assert "open" not in shelf.item(entry)


def test_what_has_ended_and_still_stands_there_is_taken_out(shelf: Shelf) -> None:
    """A note that a worker of the previous version did not take away is found and taken away."""
    entry = shelf.claimed()
    entry = shelf.ledger.record(entry, State.SUCCEEDED, outcome(entry), in_doubt=False, proof="a tag of ours")
    shelf.item(entry)["open"] = {"S": "03"}
    assert open_keys(shelf) == set()
    (left,) = shelf.queries.no_longer_open()
    shelf.ledger.note_open(left)
    assert "open" not in shelf.item(entry)
    assert shelf.read(entry) == entry


def test_open_requests_are_spread_over_partitions(shelf: Shelf) -> None:
    """A partition takes a thousand writes a second; an outage leaves more than that open."""
    for number in range(200):
        shelf.ledger.release(shelf.claimed(number), in_doubt=True)
    assert len({item["open"]["S"] for item in shelf.items.values()}) > 10
    assert len(open_keys(shelf)) == 200


def test_open_requests_of_some_states(shelf: Shelf) -> None:
    """Who asks for the parked ones gets no others."""
    shelf.ledger.release(shelf.claimed(1), in_doubt=True)
    _park(shelf, shelf.claimed(2))
    assert [entry.key.cancel_request_id for entry in shelf.queries.open_entries([State.PARKED])] == ["cr-2"]


def test_an_item_that_cannot_be_read_stops_nobody(shelf: Shelf) -> None:
    """It is named and passed over; the others are found."""
    for number in range(3):
        shelf.ledger.release(shelf.claimed(number), in_doubt=True)
    shelf.items["payment_cancel#cr-1"]["attempt"] = {"S": "one"}
    assert open_keys(shelf) == {"payment_cancel#cr-0", "payment_cancel#cr-2"}
    assert shelf.passed_over == [Key("payment_cancel", "cr-1")]


@pytest.mark.parametrize("step", INDEXES)
def test_no_index_is_read_that_is_not_there(shelf: Shelf, step: str) -> None:
    """While the indexes of a running table change, each step has its own."""
    queries = LedgerQueries(shelf.client, TABLE, ["payment_cancel"], indexes=step)
    shelf.tables.missing_indexes = {"by_day", "by_open", "by_state"} - INDEXES[step]
    entry = shelf.claimed()
    shelf.ledger.release(entry, in_doubt=True)
    found = {str(key) for partition in queries.open_partitions() for key in queries.keys_in(partition)}
    assert found == ({str(entry.key)} if "by_open" in INDEXES[step] else set())
    of_day = [found.key for found in queries.of_day(date(2026, 11, 21))]
    assert of_day == ([entry.key] if "by_day" in INDEXES[step] else [])


def test_a_state_of_a_newer_version_is_among_the_open_ones(shelf: Shelf) -> None:
    """Whoever counts what is open counts it too."""
    entry = shelf.claimed()
    shelf.ledger.release(entry, in_doubt=True)
    shelf.item(entry)["state"] = {"S": "SUSPENDED"}
    assert [found.state for found in shelf.queries.open_entries()] == [State.UNKNOWN]


def test_a_worker_that_was_fenced_out_records_nothing(shelf: Shelf) -> None:
    """A late result is refused, whoever noted the request as open in between."""
    entry = shelf.claimed()
    shelf.ledger.note_open(entry)
    shelf.ledger.take_over(entry, owner="e" * 32, lease_until=NOON)
    with pytest.raises(Fenced):
        shelf.ledger.record(entry, State.SUCCEEDED, outcome(entry), in_doubt=False, proof="too late")


def test_a_write_whose_answer_was_lost_is_recognised(shelf: Shelf) -> None:
    """The SDK repeats a write that was carried out: its refusal says what we wrote ourselves."""
    entry = new_entry()
    first = shelf.ledger.claim(entry)
    assert shelf.ledger.claim(entry) == first
    told = outcome(first)
    recorded = shelf.ledger.record(first, State.SUCCEEDED, told, in_doubt=False, proof="a tag of ours")
    assert (
        shelf.ledger.record(first, State.SUCCEEDED, told, in_doubt=False, proof="a tag of ours") == recorded
    )
