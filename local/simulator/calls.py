"""What a provider makes of a request: a call with a plan, carried out in one step, now or late."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from decimal import Decimal

    from local.simulator.faults import Fault, Operation
    from local.simulator.movements import Actor
    from local.simulator.records import Sight
    from local.simulator.wire import Reply, Request


@dataclass(frozen=True, slots=True)
class Plan:
    """A call that passed every check: `commit` changes the state, `reply` tells the state as it is then."""

    reply: Callable[[], Reply]
    commit: Callable[[], None] | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """A recognised request. `subjects` are the ids faults can name it by, the most specific first.

    `plan` checks the call against the state of that moment and returns a refusal as a `Reply`; a late call is
    planned again when its time comes.
    """

    provider: Provider
    operation: Operation
    subjects: tuple[str, ...]
    request: Request
    plan: Callable[[Sight], Plan | Reply]

    @property
    def subject(self) -> str:
        """The id the call is about; empty for a token or a list."""
        return self.subjects[0] if self.subjects else ""


class Provider(Protocol):
    """One simulated provider."""

    @property
    def name(self) -> str:
        """Its name in movements and in the request log."""

    def recognise(self, request: Request) -> Call | None:
        """The call behind a request; None when the path is not this provider's."""

    def refuse_credentials(self, call: Call) -> Reply | None:
        """The refusal of a call with wrong or missing credentials."""

    def expire_credentials(self, call: Call) -> Reply:
        """Make the call's access token invalid and answer as for an expired one."""

    def error(self, call: Call, fault: Fault, status: int, /) -> Reply:
        """A technical error in this provider's form; `status` unless the fault names one."""

    def refuse(self, call: Call, fault: Fault, /) -> Reply:
        """A refusal for a business reason, with the fault's code and message if it names them."""

    def refuse_for_now(self, call: Call, /) -> Reply:
        """A refusal that goes away by itself: the merchant's balance at the PG is too small."""

    def applied_but_refused(self, call: Call, fault: Fault, /) -> Reply:
        """The error a provider gives for something it has already done."""

    def not_found(self, call: Call, /) -> Reply:
        """The answer to a question about something unknown."""

    def distort(self, reply: Reply, variant: str) -> None:
        """Make a success answer lie: about whom, how much, the history or the items."""

    def interfere(self, call: Call, amount: Decimal | None) -> None:
        """Somebody else changes the call's subject: cancels `amount` of it, or voids it."""

    def deposit(self, subject: str, who: Actor) -> None:
        """Somebody pays into an unpaid number."""

    def pay_again(self, subject: str, *, keep: bool) -> None:
        """The customer pays another time for the same order; the first payment is cancelled unless `keep`."""

    def reissue(self, subject: str) -> None:
        """Another receipt takes the place of one, under the same merchant_uid."""

    def reverse(self, subject: str, shape: str) -> None:
        """The last refund that was booked is rejected after all."""

    def book_due(self, now: float) -> None:
        """Book what was accepted and has waited long enough."""

    def count_lookup(self, subjects: Iterable[str]) -> None:
        """A lookup of these ids was answered; accepted cancellations may wait for it."""

    def book_all(self) -> None:
        """Book everything accepted that is not meant to wait for ever."""
