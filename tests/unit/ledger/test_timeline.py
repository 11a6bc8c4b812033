from __future__ import annotations

from refunds.domain.entry import SENDS, State
from refunds.ledger import timeline
from tests.unit.ledger.conftest import NOON, Shelf, new_entry, outcome


def test_an_event_is_kept_with_the_time_since_the_first() -> None:
    """The item has one whole time; the others are read from the difference."""
    events = timeline.appended(
        timeline.appended((), NOON, "STARTED attempt 1"), NOON + 4.821, "SUCCEEDED: proof"
    )
    assert timeline.shortened(events) == [
        "2026-11-21T12:00:00.000Z STARTED attempt 1",
        "+4821 SUCCEEDED: proof",
    ]
    assert timeline.restored(timeline.shortened(events)) == events


def test_a_clock_that_goes_back_changes_nothing() -> None:
    """Another machine's clock may be behind the one that made the claim."""
    events = timeline.appended(
        timeline.appended((), NOON, "STARTED attempt 1"), NOON - 0.004, "FAILED NOT_FOUND: x"
    )
    assert timeline.restored(timeline.shortened(events)) == events


def test_what_a_timeline_says_of_the_record() -> None:
    """The last record counts, with or without a code, and however many lines its proof has."""
    events = (
        "2026-11-21T12:00:00.000Z PARKED NOT_FOUND: first",
        "2026-11-21T12:00:01.000Z SUCCEEDED: a: b\nc",
    )
    assert timeline.recorded(events) == ("2026-11-21T12:00:01.000Z", "a: b\nc")
    assert timeline.recorded(("2026-11-21T12:00:00.000Z STARTED attempt 1",)) is None


def test_first_and_last_events_stay() -> None:
    """A timeline never has more than its bound, and says how many events it left out."""
    events: tuple[str, ...] = ()
    for number in range(1039):
        events = timeline.appended(events, NOON + number, f"number {number}")
    assert len(events) == timeline.MOST_EVENTS
    words = [event.partition(" ")[2] for event in events]
    assert words[:3] == ["number 0", "number 1", "number 2"]
    assert words[3] == "(1024 events left out)"
    assert words[4:] == [f"number {number}" for number in range(1027, 1039)]
    assert timeline.restored(timeline.shortened(events)) == events


def test_no_number_of_replays_fills_an_item(shelf: Shelf) -> None:
    """After hundreds of deliveries the item is as large as after twenty, and its version still counts."""
    entry = shelf.claimed()
    for number in range(300):
        entry = shelf.ledger.take_over(entry, owner=f"{number:032x}", lease_until=NOON)
    assert len(shelf.item(entry)["timeline"]["L"]) == timeline.MOST_EVENTS
    assert shelf.read(entry).revision == 301


def test_a_long_event_is_cut_and_its_proof_kept(shelf: Shelf) -> None:
    """The timeline has the beginning of a long proof, the entry all of it."""
    entry, proof = shelf.claimed(), "x" * 1000
    shelf.ledger.record(entry, State.SUCCEEDED, outcome(entry), in_doubt=False, proof=proof)
    found = shelf.read(entry)
    assert len(found.timeline[-1]) == 400
    assert found.proof == proof


def test_a_send_that_was_left_out_is_no_older_than_what_was_left_out() -> None:
    """However often a message is replayed, the wait before another send is not cut short."""
    events: tuple[str, ...] = ()
    for number, what in enumerate(["STARTED attempt 1", "STARTED in doubt", "x", "x", SENDS, *["x"] * 20]):
        events = timeline.appended(events, 1_800_000_000.0 + number, what)
    assert not any(event.endswith(SENDS) for event in events)
    assert new_entry(1, timeline=events).sent_at >= 1_800_000_004.0
