"""Books cancellations of payments: at once, later, never; and takes booked ones back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from local.simulator import reasons
from local.simulator.late_booking import ENDS, Acceptance, Booking, WaitingBooking
from local.simulator.movements import Actor, MovementKind
from local.simulator.payments import Cancellation, Payment
from local.simulator.reversal import check_shape

if TYPE_CHECKING:
    from collections.abc import Iterable
    from decimal import Decimal

    from local.simulator.portone_state import PortOneState


class BookingDesk:
    """Moves the money of PortOne's payments; nothing else does."""

    def __init__(self, state: PortOneState) -> None:
        self._state = state

    def book(
        self, payment: Payment, amount: Decimal, reason: str, who: Actor, acceptance_id: str = ""
    ) -> str:
        """Carry a cancellation out and return its id."""
        cancellation_id = self._state.next_id("cancellation")
        at = int(self._state.clock())
        # The PG's number is the payment's own: only cancellation_id is unique (docs/providers.md).
        kept = reasons.kept(payment.keeps_reason, reason)
        cancellation = Cancellation(cancellation_id, payment.pg_tid, amount, kept, at)
        self._state.payments.change(payment.imp_uid, payment.with_cancellation(cancellation))
        self._state.record(
            MovementKind.REFUND,
            payment.imp_uid,
            who,
            amount,
            cancellation_id=cancellation_id,
            reason=reason,
            currency=payment.currency,
            acceptance_id=acceptance_id,
        )
        return cancellation_id

    def accept(self, payment: Payment, booking: Booking, amount: Decimal, reason: str) -> None:
        """Take a cancellation without booking it."""
        now = self._state.clock()
        acceptance = Acceptance(
            self._state.next_id("acceptance"), payment.imp_uid, amount, payment.currency, reason, now
        )
        due = None if booking.seconds is None else now + booking.seconds
        self._state.payments.change(payment.imp_uid, payment.with_acceptance(acceptance, booking))
        self._state.waiting.append(WaitingBooking(acceptance, booking, due, booking.lookups))
        self._state.money.accept(acceptance)
        if booking.lookups == 0:
            self.end(acceptance.acceptance_id)

    def waits(self, imp_uid: str) -> bool:
        """Whether an accepted cancellation of a payment has not ended."""
        return any(waiting.acceptance.subject == imp_uid for waiting in self._state.waiting)

    def book_due(self, now: float) -> None:
        """End what has waited long enough."""
        self._end_all(w for w in self._state.waiting if w.due is not None and w.due <= now)

    def count_lookup(self, subjects: Iterable[str]) -> None:
        """A lookup of these payments was answered."""
        looked = [w for w in self._state.waiting if w.lookups_left and w.acceptance.subject in subjects]
        for waiting in looked:
            waiting.lookups_left = (waiting.lookups_left or 0) - 1
        self._end_all(waiting for waiting in looked if waiting.lookups_left == 0)

    def settle(self) -> None:
        """End everything that is not meant to wait for ever."""
        self._end_all(self._state.waiting)

    def end(self, subject: str, end: str | None = None) -> int:
        """End what waits of a payment, or one acceptance, as planned or as `end` says. Returns how many.

        Raises ValueError for an unknown end.
        """
        if end is not None and end not in ENDS:
            raise ValueError(f"end is one of {ENDS}")
        chosen = [
            w for w in self._state.waiting if subject in (w.acceptance.subject, w.acceptance.acceptance_id)
        ]
        return self._end_all(chosen, end)

    def reverse(self, imp_uid: str, cancellation_id: str | None, shape: str) -> None:
        """The bank rejects a booked cancellation (default: the last one). Raises ValueError."""
        check_shape(shape)
        payment = self._state.payments.current[imp_uid]
        booked = [e for e in payment.history if e.amount > 0 and cancellation_id in (None, e.cancellation_id)]
        if not booked:
            raise ValueError(f"{imp_uid} has no such cancellation")
        entry = booked[-1]
        at = int(self._state.clock())
        self._state.payments.change(imp_uid, payment.with_reversal(entry, shape, at))
        self._state.record(
            MovementKind.REFUND_REVERSAL,
            imp_uid,
            Actor.SOMEBODY_ELSE,
            entry.amount,
            cancellation_id=entry.cancellation_id,
            reason=entry.reason,
            currency=payment.currency,
        )

    def _end_all(self, ripe: Iterable[WaitingBooking], end: str | None = None) -> int:
        ended = 0
        for waiting in list(ripe):
            outcome = end or waiting.booking.end
            if outcome != "never":
                self._end(waiting, outcome)
                ended += 1
        return ended

    def _end(self, waiting: WaitingBooking, outcome: str) -> None:
        accepted = waiting.acceptance
        self._state.waiting.remove(waiting)
        payment = self._state.payments.current[accepted.subject].without_held(accepted.acceptance_id)
        if outcome == "booked" and (waiting.booking.overbooks or accepted.amount <= payment.unbooked):
            cancellation_id = self.book(
                payment, accepted.amount, accepted.reason, Actor.API, accepted.acceptance_id
            )
            self._state.money.accept(accepted.ended("booked", cancellation_id))
            return
        self._state.payments.change(payment.imp_uid, payment)
        self._state.money.accept(accepted.ended("refused"))
