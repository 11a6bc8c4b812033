"""How long the simulated services take."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Latency:
    """Seconds from the last byte of a request to the first of its answer.

    ``provider`` is for what concerns a payment. An access token, which every new environment asks for
    once, PortOne hands out without asking anybody.
    """

    provider: float = 0.200
    token: float = 0.050
    dynamodb: float = 0.005
    events: float = 0.015
    sqs: float = 0.005
    secrets: float = 0.005

    @property
    def floor(self) -> float:
        """Seconds a refund waits at least: claim, send, record, publish. So does a batch."""
        return 2 * self.dynamodb + self.provider + self.events

    @property
    def floor_with_lookup(self) -> float:
        """The same when the provider must be asked for the balance first."""
        return self.floor + self.provider
