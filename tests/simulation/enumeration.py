"""Every schedule of an axis: which faults strike at which calls of which scenarios.

A schedule is extended by one more fault at any later call of the history it leads to, so that every
combination up to the axis' depth is played once. Nothing is random and nothing is left out within an
axis; the axes themselves are where the depth is limited.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from tests.simulation import faults
from tests.simulation.gate import Call, Fault, Plan
from tests.simulation.scenarios import (
    ALL,
    ASKED_TWICE,
    COLD,
    CORE,
    LATE,
    LESS,
    ORDER_PART,
    PART,
    PART_CHECKED,
    PART_LOOKED,
    RECEIPT,
    REUSED,
    RIVALS,
    Scenario,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tests.simulation.simulation import Setting, Simulation

_WITHOUT_HTTPX: Final = replace(COLD, plain_http=True)
_QUESTIONS_AND_ORDERS: Final = frozenset({Call.LOOKUP, Call.DETAIL, Call.CANCEL, Call.REVOKE})


@dataclass(frozen=True)
class Schedule:
    """A scenario and the faults that strike in it, by the number of the call."""

    scenario: Scenario
    steps: tuple[tuple[int, Fault], ...] = ()

    def play(self, setting: Setting | None = None) -> Simulation:
        """Play it; one fault in a core scenario through httpx, which takes a third of the time."""
        with_httpx = self.scenario in CORE and len(self.steps) <= 1
        return self.scenario.simulate(
            Plan(dict(self.steps)), setting or (COLD if with_httpx else _WITHOUT_HTTPX)
        )

    def then(self, index: int, fault: Fault) -> Schedule:
        """The same with one fault more."""
        return Schedule(self.scenario, (*self.steps, (index, fault)))

    @property
    def first_free(self) -> int:
        """The first call at which it can be extended."""
        return self.steps[-1][0] + 1 if self.steps else 0

    def told(self, simulation: Simulation) -> str:
        """In words; ``simulation`` is how it was played."""
        calls = simulation.gate.calls
        struck = "; ".join(f"at call {at}, {calls[at].value}: {fault.name}" for at, fault in self.steps)
        return f"{self.scenario.name} - {struck or 'no fault'}"


@dataclass(frozen=True)
class Axis:
    """One way through the space of schedules.

    Attributes:
        choices: the faults that may strike as the n-th one (from 0) at a call.
    """

    name: str
    scenarios: tuple[Scenario, ...]
    depth: int
    choices: Callable[[int, Scenario, Call], tuple[Fault, ...]]

    def schedules(self) -> Iterator[tuple[Schedule, Simulation]]:
        """Play them all."""
        for scenario in self.scenarios:
            yield from self.schedules_of(scenario)

    def schedules_of(self, scenario: Scenario) -> Iterator[tuple[Schedule, Simulation]]:
        """Play those of one scenario, each history once it is known which calls it has."""
        waiting = [Schedule(scenario)]
        while waiting:
            schedule = waiting.pop()
            simulation = schedule.play()
            yield schedule, simulation
            if len(schedule.steps) < self.depth:
                waiting += self.extended(schedule, simulation)

    def extended(self, schedule: Schedule, simulation: Simulation) -> Iterator[Schedule]:
        """The schedules with one more fault, at any later call of the history ``schedule`` led to."""
        calls = simulation.gate.calls[: simulation.faulty_calls]
        for index in range(schedule.first_free, len(calls)):
            for fault in self.choices(len(schedule.steps), schedule.scenario, calls[index]):
                if not _lies_twice(schedule, fault):
                    yield schedule.then(index, fault)


def _lies_twice(schedule: Schedule, fault: Fault) -> bool:
    """A provider that denies what it has done and hides it from the next look: nobody can survive that."""
    denied = any(earlier in faults.DENIALS for _index, earlier in schedule.steps)
    return denied and fault in faults.CONCEALMENTS


def digest(simulation: Simulation) -> bytes:
    """Equal for schedules that turn out the same: a stale lookup of something that has not changed, say."""
    happened = "\n".join(line.partition(" [")[0] for line in simulation.gate.trace)
    return hashlib.blake2b(f"{sorted(simulation.wanted)}{happened}".encode(), digest_size=12).digest()


def _anything(_number: int, scenario: Scenario, call: Call) -> tuple[Fault, ...]:
    """Whatever can go wrong at this call, the world around it included."""
    own = _credible(scenario, faults.BY_CALL[call])
    rival = (faults.RIVAL,) if len(scenario.wanted) > 1 else ()
    around = _somebody_else(scenario) if call in _QUESTIONS_AND_ORDERS else ()
    changes = (faults.ROTATED, faults.ROLLED_BACK) if scenario in CORE else ()
    return (faults.DEATH, *faults.DELIVERIES, faults.SWEPT, *rival, *around, *changes, *own)


def _credible(scenario: Scenario, own: tuple[Fault, ...]) -> tuple[Fault, ...]:
    """EBP's answer is the only proof there is of a part: one that lies in every detail is believed."""
    if scenario.order is None:
        return own
    denials = faults.EBP_DENIALS if faults.FALSE_SUCCESS in own else ()
    return (*(fault for fault in own if fault is not faults.FALSE_SUCCESS), *denials)


def _somebody_else(scenario: Scenario) -> tuple[Fault, ...]:
    kind = scenario.wanted[0].cancel_type
    if kind == "receipt_revoke":
        return (faults.SOMEBODY_VOIDS, faults.REISSUED)
    if kind in ("vbank_revoke", "cvs_revoke"):
        return (faults.SOMEBODY_PAYS, faults.SOMEBODY_VOIDS)
    again = (faults.PAID_AGAIN, faults.PAID_TWICE) if "merchant_uid" in scenario.wanted[0].request else ()
    booked = (faults.BOOKED, faults.REFUSED_IN_THE_END) if scenario in LATE else ()
    return (
        *again,
        *booked,
        faults.somebody_cancels(PART),
        faults.somebody_cancels_silently(PART),
        faults.somebody_cancels_in_our_words(PART),
        faults.somebody_cancels(LESS),
        faults.SOMEBODY_CANCELS_ALL,
    )


_SENDING: Final = (
    faults.LOST_BEFORE,
    faults.LOST_AFTER,
    faults.REFUSED,
    faults.DENIED,
    faults.LATE_1,
    faults.LATEST,
)
_GRAVE: Final[Mapping[Call, tuple[Fault, ...]]] = {
    Call.CANCEL: _SENDING,
    Call.REVOKE: _SENDING,
    Call.LOOKUP: (faults.UNAVAILABLE,),
    Call.DETAIL: (faults.UNAVAILABLE,),
    Call.CLAIM: (faults.AWS_LOST,),
    Call.UPDATE: (faults.AWS_NOT_SENT, faults.AWS_LOST),
    Call.PUBLISH: (faults.AWS_NOT_SENT, faults.AWS_LOST),
}


def _grave(_number: int, _scenario: Scenario, call: Call) -> tuple[Fault, ...]:
    """One of each class of fault that leaves somebody in doubt."""
    return (faults.DEATH, faults.ZOMBIE, *_GRAVE.get(call, ()))


_OTHERS: Final = (("duplicate", 0.0), ("duplicate", 150.0), ("redelivery", 0.0))
_LONGEST_DELIVERY: Final = 10


def _held_twin(_number: int, _scenario: Scenario, _call: Call) -> tuple[Fault, ...]:
    """Another delivery of the same request begins here, is held at one of its calls, and ends last."""
    return tuple(faults.held(whose, at, skew) for whose, skew in _OTHERS for at in range(_LONGEST_DELIVERY))


def _held_rival(_number: int, _scenario: Scenario, _call: Call) -> tuple[Fault, ...]:
    """The same with the other request on the same payment or order."""
    return tuple(faults.held("rival", at) for at in range(_LONGEST_DELIVERY))


def _given_back(number: int, _scenario: Scenario, call: Call) -> tuple[Fault, ...]:
    """Nothing could be sent; then two deliveries interleave, one with a fast clock; then one dies."""
    match number:
        case 0:
            return (faults.NOT_SENT,) if call in (Call.CANCEL, Call.REVOKE) else ()
        case 1:
            return (faults.held("duplicate", 1, 150.0), faults.held("duplicate", 2, 150.0))
        case _:
            return (faults.DEATH,)


def _essential(_number: int, scenario: Scenario, call: Call) -> tuple[Fault, ...]:
    """One of each class of fault."""
    rival = (faults.RIVAL,) if len(scenario.wanted) > 1 else ()
    return (faults.DEATH, *faults.DELIVERIES, *rival, *_credible(scenario, faults.ESSENTIAL[call]))


def _used_again(number: int, _scenario: Scenario, call: Call) -> tuple[Fault, ...]:
    """Refused for today; then the payment is cancelled and another one made, perhaps before the event."""
    if number == 0:
        return (faults.REFUSED_LATER, faults.LOST_BEFORE) if call is Call.CANCEL else ()
    return (faults.PAID_AGAIN, faults.PAID_AGAIN_EARLIER) if call in (Call.GET, Call.LOOKUP) else ()


def _said_twice(number: int, _scenario: Scenario, call: Call) -> tuple[Fault, ...]:
    """Nothing can be asked; asked for again, an answer is lost."""
    if number == 0:
        return (faults.UNAVAILABLE,) if call is Call.LOOKUP else ()
    return (faults.LOST_BEFORE, faults.LOST_AFTER) if call is Call.CANCEL else ()


def _issued_again(_number: int, _scenario: Scenario, call: Call) -> tuple[Fault, ...]:
    """The receipt is revoked and issued anew, before or after a revocation whose answer is lost."""
    return (faults.LOST_BEFORE, faults.LOST_AFTER) if call is Call.REVOKE else (faults.REISSUED,)


ONE_FAULT: Final = Axis("any one fault at any call of any scenario", ALL, 1, _anything)
TWO_FAULTS: Final = Axis("any two grave faults", CORE, 2, _grave)
TWINS: Final = Axis("two deliveries of one request, interleaved at any two calls", CORE, 1, _held_twin)
PAIRS: Final = Axis(
    "two requests on one payment, interleaved at any two calls",
    tuple(scenario for scenario in RIVALS if len(scenario.wanted) > 1),
    1,
    _held_rival,
)
GIVEN_BACK: Final = Axis(
    "nothing sent, then interleaved, then a death", (PART_LOOKED, PART_CHECKED, ORDER_PART), 3, _given_back
)
USED_AGAIN: Final = Axis("refused, then paid again under the same merchant_uid", (REUSED,), 2, _used_again)
SAID_TWICE: Final = Axis("parked for one reason, then for another", (ASKED_TWICE,), 2, _said_twice)
ISSUED_AGAIN: Final = Axis("a receipt issued anew, and a lost answer", (RECEIPT,), 2, _issued_again)
DEEP: Final = Axis("any two faults, one of each class, in any scenario", ALL, 2, _essential)
"""About 160,000 schedules; ``python -m tests.simulation --deep`` plays them."""

AXES: Final = (ONE_FAULT, TWO_FAULTS, TWINS, PAIRS, GIVEN_BACK, USED_AGAIN, SAID_TWICE, ISSUED_AGAIN)
