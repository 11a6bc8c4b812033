"""What refunds use of AWS, kept in ``usage.json``: ``make bench`` measures, ``make capacity`` counts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import TypeAdapter

PATH = Path(__file__).with_name("usage.json")


@dataclass(frozen=True)
class Measured:
    """One way of doing refunds, as the benchmark saw it.

    Attributes:
        on: ISO 8601, UTC.
        batch_seconds: Lambda's time of a batch of ten at the processor share of 512 MB, provider 0.2 s.
        logged: bytes a refund.
        write_units: of DynamoDB, a refund.
        read_units: likewise.
        events: published, a refund.
        alone_seconds: as ``batch_seconds``, of a batch of one; ``None`` where that was not measured.
    """

    on: str
    batch_seconds: float
    logged: float
    write_units: float
    read_units: float
    events: float
    alone_seconds: float | None = None


@dataclass(frozen=True)
class Refund:
    """What the sample of ``payment_cancel`` does to the ledger, from its claim to its last reconciliation.

    Attributes:
        write_units: of the table and its indexes.
        item: bytes of the ended item, rounded up.
        entries: bytes of its entries in the indexes, each by itself.
        later_read_units: by the sweeper's daily pass and by reconciliation.
        later_seconds: of their time.
    """

    write_units: int
    item: int
    entries: tuple[int, ...]
    later_read_units: float
    later_seconds: float


@dataclass(frozen=True)
class Standing:
    """What is there whether or not there are refunds.

    Attributes:
        queues: that Lambda polls.
        alarms: each watches one metric.
        metrics: of our own, by name and dimensions.
        runs: of scheduled functions in a month.
        run_read_units: of a run that finds nothing.
    """

    queues: int
    alarms: int
    metrics: int
    dashboards: int
    secrets: int
    runs: int
    run_read_units: float


@dataclass(frozen=True)
class Previous:
    """USD per million refunds of the release before, at 400 days, a year in steady state (issue 13)."""

    variable: float
    storage: float
    recovery: float
    scans: float
    whole: float


@dataclass(frozen=True)
class Usage:
    """Everything that is billed. The documented way has the queues and the secret, too."""

    documented: Measured
    ours: Measured
    refund: Refund
    standing: Standing
    documented_metrics: int
    previous: Previous

    @classmethod
    def load(cls, path: Path = PATH) -> Usage:
        """What was kept last."""
        return _ADAPTER.validate_json(path.read_bytes())

    def save(self, path: Path = PATH) -> None:
        """Keep it."""
        path.write_bytes(_ADAPTER.dump_json(self, indent=2) + b"\n")

    def counted(self, refund: Refund, standing: Standing) -> Usage:
        """With what was counted anew."""
        return replace(self, refund=refund, standing=standing)


_ADAPTER = TypeAdapter(Usage)
