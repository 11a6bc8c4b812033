"""The daily reconciliation, day after day, with what happens to refunds after they were booked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from refunds.operators.reconciliation import Reconciliation, Window
from tests.simulation.sweeping import queries

if TYPE_CHECKING:
    from tests.simulation.process import Process
    from tests.simulation.simulation import Simulation

_DAY: Final = 86_400
_REJECTED_AFTER: Final = 2
_DAYS: Final = 16


def days_pass(simulation: Simulation, subject: str) -> None:
    """Every day is compared with the one before; after two of them a bank rejects what it was to pay out."""
    for day in range(_DAYS):
        simulation.clock.advance(_DAY)
        if day == _REJECTED_AFTER:
            simulation.world.reverse(subject)
        simulation.run_scheduled("reconcile", _reconcile)
    simulation.reconciled = True


def _reconcile(process: Process) -> None:
    today = int(process.simulation.clock.now) // _DAY * _DAY
    reconciliation = Reconciliation(
        queries(process), process.portone(), patience=600.0, due_after=process.wiring.due_after
    )
    for difference in reconciliation.run(Window(today - _DAY, today)):
        process.simulation.gate.note(f"  {difference.kind} {difference.imp_uid}: {difference.note}")
        process.simulation.differences.append(difference)
