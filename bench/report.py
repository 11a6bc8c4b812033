"""docs/performance.md: what was measured, against what, and how to measure it again."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from string import Template

from bench.cost import Prices, Usage, gb_seconds_per_million
from bench.deployment import DOCUMENTED, OURS
from bench.queue import CONCURRENCY
from bench.results import Case, Growth, Results
from bench.rows import Row, rows
from bench.run import RIVALS

_PAGE = Path(__file__).with_name("performance.md.in")
_ARM = "arm64"


def page(results: Results, command: str) -> str:
    """The whole document."""
    return Template(_PAGE.read_text(encoding="utf-8")).substitute(
        command=command,
        machine=machine(),
        latency=_latency(results),
        rows=_rows(list(rows(results))),
        absolute=_absolute(results),
        tokens=_tokens(results),
        drains=_drains(results),
        time=_time(results),
        bill=_bill(results),
        growth=_growth(results.growth),
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
    load = os.getloadavg()
    return (
        f"{os.cpu_count()} processors ({model}), Linux {platform.release()}, "
        f"Python {platform.python_version()} ({sys.implementation.name}); "
        f"load average {load[0]:.1f} over the last minute, {load[2]:.1f} over the last 15, this run included"
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
        f"Secrets Manager {latency.secrets * 1000:.0f} ms; floor of a batch {latency.floor * 1000:.0f} ms"
    )


def _absolute(results: Results) -> str:
    def line(name: str) -> list[str]:
        warm = results.warm[name]
        seen = warm.seen
        start = results.cold.get(name)
        return [
            name,
            _ms(warm.walls.median),
            _ms(min(warm.after_pause)),
            f"{warm.cpus.median * 1000:.2f} ms",
            _ms(start.extra.median) if start else "–",
            _ms(results.cold_throttled[name].firsts.median),
            f"{warm.memory / 2**20:.0f} MiB",
            f"{seen.calls('aws') / 10:g}",
            f"{sum(seen.connections.values()) / 10:g}",
        ]

    head = [
        "",
        "batch",
        "batch after a pause",
        "processor a message",
        "cold start",
        "import + first batch, 256 MB",
        "memory",
        "AWS calls a refund",
        "new connections a refund",
    ]
    return _table(head, [line(name) for name in RIVALS])


def _tokens(results: Results) -> str:
    slow = results.cold_slow_token
    ratio = (slow[OURS].extra / slow[DOCUMENTED].extra).median
    return f"{ratio:.2f}"


def _drains(results: Results) -> str:
    sizes = sorted({drain.messages for drains in results.drains.values() for drain in drains})
    lines = []
    for name in RIVALS:
        by_size = {drain.messages: drain for drain in results.drains[name]}
        cells = [f"{by_size[size].rate:.1f}" if size in by_size else "–" for size in sizes]
        last = results.drains[name][-1]
        busy = f"{last.functions / last.seconds:.2f} + {last.services / last.seconds:.2f}"
        lines.append([name, *cells, busy])
    head = ["messages a second, when so many are drained", *(f"{size:,}" for size in sizes)]
    return _table([*head, "processors busy: functions + services"], lines)


def _time(results: Results) -> str:
    prices = Prices()
    lines = []
    for case, rivals in sorted(results.by_case.items(), key=lambda pair: (pair[0].provider, pair[0].memory)):
        used = {
            name: gb_seconds_per_million(measured.walls.median, case.memory)
            for name, measured in rivals.items()
        }
        lines.append(
            [
                f"{case.memory} MB, provider {case.provider:g} s",
                *(f"{used[name]:,.0f}" for name in RIVALS),
                f"{used[OURS] / used[DOCUMENTED]:.3f}",
                *(
                    " / ".join(f"{prices.time(used[name], architecture):.2f}" for name in RIVALS)
                    for architecture in prices.architectures
                ),
            ]
        )
    head = ["", *(f"GB-s, {name}" for name in RIVALS), "ratio"]
    return _table([*head, *(f"USD, {architecture}" for architecture in prices.architectures)], lines)


def _bill(results: Results) -> str:
    prices = Prices()
    case = Case(512, results.latency.provider)
    bills = {}
    for name in RIVALS:
        measured = results.by_case[case][name]
        usage = Usage(results.write_units[name], measured.seen.published / 10, measured.logged)
        bills[name] = prices.bill(gb_seconds_per_million(measured.walls.median, case.memory), _ARM, usage)
    lines = [[item, *(f"{bills[name].items[item]:.2f}" for name in RIVALS)] for item in bills[OURS].items]
    lines.append(["**together**", *(f"**{bills[name].total:.2f}**" for name in RIVALS)])
    lines.append(["DynamoDB write units a refund", *(f"{results.write_units[name]:g}" for name in RIVALS)])
    return _table([f"USD per million refunds, {case.memory} MB, {_ARM}", *RIVALS], lines)


def _growth(growth: Growth | None) -> str:
    if growth is None:
        return "Not measured in this run: `make bench BENCH_ARGS=--growth`."
    lines = [
        *(
            [f"{d.messages:,} messages queued", f"{d.rate:.1f}", f"{d.cpu * 1000:.2f} ms"]
            for d in growth.queue
        ),
        *(
            [f"ledger of {items:,} items", f"{d.rate:.1f}", f"{d.cpu * 1000:.2f} ms"]
            for items, d in growth.ledger.items()
        ),
        *(
            [
                f"{earlier:,} cancellations on each payment before",
                f"batch {_ms(w.walls.median)}",
                f"{w.cpus.median * 1000:.2f} ms",
            ]
            for earlier, w in growth.history.items()
        ),
    ]
    return _table(["", "messages a second", "processor a message"], lines)


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:,.0f} ms"
