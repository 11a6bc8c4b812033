"""Both providers behind the gate: over httpx, or over a stand-in for it that costs a third of the time."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar
from urllib.parse import urlsplit

import httpx
from typing_extensions import override

from local.simulator import Fault as ProviderFault
from local.simulator import World
from local.simulator.calls import Plan as ProviderPlan
from local.simulator.records import CLEAR_SIGHT
from local.simulator.transport import WorldTransport
from local.simulator.wire import Answer, LossKind, Lost, Request
from local.simulator.world import LateApplication
from tests.simulation.gate import Call, Fault, Gate
from tests.simulation.oracle import ACCEPTED, REFUSED, UNKNOWN, Asked, Books, Correspondence, Sent

if TYPE_CHECKING:
    from local.simulator.records import Sight
    from local.simulator.wire import Reply

_NO_ANSWER: Final = frozenset({408, 425, 429})
_EBP_REFUSAL: Final = re.compile(r"EBP-([AB]-\d{4}|C-000[1-7])")
"""What EBP finds out before it touches a payment (docs/providers.md); any other code proves nothing."""
_ANSWERED: Final = frozenset({200, 400, 404})
_ERRORS: Final[Mapping[LossKind, type[httpx.TransportError]]] = {
    LossKind.REFUSED: httpx.ConnectError,
    LossKind.RESET: httpx.ReadError,
    LossKind.HANG: httpx.ReadTimeout,
    LossKind.TRUNCATED: httpx.RemoteProtocolError,
    LossKind.CLOSED: httpx.RemoteProtocolError,
}


class Response(Protocol):
    """What both kinds of answers have."""

    @property
    def status_code(self) -> int:
        """HTTP status."""
        ...

    @property
    def content(self) -> bytes:
        """The whole body."""
        ...


ResponseT = TypeVar("ResponseT", bound=Response)


class ProviderGate:
    """Lets the chosen fault strike a request, and notes what was sent and what came back.

    Args:
        who: tells the cancel request and the process that is sending now.
        on_send: told every call that moves money or voids something, before it leaves.
    """

    def __init__(
        self,
        world: World,
        gate: Gate,
        *,
        who: Callable[[], tuple[str, int]],
        on_send: Callable[[Sent], None],
    ) -> None:
        self.correspondence = Correspondence()
        self._world = world
        self._gate = gate
        self._who = who
        self._on_send = on_send

    def provider_http(self, request: Request, perform: Callable[[], ResponseT]) -> ResponseT:
        """Send a request by ``perform``, unless it fares otherwise. Raises what httpx raises."""
        call = _call_of(request)
        fault = self._gate.enter(call)
        key, process = self._who()
        at = len(self._gate.calls)
        sent = None
        if call in (Call.CANCEL, Call.REVOKE):
            sent = Sent(key, process, call, at, request.body)
            self._on_send(sent)
            self.correspondence.sent.append(sent)
        if fault is not None and fault.effect.startswith("late"):
            self._delay(request, fault, key)
            raise httpx.ReadTimeout("the provider did not answer in time")
        response = self._carry_out(perform, fault, key, sent)
        if call in (Call.LOOKUP, Call.DETAIL) and response.status_code in _ANSWERED:
            self.correspondence.asked.append(Asked(key, process, at))
        return response

    def _carry_out(
        self, perform: Callable[[], ResponseT], fault: Fault | None, key: str, sent: Sent | None
    ) -> ResponseT:
        try:
            response = self._in_the_name_of(key, fault, perform)
        except httpx.TransportError as error:
            self._gate.note(f"  {type(error).__name__}")
            if sent is not None and isinstance(error, httpx.ConnectError):
                sent.answer = REFUSED
            raise
        if sent is not None:
            sent.answer = _judge(response)
        self._gate.note(f"  {response.status_code} {response.content.decode()}")
        return response

    def _in_the_name_of(self, key: str, fault: Fault | None, perform: Callable[[], ResponseT]) -> ResponseT:
        """Whatever moves money now was caused by this request."""
        self.books.sender = key
        if fault is not None:
            for parameters in fault.provider:
                self._world.add_fault(ProviderFault.from_mapping(parameters))
        try:
            return perform()
        finally:
            self.books.sender = None
            self._world.faults.clear()

    def _delay(self, request: Request, fault: Fault, key: str) -> None:
        """Let the request be carried out later; unless it is slow, nobody has looked at it yet."""
        if fault.effect == "late checked":
            request = self._checked(request)
        call = self._world.ebp.recognise(request) or self._world.portone.recognise(request)
        assert call is not None
        by_lookups = fault.effect == "late lookups"
        due = None if by_lookups else self._world.clock() + fault.argument
        call = replace(call, plan=_as(self.books, key, call.plan))
        self._world.late.append(LateApplication(call, due, fault.argument if by_lookups else None))
        self._gate.note("  ReadTimeout")

    def _checked(self, request: Request) -> Request:
        """As it is carried out by a gateway that works on it for long: PortOne has compared its checksum."""
        call = self._world.portone.recognise(request)
        if call is None or not isinstance(call.plan(CLEAR_SIGHT), ProviderPlan):
            return request
        fields = json.loads(request.body)
        fields.pop("checksum", None)
        return replace(request, body=json.dumps(fields).encode())

    @property
    def books(self) -> Books:
        """The provider's statement."""
        books = self._world.money
        assert isinstance(books, Books)
        return books


class GatedTransport(httpx.BaseTransport):
    """The providers behind a real client."""

    def __init__(self, gate: ProviderGate, world: World, elapse: Callable[[float], None]) -> None:
        self._gate = gate
        self._world = WorldTransport(world, elapse)

    @override
    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request."""
        url = request.url
        outgoing = Request(request.method, url.path, dict(url.params), request.headers, request.content)
        return self._gate.provider_http(outgoing, lambda: self._world.handle_request(request))


@dataclass(slots=True)
class PlainResponse:
    """As much of ``httpx.Response`` as an exchange reads."""

    status_code: int
    headers: Mapping[str, str]
    content: bytes

    def iter_bytes(self) -> Iterator[bytes]:
        """The body in one piece."""
        yield self.content

    def close(self) -> None:
        """Nothing is open."""


class PlainHttp:
    """As much of a client as an exchange uses; httpx takes a third of a simulation's time."""

    def __init__(self, gate: ProviderGate, world: World, elapse: Callable[[float], None]) -> None:
        self._gate = gate
        self._world = world
        self._elapse = elapse

    def build_request(
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, str] | None,
        headers: Mapping[str, str],
        content: bytes | None,
        timeout: httpx.Timeout,
    ) -> tuple[Request, float]:
        """The request, and the seconds its answer may take."""
        lowered = {name.lower(): value for name, value in headers.items()}
        request = Request(method, urlsplit(url).path, params or {}, lowered, content or b"")
        return request, timeout.read or 0.0

    def send(self, built: tuple[Request, float], *, stream: bool) -> PlainResponse:
        """Send one request."""
        assert stream
        request, read_timeout = built
        return self._gate.provider_http(request, lambda: self._perform(request, read_timeout))

    def _perform(self, request: Request, read_timeout: float) -> PlainResponse:
        answer = self._world.handle(
            request.method, request.path, request.query, request.headers, request.body
        )
        if answer.delay_seconds >= read_timeout:
            self._elapse(read_timeout)
            raise httpx.ReadTimeout("the provider did not answer in time")
        self._elapse(answer.delay_seconds)
        if isinstance(answer, Lost):
            raise _ERRORS[answer.kind]("the answer is lost")
        return _plain(answer)


def _plain(answer: Answer) -> PlainResponse:
    return PlainResponse(answer.status, answer.headers, answer.body)


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


def _call_of(request: Request) -> Call:
    if request.method == "DELETE":
        return Call.REVOKE
    if request.path.endswith("/cancel"):
        return Call.CANCEL
    if request.path.endswith("/getToken"):
        return Call.TOKEN
    return Call.DETAIL if request.path.endswith("/detail") else Call.LOOKUP


def _judge(response: Response) -> str:
    """Whether an answer is a complete yes, a complete no, or none. Texts do not count."""
    try:
        body: Any = json.loads(response.content)
    except ValueError:
        return UNKNOWN
    status = response.status_code
    if not isinstance(body, dict) or (status >= 500 and status != 501) or status in _NO_ANSWER:
        return UNKNOWN
    success = body.get("code") == 0 or body.get("resultCode") == "0"
    if success:
        return ACCEPTED if status == 200 else UNKNOWN
    documented = "resultCode" not in body or _EBP_REFUSAL.fullmatch(str(body["resultCode"]))
    return REFUSED if documented else UNKNOWN
