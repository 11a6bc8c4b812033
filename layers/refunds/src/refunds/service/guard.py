"""Guard rails: what this deployment lets through, whatever it is asked for.

A bug upstream must not empty the till. What is kept back is parked as ``LIMIT_EXCEEDED`` without
having been sent: raise the limit, or let the one request pass, and replay it.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Protocol

from refunds.domain.limits import Limits
from refunds.errors import LimitExceeded


class HourlyCounter(Protocol):
    """Counts what is sent in the current hour, for all processes of a cancel type."""

    def add(self, won: Decimal, limits: Limits) -> bool:
        """Count one more request of ``won``, atomically, unless it would exceed a limit; return whether."""
        ...


class Guard:
    """Decides whether a request of one cancel type may be sent for the first time.

    Args:
        dry_run: look and decide, but send nothing.
        counter: needed for hourly limits only.
    """

    def __init__(
        self, limits: Limits, counter: HourlyCounter | None = None, *, dry_run: bool = False
    ) -> None:
        self._limits = limits
        self._dry_run = dry_run
        self._counter = counter if limits.hourly and not dry_run else None

    @property
    def counts(self) -> bool:
        """Whether ``admit`` changes anything: a request that is known already must not get there."""
        return self._counter is not None

    def permit_send(self) -> None:
        """Checked before every send, also of what was admitted by an earlier deployment.

        Raises:
            LimitExceeded: in a dry run.
        """
        if self._dry_run:
            raise LimitExceeded("dry run: this deployment sends nothing to a provider")

    def admit(self, won: Decimal) -> None:
        """Let a request pass and count it.

        A counter that cannot be written lets nothing pass: the error goes through, and the message
        comes again.

        Raises:
            LimitExceeded: it must not be sent; nothing was counted.
        """
        self.permit_send()
        largest = self._limits.largest
        if largest is not None and won > largest:
            raise LimitExceeded(
                f"{won} won is more than the {largest} won that one request may move: "
                "check the request, then let it pass or raise the limit, and replay it"
            )
        if self._counter is not None and not self._counter.add(won, self._limits):
            raise LimitExceeded(
                f"this hour's limit is reached ({_bounds(self._limits)}): check what is asked for so "
                "often, then replay it later or raise the limit"
            )


def _bounds(limits: Limits) -> str:
    bounds = []
    if limits.per_hour is not None:
        bounds.append(f"{limits.per_hour} requests")
    if limits.won_per_hour is not None:
        bounds.append(f"{limits.won_per_hour} won")
    return ", ".join(bounds)
