"""The tables of the whole bill in docs/performance.md: from ``usage.json`` and ``prices.json`` alone."""

from __future__ import annotations

from bench.cost import (
    ARCHITECTURE,
    DAYS,
    MEMORY,
    MEMORY_OF_IT,
    SCHEDULED,
    STANDARD,
    STANDING,
    VARIABLE,
    Bill,
    documented,
    ours,
    per_million,
    per_month,
)
from bench.measure import BATCH
from bench.tables import table
from bench.usage import Usage

RATES = (1, 10, 100)
TARGET = 0.45
"""Of what the previous release's million costs, at 400 days."""
BEGIN, END = "<!-- bill: generated -->\n", "<!-- bill: end -->"
_BATCHES = (1, 2, 3, 4, 5, 8, 10)
_MEMORIES = (100, 400)
_CLASSES = (STANDARD, "Standard-IA")
_GROUPS = {
    VARIABLE: "variable, together",
    MEMORY_OF_IT: "memory, together",
    SCHEDULED: "looking after it, together",
    STANDING: "standing, together",
}


def with_bill(text: str, usage: Usage) -> str:
    """A document with its tables of the bill made anew."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}{tables(usage)}{END}{after}"


def tables(usage: Usage) -> str:
    """All of them."""
    return f"{_million(usage)}\n\n{_batches(usage)}\n\n{_memories(usage)}\n\n{_months(usage)}\n"


def share_of_previous(usage: Usage) -> float:
    """What a million costs at 400 days, of what it cost in the previous release."""
    return per_million(ours(usage)).total / usage.previous.whole


def _million(usage: Usage) -> str:
    theirs, mine, before = per_million(documented(usage)), per_million(ours(usage)), usage.previous
    previous = {
        _GROUPS[VARIABLE]: before.variable,
        "DynamoDB, storage": before.storage,
        "DynamoDB, recovery": before.recovery,
        _GROUPS[MEMORY_OF_IT]: before.storage + before.recovery,
        "scheduled functions, reads": before.scans,
        _GROUPS[SCHEDULED]: before.scans,
    }
    lines = [
        [name, *(_dollars(bill, name, group) for bill in (theirs, mine)), _known(previous.get(_plain(name)))]
        for name, group in _names(mine)
    ]
    whole = (theirs.total, mine.total, before.whole)
    lines.append(["**whole**", *(f"**{price:.2f}**" for price in whole)])
    lines.append(["÷ previous release", "", f"**{share_of_previous(usage):.3f}** (target ≤ {TARGET})", ""])
    head = f"USD per million refunds in full batches, {MEMORY} MB, {ARCHITECTURE}, {DAYS} days"
    return table([head, "documented", "this project", "previous release"], lines)


def _batches(usage: Usage) -> str:
    lines = []
    for name, way in (("documented", documented(usage)), ("this project", ours(usage))):
        bills = [per_million(way, messages=messages) for messages in _BATCHES]
        lines.append([name, *(f"{bill.of(VARIABLE):.2f}" for bill in bills)])
    head = "USD per million refunds, variable: messages in a batch"
    return f"{table([head, *map(str, _BATCHES)], lines)}\n\n{_verdict(usage)}"


def _verdict(usage: Usage) -> str:
    """From which batch on, and at which rates, the variable bill is the lower one."""
    theirs, mine = documented(usage), ours(usage)
    least = fewest_that_pay(usage)
    begins = f"with {least} or more messages in a batch" if least else "with no batch"
    rates = []
    for rate in RATES:
        bills = [per_month(way, rate).of(VARIABLE) for way in (mine, theirs)]
        lower = "below" if bills[0] < bills[1] else "above"
        rates.append(f"{lower} it at {rate} a second (batches of {mine.messages(rate):.2g})")
    alone = f"{mine.seconds(1):.2f} s here, {theirs.seconds(1):.2f} s there"
    if usage.ours.alone_seconds is None:
        alone += " (not measured here: that of ten is taken, which is more)"
    return (
        f"This project's variable bill is below the documented way's {begins}: {', '.join(rates)}. "
        f"A batch of one takes {alone}."
    )


def fewest_that_pay(usage: Usage) -> int | None:
    """Messages of the smallest batch that costs less than the documented way's."""
    theirs, mine = documented(usage), ours(usage)
    for messages in range(1, BATCH + 1):
        bills = [per_million(way, messages=messages).of(VARIABLE) for way in (mine, theirs)]
        if bills[0] < bills[1]:
            return messages
    return None


def _memories(usage: Usage) -> str:
    way = ours(usage)
    lines = []
    for table_class in _CLASSES:
        bills = [per_million(way, days=days, table_class=table_class) for days in _MEMORIES]
        cells = [f"{bill.of(MEMORY_OF_IT):.2f} of {bill.total:.2f}" for bill in bills]
        lines.append([table_class, *cells])
    head = "USD per million refunds: memory of the whole, by class of table"
    return table([head, *(f"{days} days" for days in _MEMORIES)], lines)


def _months(usage: Usage) -> str:
    ways = (documented(usage), ours(usage))
    bills = [per_month(way, rate) for rate in RATES for way in ways]
    lines = [[name, *(_dollars(bill, name, group) for bill in bills)] for name, group in _names(bills[-1])]
    lines.append(["**whole**", *(f"**{bill.total:,.2f}**" for bill in bills)])
    filled = [f"{way.messages(rate):.2g}" for rate in RATES for way in ways]
    lines.append(["messages in a batch", *filled])
    heads = [f"{rate}/s, {name}" for rate in RATES for name in ("documented", "this project")]
    return table([f"USD a month, ledger of {DAYS} days", *heads], lines)


def _names(bill: Bill) -> list[tuple[str, str]]:
    """Names of lines and their groups, each group with its sum."""
    found = []
    for group, title in _GROUPS.items():
        if group in bill.groups:
            found += [(name, group) for name in bill.groups[group]]
            found.append((f"*{title}*", group))
    return found


def _dollars(bill: Bill, name: str, group: str) -> str:
    price = bill.of(group) if _plain(name) == _GROUPS[group] else bill.item(name)
    return _known(price)


def _plain(name: str) -> str:
    return name.strip("*")


def _known(price: float | None) -> str:
    return "–" if price is None else f"{price:,.2f}"
