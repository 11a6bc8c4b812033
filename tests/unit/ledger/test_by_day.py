"""A day of the ledger: read from its index, in pieces, and never by reading the table."""

from __future__ import annotations

import ast
from datetime import date
from itertools import islice
from pathlib import Path

import pytest

import refunds
from refunds.domain.entry import Entry, Key, State
from tests.unit.ledger.conftest import DAY, NOON, Shelf, outcome, parked

TODAY, TOMORROW = date(2026, 11, 21), date(2026, 11, 22)


def ended(shelf: Shelf, number: int) -> Entry:
    entry = shelf.claimed(number)
    return shelf.ledger.record(entry, State.SUCCEEDED, outcome(entry), in_doubt=False, proof="a tag of ours")


def ids(shelf: Shelf, day: date) -> list[str]:
    return sorted(entry.key.cancel_request_id for entry in shelf.queries.of_day(day))


def never_ended(shelf: Shelf, day: date = TODAY) -> list[str]:
    return sorted(entry.key.cancel_request_id for entry in shelf.queries.claims_never_ended(day))


def test_a_day_has_what_was_claimed_or_ended_on_it(shelf: Shelf) -> None:
    """A request that ends on the next day is the next day's."""
    ended(shelf, 1)
    over_midnight = shelf.claimed(2)
    assert ids(shelf, TODAY) == ["cr-1", "cr-2"]
    shelf.now += DAY
    shelf.ledger.record(
        over_midnight, State.SUCCEEDED, outcome(over_midnight), in_doubt=False, proof="a tag of ours"
    )
    assert ids(shelf, TODAY) == ["cr-1"]
    assert ids(shelf, TOMORROW) == ["cr-2"]


def test_a_claim_by_another_worker_moves_the_day(shelf: Shelf) -> None:
    """The last claim counts; what is written in between does not move it."""
    entry = shelf.claimed()
    shelf.now += DAY
    shelf.ledger.release(entry, in_doubt=True)
    assert ids(shelf, TODAY) == ["cr-1"]
    shelf.ledger.take_over(shelf.read(entry), owner="e" * 32, lease_until=NOON)
    assert ids(shelf, TOMORROW) == ["cr-1"]


def test_a_day_is_spread_over_partitions(shelf: Shelf) -> None:
    """Refunds of one second do not all write to one partition of the index."""
    for number in range(200):
        shelf.claimed(number)
    days = {item["day"]["S"] for item in shelf.items.values()}
    assert len(days) == 16
    assert "2026-11-21.07" in days
    assert len(ids(shelf, TODAY)) == 200


def test_a_day_is_read_in_pieces(shelf: Shelf) -> None:
    """Reading goes on behind the key where it stopped, and every key comes once."""
    shelf.tables.page = 7
    for number in range(500):
        shelf.claimed(number)
    found: list[str] = []
    for partition in shelf.queries.day_partitions(TODAY):
        last: Key | None = None
        while piece := list(islice(shelf.queries.keys_in(partition, last), 10)):
            found += map(str, piece)
            last = piece[-1]
    assert sorted(found) == sorted(shelf.items)


def test_a_claim_that_nothing_followed_is_found(shelf: Shelf) -> None:
    """A worker died after its first claim and the message is gone: the day still knows the request."""
    shelf.claimed(1)
    ended(shelf, 2)
    shelf.ledger.release(shelf.claimed(3), in_doubt=True)
    entry = shelf.claimed(4)
    shelf.ledger.record(entry, State.PARKED, parked(entry), in_doubt=True, proof="nobody knows")
    assert never_ended(shelf) == ["cr-1"]
    assert never_ended(shelf, TOMORROW) == []


def test_what_a_newer_version_wrote_is_no_claim_that_never_ended(shelf: Shelf) -> None:
    """Nobody knows here whether its state is an end."""
    shelf.item(shelf.claimed())["state"] = {"S": "SUSPENDED"}
    assert never_ended(shelf) == []


def test_what_ended_in_a_period(shelf: Shelf) -> None:
    """Only what was recorded between two times, in the states and of the types asked for."""
    shelf.now = NOON - 1
    ended(shelf, 1)
    shelf.now = NOON
    recorded = ended(shelf, 2)
    shelf.claimed(3)
    shelf.now = NOON + DAY
    ended(shelf, 4)

    def found(since: float, until: float, types: tuple[str, ...] = ()) -> list[str]:
        entries = shelf.queries.ended_between(since, until, cancel_types=types, states=[State.SUCCEEDED])
        return sorted(entry.key.cancel_request_id for entry in entries)

    assert found(NOON, NOON + DAY) == ["cr-2"]
    assert found(NOON - 1, NOON + DAY + 1) == ["cr-1", "cr-2", "cr-4"]
    assert found(NOON, NOON + DAY, ("order_cancel",)) == []
    shelf.now = NOON + 2 * DAY
    shelf.ledger.published(shelf.ledger.mark_unpublished(recorded))
    assert found(NOON, NOON + DAY) == ["cr-2"]


def test_a_period_until_midnight_reads_no_day_more(shelf: Shelf) -> None:
    """The end of a period is not part of it."""
    calls = shelf.client.meta.events
    seen: list[str] = []
    calls.register(
        "before-parameter-build.dynamodb.Query",
        lambda params, **_: seen.append(params["ExpressionAttributeValues"][":v"]["S"]),
    )
    midnight = NOON + DAY / 2
    assert list(shelf.queries.ended_between(NOON, midnight, states=[State.SUCCEEDED])) == []
    assert {day.partition(".")[0] for day in seen} == {"2026-11-21"}


LAYER = Path(refunds.__file__).parent


@pytest.mark.parametrize("path", sorted(LAYER.rglob("*.py")), ids=lambda path: str(path.relative_to(LAYER)))
def test_nothing_reads_the_whole_table(path: Path) -> None:
    """No code of the layer calls Scan, asks for its paginator or runs a PartiQL statement."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute):
            assert node.attr not in ("scan", "execute_statement"), f"line {node.lineno}"
        if isinstance(node, ast.Constant):
            assert node.value not in ("scan", "Scan", "ExecuteStatement"), f"line {node.lineno}"
