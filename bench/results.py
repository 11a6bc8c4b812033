"""Everything one run measured."""

from __future__ import annotations

from dataclasses import dataclass, field

from bench.deployment import LayerSize
from bench.measure import Cold, Warm
from bench.queue import Drain
from bench.world.latency import Latency

Rivals = dict[str, Warm]
Starts = dict[str, Cold]


@dataclass(frozen=True)
class Case:
    """Memory in MB and seconds the provider takes."""

    memory: int
    provider: float


@dataclass
class Growth:
    """How the rate holds: by queue, by ledger, by a payment's history."""

    queue: list[Drain] = field(default_factory=list)
    ledger: dict[int, Drain] = field(default_factory=dict)
    history: dict[int, Warm] = field(default_factory=dict)


@dataclass
class Results:
    """By rival, as ``bench.deployment`` names them."""

    latency: Latency
    sizes: dict[str, LayerSize] = field(default_factory=dict)
    warm: Rivals = field(default_factory=dict)
    by_case: dict[Case, Rivals] = field(default_factory=dict)
    lookup: Warm = field(default_factory=Warm)
    cold: Starts = field(default_factory=dict)
    cold_slow_token: Starts = field(default_factory=dict)
    cold_throttled: Starts = field(default_factory=dict)
    drains: dict[str, list[Drain]] = field(default_factory=dict)
    growth: Growth | None = None
    write_units: dict[str, float] = field(default_factory=dict)
