"""The world, AWS, and the deliveries between them."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from local.simulator import World
from local.simulator.movements import Movement
from refunds.domain.deadline import Deadline
from refunds.domain.entry import State
from refunds.domain.limits import Limits
from refunds.ledger.item import is_open
from refunds.messaging.circuit_breaker import Circuit
from refunds.providers.http.provider_http import open_http
from tests.fakes.answers import AWS_ERRORS
from tests.simulation.aws import FUNCTION_TIMEOUT, VISIBILITY_TIMEOUT, AllQueues, Bus, Message, Queue
from tests.simulation.gate import Call, Chooser, Fault, Gate, NoFaults, ProcessDied
from tests.simulation.operating import mend
from tests.simulation.oracle import Books, Sent
from tests.simulation.previous import roll_back
from tests.simulation.process import (
    CANCEL_TYPES,
    LEASE_MARGIN,
    Environments,
    InlineExecutor,
    Process,
    Wiring,
    secret_of,
)
from tests.simulation.providers import GatedTransport, PlainHttp, ProviderGate
from tests.simulation.requests import REASON
from tests.simulation.standby import STANDBY
from tests.simulation.sweeping import sweep
from tests.simulation.table import Seen, Table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from concurrent.futures import Executor

    import httpx

    from local.simulator.late_booking import Acceptance
    from refunds.operators.reconciliation import Difference
    from tests.simulation.aws import Event
    from tests.simulation.requests import Wanted

START: Final = 1_795_237_200.0
ZOMBIE_SLEEP: Final = max(VISIBILITY_TIMEOUT, FUNCTION_TIMEOUT + LEASE_MARGIN) + 60
MAX_DEPTH: Final = 2
_WIRING: Final = Wiring()
_NO_LIMITS: Final = Limits()
_DAY: Final = 86_400.0
CONSOLE_WORDS: Final = "관리자 취소"


@dataclass(slots=True)
class Clock:
    """UNIX seconds that pass only when told to."""

    now: float = START

    def __call__(self) -> float:
        """The true time."""
        return self.now

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds


class Observer:
    """What wants to hear of everything that happens; every method may be overridden."""

    def __init__(self) -> None:
        self.broken: list[tuple[str, str]] = []

    def wrote(self, old: Seen | None, new: Seen) -> None:
        """A request's ledger item was written."""

    def published(self, event: Event) -> None:
        """The accounting bus took an event."""

    def moved(self, movement: Movement, owner: str | None) -> None:
        """Money moved, or something was voided; ``owner`` is the cancel request that did it."""

    def accepted(self, acceptance: Acceptance, owner: str | None) -> None:
        """A PG took a cancellation without booking it; ``owner`` is the cancel request that asked for it."""

    def dead_lettered(self, letter: Message) -> None:
        """A message came into its DLQ."""

    def sending(self, sent: Sent) -> None:
        """A call that moves money or voids something is about to leave."""

    def acknowledged(self, message: Message) -> None:
        """A message was deleted from its queue."""

    def delivered(self) -> None:
        """A delivery has ended."""


def _taken() -> threading.Lock:
    """A lock whose release by one thread lets the other go on."""
    lock = threading.Lock()
    lock.acquire()
    return lock


@dataclass
class _Held:
    """A delivery in a thread of its own, held at its ``stop_at``-th call until the other one has ended."""

    stop_at: int
    baton: threading.Lock = field(default_factory=_taken)
    back: threading.Lock = field(default_factory=_taken)
    process: Process | None = None
    calls: int = 0
    done: bool = False
    error: BaseException | None = None


def _as_it_is(transport: httpx.BaseTransport) -> httpx.BaseTransport:
    return transport


@dataclass(frozen=True)
class Setting:
    """What a history takes place in.

    Attributes:
        jitter: uniform in 0 … 1, for the jitter of retries.
        max_receives: of a message, before it goes to the DLQ.
        wiring: the parts of a process.
        index_lag: seconds until the ledger's indexes show an item.
        plain_http: go to the providers without httpx.
        warm: an environment works on batch after batch, with the access token it has.
        paused: whether an invocation finds that nothing is to be sent at present.
        around: wraps the transport to the providers.
        limits: the guard rails' bounds, of every cancel type.
        circuit: failures in a row that open the circuit; 0 for none.
        ebp_currency: of the deployment's EBP region.
        pending_for: seconds until what a PG accepted and does not book is parked.
        workers: makes what runs the records of a batch.
    """

    jitter: Callable[[], float] = lambda: 0.5
    max_receives: int = 3
    wiring: Wiring = _WIRING
    index_lag: float = 0.0
    plain_http: bool = False
    warm: bool = False
    paused: Callable[[], bool] = lambda: False
    around: Callable[[httpx.BaseTransport], httpx.BaseTransport] = _as_it_is
    limits: Limits = _NO_LIMITS
    circuit: int = 0
    ebp_currency: str = "KRW"
    pending_for: float = 14 * 86_400.0
    workers: Callable[[], Executor] = InlineExecutor


class Simulation:
    """One history. Deterministic: the same chooser and the same messages give the same history.

    Args:
        chooser: decides what goes wrong at each call.
    """

    def __init__(self, chooser: Chooser, observer: Observer, setting: Setting) -> None:
        self.clock = Clock()
        self.observer = observer
        self.setting = setting
        self.world = World(clock=self.clock)
        self.gate = Gate(chooser, elapse=self.clock.advance, meanwhile=self._meanwhile, pause=self._pause)
        self.books = self._keep_books()
        self.providers = ProviderGate(self.world, self.gate, who=self._who, on_send=self._sending)
        self.http: Any = self._plain_http() if setting.plain_http else self._real_http()
        self.environments = Environments(reuse=setting.warm)
        self.table = Table(self.gate, self._wrote, clock=self.clock, index_lag=setting.index_lag)
        self.bus = Bus(self.gate, self._published)
        self.queues = {
            name: Queue(
                name,
                self.gate,
                clock=self.clock,
                key_of=key_of,
                max_receives=setting.max_receives,
                on_letter=observer.dead_lettered,
            )
            for name in CANCEL_TYPES
        }
        self.all_queues = AllQueues(self.gate, self.queues)
        self.wanted: dict[str, Wanted] = {}
        self.limits = setting.limits
        self.circuit = (
            Circuit(failures=setting.circuit, cool_down=60.0, clock=self.clock) if setting.circuit else None
        )
        self.keys = {"imp_secret": "simulator-imp-secret", "hash_key": "simulator-hash-key"}
        self.let_pass: set[str] = set()
        self.resolved_by_hand: set[str] = set()
        self.planted: set[str] = set()
        self.forgotten: set[str] = set()
        self.statements: dict[str, str] = {}
        self.sent_before_limits: set[str] = set()
        self.stopped_runs: list[Exception] = []
        self.aliases: dict[str, str] = {}
        self.crashes: list[BaseException] = []
        self.raised: list[Exception] = []
        self.processes: dict[int, Process] = {}
        self.faulty_calls = 0
        self.left_alone = False
        self.reconciled = False
        self.differences: list[Difference] = []
        self.process: Process | None = None
        self.current: list[Message] = []
        self._depth = 0
        self._held: _Held | None = None
        self._in_held = False

    # --- what the outside does

    def publish(self, wanted: Wanted) -> Message:
        """The order service asks for a cancellation, perhaps not for the first time."""
        self.wanted[wanted.key] = wanted
        return self.queues[wanted.cancel_type].send(wanted.body)

    def run(self, *, limit: int = 200) -> None:
        """Deliver, in the order of their time, until every queue is empty."""
        for _ in range(limit):
            waiting = [m for queue in self.queues.values() for m in queue.messages.values()]
            if not waiting:
                return
            message = min(waiting, key=lambda m: (m.hidden_until, m.message_id))
            self.clock.now = max(self.clock.now, message.hidden_until)
            self.deliver([message])
        raise AssertionError("the queue never empties")

    def deliver(self, messages: Iterable[Message], *, skew: float = 0.0) -> None:
        """One receive: a process works on the messages, which are of one cancel type."""
        messages = list(messages)
        name = messages[0].queue
        queue = self.queues[name]
        received = queue.receive(messages)
        if not received:
            return
        process = Process(self, CANCEL_TYPES[name], len(self.processes) + 1, skew)
        self.processes[process.number] = process
        self.gate.note(
            f"delivery {process.number} of {', '.join(m.key for m in received)} ({received[0].receives})"
        )
        outer, self.process, outer_messages, self.current = self.process, process, self.current, received
        self._depth += 1
        try:
            acknowledged = self._invoke(process, received)
        finally:
            self._depth -= 1
            self.process, self.current = outer, outer_messages
        for message in acknowledged:
            queue.acknowledge(message)
            self.gate.note(f"  acknowledged {message.key}")
            self.observer.acknowledged(message)
        self._release()
        self.observer.delivered()

    def sweep(self, *, daily: bool = False) -> None:
        """The sweeper runs; it is a process like any other, and dies like one."""
        self.run_scheduled("sweep", lambda process: sweep(process, daily=daily))

    def run_scheduled(self, what: str, work: Callable[[Process], None]) -> None:
        """Somebody works beside the functions: a process like any other, which dies like one."""
        if self._depth >= MAX_DEPTH:
            return
        process = Process(self, CANCEL_TYPES["payment_cancel"], len(self.processes) + 1, 0.0, what)
        self.processes[process.number] = process
        self.gate.note(f"{what} {process.number}")
        outer, self.process, self._depth = self.process, process, self._depth + 1
        try:
            work(process)
        except ProcessDied:
            self.gate.note(f"{what} {process.number} dies")
        except Exception as error:  # noqa: BLE001 - an invariant says that there are none but AWS's
            self.gate.note(f"{what} {process.number} is stopped by {type(error).__name__}")
            if not isinstance(error, AWS_ERRORS) or isinstance(self.gate.chooser, NoFaults):
                self.stopped_runs.append(error)
        finally:
            self.process, self._depth = outer, self._depth - 1
            process.ended = True

    def restore(self, lost: set[str]) -> None:
        """Restore the table to before these requests were begun."""
        self.table.lose(lost)
        self.forgotten |= lost

    def finish(self, *, left_alone: bool = False) -> None:
        """The faults stop, operators redrive the DLQs, what is late arrives, and the sweeper runs.

        ``left_alone``: there are no operators.
        """
        self.left_alone = left_alone
        self.gate.chooser = NoFaults()
        self.gate.note("--- faults stop")
        self.limits = _NO_LIMITS
        self._drain(0 if left_alone else 1)
        self.gate.note("--- late calls arrive")
        self.world.settle()
        self._drain(0 if left_alone else 1)
        if left_alone:
            self.sweep_up()
            return
        self._mend()
        self.sweep_up()
        if self._number_open():  # what it waited for may have ended since
            self._drain(1)
            self.sweep_up()  # what is only accepted by now is booked because somebody looks

    def _drain(self, rounds: int) -> None:
        self.run()
        for _ in range(rounds):
            self.clock.advance(3600)
            if not sum(queue.redrive() for queue in self.queues.values()):
                return
            self.run()

    def _mend(self) -> None:
        """Operators correct what was malformed."""
        letters = [letter for queue in self.queues.values() for letter in queue.dlq]
        if any(letter.said.get("error_code") == "INVALID_REQUEST" for letter in letters):
            self.run_scheduled("mend", mend)
            self.run()

    def sweep_up(self) -> None:
        """What no message brings any more: the sweeper asks, tells, and gives up waiting after its time."""
        if not self.anything_open:
            return
        self.clock.advance(2 * _DAY)
        before = self._number_open()
        self.sweep(daily=True)
        if 0 < self._number_open() < before:  # what ended was perhaps the rival of what is left
            self.sweep()
        states = {seen.entry.state for seen in self.table.requests.values()}
        if State.PENDING in states or (self.left_alone and State.STARTED in states):
            self.clock.advance(self.setting.pending_for)
            self.sweep()
            self.clock.advance(_DAY)  # what was booked because somebody looked is seen by the next look
            self.sweep()

    def _number_open(self) -> int:
        return sum(not seen.entry.state.terminal for seen in self.table.requests.values())

    @property
    def anything_open(self) -> bool:
        """Whether the sweeper has anything to do."""
        return (
            any(is_open(seen.entry) for seen in self.table.requests.values())
            or bool(self.planted)
            or any(queue.dlq for queue in self.queues.values())
        )

    @property
    def broken(self) -> list[tuple[str, str]]:
        """The invariants that were broken, in the order of their events: name and explanation."""
        return self.observer.broken

    def process_of(self, owner: str) -> Process | None:
        """The process that wrote an owner token."""
        number = owner.removeprefix("p").partition("-")[0]
        return self.processes.get(int(number)) if number.isdigit() else None

    # --- one invocation

    def _invoke(self, process: Process, received: list[Message]) -> list[Message]:
        """Returns the messages to delete: none if the process died or was stopped for its time."""
        try:
            records = [self.setting.wiring.record(self, message) for message in received]
            answer = process.processor.batch(records, Deadline(process.end, self.clock))
            self.gate.enter(Call.RETURN)
        except ProcessDied:
            self.gate.note(f"delivery {process.number} dies")
            return []
        except Exception as error:  # noqa: BLE001 - Lambda counts the whole batch as failed
            self.gate.note(f"delivery {process.number} raises {type(error).__name__}")
            self.raised.append(error)
            return []
        finally:
            process.ended = True
            self.crashes += process.watcher.crashes
        process.survived()
        if self.clock.now > process.end:
            self.gate.note(f"delivery {process.number} returns too late")
            return []
        failed = {failure["itemIdentifier"] for failure in answer["batchItemFailures"]}
        self.gate.note(f"delivery {process.number} ends")
        return [message for message in received if message.message_id not in failed]

    def _who(self) -> tuple[str, int]:
        assert self.process is not None
        return self.process.watcher.key, self.process.number

    # --- what happens meanwhile

    def _meanwhile(self, fault: Fault) -> None:
        name, _, rest = fault.effect.partition(" ")
        self.clock.advance(fault.sleep)
        if name == "somebody":
            self._somebody(rest, fault.argument)
        elif name == "sweep":
            self.sweep()
        elif name == "world":
            self._goes_on(rest)
        else:
            self._deliver_meanwhile(name, rest, fault)

    def _deliver_meanwhile(self, whose: str, how: str, fault: Fault) -> None:
        if self._depth >= MAX_DEPTH or not self.current:
            return
        message = self._in_hand()
        queue = self.queues[message.queue]
        if whose == "redelivery":
            self.clock.advance(ZOMBIE_SLEEP)
            again = queue.messages.get(message.message_id)
        elif whose == "duplicate":
            again = queue.send(message.body)
        else:
            again = self._waiting_rival(message)
        if again is None:
            return
        if how == "held":
            self._hold(again, fault)
        else:
            self.deliver([again], skew=fault.skew)

    def _in_hand(self) -> Message:
        """The message whose record is being worked on."""
        assert self.process is not None
        key = self.process.watcher.key
        return next((message for message in self.current if message.key == key), self.current[0])

    def _waiting_rival(self, message: Message) -> Message | None:
        waiting = (m for queue in self.queues.values() for m in queue.messages.values())
        return next((m for m in waiting if m.key != message.key and m.hidden_until <= self.clock.now), None)

    def _somebody(self, action: str, amount: int) -> None:
        """Somebody at the console; ``silently`` gives no reason there, ``alike`` the customer's."""
        wanted = self.wanted.get(self._who()[0])
        if wanted is None:
            return
        what, _, how = action.partition(" ")
        words = {"silently": "", "alike": REASON}.get(how, CONSOLE_WORDS)
        try:
            self.world.somebody_else(wanted.subject, what, amount or None, words)
        except ValueError:
            self.gate.note("  nobody can")

    def _goes_on(self, what: str) -> None:
        """The providers' records, the secret or the deployment change."""
        wanted = self.wanted.get(self._who()[0])
        console = self.world.portone.console
        try:
            match what.split():
                case ["rotate"]:
                    self._rotate()
                case ["roll_back"]:
                    roll_back(self.table)
                case ["pay_again", *how] if wanted and wanted.cancel_type == "payment_cancel":
                    paid_at = {"paid_at": int(START)} if "earlier" in how else {}
                    console.pay_again(wanted.subject, keep="keep" in how, changes=paid_at)
                case ["reissue"] if wanted and wanted.cancel_type == "receipt_revoke":
                    console.reissue(wanted.subject)
                case ["book" | "refuse" as end] if wanted:
                    self.world.end_bookings(wanted.subject, {"book": "booked", "refuse": "refused"}[end])
                case _:
                    self.gate.note("  nothing can")
        except ValueError:
            self.gate.note("  nobody can")

    def _rotate(self) -> None:
        number = len(self.gate.calls)
        self.keys = {name: f"{name}-{number}" for name in self.keys}
        changed: Any = self.keys
        self.world.rotate_keys(**changed)

    @property
    def secret(self) -> str:
        """The secret's text as it is now."""
        return secret_of(**self.keys)

    # --- true interleaving

    def _hold(self, message: Message, fault: Fault) -> None:
        if self._held is not None:
            return
        held = self._held = _Held(fault.argument)

        def run() -> None:
            held.baton.acquire()
            try:
                self.deliver([message], skew=fault.skew)
            except BaseException as error:  # noqa: BLE001 - raised again where the history runs
                held.error = error
            held.done = True
            held.back.release()

        STANDBY.run(run)
        self._switch_to(held)

    def _switch_to(self, held: _Held) -> None:
        state = self.process, self.current, self._depth
        self._in_held = True
        held.baton.release()
        held.back.acquire()
        self._in_held = False
        self.process, self.current, self._depth = state
        if held.done:
            self._held = None
        if held.error is not None:
            raise held.error

    def _pause(self) -> None:
        held = self._held
        if held is None or not self._in_held or held.calls > held.stop_at:
            return
        held.calls += 1
        if held.calls <= held.stop_at:
            return
        self.gate.note("held here")
        state = self.process, self.current, self._depth
        held.back.release()
        held.baton.acquire()
        self.process, self.current, self._depth = state
        self.gate.note("goes on")

    def _release(self) -> None:
        """Let a held delivery end once the one that began before it has."""
        if self._held is not None and not self._in_held:
            self._switch_to(self._held)

    # --- who listens

    def _real_http(self) -> httpx.Client:
        transport = GatedTransport(self.providers, self.world, self.clock.advance)
        return open_http(1, transport=self.setting.around(transport))

    def _plain_http(self) -> PlainHttp:
        return PlainHttp(self.providers, self.world, self.clock.advance)

    def _keep_books(self) -> Books:
        books = Books(self._moved, self.observer.accepted)
        self.world.money = self.world.portone_state.money = self.world.ebp_state.money = books
        return books

    def _moved(self, movement: Movement, owner: str | None) -> None:
        whose = owner or "somebody else"
        self.gate.note(
            f"  {movement.kind} of {movement.subject}: {movement.amount} {movement.currency} by {whose}"
        )
        self.observer.moved(movement, owner)

    def _wrote(self, old: Seen | None, new: Seen) -> None:
        entry = new.entry
        context = ", in doubt" if entry.in_doubt else ""
        self.gate.note(f"  {new.key} {entry.state} attempt {entry.attempt}{context}")
        self.observer.wrote(old, new)

    def _published(self, event: Event) -> None:
        self.observer.published(event)

    def _sending(self, sent: Sent) -> None:
        self.observer.sending(sent)


@lru_cache(maxsize=4096)
def key_of(body: str) -> str:
    """The ledger key of the request in a message body; of one that names none, the body itself."""
    try:
        event = json.loads(body)
        kind = next(k for k, v in CANCEL_TYPES.items() if v.policy.detail_type == event["detail-type"])
        return f"{kind}#{event['detail']['cancel_request_id']}"
    except (ValueError, KeyError, TypeError, StopIteration):
        return body
