"""Guard rails: the limits of what this deployment sends.

A bug upstream must not refund without bounds. What is kept back is parked as ``LIMIT_EXCEEDED`` without
having been sent: raise the limit, or let the one request pass, and replay it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from refunds.domain.entry import Key
from refunds.domain.limits import Limits
from refunds.domain.operation import Money
from refunds.errors import LimitExceeded


class HourlyCounter(Protocol):
    """Counts what is sent in the current hour, for all processes of a cancel type."""

    def add(self, money: Money, limits: Limits, request: Key) -> bool:
        """Count one more request of ``money``, atomically, unless it would exceed a limit; return whether.

        The same request is counted once in an hour.
        """
        ...


class Guard:
    """Decides whether a request of one cancel type may be sent for the first time.

    Args:
        dry_run: ask and decide, but send nothing.
        counter: needed for hourly limits only.
        memory: seconds for which the ledger certainly remembers a request that has ended.
    """

    def __init__(
        self,
        limits: Limits,
        counter: HourlyCounter | None = None,
        *,
        dry_run: bool = False,
        memory: float | None = None,
    ) -> None:
        self._limits = limits
        self._memory = memory
        self._dry_run = dry_run
        self._counter = counter if limits.hourly and not dry_run else None

    @property
    def counts(self) -> bool:
        """Whether ``admit`` changes anything: a request that is known already must not get there."""
        return self._counter is not None

    def forgotten(self, requested_at: datetime, now: float) -> LimitExceeded | None:
        """Why a request without a ledger item is kept back: the ledger may have forgotten its item.

        Args:
            requested_at: when the event was made.
            now: UNIX seconds.
        """
        restored_at = self._limits.restored_at
        if restored_at is not None and requested_at.timestamp() < restored_at <= now:
            return LimitExceeded(
                "the event is older than the restored ledger and has no item in it, so it may have been "
                "carried out: find out at the provider before anything is sent for it"
            )
        if self._memory is None or now - requested_at.timestamp() <= self._memory:
            return None
        return LimitExceeded(
            "the event is older than the ledger's memory, so it may have been carried out long ago: find out "
            "at the provider before anything is sent for it"
        )

    def permit_send(self) -> None:
        """Checked before every send, also of what was admitted by an earlier deployment.

        Raises:
            LimitExceeded: in a dry run.
        """
        if self._dry_run:
            raise LimitExceeded("dry run: this deployment sends nothing to a provider")

    def admit(self, money: Money, request: Key) -> None:
        """Let a request pass and count it.

        A counter that cannot be written lets nothing pass: the error goes through, and the message
        comes again.

        Raises:
            LimitExceeded: it must not be sent; nothing was counted.
        """
        self.permit_send()
        self._compare(money)
        if self._counter is not None and not self._counter.add(money, self._limits, request):
            raise LimitExceeded(
                f"this hour's limit is reached ({_bounds(self._limits, money.currency)}): check what is "
                "asked for so often, then replay it later or raise the limit"
            )

    def _compare(self, money: Money) -> None:
        limits = self._limits
        if not money.amount:
            return
        if any(
            bounds and money.currency not in bounds for bounds in (limits.largest, limits.amount_per_hour)
        ):
            raise LimitExceeded(
                f"there are limits, and none in {money.currency}: set one, or let the request pass, and "
                "replay it"
            )
        largest = limits.largest.get(money.currency)
        if largest is not None and money.amount > largest:
            raise LimitExceeded(
                f"{money.amount} {money.currency} is more than the {largest} {money.currency} that one "
                "request may move: check the request, then let it pass or raise the limit, and replay it"
            )


def _bounds(limits: Limits, currency: str) -> str:
    bounds = []
    if limits.per_hour is not None:
        bounds.append(f"{limits.per_hour} requests")
    if currency in limits.amount_per_hour:
        bounds.append(f"{limits.amount_per_hour[currency]} {currency}")
    return ", ".join(bounds)
