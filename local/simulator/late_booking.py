"""PGs that accept a cancellation and book it later, or never, or refuse it in the end (docs/providers.md)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from local.simulator.records import checked_seed

if TYPE_CHECKING:
    from decimal import Decimal

ENDS = ("booked", "refused", "never")
BALANCES = ("kept", "moved")
AT_ONCE = "at_once"

LATE_VBANK_PG_PROVIDERS = frozenset({"smartro_v2", "daou"})
LATE_PG_PROVIDERS = frozenset({"paypal_v2"})


@dataclass(frozen=True, slots=True)
class Booking:
    """What becomes of one accepted cancellation.

    It ends after `lookups` answered lookups or after `seconds`, with neither when a control request says so.
    `end` is "booked", "refused" or "never"; `balance` whether the payment shows the amount as cancelled while
    it waits ("moved") or not ("kept"). What no longer fits when it is booked is refused, unless `overbooks`.
    """

    lookups: int | None = None
    seconds: float | None = None
    end: str = "booked"
    balance: str = "kept"
    overbooks: bool = False

    def __post_init__(self) -> None:
        if self.end not in ENDS or self.balance not in BALANCES:
            raise ValueError(f"booking: end is one of {ENDS}, balance one of {BALANCES}")
        if self.lookups is not None and self.seconds is not None:
            raise ValueError("booking: either lookups or seconds")


@dataclass(frozen=True, slots=True)
class Acceptance:
    """A cancellation a PG took. `state` is "waiting", "booked" or "refused"; `at` is UNIX seconds."""

    acceptance_id: str
    subject: str
    amount: Decimal
    currency: str
    reason: str
    at: float
    state: str = "waiting"
    cancellation_id: str = ""

    def ended(self, state: str, cancellation_id: str = "") -> Acceptance:
        """The same acceptance after it was booked or refused."""
        return replace(self, state=state, cancellation_id=cancellation_id)


@dataclass(slots=True)
class WaitingBooking:
    """An acceptance that has not ended: `due` is UNIX seconds, `lookups_left` counts answered lookups."""

    acceptance: Acceptance
    booking: Booking
    due: float | None
    lookups_left: int | None


def bookings_from_seed(seed: Any, pg_provider: str, pay_method: str) -> tuple[Booking, ...]:
    """How a payment's cancellations are booked, one after the other; the last one holds for the rest.

    Empty: at once. Without a seed the PGs that are known to book later do so after one lookup. Raises
    ValueError.
    """
    if seed is None:
        late = pg_provider in LATE_PG_PROVIDERS or (
            pg_provider in LATE_VBANK_PG_PROVIDERS and pay_method == "vbank"
        )
        return (Booking(lookups=1),) if late else ()
    if seed == AT_ONCE:
        return ()
    if isinstance(seed, Mapping):
        seed = [seed]
    if not isinstance(seed, list | tuple) or not all(isinstance(one, Mapping) for one in seed):
        raise ValueError(f'booking is "{AT_ONCE}", an object or a list of objects')
    return tuple(Booking(**checked_seed(Booking, one, internal=frozenset())) for one in seed)
