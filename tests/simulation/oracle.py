"""What really happened at the providers: who moved which money, and which sends are unaccounted for."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

import httpx
from typing_extensions import override

from local.simulator import Fault as ProviderFault
from local.simulator import World
from local.simulator.calls import Plan as ProviderPlan
from local.simulator.movements import Actor, MoneyLedger, Movement
from local.simulator.transport import WorldTransport
from local.simulator.wire import Request
from local.simulator.world import LateApplication
from tests.simulation.gate import Call, Fault, Gate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from local.simulator.records import Sight
    from local.simulator.wire import Reply

UNKNOWN: Final = "unknown"
REFUSED: Final = "refused"
ACCEPTED: Final = "accepted"
_NO_ANSWER: Final = frozenset({408, 425, 429})


class Books(MoneyLedger):
    """The provider's statement, with the cancel request behind every movement the API made."""

    def __init__(self, on_movement: Callable[[Movement, str | None], None]) -> None:
        super().__init__()
        self.sender: str | None = None
        self.owned: list[tuple[Movement, str | None]] = []
        self._on_movement = on_movement

    @override
    def record(self, movement: Movement) -> None:
        """Add a line, and note whose it is: ``None`` for somebody else's."""
        super().record(movement)
        owner = self.sender if movement.who is Actor.API else None
        self.owned.append((movement, owner))
        self._on_movement(movement, owner)

    def of_request(self, key: str) -> list[Movement]:
        """What one cancel request moved."""
        return [movement for movement, owner in self.owned if owner == key]


@dataclass(slots=True)
class Sent:
    """A call that moves money or voids something, as it left a process.

    ``answer`` is ``unknown`` until a complete answer arrives; ``at`` numbers it among all calls.
    """

    key: str
    process: int
    call: Call
    at: int
    body: bytes
    answer: str = UNKNOWN


@dataclass(slots=True)
class Asked:
    """A lookup that was answered."""

    key: str
    process: int
    at: int


@dataclass(slots=True)
class Correspondence:
    """Everything the processes sent to the providers that matters for the protocol."""

    sent: list[Sent] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)

    def unaccounted(self, key: str) -> list[Sent]:
        """Sends of a request that may have been carried out, as far as their sender knows."""
        return [sent for sent in self.sent if sent.key == key and sent.answer != REFUSED]


class ProviderGate(httpx.BaseTransport):
    """Both providers behind the gate.

    Args:
        who: tells the cancel request and the process that is sending now.
        on_send: told every call that moves money or voids something, before it leaves.
    """

    def __init__(
        self,
        world: World,
        gate: Gate,
        *,
        elapse: Callable[[float], None],
        who: Callable[[], tuple[str, int]],
        on_send: Callable[[Sent], None],
    ) -> None:
        self.correspondence = Correspondence()
        self._world = world
        self._gate = gate
        self._transport = WorldTransport(world, elapse)
        self._who = who
        self._on_send = on_send

    @override
    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Let the chosen fault strike, and note what was sent and what came back."""
        call = _call_of(request)
        fault = self._gate.enter(call)
        key, process = self._who()
        at = len(self._gate.calls)
        sent = None
        if call in (Call.CANCEL, Call.REVOKE):
            sent = Sent(key, process, call, at, request.content)
            self._on_send(sent)
            self.correspondence.sent.append(sent)
        with self._carried_out_by(key, fault):
            response = self._exchange(request, fault, sent)
        if call in (Call.LOOKUP, Call.DETAIL) and response.status_code in (200, 400, 404):
            self.correspondence.asked.append(Asked(key, process, at))
        return response

    def _exchange(self, request: httpx.Request, fault: Fault | None, sent: Sent | None) -> httpx.Response:
        if fault is not None and fault.effect.startswith("late"):
            raise self._delay(request, fault)
        try:
            response = self._transport.handle_request(request)
        except httpx.TransportError as error:
            self._gate.note(f"  {type(error).__name__}")
            if sent is not None and isinstance(error, httpx.ConnectError):
                sent.answer = REFUSED
            raise
        if sent is not None:
            sent.answer = _judge(response)
        self._gate.note(f"  {response.status_code} {response.content.decode()}")
        return response

    def _delay(self, request: httpx.Request, fault: Fault) -> httpx.ReadTimeout:
        """Let the request arrive later; nobody has looked at it yet."""
        arriving = Request(
            request.method, request.url.path, dict(request.url.params), request.headers, request.content
        )
        call = self._world.ebp.recognise(arriving) or self._world.portone.recognise(arriving)
        assert call is not None
        by_lookups = fault.effect == "late lookups"
        due = None if by_lookups else self._world.clock() + fault.argument
        late = LateApplication(call, due, fault.argument if by_lookups else None)
        self._world.late.append(late)
        self._gate.note("  ReadTimeout")
        return httpx.ReadTimeout("the provider did not answer in time", request=request)

    @contextmanager
    def _carried_out_by(self, key: str, fault: Fault | None) -> Iterator[None]:
        world, books = self._world, self._world.money
        assert isinstance(books, Books)
        if fault is not None:
            for parameters in fault.provider:
                world.add_fault(ProviderFault.from_mapping(parameters))
        postponed = len(world.late)
        books.sender = key
        try:
            yield
        finally:
            books.sender = None
            if fault is not None:
                world.faults.clear()
            for late in world.late[postponed:]:
                late.call = replace(late.call, plan=_as(books, key, late.call.plan))


def _as(
    books: Books, key: str, plan: Callable[[Sight], ProviderPlan | Reply]
) -> Callable[[Sight], ProviderPlan | Reply]:
    """Carry a late call out in the name of the request that sent it, whoever talks to the provider then."""

    def planned(sight: Sight) -> ProviderPlan | Reply:
        made = plan(sight)
        if not isinstance(made, ProviderPlan) or made.commit is None:
            return made
        commit = made.commit

        def commit_late() -> None:
            other, books.sender = books.sender, key
            commit()
            books.sender = other

        return replace(made, commit=commit_late)

    return planned


def _call_of(request: httpx.Request) -> Call:
    path = request.url.path
    if request.method == "DELETE":
        return Call.REVOKE
    if path.endswith("/cancel"):
        return Call.CANCEL
    if path.endswith("/getToken"):
        return Call.TOKEN
    return Call.DETAIL if path.endswith("/detail") else Call.LOOKUP


def _judge(response: httpx.Response) -> str:
    """Whether an answer is a complete yes, a complete no, or none. Texts do not count."""
    try:
        body: Any = json.loads(response.content)
    except ValueError:
        return UNKNOWN
    status = response.status_code
    if not isinstance(body, dict) or (status >= 500 and status != 501) or status in _NO_ANSWER:
        return UNKNOWN
    success = body.get("code") == 0 or body.get("resultCode") == "0"
    return ACCEPTED if success and status == 200 else REFUSED
