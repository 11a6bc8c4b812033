"""docs/performance.md: what was measured, against what, and how to measure it again."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from string import Template

from bench.cost import Prices, Usage, gb_seconds_per_million
from bench.deployment import DOCUMENTED, OURS
from bench.measure import BATCH, Warm
from bench.queue import CONCURRENCY
from bench.results import Case, Results
from bench.rows import Row, rows
from bench.run import RIVALS

_PAGE = Path(__file__).with_name("performance.md.in")
_ARM = "arm64"
_NOTHING = "Not measured in this run."
_FEW = 0.01


def page(results: Results, command: str) -> str:
    """The whole document; tables of parts that were not measured say so."""
    return Template(_PAGE.read_text(encoding="utf-8")).substitute(
        command=command,
        machine=machine(),
        latency=_latency(results),
        rows=_rows(list(rows(results))),
        absolute=_absolute(results),
        starts=_starts(results),
        imports=_imports(results),
        drains=_drains(results),
        local_drains=_local_drains(results),
        time=_time(results),
        bill=_bill(results),
        growth=_growth(results),
        occasions=_occasions(results),
        prices=Prices().note,
        concurrency=CONCURRENCY,
    )


def summary(results: Results) -> str:
    """The table of targets alone, for the terminal."""
    return _rows(list(rows(results)))


def machine() -> str:
    """What it was measured on."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
            if line.startswith("model name")
        ),
        platform.processor(),
    )
    return (
        f"{os.cpu_count()} processors ({model}), Linux {platform.release()}, "
        f"Python {platform.python_version()} ({sys.implementation.name})"
    )


def _table(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """Markdown."""
    divider = ["---", *(["---:"] * (len(head) - 1))]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [head, divider, *lines])


def _rows(measured: Sequence[Row]) -> str:
    lines = [
        [
            row.figure if place == 0 else "",
            limit.against,
            limit.target,
            limit.text,
            "yes" if limit.met else "**no**",
        ]
        for row in measured
        for place, limit in enumerate(row.limits)
    ]
    return _table(["figure", "against", "target", "measured", "met"], lines)


def _latency(results: Results) -> str:
    latency = results.latency
    return (
        f"PortOne {latency.provider * 1000:.0f} ms (an access token {latency.token * 1000:.0f} ms), "
        f"DynamoDB {latency.dynamodb * 1000:.0f} ms, EventBridge {latency.events * 1000:.0f} ms, "
        f"Secrets Manager {latency.secrets * 1000:.0f} ms; floor of a batch {latency.floor * 1000:.0f} ms, "
        f"of a batch with a lookup {latency.floor_with_lookup * 1000:.0f} ms"
    )


def _absolute(results: Results) -> str:
    if not results.warm:
        return _NOTHING
    base = results.warm[DOCUMENTED]

    def line(name: str, warm: Warm) -> list[str]:
        seen = warm.seen
        return [
            name,
            f"{_spread(warm.wall)} ms",
            f"{_spread(warm.after_pause)} ms",
            f"{warm.walls.median / results.latency.floor:.2f}",
            f"{warm.walls.median / base.walls.median:.3f}",
            f"{warm.cpus.median * 1000:.2f} ms",
            f"{warm.cpus.median / base.cpus.median:.3f}",
            f"{warm.memory / 2**20:.0f} MiB",
            f"{seen.calls('aws') / BATCH:g}",
            f"{seen.calls('provider') / BATCH:g}",
            f"{sum(seen.connections.values()) / BATCH:g}",
        ]

    head = [
        "",
        "batch",
        "batch after seconds of idleness",
        "÷ floor",
        "÷ documented",
        "processor a message",
        "÷ documented",
        "peak memory",
        "AWS calls a refund",
        "HTTP requests to PortOne a refund",
        "new connections a refund",
    ]
    return _table(head, [line(name, warm) for name, warm in results.warm.items()])


def _starts(results: Results) -> str:
    if not results.cold:
        return _NOTHING
    base = results.cold[DOCUMENTED]
    lines = []
    for name, cold in results.cold.items():
        slow = results.cold_throttled.get(name)
        token = results.cold_slow_token.get(name)
        lines.append(
            [
                name,
                f"{_spread(cold.first)} ms",
                _ms(cold.extra.median),
                f"{cold.extra.median / base.extra.median:.2f}",
                f"{cold.cpu_median * 1000:,.0f} ms",
                _ms(slow.firsts.median) if slow else "–",
                _ms(token.extra.median) if token else "–",
            ]
        )
    head = [
        "",
        "interpreter, imports, first batch",
        "minus a warm batch",
        "÷ documented",
        "processor time",
        "first batch, share of 256 MB",
        "minus a warm batch, a token taking as long as a refund",
    ]
    return _table(head, lines)


def _imports(results: Results) -> str:
    if not results.imports:
        return _NOTHING
    found = results.imports
    names = [
        name
        for name in dict.fromkeys(package for imports in found.values() for package in imports.packages)
        if max(imports.packages[name].seconds for imports in found.values() if name in imports.packages)
        > _FEW
        or name in found[OURS].packages
    ]
    worth = {
        name: found[OURS].packages[name].seconds if name in found[OURS].packages else 0.0 for name in names
    }

    def cell(rival: str, package: str) -> str:
        part = found[rival].packages.get(package)
        return f"{part.seconds * 1000:.1f} ms ({part.modules})" if part else "–"

    lines = [
        [f"`{name}`", *(cell(rival, name) for rival in found)]
        for name in sorted(names, key=lambda name: -worth[name])
    ]
    together = [f"**{i.seconds * 1000:.0f} ms ({i.modules})**" for i in found.values()]
    return _table(["package: own time (modules)", *found], [*lines, ["**all**", *together]])


def _drains(results: Results) -> str:
    if not results.drains:
        return _NOTHING
    sizes = sorted({drain.messages for drains in results.drains.values() for drain in drains})
    lines = []
    for name, drains in results.drains.items():
        by_size = {drain.messages: drain for drain in drains}
        cells = [f"{by_size[size].rate:.1f}" if size in by_size else "–" for size in sizes]
        last = drains[-1]
        busy = f"{last.functions / last.seconds:.2f} + {last.services / last.seconds:.2f}"
        lines.append([name, *cells, busy])
    head = ["messages a second, when so many are drained", *(f"{size:,}" for size in sizes)]
    return _table([*head, "processors busy: functions + services"], lines)


def _local_drains(results: Results) -> str:
    if not results.local_drains:
        return _NOTHING
    found = results.local_drains
    sizes = sorted({drain.messages for drains in found.values() for drain in drains})
    lines = []
    for name, drains in found.items():
        by_size = {drain.messages: drain for drain in drains}
        cells = [f"{by_size[size].rate:.1f}" if size in by_size else "–" for size in sizes]
        last = drains[-1]
        lines.append([name, *cells, f"{last.functions:.2f}", f"{last.emulator:.2f}", f"{last.provider:.2f}"])
    head = ["messages a second, when so many are drained", *(f"{size:,}" for size in sizes)]
    return _table([*head, "processors busy: functions", "emulator", "provider"], lines)


def _time(results: Results) -> str:
    if not results.cases:
        return _NOTHING
    prices = Prices()

    def cells(case: Case, unit: Callable[[float], str]) -> list[str]:
        used = {
            name: gb_seconds_per_million(measured.walls.median, case.memory)
            for name, measured in case.rivals.items()
        }
        return [unit(used[name]) if name in used else "–" for name in RIVALS]

    def price(architecture: str, used: float) -> str:
        return f"{prices.time(used, architecture):.2f}"

    lines = []
    for case in results.cases:
        ratio = case.rivals[OURS].walls.median / case.rivals[DOCUMENTED].walls.median
        dollars = [" / ".join(cells(case, partial(price, arch))) for arch in prices.architectures]
        lines.append(
            [
                f"{case.memory} MB, provider {case.provider:g} s",
                *cells(case, lambda used: f"{used:,.0f}"),
                f"{ratio:.3f}",
                *dollars,
            ]
        )
    head = ["", *(f"GB-s, {name}" for name in RIVALS), "this project ÷ documented"]
    return _table([*head, *(f"USD, {architecture}" for architecture in prices.architectures)], lines)


def _bill(results: Results) -> str:
    memory = 512
    rivals = results.case(memory, results.latency.provider)
    if not rivals or not results.warm:
        return _NOTHING
    prices = Prices()
    bills, units = {}, {}
    for name in RIVALS:
        # What is called and logged does not depend on the memory.
        counted = results.warm[name]
        units[name] = counted.seen.write_units / BATCH
        usage = Usage(units[name], counted.seen.published / BATCH, counted.logged)
        bills[name] = prices.bill(gb_seconds_per_million(rivals[name].walls.median, memory), _ARM, usage)
    lines = [[item, *(f"{bills[name].items[item]:.2f}" for name in RIVALS)] for item in bills[OURS].items]
    lines.append(["**together**", *(f"**{bills[name].total:.2f}**" for name in RIVALS)])
    lines.append(["DynamoDB write units a refund", *(f"{units[name]:g}" for name in RIVALS)])
    return _table([f"USD per million refunds, {memory} MB, {_ARM}", *RIVALS], lines)


def _growth(results: Results) -> str:
    growth = results.growth
    if not growth.queue:
        return _NOTHING
    drained = [
        *((f"{size:,} messages queued", drain) for size, drain in growth.queue.items()),
        *((f"ledger of {items:,} items", drain) for items, drain in growth.ledger.items()),
    ]
    lines = [
        *(
            [what, f"{drain.messages:,}", f"{drain.rate:.1f} a second", f"{drain.cpu * 1000:.2f} ms"]
            for what, drain in drained
        ),
        *(
            [
                f"{earlier:,} cancellations on each payment before",
                f"{len(warm.wall) * BATCH}",
                f"batch {_ms(warm.walls.median)}",
                f"{warm.cpus.median * 1000:.2f} ms",
            ]
            for earlier, warm in growth.history.items()
        ),
    ]
    return _table(["", "messages timed", "rate or batch", "processor a message"], lines)


def _occasions(results: Results) -> str:
    lines = [
        [name, occasion.began, f"{occasion.seconds:,.0f} s", f"{occasion.load:.2f}"]
        for name, occasion in results.occasions.items()
    ]
    return _table(["part", "began", "took", "load average before"], lines)


def _spread(seconds: Sequence[float]) -> str:
    ordered = sorted(value * 1000 for value in seconds)
    return f"{ordered[len(ordered) // 2]:,.0f} ({ordered[0]:,.0f} … {ordered[-1]:,.0f})"


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:,.0f} ms"
