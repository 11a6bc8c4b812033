from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator
from functools import partial

import pytest

from refunds.operators.fan_in import fan_in
from refunds.operators.rate_limiter import RateLimiter


class Clock:
    """A clock that only waiting moves."""

    def __init__(self) -> None:
        self.now = 100.0
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        """Let the time pass."""
        self.slept.append(seconds)
        self.now += seconds


def test_a_rate_is_kept_over_any_number_of_bursts() -> None:
    """Ten a second: the hundredth batch of five is not begun before all before it were due."""
    clock = Clock()
    rate_limiter = RateLimiter(10, clock=lambda: clock.now, sleep=clock.sleep)
    for _ in range(100):
        rate_limiter.wait(5)
    assert clock.now == pytest.approx(100.0 + 99 * 0.5)


def test_time_that_passed_unused_is_not_made_up_for() -> None:
    """After a pause it goes on at the rate, without a rush."""
    clock = Clock()
    rate_limiter = RateLimiter(1, clock=lambda: clock.now, sleep=clock.sleep)
    rate_limiter.wait(1)
    clock.now += 60
    rate_limiter.wait(1)
    rate_limiter.wait(1)
    assert clock.slept == [1.0]


@pytest.mark.parametrize(("rate", "burst"), [(None, 10), (0.5, 1), (3.9, 3), (500, 10)])
def test_a_burst_is_one_seconds_worth_at_most(rate: float | None, burst: int) -> None:
    """So that a low rate does not begin with ten at once."""
    assert RateLimiter(rate).burst(10) == burst


def numbers(closed: list[str], name: str, count: int) -> Generator[int, None, None]:
    try:
        yield from range(count)
    finally:
        closed.append(name)


def test_everything_of_every_source_arrives() -> None:
    """And each source is closed by the end."""
    closed: list[str] = []
    sources = [partial(numbers, closed, name, 50) for name in "abc"]
    assert sorted(fan_in(sources)) == sorted(list(range(50)) * 3)
    assert sorted(closed) == ["a", "b", "c"]
    assert list(fan_in([])) == []


def test_whoever_stops_early_closes_every_source() -> None:
    """Also those that would go on for ever, and before the reader goes on."""
    closed: list[str] = []
    both = fan_in([partial(numbers, closed, name, 10**9) for name in "ab"])
    assert next(both) == 0
    both.close()
    assert sorted(closed) == ["a", "b"]


def test_an_error_of_one_source_is_raised_and_ends_the_others() -> None:
    """Nothing is swallowed, nothing keeps running."""
    closed: list[str] = []

    def failing() -> Generator[int, None, None]:
        yield 1
        raise LookupError("gone")

    running = threading.active_count()
    endless = partial(numbers, closed, "endless", 10**9)
    sources: list[Callable[[], Generator[int, None, None]]] = [failing, endless]
    with pytest.raises(LookupError, match="gone"):
        list(fan_in(sources))
    assert closed == ["endless"]
    assert threading.active_count() == running


def test_sources_do_not_run_ahead_of_their_reader() -> None:
    """However much there is to read, only a few items wait."""
    read: list[int] = []

    def counting() -> Generator[int, None, None]:
        for number in range(1_000):
            read.append(number)
            yield number

    items = fan_in([counting])
    next(items)
    time.sleep(0.05)
    items.close()
    assert len(read) <= 4
