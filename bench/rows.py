"""The table of the figures that have a target."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bench.cost import gb_seconds_per_million
from bench.deployment import COMPILED, DOCUMENTED, OURS, POOLED
from bench.figures import Series
from bench.measure import BATCH
from bench.results import Case, Growth, Results


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
    """Every figure with a target, in the issue's order."""
    yield from _time(results)
    yield from _start(results)
    yield from _calls(results)
    yield from _money(results)
    if results.growth is not None:
        yield _growth(results.growth)


def _time(results: Results) -> Iterator[Row]:
    warm, floor = results.warm, results.latency.floor
    walls = {name: measured.walls for name, measured in warm.items()}
    yield Row(
        "wall time of a batch, a whole processor",
        (
            Limit(walls[OURS] / walls[DOCUMENTED], 0.10, DOCUMENTED),
            Limit(walls[OURS] / walls[POOLED], 0.12, POOLED),
            Limit(walls[OURS].scaled(1 / floor), 1.20, "the floor"),
        ),
    )
    for memory, documented, pooled in ((256, 0.12, 0.25), (512, 0.11, 0.18)):
        rivals = results.by_case[Case(memory, results.latency.provider)]
        yield Row(
            f"wall time of a batch, processor share of {memory} MB",
            (
                Limit(rivals[OURS].walls / rivals[DOCUMENTED].walls, documented, DOCUMENTED),
                Limit(rivals[OURS].walls / rivals[POOLED].walls, pooled, POOLED),
            ),
        )
    looked = results.lookup.walls.scaled(1 / results.latency.floor_with_lookup)
    yield Row("wall time of a batch that needs a lookup", (Limit(looked, 1.20, "the floor and a lookup"),))
    yield Row(
        "processor time of a message",
        (
            Limit(warm[OURS].cpus / warm[DOCUMENTED].cpus, 0.10, DOCUMENTED),
            Limit(warm[OURS].cpus / warm[POOLED].cpus, 0.40, POOLED),
        ),
    )


def _start(results: Results) -> Iterator[Row]:
    cold = results.cold
    yield Row(
        "cold start: first invocation minus a warm one",
        (
            Limit(cold[OURS].extra / cold[DOCUMENTED].extra, 0.28, DOCUMENTED),
            Limit(cold[OURS].extra / cold[COMPILED].extra, 0.52, COMPILED),
        ),
    )
    slow = results.cold_throttled
    yield Row(
        "import and first batch, processor share of 256 MB",
        (
            Limit(slow[OURS].firsts / slow[DOCUMENTED].firsts, 0.15, DOCUMENTED),
            Limit(slow[OURS].firsts / slow[POOLED].firsts, 0.22, POOLED),
        ),
    )
    memory = {name: measured.memory for name, measured in results.warm.items()}
    yield Row(
        "peak memory",
        (
            Limit(Series.of([memory[OURS] / memory[DOCUMENTED]]), 0.70, DOCUMENTED),
            Limit(Series.of([memory[OURS] / memory[POOLED]]), 0.75, POOLED),
        ),
    )


def _calls(results: Results) -> Iterator[Row]:
    plain, looked = results.warm[OURS].seen, results.lookup.seen
    yield Row("AWS calls a refund", (Limit(_each(plain.calls("aws")), 2.1),))
    yield Row("provider calls a refund", (Limit(_each(plain.calls("provider")), 1.0),))
    yield Row("provider calls a refund that needs a lookup", (Limit(_each(looked.calls("provider")), 2.0),))
    connections = plain.connections["aws"] + plain.connections["provider"]
    yield Row("new connections a refund once warm", (Limit(_each(connections), 0.0),))


def _money(results: Results) -> Iterator[Row]:
    rates = {
        name: {drain.messages: drain.rate for drain in drains} for name, drains in results.drains.items()
    }
    most = max(rates[DOCUMENTED])
    yield Row(
        f"{most:,} messages drained, messages a second",
        (
            Limit(_one(rates[OURS][most] / rates[DOCUMENTED][most]), 9, DOCUMENTED, at_least=True, unit=" ×"),
            Limit(_one(rates[OURS][most] / rates[POOLED][most]), 7, POOLED, at_least=True, unit=" ×"),
        ),
    )
    for provider, limit in ((0.2, 0.12), (1.0, 0.11)):
        rivals = results.by_case[Case(512, provider)]
        used = {
            name: measured.walls.scaled(gb_seconds_per_million(1.0, 512)) for name, measured in rivals.items()
        }
        yield Row(
            f"GB-seconds per million refunds, 512 MB, provider {provider:g} s",
            (Limit(used[OURS] / used[DOCUMENTED], limit, DOCUMENTED),),
        )
    size = results.sizes[OURS]
    yield Row("layer, unpacked", (Limit(_one(size.unpacked / 1e6), 20, unit=" MB"),))
    yield Row("layer, zipped", (Limit(_one(size.zipped / 1e6), 8, unit=" MB"),))


def _growth(growth: Growth) -> Row:
    few, many = growth.queue
    small, large = growth.ledger.values()
    return Row(
        "messages a second: of 1,000 queued ÷ of 100,000; ledger of 10 items ÷ of 1,000,000",
        (Limit(_one(few.rate / many.rate), 1.10), Limit(_one(small.rate / large.rate), 1.10)),
    )


def _each(of_a_batch: int) -> Series:
    return _one(of_a_batch / BATCH)


def _one(value: float) -> Series:
    return Series.of([value])


def _short(value: float) -> str:
    return f"{value:.3g}" if value < 1 else f"{value:.2f}".rstrip("0").rstrip(".")
