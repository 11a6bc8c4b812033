"""The records of a batch at the same time, in the product's own thread pool."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from typing_extensions import override

from tests.simulation import faults
from tests.simulation.gate import Call, Fault, Kind
from tests.simulation.invariants import Watch
from tests.simulation.process import Watcher, Wiring
from tests.simulation.requests import refund
from tests.simulation.simulation import Setting, Simulation
from tests.simulation.trace import report

if TYPE_CHECKING:
    from collections.abc import Mapping

    from refunds.domain.policy import Policy

RECORDS = 8


class InOneThread:
    """A client that does one thing at a time, whoever asks."""

    def __init__(self, client: Any, lock: threading.RLock) -> None:
        self._client = client
        self._lock = lock

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._client, name)
        if not callable(found) or isinstance(found, type):
            return found

        def alone(*positional: Any, **named: Any) -> Any:
            with self._lock:
                return found(*positional, **named)

        return alone


class ByThread(Watcher):
    """Knows for each thread which request it works on."""

    def __init__(self, policy: Policy, aliases: Mapping[str, str]) -> None:
        self._here = threading.local()
        super().__init__(policy.cancel_type, aliases)

    @property
    @override
    def key(self) -> str:
        """The request of the thread that asks."""
        found: str = getattr(self._here, "key", "")
        return found

    @key.setter
    def key(self, value: str) -> None:
        self._here.key = value


class Some:
    """Faults of AWS and of the providers at random calls; nobody dies and nothing comes in between."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)  # noqa: S311 - must be repeatable

    def choose(self, _index: int, call: Call) -> Fault | None:
        """One in seven calls fails."""
        own = [fault for fault in faults.BY_CALL[call] if fault.kind is not Kind.MEANWHILE]
        return self._random.choice(own) if own and self._random.random() < 1 / 7 else None


@pytest.mark.parametrize("seed", range(6))
def test_every_invariant_holds_for_records_at_the_same_time(seed: int) -> None:
    """Eight records of six payments in four threads, and the batch again until all is quiet."""
    lock = threading.RLock()
    watch = Watch()
    setting = Setting(
        wiring=Wiring(watcher=ByThread, client=lambda table: InOneThread(table, lock)),
        workers=lambda: ThreadPoolExecutor(4),
        plain_http=True,
    )
    simulation = Simulation(Some(seed), watch, setting)
    watch.simulation = simulation
    simulation.http = InOneThread(simulation.http, lock)
    for number in range(RECORDS):
        imp_uid = f"imp_{number % 6}"
        if number < 6:
            simulation.world.seed_payment(
                {"imp_uid": imp_uid, "merchant_uid": f"M-{imp_uid}", "amount": 10_000}
            )
        simulation.publish(refund(number, imp_uid, 3_000))
    messages = simulation.queues["payment_cancel"].messages
    for _ in range(12):
        if not messages:
            break
        simulation.clock.now = max(simulation.clock.now, *(one.hidden_until for one in messages.values()))
        simulation.deliver(list(messages.values()))
    simulation.finish()
    watch.at_rest()
    assert not simulation.broken, report(simulation, f"seed {seed}")
