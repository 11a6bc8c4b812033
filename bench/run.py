"""One run: every figure of every rival, in turn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from bench.deployment import COMPILED, DOCUMENTED, OURS, POOLED, Deployment
from bench.events import Orders
from bench.measure import BATCH, Bench
from bench.queue import Fleet
from bench.results import Case, Growth, Results
from bench.throttle import share_of
from bench.world.latency import Latency

RIVALS = [DOCUMENTED, POOLED, OURS]
MEMORIES = (256, 512, 1024)
_MANY = 10_000
_HISTORIES = (0, 10, 100, 1000)
_LEDGERS = (10, 1_000_000)
_QUEUES = (1_000, 100_000)


@dataclass(frozen=True)
class Effort:
    """How often everything is measured."""

    rounds: int = 7
    throttled_rounds: int = 4
    cold_rounds: int = 7
    slow_rounds: int = 2
    drains: tuple[int, ...] = (10, 100, 1_000)
    many: bool = True
    growth: bool = False


QUICK = Effort(rounds=2, throttled_rounds=1, cold_rounds=1, slow_rounds=1, drains=(10, 100), many=False)


def run(bench: Bench, deployment: Deployment, effort: Effort, say: Callable[[str], None]) -> Results:
    """Measure everything; ``say`` learns what is under way."""
    results = Results(Latency(), sizes=deployment.sizes)
    bench.world.set_latency(results.latency)
    orders = Orders()
    say("warm batches at a whole processor")
    results.warm = bench.warm(RIVALS, orders, rounds=effort.rounds)
    for memory in MEMORIES:
        say(f"warm batches at the processor share of {memory} MB")
        results.by_case[Case(memory, results.latency.provider)] = bench.warm(
            RIVALS, orders, rounds=effort.throttled_rounds, cpu_share=share_of(memory)
        )
    say("batches that need a lookup")
    results.lookup = bench.warm([OURS], Orders(checksum=False), rounds=effort.rounds)[OURS]
    _cold(bench, effort, results, say)
    _drains(bench, effort, results, say)
    _slow_provider(bench, effort, results, say)
    if effort.growth:
        results.growth = _growth(bench, say)
    return results


def _cold(bench: Bench, effort: Effort, results: Results, say: Callable[[str], None]) -> None:
    starts, orders = [DOCUMENTED, COMPILED, OURS], Orders()
    say("cold starts")
    results.cold = bench.cold(starts, orders, rounds=effort.cold_rounds)
    say("cold starts where an access token takes as long as a refund")
    bench.world.set_latency(replace(results.latency, token=results.latency.provider))
    results.cold_slow_token = bench.cold(starts, orders, rounds=effort.slow_rounds)
    bench.world.set_latency(results.latency)
    say("import and first batch at the processor share of 256 MB")
    results.cold_throttled = bench.cold(
        RIVALS, orders, rounds=effort.throttled_rounds, cpu_share=share_of(MEMORIES[0])
    )


def _slow_provider(bench: Bench, effort: Effort, results: Results, say: Callable[[str], None]) -> None:
    for seconds in (1.0, 5.0):
        say(f"a provider that takes {seconds:.0f} s, at the processor share of 512 MB")
        bench.world.set_latency(replace(results.latency, provider=seconds))
        results.by_case[Case(512, seconds)] = bench.warm(
            RIVALS,
            Orders(),
            rounds=1,
            burst=1 if seconds > 1 else effort.slow_rounds,
            cpu_share=share_of(512),
        )
    bench.world.set_latency(results.latency)


def _drains(bench: Bench, effort: Effort, results: Results, say: Callable[[str], None]) -> None:
    for name in RIVALS:
        orders = Orders()
        with _fleet(bench, name, orders) as fleet:
            sizes = [*effort.drains, *([_MANY] if effort.many and name == OURS else [])]
            for size in sizes:
                say(f"{size:,} messages drained: {name}")
                drained = fleet.drain([orders.message() for _ in range(size)])
                results.drains.setdefault(name, []).append(drained)
        before = bench.world.seen()
        with bench.environment(name) as environment:
            environment.invoke(orders.batch(BATCH))
        results.write_units[name] = (bench.world.seen() - before).write_units / BATCH


def _fleet(bench: Bench, name: str, orders: Orders) -> Fleet:
    return Fleet(lambda: bench.environment(name), bench.world.pid, orders)


def _growth(bench: Bench, say: Callable[[str], None]) -> Growth:
    growth = Growth()
    orders = Orders()
    with _fleet(bench, OURS, orders) as fleet:
        for size in _QUEUES:
            say(f"growth: {size:,} messages queued")
            growth.queue.append(fleet.drain([orders.message() for _ in range(size)]))
        filled = 0
        for items in _LEDGERS:
            say(f"growth: {items:,} items in the ledger")
            bench.world.fill_ledger(items - filled)
            filled = items
            growth.ledger[items] = fleet.drain([orders.message() for _ in range(_QUEUES[0])])
    for earlier in _HISTORIES:
        say(f"growth: {earlier:,} cancellations on the payment already")
        growth.history[earlier] = bench.warm([OURS], Orders(earlier=earlier), rounds=3)[OURS]
    return growth
