"""The one place that every input and output of a simulated process passes: here faults strike."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

STEP_SECONDS: Final = 0.02
"""What every call takes, so that no two of them happen at the same time."""


class Call(StrEnum):
    """What a process can do to the outside world; ``RETURN`` is the end of its invocation."""

    SECRET = "secret"
    TOKEN = "token"
    LOOKUP = "lookup"
    DETAIL = "detail"
    CANCEL = "cancel"
    REVOKE = "revoke"
    GET = "get"
    CLAIM = "claim"
    UPDATE = "update"
    QUERY = "query"
    BATCH_GET = "batch_get"
    PUBLISH = "publish"
    HIDE = "hide"
    HOLD = "hold"
    DEAD_LETTER = "dead_letter"
    PEEK = "peek"
    REMOVE = "remove"
    RETURN = "return"


class Kind(StrEnum):
    """Who carries a fault out."""

    DEATH = "the process dies"
    MEANWHILE = "something else happens first"
    PROVIDER = "the provider or the network to it"
    AWS = "AWS or the network to it"


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong at one call.

    Attributes:
        name: as schedules and traces write it.
        kind: who carries it out.
        provider: the simulator's own faults that make it, one after another.
        effect: for ``AWS``, how the call fails; for ``MEANWHILE``, what happens.
        argument: a parameter of the effect.
        skew: seconds by which the clock of a process that it starts is ahead.
        sleep: seconds that pass first.
    """

    name: str
    kind: Kind
    provider: tuple[Mapping[str, Any], ...] = ()
    effect: str = ""
    argument: int = 0
    skew: float = 0.0
    sleep: float = 0.0


class ProcessDied(BaseException):
    """SIGKILL, out of memory, the end of the invocation: no code of the process runs any more.

    Not an ``Exception``, so that nothing in the product that handles errors can survive it.
    """


class Chooser(Protocol):
    """Decides what goes wrong."""

    def choose(self, index: int, call: Call) -> Fault | None:
        """The fault that strikes at the ``index``-th call of the whole history, or ``None``."""
        ...


class NoFaults:
    """Lets everything work."""

    def choose(self, _index: int, _call: Call) -> Fault | None:
        """Nothing."""
        return None


@dataclass(frozen=True)
class Plan:
    """A schedule: which fault strikes at which call of the history, by its number from 0."""

    faults: Mapping[int, Fault] = field(default_factory=dict)

    def choose(self, index: int, _call: Call) -> Fault | None:
        """What the schedule says."""
        return self.faults.get(index)


class Script:
    """Faults by the call they strike, counted from 1: ``{"cancel 1": …}`` is the first cancellation sent."""

    def __init__(self, faults: Mapping[str, Fault]) -> None:
        self._faults = dict(faults)
        self._seen: Counter[Call] = Counter()

    def choose(self, _index: int, call: Call) -> Fault | None:
        """What the script says of this occurrence of the call."""
        self._seen[call] += 1
        return self._faults.get(f"{call} {self._seen[call]}")


class Gate:
    """Numbers the calls, keeps the trace, and lets the chosen faults strike.

    Args:
        elapse: moves the simulated clock on by seconds.
        meanwhile: carries out a ``MEANWHILE`` fault.
        pause: called at every call, so that a process may be held there.
    """

    def __init__(
        self,
        chooser: Chooser,
        *,
        elapse: Callable[[float], None],
        meanwhile: Callable[[Fault], None],
        pause: Callable[[], None],
    ) -> None:
        self.chooser = chooser
        self.calls: list[Call] = []
        self.trace: list[str] = []
        self.struck: list[tuple[Call, Fault]] = []
        self._elapse = elapse
        self._meanwhile = meanwhile
        self._pause = pause

    def enter(self, call: Call) -> Fault | None:
        """Begin a call; returns the fault that the called service itself has to carry out.

        Raises:
            ProcessDied: the process ends here, before the call is made.
        """
        self._pause()
        self._elapse(STEP_SECONDS)
        index = len(self.calls)
        self.calls.append(call)
        fault = self.chooser.choose(index, call)
        if fault is None:
            self.trace.append(call)
            return None
        self.struck.append((call, fault))
        self.trace.append(f"{call} [{fault.name}]")
        if fault.kind is Kind.DEATH:
            raise ProcessDied
        if fault.kind is Kind.MEANWHILE:
            self._meanwhile(fault)
            return None
        return fault

    def note(self, text: str) -> None:
        """Add to the trace what came of something."""
        self.trace.append(text)
