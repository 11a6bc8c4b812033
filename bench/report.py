"""docs/performance.md: what was measured, against what, and how to measure it again."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Sequence
from pathlib import Path
from string import Template

from bench.bill import with_bill
from bench.cost import Prices, gb_seconds_per_million
from bench.deployment import DOCUMENTED, OURS
from bench.measure import BATCH, Warm
from bench.queue import CONCURRENCY
from bench.results import Results
from bench.rows import Row, rows
from bench.run import PAIR
from bench.scale import LEDGERS
from bench.tables import table
from bench.usage import Measured, Usage

_PAGE = Path(__file__).with_name("performance.md.in")
_MEMORY = 512
_NOTHING = "Not measured in this run."
_FEW = 0.01
_SMALL = 0.01


def page(results: Results, usage: Usage, command: str) -> str:
    """The whole document; tables of parts that were not measured say so."""
    return with_bill(
        Template(_PAGE.read_text(encoding="utf-8")).substitute(
            command=command,
            machine=machine(),
            latency=_latency(results),
            rows=_rows(list(rows(results))),
            absolute=_absolute(results),
            starts=_starts(results),
            imports=_imports(results),
            profile=_profile(results),
            drains=_drains(results),
            time=_time(results),
            growth=_growth(results),
            scale=_scale(results),
            occasions=_occasions(results),
            prices=Prices().note,
            concurrency=CONCURRENCY,
            began_documented=usage.documented.on,
            began_ours=usage.ours.on,
        ),
        usage,
    )


def measured(results: Results, way: str) -> Measured | None:
    """What the bill counts on, if this was measured."""
    case = results.case(_MEMORY, results.latency.provider)
    warm = results.warm.get(way)
    if way not in case or warm is None or "shares" not in results.occasions:
        return None
    alone = case[way].median_alone
    # What is called and logged does not depend on the memory.
    return Measured(
        results.occasions["shares"].began,
        round(case[way].walls.median, 4),
        round(warm.logged, 1),
        warm.seen.write_units / BATCH,
        warm.seen.requests["aws"].get("GetItem", 0) / BATCH,
        warm.seen.published / BATCH,
        alone and round(alone, 4),
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
    return table(["figure", "against", "target", "measured", "met"], lines)


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
    return table(head, [line(name, warm) for name, warm in results.warm.items()])


def _starts(results: Results) -> str:
    if not results.cold:
        return _NOTHING
    base = results.cold[DOCUMENTED]
    lines = []
    for name, cold in results.cold.items():
        lines.append(
            [
                name,
                f"{_spread(cold.first)} ms",
                _ms(cold.extra.median),
                f"{cold.extra.median / base.extra.median:.2f}",
                f"{cold.cpu_median * 1000:,.0f} ms",
            ]
        )
    head = ["", "interpreter, imports, first batch", "minus a warm batch", "÷ documented", "processor time"]
    return table(head, lines)


def _profile(results: Results) -> str:
    """What takes less than a hundredth is one row."""
    whole = sum(results.profile.values())
    if not whole:
        return _NOTHING
    shares = {name: seconds / whole for name, seconds in results.profile.items()}
    lines = [[f"`{name}`", f"{share:.1%}"] for name, share in shares.items() if share >= _SMALL]
    lines.append(["the others", f"{sum(share for share in shares.values() if share < _SMALL):.1%}"])
    return table(["package: own time", "of a message"], lines)


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
    return table(["package: own time (modules)", *found], [*lines, ["**all**", *together]])


def _drains(results: Results) -> str:
    if not results.drains:
        return _NOTHING
    lines = [
        [
            name,
            f"{drain.messages:,}",
            f"{drain.rate:.1f}",
            f"{drain.functions / drain.seconds:.2f} + {drain.services / drain.seconds:.2f}",
        ]
        for name, drain in results.drains.items()
    ]
    return table(["", "messages", "a second", "processors busy: functions + services"], lines)


def _time(results: Results) -> str:
    if not results.cases:
        return _NOTHING
    prices = Prices()
    lines = []
    for case in results.cases:
        used = {
            name: gb_seconds_per_million(rival.walls.median, case.memory)
            for name, rival in case.rivals.items()
        }
        lines.append(
            [
                f"{case.memory} MB, provider {case.provider:g} s",
                *(f"{used[name]:,.0f}" for name in PAIR),
                f"{used[OURS] / used[DOCUMENTED]:.3f}",
                *(
                    " / ".join(f"{prices.time(used[name], architecture):.2f}" for name in PAIR)
                    for architecture in prices.architectures
                ),
            ]
        )
    head = ["", *(f"GB-s, {name}" for name in PAIR), "this project ÷ documented"]
    return table([*head, *(f"USD, {architecture}" for architecture in prices.architectures)], lines)


def _growth(results: Results) -> str:
    growth = results.growth
    if not growth.queue:
        return _NOTHING
    drained = [
        *((f"{size:,} messages queued", drain) for size, drain in growth.queue.items()),
        *((f"ledger of {items:,} items", drain) for items, drain in growth.ledger.items()),
    ]
    lines = [
        [what, f"{drain.messages:,}", f"{drain.rate:.1f}", f"{drain.cpu * 1000:.2f} ms"]
        for what, drain in drained
    ]
    return table(["", "messages timed", "a second", "processor a message"], lines)


def _scale(results: Results) -> str:
    if not results.scale:
        return _NOTHING
    lines = []
    for name, by_size in results.scale.items():
        small, large = (by_size[size] for size in sorted(by_size))
        lines.append(
            [
                name,
                *(f"{work.requests:,} / {work.read_units:,.1f} / {work.read:,}" for work in (small, large)),
                f"{large.seconds * 1000:.1f} ms",
                f"{large.seconds / small.seconds:.2f}",
                f"{large.memory / 2**10:,.0f} KiB",
                f"{large.memory / small.memory:.2f}",
            ]
        )
    sizes = [f"requests / read units / bytes, {size:,} items" for size in sorted(LEDGERS)]
    head = ["", *sizes, "processor time", "÷ of the small one", "memory", "÷ of the small one"]
    return table(head, lines)


def _occasions(results: Results) -> str:
    lines = [
        [name, occasion.began, f"{occasion.seconds:,.0f} s", f"{occasion.load:.2f}"]
        for name, occasion in results.occasions.items()
    ]
    return table(["part", "began", "took", "load average before"], lines)


def _spread(seconds: Sequence[float]) -> str:
    ordered = sorted(value * 1000 for value in seconds)
    return f"{ordered[len(ordered) // 2]:,.0f} ({ordered[0]:,.0f} … {ordered[-1]:,.0f})"


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:,.0f} ms"
