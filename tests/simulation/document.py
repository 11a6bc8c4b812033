"""The tables in ``docs/simulation.md`` that are made from the suite itself."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.simulation import invariants
from tests.simulation.breakages import BREAKAGES, shortest_schedule
from tests.simulation.enumeration import AXES, DEEP

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

PATH: Final = Path(__file__).parents[2] / "docs" / "simulation.md"


def breakages() -> str:
    """Every deliberate mistake, the invariant that notices it, and the shortest schedule in which it does."""
    rows = []
    for number, breakage in enumerate(BREAKAGES):
        schedule, simulation = shortest_schedule(number)
        rows.append((breakage.name, _readable(breakage.caught_by), schedule.told(simulation)))
    return _table(("mistake made on purpose", "noticed by", "shortest schedule"), rows)


def promises() -> str:
    """Every invariant with its meaning, and when it is asked."""
    when = (
        ("money moves", invariants.ON_MOVE),
        ("a PG accepts something", invariants.ON_ACCEPT),
        ("the ledger is written", invariants.ON_WRITE),
        ("an event is published", invariants.ON_PUBLISH),
        ("something is sent", invariants.ON_SEND),
        ("a message is deleted", invariants.ON_ACKNOWLEDGE),
        ("a message comes into a DLQ", invariants.ON_BURY),
        ("everything is quiet", invariants.AT_REST),
    )
    rows = [
        (_readable(invariant), _first_sentence(invariant), moment)
        for moment, asked in when
        for invariant in asked
    ]
    return _table(("invariant", "meaning", "asked when"), rows)


def axes() -> str:
    """What is enumerated."""
    rows = [
        (axis.name, str(len(axis.scenarios)), str(axis.depth), where)
        for axis, where in [*((axis, "`make test`") for axis in AXES), (DEEP, "by hand")]
    ]
    return _table(("schedules", "scenarios", "faults at once", "played by"), rows)


SECTIONS: Final[dict[str, Callable[[], str]]] = {"axes": axes, "invariants": promises, "breakages": breakages}


def generated(text: str) -> str:
    """The document with its generated sections made anew."""
    for name, make in SECTIONS.items():
        begin, end = f"<!-- {name}: generated -->\n", f"<!-- {name}: end -->"
        baseline, _, rest = text.partition(begin)
        _, _, after = rest.partition(end)
        text = f"{baseline}{begin}{make()}{end}{after}"
    return text


def _table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    heads = list(heads)
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _readable(invariant: Callable[..., object]) -> str:
    return invariant.__name__.replace("_", " ")


def _first_sentence(invariant: Callable[..., object]) -> str:
    return " ".join((inspect.getdoc(invariant) or "").partition("\n\n")[0].split())
