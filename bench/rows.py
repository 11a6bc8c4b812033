"""The table of the figures that have a target."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bench.cost import gb_seconds_per_million
from bench.deployment import COMPILED, DOCUMENTED, OURS, POOLED
from bench.figures import Series
from bench.measure import BATCH
from bench.results import Growth, Results

_MEMORY = 512
"""MB, of the rows about Lambda's time."""


@dataclass(frozen=True)
class Limit:
    """A figure and how far it may go.

    Attributes:
        measured: its median, least and largest.
        limit: the most it may be, or with ``at_least`` the least.
        against: what it is a ratio to.
    """

    measured: Series
    limit: float
    against: str = ""
    at_least: bool = False
    unit: str = ""

    @property
    def met(self) -> bool:
        """Whether the median keeps it."""
        median = self.measured.median
        return median >= self.limit if self.at_least else median <= self.limit

    @property
    def text(self) -> str:
        """The measured value and its spread."""
        median, low, high = (_short(v) for v in (self.measured.median, self.measured.low, self.measured.high))
        return f"{median}{self.unit}" if low == high else f"{median}{self.unit} ({low} … {high})"

    @property
    def target(self) -> str:
        """What is wanted."""
        return f"{'≥' if self.at_least else '≤'} {_short(self.limit)}{self.unit}"


@dataclass(frozen=True)
class Row:
    """One figure, with a target against each rival it is compared with."""

    figure: str
    limits: tuple[Limit, ...]


def rows(results: Results) -> Iterator[Row]:
    """Every figure with a target that was measured."""
    yield from _time(results)
    yield from _gb_seconds(results)
    yield from _drained(results)
    yield from _processor(results)
    yield from _calls(results)
    yield from _size(results)
    yield from _growth(results.growth)


def _time(results: Results) -> Iterator[Row]:
    warm = results.warm
    if warm:
        walls = warm[OURS].walls
        yield Row(
            "wall time of a batch of ten, a whole processor",
            (
                Limit(walls / warm[DOCUMENTED].walls, 0.10, DOCUMENTED),
                Limit(walls.scaled(1 / results.latency.floor), 1.20, "the floor"),
            ),
        )
    for memory, limit in ((256, 0.12), (_MEMORY, 0.11)):
        rivals = results.case(memory, results.latency.provider)
        if rivals:
            ratio = rivals[OURS].walls / rivals[DOCUMENTED].walls
            figure = f"wall time of a batch of ten, processor share of {memory} MB"
            yield Row(figure, (Limit(ratio, limit, DOCUMENTED),))


def _gb_seconds(results: Results) -> Iterator[Row]:
    for provider, limit in ((0.2, 0.12), (1.0, 0.11)):
        rivals = results.case(_MEMORY, provider)
        if rivals:
            used = {
                name: measured.walls.scaled(gb_seconds_per_million(1.0, _MEMORY))
                for name, measured in rivals.items()
            }
            yield Row(
                f"GB-seconds per million refunds, {_MEMORY} MB, provider {provider:g} s",
                (Limit(used[OURS] / used[DOCUMENTED], limit, DOCUMENTED),),
            )


def _drained(results: Results) -> Iterator[Row]:
    rates = {name: drain.rate for name, drain in results.drains.items()}
    if rates.keys() >= {OURS, DOCUMENTED, POOLED}:
        yield Row(
            "1,000 messages drained at equal concurrency, messages a second",
            (
                Limit(_one(rates[OURS] / rates[DOCUMENTED]), 9, DOCUMENTED, at_least=True, unit=" ×"),
                Limit(_one(rates[OURS] / rates[POOLED]), 7, POOLED, at_least=True, unit=" ×"),
            ),
        )


def _processor(results: Results) -> Iterator[Row]:
    cold, warm = results.cold, results.warm
    if warm:
        limit = Limit(warm[OURS].cpus / warm[DOCUMENTED].cpus, 0.15, DOCUMENTED)
        yield Row("processor time of a message", (limit,))
    if cold:
        limits = [Limit(cold[OURS].extra / cold[DOCUMENTED].extra, 0.38, DOCUMENTED)]
        if COMPILED in cold:
            limits.append(Limit(cold[OURS].extra / cold[COMPILED].extra, 0.55, COMPILED))
        yield Row("cold start: first invocation minus a warm one", tuple(limits))
    if warm:
        memory = warm[OURS].memory / warm[DOCUMENTED].memory
        yield Row("peak memory", (Limit(_one(memory), 0.80, DOCUMENTED),))


def _calls(results: Results) -> Iterator[Row]:
    if results.warm:
        plain = results.warm[OURS].seen
        yield Row("AWS calls a refund, once warm", (Limit(_each(plain.calls("aws")), 2.1),))
        yield Row("provider calls a refund", (Limit(_each(plain.calls("provider")), 1.0),))
    if results.lookup is not None:
        looked = _each(results.lookup.seen.calls("provider"))
        yield Row("provider calls a refund that needs a lookup", (Limit(looked, 2.0),))
    if results.warm:
        connections = sum(results.warm[OURS].seen.connections.values())
        yield Row("new connections a refund, once warm", (Limit(_each(connections), 0.0),))


def _size(results: Results) -> Iterator[Row]:
    if OURS in results.sizes:
        size = results.sizes[OURS]
        yield Row("layer, unzipped", (Limit(_one(size.unpacked / 1e6), 30, unit=" MB"),))
        yield Row("layer, zipped", (Limit(_one(size.zipped / 1e6), 10, unit=" MB"),))


def _growth(growth: Growth) -> Iterator[Row]:
    if growth.queue:
        few, many = growth.queue[1_000], growth.queue[100_000]
        yield Row(
            "messages a second: of 1,000 queued ÷ of 100,000 queued",
            (Limit(_one(few.rate / many.rate), 1.10),),
        )
    if growth.ledger:
        small, *_, large = (growth.ledger[items] for items in sorted(growth.ledger))
        yield Row(
            "messages a second: ledger of 10 items ÷ of 1,000,000",
            (Limit(_one(small.rate / large.rate), 1.10),),
        )


def _each(of_a_batch: int) -> Series:
    return _one(of_a_batch / BATCH)


def _one(value: float) -> Series:
    return Series.of([value])


def _short(value: float) -> str:
    return f"{value:.3g}" if value < 1 else f"{value:.2f}".rstrip("0").rstrip(".")
