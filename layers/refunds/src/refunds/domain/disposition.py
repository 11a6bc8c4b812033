"""What is to become of a message: the service's answer to the batch."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from refunds.contracts.outbound import Outcome
from refunds.domain.entry import Entry
from refunds.errors import ErrorCode


class RetryClass(Enum):
    """How soon trying again makes sense."""

    SOON = "soon"
    """The error is expected to pass soon: exponential from the base delay."""
    LATER = "later"
    """The error lasts: bank maintenance at night, a merchant balance that is too small."""


@dataclass(frozen=True)
class Reason:
    """Why a message waits in the DLQ or comes again; free of personal data, for an operator."""

    code: ErrorCode
    message: str


class Source(Enum):
    """How an outcome became known."""

    ANSWER = "answer"
    """The provider's answer to the request, or to the precheck."""
    QUESTION = "question"
    """The answer was lost, or another worker's: the provider was asked what is true."""
    LEDGER = "ledger"
    """It was recorded by an earlier delivery."""


@dataclass(frozen=True)
class Publish:
    """Publish the outcome, then acknowledge; with ``dead_letter``, keep the message in the DLQ.

    ``mark`` is the entry that was recorded as unpublished: once the accounting bus has the outcome, the
    mark is taken away (``Ledger.published``).
    """

    outcome: Outcome
    dead_letter: Reason | None = None
    source: Source = Source.ANSWER
    mark: Entry | None = None


@dataclass(frozen=True)
class DeadLetter:
    """Move the message to the DLQ without an outcome: what accounting knows of its id stays true."""

    reason: Reason


@dataclass(frozen=True)
class Redeliver:
    """Do not acknowledge: the message comes again, not before ``not_before`` seconds have passed."""

    reason: Reason
    retry_class: RetryClass = RetryClass.SOON
    not_before: float = 0.0


@dataclass(frozen=True)
class Requeue:
    """Put a fresh copy of the message into its queue, then acknowledge: nothing was done with it.

    ``seconds``: the copy's delay. ``since``: UNIX seconds of the first time it was held. ``waited``:
    seconds from then until now.
    """

    reason: Reason
    seconds: int
    since: float
    waited: float


@dataclass(frozen=True)
class Acknowledge:
    """Nothing is left to do: accounting has the outcome, and a quiet replay asks for no repetition."""

    outcome: Outcome


Disposition = Publish | DeadLetter | Redeliver | Requeue | Acknowledge
