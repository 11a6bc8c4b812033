"""What happened, for a person to read."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tests.simulation.simulation import Simulation

_WIDTH: Final = 140
_TELLING: Final = (
    "status",
    "paymentStatus",
    "amount",
    "cancel_amount",
    "cancel_history",
    "cancelled_at",
    "code",
    "resultCode",
)


def report(simulation: Simulation, headline: str) -> str:
    """The broken invariants, the trace that led there, and what it was."""
    broken = "\n".join(f"  {name}: {found}" for name, found in simulation.broken)
    return f"{headline}\n{broken}\n\n{readable(simulation)}"


def readable(simulation: Simulation) -> str:
    """The trace with answers shortened to what decides."""
    return "\n".join(_shortened(line) for line in simulation.gate.trace)


def _shortened(line: str) -> str:
    answer = re.match(r"  (\d{3}) (.*)", line)
    if answer is None:
        return line
    facts = [
        f"{name}={value}"
        for name in _TELLING
        for value in re.findall(rf'"{name}": ("[^"]*"|[\d.]+|\[.*?\])', answer[2])[:1]
    ]
    return f"  {answer[1]} {', '.join(facts)}"[:_WIDTH]
