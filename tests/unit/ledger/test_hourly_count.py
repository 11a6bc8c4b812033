"""What an hour has had: every request once, every currency by itself."""

from __future__ import annotations

from decimal import Decimal

import pytest

from bench.world.units import size
from refunds.domain.entry import Key
from refunds.domain.limits import Limits
from refunds.domain.operation import Money
from refunds.ledger.hourly_count import DynamoDbHourlyCounter
from tests.unit.ledger.conftest import TABLE, Shelf


@pytest.fixture
def counter(shelf: Shelf) -> DynamoDbHourlyCounter:
    """Of payment_cancel."""
    return DynamoDbHourlyCounter(shelf.client, TABLE, "payment_cancel", clock=lambda: shelf.now)


def won(amount: int) -> Money:
    return Money(Decimal(amount), "KRW")


def request(number: int) -> Key:
    return Key("payment_cancel", f"cr-{number}")


def test_a_request_counts_once(counter: DynamoDbHourlyCounter, shelf: Shelf) -> None:
    """Deliveries whose claim fails, and updates whose answer is lost, do not use the limit up."""
    limits = Limits(per_hour=2, amount_per_hour={"KRW": Decimal(5000)})
    for _ in range(5):
        assert counter.add(won(2000), limits, request(1))
    (item,) = shelf.items.values()
    assert (item["requests"], item["won"]) == ({"N": "1"}, {"N": "2000"})
    assert counter.add(won(2000), limits, request(2))
    assert not counter.add(won(1), limits, request(3))
    assert counter.add(won(2000), limits, request(1))
    assert item["requests"] == {"N": "1"}


def test_a_currency_is_counted_by_itself(counter: DynamoDbHourlyCounter, shelf: Shelf) -> None:
    """To the cent, and what one currency has used up is no other one's."""
    limits = Limits(amount_per_hour={"USD": Decimal("726.24"), "KRW": Decimal(1000)})
    assert counter.add(Money(Decimal("726.23"), "USD"), limits, request(1))
    assert not counter.add(Money(Decimal("0.02"), "USD"), limits, request(2))
    assert counter.add(Money(Decimal("0.01"), "USD"), limits, request(3))
    assert counter.add(won(1000), limits, request(4))
    assert not counter.add(won(1), limits, request(5))
    (item,) = shelf.items.values()
    assert (item["USD"], item["won"]) == ({"N": "726.24"}, {"N": "1000"})


def test_an_hour_ends(counter: DynamoDbHourlyCounter, shelf: Shelf) -> None:
    """The next hour of the clock begins with nothing."""
    limits = Limits(per_hour=1)
    assert counter.add(won(1), limits, request(1))
    assert not counter.add(won(1), limits, request(2))
    shelf.now += 3600
    assert counter.add(won(1), limits, request(2))


def test_a_limit_of_nothing_lets_nothing_pass(counter: DynamoDbHourlyCounter, shelf: Shelf) -> None:
    """What is more than the whole hour may have is not even asked about."""
    assert not counter.add(won(1), Limits(per_hour=0), request(1))
    assert not counter.add(won(2), Limits(amount_per_hour={"KRW": Decimal(1)}), request(1))
    assert shelf.items == {}


def test_without_its_key_every_call_counts(counter: DynamoDbHourlyCounter) -> None:
    """Nobody can tell then that it is the same request."""
    assert counter.add(won(1), Limits(per_hour=2))
    assert counter.add(won(1), Limits(per_hour=2))
    assert not counter.add(won(1), Limits(per_hour=2))


def test_the_item_stays_within_one_write_unit(counter: DynamoDbHourlyCounter, shelf: Shelf) -> None:
    """However many requests an hour has."""
    for number in range(500):
        assert counter.add(won(999_999_999), Limits(per_hour=1000), request(number))
    (item,) = shelf.items.values()
    assert item["requests"] == {"N": "500"}
    assert size(item) <= 1024
