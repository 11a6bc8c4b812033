"""Events and provider answers from somebody who wishes us ill, with secrets planted in them."""

from __future__ import annotations

import contextlib
import copy
import io
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import httpx
from aws_lambda_powertools import Logger
from hypothesis import strategies as st
from typing_extensions import override

from refunds.telemetry.logs import Telemetry
from refunds.telemetry.metrics import Metrics
from tests.simulation.gate import NoFaults
from tests.simulation.process import SECRET, Watcher, Wiring
from tests.simulation.simulation import Observer, Setting, Simulation

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from refunds.contracts.outbound import Outcome
    from refunds.domain.disposition import Reason, Source
    from refunds.domain.policy import Policy
    from refunds.domain.provider_call import ProviderCall

PERSONAL: Final = ("11012345678901", "김개인정보", "01098765432")
"""An account number, its holder and a phone number."""

PLANTED: Final = (*PERSONAL, *(key for keys in json.loads(SECRET).values() for key in keys.values()))

_STATUSES: Final = (
    200,
    200,
    200,
    201,
    204,
    301,
    302,
    400,
    401,
    403,
    404,
    408,
    409,
    422,
    429,
    500,
    501,
    503,
    599,
)
_CONTENT_TYPES: Final = ("application/json", "application/json; charset=euc-kr", "text/html", "image/png", "")
_NAMES: Final = (
    "code",
    "message",
    "response",
    "imp_uid",
    "amount",
    "cancel_amount",
    "cancel_history",
    "reason",
    "status",
    "access_token",
    "resultCode",
    "data",
    "errors",
    "items",
    "refund_account",
)
_IDS: Final = frozenset(
    {
        "cancel_request_id",
        "order_id",
        "imp_uid",
        "merchant_uid",
        "orderNo",
        "itemId",
        "id",
        "cancellation_id",
        "pg_provider",
        "pg_tid",
        "receipt_url",
        "returnRequestId",
    }
)
"""What is passed on as it is: whoever calls an order or a PG by a phone number has published it."""

_WORDS: Final = st.text(max_size=12)
_PLAIN: Final = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | _WORDS
    | st.sampled_from(["0", "paid", "ready"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_NAMES) | _WORDS, inner, max_size=4)
    ),
    max_leaves=8,
)


@st.composite
def planted_texts(draw: st.DrawFn) -> str:
    """A text with something planted in it, perhaps spaced out."""
    secret = draw(st.sampled_from(PLANTED))
    if draw(st.booleans()):
        secret = draw(st.sampled_from(["-", " "])).join(secret)
    return f"{draw(_WORDS)} {secret} {draw(_WORDS)}"


_INNOCENT_NAMES: Final = st.sampled_from([name for name in _NAMES if name not in _IDS])
_PLANTED_JSON: Final = st.recursive(
    planted_texts() | st.sampled_from(PLANTED) | st.integers(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_INNOCENT_NAMES, inner, max_size=4),
    max_leaves=4,
)


@st.composite
def damaged(draw: st.DrawFn, value: Any) -> Any:
    """``value`` with a few of its members replaced, removed or doubled."""
    value = copy.deepcopy(value)
    for _ in range(draw(st.integers(0, 3))):
        holder, name = draw(st.sampled_from(_members(value) or [([None], 0)]))
        match draw(st.sampled_from(("plain", "planted", "gone", "nested"))):
            case "planted" if name not in _IDS:
                holder[name] = draw(_PLANTED_JSON)
            case "gone":
                del holder[name]
            case "nested":
                holder[name] = [holder[name]]
            case _:
                holder[name] = draw(_PLAIN)
    return value


def _members(value: Any) -> list[tuple[Any, Any]]:
    own: list[tuple[Any, Any]]
    if isinstance(value, dict):
        own = [(value, name) for name in value]
    elif isinstance(value, list):
        own = [(value, index) for index in range(len(value))]
    else:
        return []
    return own + [member for holder, name in own for member in _members(holder[name])]


def bodies(valid: str) -> st.SearchStrategy[str]:
    """SQS message bodies: the valid one damaged, any JSON, any text."""
    return st.one_of(
        st.just(valid),
        damaged(json.loads(valid)).map(json.dumps),
        damaged(json.loads(valid)).map(json.dumps),
        _PLAIN.map(json.dumps),
        st.text(max_size=40),
    )


class LyingProviders(httpx.BaseTransport):
    """Answers as the providers do, or anything else; requests are carried out all the same."""

    def __init__(self, honest: httpx.BaseTransport, data: st.DataObject) -> None:
        self._honest = honest
        self._data = data

    @override
    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Draw what becomes of the answer."""
        answer = self._honest.handle_request(request)
        match self._data.draw(st.sampled_from(("true", "true", "true", "damaged", "damaged", "any", "lost"))):
            case "true":
                return answer
            case "damaged":
                body = json.dumps(self._data.draw(damaged(answer.json()))).encode()
                return self._with(answer.status_code, body)
            case "lost":
                raise self._data.draw(
                    st.sampled_from((httpx.ConnectError, httpx.ReadError, httpx.DecodingError))
                )(f"for {PLANTED[0]}")
        anything = _PLANTED_JSON.map(json.dumps).map(str.encode) | _PLAIN.map(json.dumps).map(str.encode)
        return self._with(
            self._data.draw(st.sampled_from(_STATUSES)), self._data.draw(anything | st.binary(max_size=60))
        )

    def _with(self, status: int, body: bytes) -> httpx.Response:
        headers = {"content-type": self._data.draw(st.sampled_from(_CONTENT_TYPES))}
        if self._data.draw(st.integers(0, 9)) == 0:
            headers["retry-after"] = self._data.draw(st.sampled_from(("5", "-1", "soon", "9" * 30)))
        return httpx.Response(status, headers=headers, content=body)


@dataclass
class Tape:
    """Everything a function says to its surroundings during one example."""

    log: io.StringIO = field(default_factory=io.StringIO)

    def said(self, simulation: Simulation) -> str:
        """Log and metrics, ledger, events, and the attributes of what waits in a DLQ."""
        letters = [letter.said for queue in simulation.queues.values() for letter in queue.dlq]
        events = [event.detail for event in simulation.bus.events]
        return "\n".join(
            [self.log.getvalue(), repr([list(simulation.table.stored.values()), letters]), *events]
        )


class LoudWatcher(Watcher):
    """The real telemetry, at its most talkative, watched."""

    def __init__(self, policy: Policy, aliases: Mapping[str, str]) -> None:
        super().__init__(policy.cancel_type, aliases)
        self._telemetry = Telemetry(_LOGGER, policy, Metrics("RefundHandler"))

    @override
    @contextlib.contextmanager
    def record(self, **keys: object) -> Iterator[None]:
        with super().record(**keys), self._telemetry.record(**keys):
            yield

    @override
    def processed(self, outcome: Outcome, source: Source) -> None:
        self._telemetry.processed(outcome, source)

    @override
    def redelivered(self, reason: Reason, seconds: int) -> None:
        self._telemetry.redelivered(reason, seconds)

    @override
    def dead_lettered(self, reason: Reason) -> None:
        self._telemetry.dead_lettered(reason)

    @override
    def failed(self, what: str, error: BaseException) -> None:
        super().failed(what, error)
        self._telemetry.failed(what, error)

    @override
    def called(self, call: ProviderCall) -> None:
        self._telemetry.called(call)

    @override
    def flush(self) -> None:
        self._telemetry.flush()


class _Stream(io.StringIO):
    """Where the one logger of this process writes: onto the tape of the example that runs."""

    def __init__(self) -> None:
        super().__init__()
        self.tape = Tape()

    @override
    def write(self, text: str, /) -> int:
        return self.tape.log.write(text)


_STREAM: Final = _Stream()
_LOGGER: Final = Logger(service="adversary", level="DEBUG", stream=_STREAM)


@contextlib.contextmanager
def recorded() -> Iterator[Tape]:
    """Record what is logged and what metrics are written."""
    _STREAM.tape = Tape()
    with contextlib.redirect_stdout(_STREAM.tape.log):
        yield _STREAM.tape


def world(data: st.DataObject) -> Simulation:
    """Functions among liars."""
    setting = Setting(
        wiring=Wiring(watcher=LoudWatcher), around=lambda honest: LyingProviders(honest, data), max_receives=2
    )
    return Simulation(NoFaults(), Observer(), setting)
