"""What happens to PortOne's records through other channels than the API: console, PG, bank, customer."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from local.simulator.currencies import NOTHING, money
from local.simulator.movements import Actor

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal
    from typing import Any

    from local.simulator.payments import Payment
    from local.simulator.portone_booking import BookingDesk
    from local.simulator.portone_cancel import CancelDesk
    from local.simulator.portone_revoke import RevokeDesk
    from local.simulator.portone_state import PortOneState
    from local.simulator.receipts import Receipt

BY_CONSOLE = "콘솔에서 취소"


class PortOneConsole:
    """Changes records in ways that no request of ours asked for."""

    def __init__(
        self, state: PortOneState, cancels: CancelDesk, revokes: RevokeDesk, bookings: BookingDesk
    ) -> None:
        self._state = state
        self._cancels = cancels
        self._revokes = revokes
        self._bookings = bookings

    def cancel(self, imp_uid: str, amount: Decimal | None, reason: str = BY_CONSOLE) -> None:
        """Cancel `amount` (None: all) of a payment, never more than is left."""
        self._cancels.cancel_by_somebody_else(imp_uid, amount, reason)

    def void(self, subject: str) -> None:
        """Void an unpaid number or a cash receipt."""
        if subject in self._state.receipts.current:
            self._revokes.void_receipt(subject, Actor.SOMEBODY_ELSE)
        else:
            self._revokes.void_number(subject, Actor.SOMEBODY_ELSE)

    def pay_again(self, subject: str, *, keep: bool = False, changes: Mapping[str, Any] | None = None) -> str:
        """Make another payment under a merchant_uid, after cancelling its newest one unless `keep`.

        The new one resembles the old one but for `changes`: `imp_uid`, `status` ("ready": paid by a later
        deposit), `paid_at` (UNIX seconds), `amount`. Returns its imp_uid. Raises ValueError.
        """
        old = self._state.payments.current.get(self._state.imp_uid_of(subject))
        if old is None:
            raise ValueError(f"no payment is known as {subject!r}")
        wanted = dict(changes or {})
        unknown = set(wanted) - {"imp_uid", "status", "paid_at", "amount"}
        if unknown or wanted.get("status", "paid") not in ("ready", "paid"):
            raise ValueError("another payment takes imp_uid, status (ready or paid), paid_at and amount")
        if not keep:
            self.cancel(old.imp_uid, None)
        again = self._another(old, wanted)
        self._state.seed_payment(again)
        return again.imp_uid

    def reissue(
        self, merchant_uid: str, receipt_tid: str | None = None, applied_at: int | None = None
    ) -> Receipt:
        """Issue another receipt under a merchant_uid whose receipt is revoked first. Raises ValueError."""
        if merchant_uid not in self._state.receipts.current:
            raise ValueError(f"no receipt is known as {merchant_uid!r}")
        return self._revokes.reissue(merchant_uid, receipt_tid, applied_at)

    def reverse(self, subject: str, cancellation_id: str | None, shape: str) -> None:
        """The bank rejects a refund that had been booked. Raises ValueError."""
        self._bookings.reverse(self._state.imp_uid_of(subject), cancellation_id, shape)

    def _another(self, old: Payment, wanted: Mapping[str, Any]) -> Payment:
        now = int(self._state.clock())
        count = len(self._state.by_merchant[old.merchant_uid]) + 1
        imp_uid = str(wanted.get("imp_uid") or f"{old.imp_uid}_{count}")
        status = str(wanted.get("status", "paid"))
        paid_at = int(wanted.get("paid_at", now)) if status == "paid" else 0
        return replace(
            old,
            imp_uid=imp_uid,
            amount=money(wanted.get("amount", old.amount)),
            status=status,
            pg_tid=f"tid-{imp_uid}",
            started_at=now,
            paid_at=paid_at,
            updated_at=now,
            retain_promotion=None,
            cancel_amount=NOTHING,
            cancelled_at=0,
            history=(),
            accepted=0,
            held=(),
        )
