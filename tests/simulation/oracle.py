"""What really happened at the providers: who moved which money, and which sends are unaccounted for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from typing_extensions import override

from local.simulator.movements import Actor, MoneyLedger, Movement
from tests.simulation.gate import Call

if TYPE_CHECKING:
    from collections.abc import Callable

    from local.simulator.late_booking import Acceptance


UNKNOWN: Final = "unknown"
REFUSED: Final = "refused"
ACCEPTED: Final = "accepted"
_NO_ANSWER: Final = frozenset({408, 425, 429})


class Books(MoneyLedger):
    """The provider's statement, with the cancel request behind everything the API did.

    Attributes:
        owned: every movement and whose it is: ``None`` for somebody else's.
        accepted_for: by acceptance, the request whose cancellation a PG accepted to book it later.
        looked_alike: somebody else's cancellations, with the request whose success was recorded by one while
            nobody could tell them apart; what the history shows later may tell.
    """

    def __init__(
        self,
        on_movement: Callable[[Movement, str | None], None],
        on_acceptance: Callable[[Acceptance, str | None], None],
    ) -> None:
        super().__init__()
        self.sender: str | None = None
        self.owned: list[tuple[Movement, str | None]] = []
        self.accepted_for: dict[str, str | None] = {}
        self.looked_alike: set[tuple[str, str]] = set()
        self._on_movement = on_movement
        self._on_acceptance = on_acceptance

    @override
    def record(self, movement: Movement) -> None:
        """Add a line, and note whose it is; what was accepted before is its sender's, whoever talks now."""
        super().record(movement)
        owner = self.sender if movement.who is Actor.API else None
        if movement.acceptance_id:
            owner = self.accepted_for.get(movement.acceptance_id)
        self.owned.append((movement, owner))
        self._on_movement(movement, owner)

    @override
    def accept(self, acceptance: Acceptance) -> None:
        """Note an acceptance, and whose it is, or how it ended."""
        super().accept(acceptance)
        if acceptance.acceptance_id not in self.accepted_for:
            self.accepted_for[acceptance.acceptance_id] = self.sender
            self._on_acceptance(acceptance, self.sender)

    def exchange(self, line: Movement, key: str) -> None:
        """Name ``key`` as the owner of a line, and its former owner as that of an equal line of ``key``."""
        former = next(owner for movement, owner in self.owned if movement is line)
        own = next((movement for movement, owner in self.owned if owner == key), None)
        names = {id(line): key, id(own): former}
        self.owned = [(movement, names.get(id(movement), owner)) for movement, owner in self.owned]

    def of_request(self, key: str) -> list[Movement]:
        """What one cancel request moved."""
        return [movement for movement, owner in self.owned if owner == key]

    def acceptances_of(self, key: str) -> list[Acceptance]:
        """What PGs accepted of one cancel request, however it ended."""
        return [self.acceptances[name] for name, owner in self.accepted_for.items() if owner == key]

    def waits(self, key: str) -> bool:
        """Whether a PG may still book something for a request."""
        return any(one.state == "waiting" for one in self.acceptances_of(key))

    def may_move(self, key: str) -> bool:
        """Whether a request has moved something, or something that a PG accepted may still do so."""
        return bool(self.of_request(key)) or self.waits(key)


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
