"""The tables in ``docs/capacity.md`` and ``docs/performance.md`` that are computed."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from bench.usage import Usage
from refunds.cancel_types import MODULES
from refunds.ledger.shards import DAY_SHARDS
from tests.capacity.plan import PARTITION, RATES, gigabytes, items, minutes_to_grow, needs
from tests.capacity.usage import refund, standing
from tests.capacity.weights import Weight, weigh
from tests.unit.rig import Rig

_DOCS: Final = Path(__file__).parents[2] / "docs"
PATH: Final = _DOCS / "capacity.md"
BILL: Final = _DOCS / "performance.md"
_TYPE: Final = (
    "payment_cancel"  # what the plan is made for: the one that most refunds are, and that moves money
)


def generated(text: str, rig: Rig) -> str:
    """The plan with its tables made anew."""
    weights = {name: weigh(rig, name) for name in MODULES}
    for name, table in (("weights", _weights(weights)), ("plan", _plan(weights[_TYPE]))):
        begin, end = f"<!-- {name}: generated -->\n", f"<!-- {name}: end -->"
        before, _, rest = text.partition(begin)
        _, _, after = rest.partition(end)
        text = f"{before}{begin}{table}{end}{after}"
    return text


def counted(rig: Rig) -> Usage:
    """What is billed: what the benchmark measured last, and what can be counted, counted anew."""
    return Usage.load().counted(refund(weigh(rig, _TYPE)), standing(rig))


def _weights(weights: dict[str, Weight]) -> str:
    heads = (
        "cancel type",
        "item claimed",
        "item ended",
        "write units",
        "of these `by_day`",
        "of these held entries",
        "bites at",
    )
    rows = [
        (
            f"`{name}`",
            f"{one.claimed / 1024:.1f} KB",
            f"{one.ended / 1024:.1f} KB",
            str(one.units),
            str(one.by_day),
            str(one.held),
            f"{PARTITION * DAY_SHARDS // one.by_day:,}/s",
        )
        for name, one in weights.items()
    ]
    return _table(heads, rows)


def _plan(weight: Weight) -> str:
    heads = ("", "quota", *(f"at {rate:,}/s" for rate in RATES), "used up at")
    rows = []
    for need in needs(weight):
        cells = [_cell(need.needed(rate), need.limit, need.unit) for rate in RATES]
        rows.append((need.what, f"{need.limit:,}{need.unit}", *cells, f"{_round(need.bites_at)}/s"))
    rows += [
        (
            "minutes until a mapping has grown to it",
            "",
            *(_round(minutes_to_grow(rate)) for rate in RATES),
            "",
        ),
        ("items of the full ledger, million", "", *(_round(items(rate) / 1e6) for rate in RATES), ""),
        ("their size with indexes, TB", "", *(_round(gigabytes(rate, weight) / 1e3) for rate in RATES), ""),
    ]
    return _table(heads, rows)


def _cell(needed: float, limit: float, unit: str) -> str:
    text = f"{_round(needed)}{unit}"
    return f"**{text}**" if needed > limit else text


def _round(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:.2g}"


def _table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    heads = list(heads)
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
