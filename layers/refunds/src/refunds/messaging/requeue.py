"""Messages that are not worked on now: sending is paused, or the provider is down.

A message held back goes into its queue again as a fresh copy, delayed, and the one that was
received is deleted: the copy's receives are counted anew, so that waiting never leads to the DLQ.
A crash between the two leaves both, which the idempotency key makes harmless.

The copy's retention begins anew too: while a running function holds messages back, none of them
expires, however long it takes, and ``held_since`` keeps the first time (metric ``HeldAge``). It is
otherwise where no function receives: while the event source mapping is off, a message waits in the queue
as it is, and SQS deletes it after the queue's retention without a trace. Before that the
operators' command carries the waiting messages over to fresh copies; the age of the queue's oldest
message says when.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Final

from refunds.domain.disposition import Reason, Requeue
from refunds.errors import ErrorCode
from refunds.messaging.circuit_breaker import Circuit

_PAUSED: Final = Reason(ErrorCode.PROVIDER_UNAVAILABLE, "sending is paused (parameter Sending)")
_DOWN: Final = Reason(
    ErrorCode.PROVIDER_UNAVAILABLE,
    "the provider gave no proper answer several times in a row; it is probed now and then",
)
_PAUSE_SECONDS: Final = 60.0
_LONGEST_DELAY: Final = 300.0  # seconds; how long a message may still wait when the provider is back
_PATIENCE: Final = 4  # a message that has waited for an hour can wait a quarter of an hour more


class RequeuePolicy:
    """Decides whether a message is worked on now.

    Args:
        circuit: ``None`` without a circuit breaker.
        paused: nothing is worked on, however long it takes.
        longest: seconds for which the circuit may hold a message. Then it is tried, whatever
            happens, and an outage that lasts leads to the DLQ as ever.
        clock: UNIX seconds.
        jitter: uniform in 0 … 1; spreads messages that were held together.
    """

    def __init__(
        self,
        circuit: Circuit | None,
        *,
        paused: bool,
        longest: float,
        clock: Callable[[], float],
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._circuit = circuit
        self._paused = paused
        self._longest = longest
        self._clock = clock
        self._jitter = jitter

    def of(self, held_since: float | None) -> Requeue | None:
        """``None`` if the message is to be worked on; asked once per message and delivery.

        Args:
            held_since: UNIX seconds at which the message was held for the first time, if it was.
        """
        now = self._clock()
        since = now if held_since is None else held_since
        waited = max(now - since, 0.0)
        if self._paused:
            return Requeue(_PAUSED, self._spread(_PAUSE_SECONDS), since, waited)
        if self._circuit is None or now - since >= self._longest:
            return None
        wait = self._circuit.wait()
        if wait <= 0:
            return None
        patient = max(wait, min((now - since) / _PATIENCE, _LONGEST_DELAY))
        return Requeue(_DOWN, self._spread(patient), since, waited)

    def _spread(self, seconds: float) -> int:
        return int(seconds * (1 + self._jitter() / 4)) + 1
