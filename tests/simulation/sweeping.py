"""The sweeper at work: the real run over what is open, and over the dead letters nobody was told of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from typing_extensions import override

from refunds.cancel_types import MODULES, cancel_type
from refunds.domain.deadline import Deadline
from refunds.ledger.queries import LedgerQueries
from refunds.operators.asking_schedule import AskingSchedule
from refunds.operators.cancel_queues import CancelQueues
from refunds.operators.dead_letters import DeadLetters
from refunds.operators.resolution import ResolutionReport, Resolver
from refunds.operators.status_inquiry import StatusInquiry
from refunds.operators.sweeper import SweepRules

if TYPE_CHECKING:
    from collections.abc import Mapping
    from random import Random

    from refunds.domain.entry import Entry, Key
    from tests.simulation.process import Process
    from tests.simulation.simulation import Simulation

_PATIENCE: Final = 600.0
_HOLD: Final = 60
_MIN_AGE: Final = 300.0
_EVERY_TIME: Final = 10.0**9
LANES: Final = tuple(
    CancelQueues(cancel_type(name).policy, f"{name}/queue", f"{name}/dlq") for name in MODULES
)


class ByType:
    """What there is of each cancel type, made when it is asked for: most runs need few of them."""

    def __init__(self, make: Any) -> None:
        self._make = make
        self._made: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._made:
            self._made[name] = self._make(name)
        return self._made[name]


class FollowedResolver(Resolver):
    """Tells the simulation which request is being asked about."""

    process: Process

    @override
    def ask(self, entry: Entry) -> ResolutionReport:
        with self.process.watcher.following(str(entry.key)):
            return super().ask(entry)


class NoShuffle:
    """The order in which the sweeper asks, as it is."""

    def shuffle(self, _entries: list[Entry]) -> None:
        """Nothing."""

    def randrange(self, stop: int) -> int:
        """The last place."""
        return stop - 1


def sweep(process: Process, *, daily: bool) -> None:
    """One run: publish, ask, park what was waited for long enough, tell of the dead letters."""
    simulation = process.simulation
    order: Any = NoShuffle()
    jitter: Random = order
    rules = SweepRules(
        min_age=_MIN_AGE,
        pending_for=simulation.setting.pending_for,
        asking=AskingSchedule(base=_MIN_AGE, every=_EVERY_TIME),
    )
    sweeper = process.wiring.sweeper(
        process.ledger,
        queries(process),
        resolver(process),
        rules,
        clock=process.wall_clock,
        jitter=jitter,
    )
    found = sweeper.run(Deadline(process.end, simulation.clock), daily=daily)
    simulation.gate.note(f"  swept: {found.summary()}")
    client: Any = simulation.all_queues
    services: Any = ByType(process.service_of)
    telling = process.wiring.telling(
        dead_letters(simulation), services, process.publisher, client, clock=process.wall_clock
    )
    telling.run(LANES, Deadline(process.end, simulation.clock))


def queries(process: Process) -> LedgerQueries:
    """The ledger as scheduled functions and operators read it."""
    client: Any = process.simulation.table
    rolled_back = any("open_state" in item for item in process.simulation.table.stored.values())
    return LedgerQueries(
        client, "ledger", MODULES, indexes="with-by-open" if rolled_back else "current", unreadable=_pass_over
    )


def _pass_over(_key: Key) -> None:
    """Somebody else's trouble."""


def resolver(process: Process) -> FollowedResolver:
    """Ends open items without their messages."""
    operations: Mapping[str, Any]
    by_type: Any = ByType(process.operation_of)
    operations = by_type
    status_inquiry = StatusInquiry(operations, process.ledger, _PATIENCE)
    made = FollowedResolver(
        process.ledger,
        process.publisher,
        status_inquiry,
        clock=process.wall_clock,
        under_way=process.wiring.under_way,
    )
    made.process = process
    return made


def dead_letters(simulation: Simulation) -> DeadLetters:
    """The DLQs as they are looked through."""
    client: Any = simulation.all_queues
    return DeadLetters(client, clock=simulation.clock, hold=_HOLD)
