"""Simulates both payment providers, PortOne V1 and EBP, with their own ledger of money and with faults."""

from local.simulator.faults import Fault, FaultKind, Operation
from local.simulator.late_booking import Acceptance
from local.simulator.movements import Actor, Movement, MovementKind
from local.simulator.wire import Answer, LossKind, Lost
from local.simulator.world import LoggedRequest, World

__all__ = [
    "Acceptance",
    "Actor",
    "Answer",
    "Fault",
    "FaultKind",
    "LoggedRequest",
    "LossKind",
    "Lost",
    "Movement",
    "MovementKind",
    "Operation",
    "World",
]
