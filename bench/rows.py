"""The table of the figures that have a target."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bench.cost import gb_seconds_per_million
from bench.deployment import COMPILED, DOCUMENTED, OURS, POOLED
from bench.figures import Series
from bench.measure import BATCH
from bench.results import Growth, Results


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
    """Every figure with a target that was measured, in the issue's order."""
    yield from _time(results)
    yield from _lookup(results)
    yield from _processor(results)
    yield from _start(results)
    yield from _calls(results)
    yield from _drained(results)
    yield from _money(results)
    yield from _growth(results.growth)


def _time(results: Results) -> Iterator[Row]:
    warm = results.warm
    if warm:
        walls = warm[OURS].walls
        yield Row(
            "wall time of a batch, a whole processor",
            (
                Limit(walls / warm[DOCUMENTED].walls, 0.10, DOCUMENTED),
                Limit(walls / warm[POOLED].walls, 0.12, POOLED),
                Limit(walls.scaled(1 / results.latency.floor), 1.20, "the floor"),
            ),
        )
    for memory, documented, pooled in ((256, 0.12, 0.25), (512, 0.11, 0.18)):
        rivals = results.case(memory, results.latency.provider)
        if rivals:
            yield Row(
                f"wall time of a batch, processor share of {memory} MB",
                (
                    Limit(rivals[OURS].walls / rivals[DOCUMENTED].walls, documented, DOCUMENTED),
                    Limit(rivals[OURS].walls / rivals[POOLED].walls, pooled, POOLED),
                ),
            )


def _lookup(results: Results) -> Iterator[Row]:
    if results.lookup is not None:
        looked = results.lookup.walls.scaled(1 / results.latency.floor_with_lookup)
        limit = Limit(looked, 1.20, "the floor and a lookup")
        yield Row("wall time of a batch that needs a lookup", (limit,))


def _processor(results: Results) -> Iterator[Row]:
    warm = results.warm
    if warm:
        yield Row(
            "processor time of a message",
            (
                Limit(warm[OURS].cpus / warm[DOCUMENTED].cpus, 0.10, DOCUMENTED),
                Limit(warm[OURS].cpus / warm[POOLED].cpus, 0.40, POOLED),
            ),
        )


def _start(results: Results) -> Iterator[Row]:
    cold, slow, warm = results.cold, results.cold_throttled, results.warm
    if cold:
        limits = [Limit(cold[OURS].extra / cold[DOCUMENTED].extra, 0.28, DOCUMENTED)]
        if COMPILED in cold:
            limits.append(Limit(cold[OURS].extra / cold[COMPILED].extra, 0.52, COMPILED))
        yield Row("cold start: first invocation minus a warm one", tuple(limits))
    if slow:
        yield Row(
            "import and first batch, processor share of 256 MB",
            (
                Limit(slow[OURS].firsts / slow[DOCUMENTED].firsts, 0.15, DOCUMENTED),
                Limit(slow[OURS].firsts / slow[POOLED].firsts, 0.22, POOLED),
            ),
        )
    if warm:
        memory = {name: measured.memory for name, measured in warm.items()}
        yield Row(
            "peak memory",
            (
                Limit(_one(memory[OURS] / memory[DOCUMENTED]), 0.70, DOCUMENTED),
                Limit(_one(memory[OURS] / memory[POOLED]), 0.75, POOLED),
            ),
        )


def _calls(results: Results) -> Iterator[Row]:
    if results.warm:
        plain = results.warm[OURS].seen
        yield Row("AWS calls a refund", (Limit(_each(plain.calls("aws")), 2.1),))
        yield Row("provider calls a refund", (Limit(_each(plain.calls("provider")), 1.0),))
        connections = sum(plain.connections.values())
        yield Row("new connections a refund once warm", (Limit(_each(connections), 0.0),))
    if results.lookup is not None:
        looked = _each(results.lookup.seen.calls("provider"))
        yield Row("provider calls a refund that needs a lookup", (Limit(looked, 2.0),))


def _drained(results: Results) -> Iterator[Row]:
    for through, found in (
        ("simulated AWS", results.drains),
        ("local AWS", results.local_drains),
    ):
        rates = {name: {drain.messages: drain.rate for drain in drains} for name, drains in found.items()}
        if DOCUMENTED not in rates or POOLED not in rates:
            continue
        most = max(rates[DOCUMENTED])
        ours, documented, pooled = (rates[name][most] for name in (OURS, DOCUMENTED, POOLED))
        yield Row(
            f"{most:,} messages drained, messages a second, {through}",
            (
                Limit(_one(ours / documented), 9, DOCUMENTED, at_least=True, unit=" ×"),
                Limit(_one(ours / pooled), 7, POOLED, at_least=True, unit=" ×"),
            ),
        )


def _money(results: Results) -> Iterator[Row]:
    for provider, limit in ((0.2, 0.12), (1.0, 0.11)):
        rivals = results.case(512, provider)
        if rivals:
            used = {
                name: measured.walls.scaled(gb_seconds_per_million(1.0, 512))
                for name, measured in rivals.items()
            }
            yield Row(
                f"GB-seconds per million refunds, 512 MB, provider {provider:g} s",
                (Limit(used[OURS] / used[DOCUMENTED], limit, DOCUMENTED),),
            )
    if OURS in results.sizes:
        size = results.sizes[OURS]
        yield Row("layer, unpacked", (Limit(_one(size.unpacked / 1e6), 20, unit=" MB"),))
        yield Row("layer, zipped", (Limit(_one(size.zipped / 1e6), 8, unit=" MB"),))


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
