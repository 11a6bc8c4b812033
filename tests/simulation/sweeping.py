"""The sweeper at work: what was left open is settled by asking, without its message and without sending."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

from refunds.domain.entry import Entry, Key
from refunds.errors import ConfigurationError, LookupFailed, NotSent
from refunds.operators.resolution import ResolutionRefused, Resolver
from refunds.operators.status_inquiry import StatusInquiry
from tests.simulation.table import TERMINAL, state_of

if TYPE_CHECKING:
    from tests.simulation.process import Process

_PATIENCE: Final = 600.0


def sweep(process: Process) -> None:
    """Ask about every open request of the process' cancel type; publish what nobody has published."""
    kind = process.kind.policy.cancel_type
    status_inquiry = StatusInquiry({kind: process.operation}, process.ledger, _PATIENCE)
    resolver = Resolver(process.ledger, process.publisher, status_inquiry, clock=process.wall_clock)
    for key, item in list(process.simulation.table.items.items()):
        name, _, request = key.partition("#")
        left = state_of(item) not in TERMINAL or "unpublished" in item
        if name == kind and left:
            with process.watcher.record(cancel_request_id=request):
                _process(resolver, process.ledger.get(Key(name, request)))


def _process(resolver: Resolver, entry: Entry | None) -> None:
    """What cannot be settled today is left to the next run."""
    if entry is None:
        return
    with suppress(LookupFailed, NotSent, ConfigurationError, ResolutionRefused):
        resolver.ask(entry)
