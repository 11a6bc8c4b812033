"""Everything measured, kept between runs: a part can be measured again without the others."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from pydantic import TypeAdapter

from bench.deployment import LayerSize
from bench.imports import Imports
from bench.measure import Cold, Warm
from bench.queue import Drain
from bench.scale import Work
from bench.world.latency import Latency

Rivals = dict[str, Warm]
Starts = dict[str, Cold]


@dataclass(frozen=True)
class Occasion:
    """When a part was measured.

    Attributes:
        began: ISO 8601, UTC.
        seconds: how long it took.
        load: the machine's load average over the minute before: others were at work if it is not near zero.
    """

    began: str
    seconds: float
    load: float


@dataclass
class Case:
    """Warm batches with a memory in MB and a provider that takes so many seconds."""

    memory: int
    provider: float
    rivals: Rivals


@dataclass
class Growth:
    """How the rate holds, by messages queued and by items in the ledger."""

    queue: dict[int, Drain] = field(default_factory=dict)
    ledger: dict[int, Drain] = field(default_factory=dict)


@dataclass
class Results:
    """By rival, as ``bench.deployment`` names them; a part that was not measured is empty."""

    latency: Latency = field(default_factory=Latency)
    occasions: dict[str, Occasion] = field(default_factory=dict)
    sizes: dict[str, LayerSize] = field(default_factory=dict)
    warm: Rivals = field(default_factory=dict)
    cases: list[Case] = field(default_factory=list)
    lookup: Warm | None = None
    cold: Starts = field(default_factory=dict)
    drains: dict[str, Drain] = field(default_factory=dict)
    growth: Growth = field(default_factory=Growth)
    imports: dict[str, Imports] = field(default_factory=dict)
    profile: dict[str, float] = field(default_factory=dict)
    scale: dict[str, dict[int, Work]] = field(default_factory=dict)

    def case(self, memory: int, provider: float) -> Rivals:
        """Warm batches of that case, empty if it was not measured."""
        return next((c.rivals for c in self.cases if (c.memory, c.provider) == (memory, provider)), {})

    def replace_case(self, case: Case) -> None:
        """Put a case in the place of an earlier measurement of the same."""
        others = [c for c in self.cases if (c.memory, c.provider) != (case.memory, case.provider)]
        self.cases = sorted([*others, case], key=lambda c: (c.provider, c.memory))

    def save(self, path: Path) -> None:
        """Write everything as JSON."""
        path.write_bytes(_ADAPTER.dump_json(self, indent=1))

    @classmethod
    def load(cls, path: Path) -> Results:
        """What an earlier run saved; nothing if there was none."""
        return _ADAPTER.validate_json(path.read_bytes()) if path.exists() else cls()


_ADAPTER = TypeAdapter(Results)
