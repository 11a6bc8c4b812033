"""What replaying a message would do, told before it is done.

The verdict follows from the ledger and, where it can be asked, from the provider. It is a forecast: what
happens is decided by the function that receives the message, by the same rules.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final, Protocol

from refunds.contracts.fingerprint import fingerprint
from refunds.contracts.inbound import Cancellation
from refunds.domain.entry import Entry, Key, State
from refunds.domain.operation import (
    Accepted,
    Applied,
    Attempt,
    Baseline,
    Failure,
    Operation,
    Rejected,
    ResolveContext,
    Siblings,
    Unapplied,
    Unproven,
)
from refunds.domain.operation import Resolution as Answer
from refunds.domain.policy import Policy
from refunds.errors import ConfigurationError, ErrorCode, InvalidRequest, LookupFailed, NotSent
from refunds.ledger.queries import LedgerQueries, Readings
from refunds.operators.dead_letters import DeadLetterMessage
from refunds.operators.status_inquiry import StatusInquiry, may_be_booked_later


class ReplayVerdict(StrEnum):
    """What a replay would do."""

    DONE = "done"
    """Publish the stored outcome again, nothing else."""
    SAFE = "safe"
    """Send: it is proven that nothing of it was carried out."""
    UNKNOWN = "unknown"
    """Ask the provider what became of an earlier attempt, before anything else."""
    STALE = "stale"
    """End as ``CancelFailed``: what it asks for cannot be carried out any more."""
    WAIT = "wait"
    """Publish again that a provider accepted it and books it later; nothing is sent, the sweeper asks."""
    INVALID = "invalid"
    """Come back at once: it breaks the contract, or its id belongs to another payload."""
    UNREADABLE = "unreadable"
    """Nobody can say: the message, its ledger item or an answer about it cannot be read."""


@dataclass(frozen=True)
class Judgement:
    """A verdict and the facts behind it, for an operator; free of personal data.

    ``unanswered``: the provider was asked and did not answer, so that the ledger alone was heard.
    """

    verdict: ReplayVerdict
    why: str
    unanswered: bool = False


class Judging(Protocol):
    """Whoever judges dead letters."""

    def judge(self, messages: Sequence[DeadLetterMessage]) -> list[Judgement]:
        """A judgement for each message; one that cannot be judged is ``UNREADABLE``."""


class Judge:
    """Judges dead letters.

    Args:
        status_inquiry: ``None`` to go by the ledger alone.
        clock: UNIX seconds.
    """

    def __init__(
        self,
        ledger_queries: LedgerQueries,
        status_inquiry: StatusInquiry | None,
        *,
        clock: Callable[[], float],
    ) -> None:
        self._ledger_queries = ledger_queries
        self._status_inquiry = status_inquiry
        self._clock = clock

    def judge(self, messages: Sequence[DeadLetterMessage]) -> list[Judgement]:
        """A judgement for each message; the ledger is read once for all of them.

        A message that cannot be judged is ``UNREADABLE`` and does not keep the others from being judged.
        """
        readings = self._ledger_queries.readable(key for key in map(_key, messages) if key is not None)
        if self._status_inquiry is None:
            return [self._guarded(dead_letter, readings) for dead_letter in messages]
        with ThreadPoolExecutor(max(len(messages), 1), thread_name_prefix="question") as questions:
            return list(questions.map(lambda dead_letter: self._guarded(dead_letter, readings), messages))

    def _guarded(self, dead_letter: DeadLetterMessage, readings: Readings) -> Judgement:
        if _key(dead_letter) in readings.unreadable:
            return Judgement(ReplayVerdict.UNREADABLE, "its ledger item cannot be read by this version")
        try:
            return self._one(dead_letter, readings.entries)
        except Exception as error:  # noqa: BLE001 - one message never ends the judging of the others
            return Judgement(ReplayVerdict.UNREADABLE, f"it cannot be judged ({type(error).__name__})")

    def _one(self, dead_letter: DeadLetterMessage, entries: Mapping[Key, Entry]) -> Judgement:  # noqa: PLR0911 - one return per verdict
        key, cancellation = _key(dead_letter), dead_letter.reading.cancellation
        if cancellation is None or key is None:
            return Judgement(ReplayVerdict.INVALID, str(dead_letter.reading.error))
        entry = entries.get(key)
        if entry is None:
            return self._unsent(
                dead_letter.queues.policy, cancellation, "not in the ledger: nothing was sent"
            )
        if entry.fingerprint != fingerprint(key.cancel_type, cancellation):
            return Judgement(
                ReplayVerdict.INVALID, f"its id was used for another payload, which is {entry.state}"
            )
        if entry.state is State.UNKNOWN:
            return Judgement(ReplayVerdict.UNREADABLE, "a newer version wrote its ledger item")
        if entry.state.terminal:
            return Judgement(ReplayVerdict.DONE, f"{entry.state}: {entry.proof}")
        if entry.state is State.PENDING:
            return Judgement(ReplayVerdict.WAIT, f"PENDING: {entry.proof}. {_NEVER_AGAIN}")
        if entry.in_doubt:
            return self._in_doubt(cancellation, entry)
        return self._unsent(dead_letter.queues.policy, cancellation, _known(entry))

    def _unsent(self, policy: Policy, cancellation: Cancellation[Any], known: str) -> Judgement:
        """Nothing was sent. What the provider shows decides whether sending makes sense."""
        if self._status_inquiry is None:
            return Judgement(ReplayVerdict.SAFE, known)
        attempt = self._status_inquiry.attempt(policy.cancel_type, cancellation)
        try:
            obstacle = _obstacle(policy, self._status_inquiry.operations[policy.cancel_type], attempt)
        except InvalidRequest as error:
            return Judgement(ReplayVerdict.INVALID, str(error))
        except _NO_ANSWER as error:
            return Judgement(ReplayVerdict.SAFE, f"{known}. {_unanswered(error)}", unanswered=True)
        if obstacle is not None:
            return Judgement(ReplayVerdict.STALE, f"{known}. {obstacle}")
        return Judgement(ReplayVerdict.SAFE, known)

    def _in_doubt(self, cancellation: Cancellation[Any], entry: Entry) -> Judgement:
        known = f"{entry.state}: may have been carried out"
        if may_be_booked_later(entry):
            known = f"{known}. {_NEVER_AGAIN}"
        if entry.leased(self._clock()):
            wait = int(entry.lease_until - self._clock()) + 1
            return Judgement(ReplayVerdict.UNKNOWN, f"{known}. A worker has it for another {wait} s")
        if self._status_inquiry is None or entry.baseline is None:
            return Judgement(ReplayVerdict.UNKNOWN, known)
        try:
            answer = self._status_inquiry.resolve(entry, cancellation)
        except _NO_ANSWER as error:
            return Judgement(ReplayVerdict.UNKNOWN, f"{known}. {_unanswered(error)}", unanswered=True)
        except InvalidRequest as error:
            return Judgement(ReplayVerdict.UNKNOWN, f"{known}. The provider cannot be asked: {error}")
        if isinstance(answer, Rejected) and answer.failure.excludes_late_attempts:
            return Judgement(ReplayVerdict.STALE, f"{known}. {_would_fail(answer.failure)}")
        return Judgement(ReplayVerdict.UNKNOWN, f"{known}. {in_words(answer)}")


_NEVER_AGAIN: Final = (
    "Its gateway may book it later than it accepted it, so nothing is sent again: a replay only asks"
)
_LOST: Final = (
    "The provider shows it carried out under this very id: find out why the ledger lost it. A replay sends "
    "nothing, and records and tells what the provider shows"
)
_NO_ANSWER: Final = (LookupFailed, NotSent, ConfigurationError)


def _obstacle(policy: Policy, operation: Operation[Any], attempt: Attempt[Any]) -> str | None:
    """Why sending makes no sense now; asks, whether or not the function would do a precheck."""
    checksum = getattr(attempt.request, "checksum", None)
    if checksum is not None:
        attempt = _looking(attempt)
    found = operation.precheck(attempt, None)
    if not isinstance(found, Baseline):
        return _would_fail(found) if isinstance(found, Failure) else _LOST
    if checksum is not None and found.cancellable != checksum:
        return f"It would fail as {ErrorCode.CHECKSUM_MISMATCH}: the balance is not what the event says"
    if operation.needs_precheck(attempt.request):
        return None
    never = ResolveContext(None, only_attempt=True, siblings=_no_siblings, sent_at=math.inf)
    match operation.resolve(attempt, found, never):
        case Rejected(failure):
            return _would_fail(failure)
        case Applied() if policy.moves_money:
            return _LOST
    return None


def _looking(attempt: Attempt[Any]) -> Attempt[Any]:
    """Without the event's own checksum, with which there is no precheck."""
    request = attempt.request.model_copy(update={"checksum": None})
    return replace(attempt, cancellation=attempt.cancellation.model_copy(update={"request": request}))


def _known(entry: Entry) -> str:
    """What the ledger says of a request that was provably not sent."""
    code = entry.outcome.error.code if entry.outcome and entry.outcome.error else None
    known = f"{entry.state}: nothing was sent" + (f" ({code})" if code else "")
    if code is ErrorCode.LIMIT_EXCEEDED and not entry.limits_passed:
        return f"{known}. It will be kept back again unless the limit was raised or `refundctl admit` used"
    return known


def in_words(answer: Answer) -> str:
    """A provider's answer about a request in doubt, and what follows from it."""
    match answer:
        case Applied(effect):
            return f"The provider shows it was carried out: {effect.proof}"
        case Accepted():
            return "The provider has accepted it and books it later; nothing has to be done"
        case Unapplied():
            return "The provider does not show it; a replay sends it again where that cannot double it"
        case Rejected(failure):
            return (
                f"The provider does not show it ({failure.message}), but an earlier attempt may still arrive"
            )
        case Unproven(message):
            return f"Nobody can tell: {message}"


def _would_fail(failure: Failure) -> str:
    return f"It would fail as {failure.code}: {failure.message}"


def _unanswered(error: Exception) -> str:
    return f"The provider could not be asked now: {error}"


def _key(dead_letter: DeadLetterMessage) -> Key | None:
    cancellation = dead_letter.reading.cancellation
    return Key(dead_letter.queues.cancel_type, cancellation.cancel_request_id) if cancellation else None


def _no_siblings() -> Siblings:
    return Siblings()
