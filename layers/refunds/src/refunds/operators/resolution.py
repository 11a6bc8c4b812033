"""Settles a request without its message: by asking the provider, or by hand. Never by sending.

Nothing is written unless it is proven how the request ended. The one write that records it is
conditional on owner, state and attempt as they were seen, so that of two operators, or of an operator
and a function, only one wins. The outcome stays marked ``unpublished`` until it is on the accounting bus:
whatever dies in between, the sweeper publishes it.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from refunds.cancel_types import cancel_type
from refunds.contracts.inbound import Identity, RequestedBy, format_timestamp
from refunds.contracts.outbound import CancelledItem, MoneyMoved, Outcome, ProviderRefs
from refunds.domain.entry import Entry, State
from refunds.domain.operation import Applied, Effect, Failure, Rejected
from refunds.domain.outcomes import OutcomeFactory
from refunds.domain.policy import Policy
from refunds.domain.redaction import redact
from refunds.errors import ErrorCode, Fenced, RefundsError
from refunds.ledger.audit import Actor
from refunds.ledger.claims import Ledger
from refunds.messaging.publisher import Publisher
from refunds.operators.replay_verdicts import in_words
from refunds.operators.status_inquiry import StatusInquiry, recall

_NOTHING_SENT: Final = (
    "It is proven that nothing was sent, so there is nothing to ask: replay its message, or settle it by hand"
)


class ResolutionRefused(RefundsError):
    """The request cannot be settled so, or not now; the message says why and what to do."""


@dataclass(frozen=True)
class ResolutionReport:
    """What asking or settling led to: the entry as it is now, and what to make of it, in words."""

    entry: Entry
    finding: str
    settled: bool = False
    published: bool = False


@dataclass(frozen=True)
class Finding:
    """What an operator found out by other means than this system's.

    Attributes:
        succeeded: whether it was carried out.
        evidence: how one knows; for the ledger only.
        amount: won, where the ledger does not know what the request moves.
        reference: the provider's id of the cancellation (PortOne's ``cancellation_id``, EBP's
            ``returnRequestId``), if known.
        code: why it failed.
    """

    succeeded: bool
    evidence: str
    amount: int | None = None
    reference: str | None = None
    code: ErrorCode = ErrorCode.PROVIDER_REFUSED


class Resolver:
    """Ends open ledger items.

    Args:
        clock: UNIX seconds, close to the functions' own clock: leases are judged by it.
    """

    def __init__(
        self,
        ledger: Ledger,
        publisher: Publisher,
        status_inquiry: StatusInquiry,
        *,
        clock: Callable[[], float],
    ) -> None:
        self._ledger = ledger
        self._publisher = publisher
        self._status_inquiry = status_inquiry
        self._clock = clock

    def ask(self, entry: Entry) -> ResolutionReport:
        """Ask the provider what became of a request, and record it if that is proven.

        Raises:
            LookupFailed, NotSent, ConfigurationError: the provider gave no usable answer.
            InvalidRequest: the item was written under another contract.
            ResolutionRefused: the item changed while the provider was asked.
        """
        if entry.state.terminal:
            return self.publish(entry)
        reason = self.unaskable(entry)
        if reason is not None:
            return ResolutionReport(entry, reason)
        answer = self._status_inquiry.resolve(entry, recall(entry))
        match answer:
            case Applied(effect):
                outcome = self._outcomes(entry).succeeded(_as_remembered(effect), entry.attempt)
                return self._record(entry, State.SUCCEEDED, outcome, effect.proof)
            case Rejected(failure, retry_later=False) if failure.excludes_late_attempts:
                outcome = self._outcomes(entry).failed(failure, entry.attempt)
                return self._record(entry, State.FAILED, outcome, failure.message)
        return ResolutionReport(entry, in_words(answer))

    def unaskable(self, entry: Entry) -> str | None:
        """Why the provider cannot be asked about an open entry, or not now; ``None`` if it can."""
        if entry.leased(self._clock()):
            return self._busy(entry)
        if not entry.in_doubt:
            return _NOTHING_SENT
        if entry.baseline is None:
            return "It was claimed without a yardstick to ask by: settle it by hand"
        return None

    def by_hand(self, entry: Entry, finding: Finding, actor: Actor) -> ResolutionReport:
        """Record what a person found out.

        Raises:
            ResolutionRefused: it has ended already, a worker has it, an amount is missing, or the item
                changed meanwhile.
        """
        if entry.state.terminal:
            raise ResolutionRefused(f"{entry.key} has ended as {entry.state} and stays so: {entry.proof}")
        if entry.leased(self._clock()):
            raise ResolutionRefused(self._busy(entry))
        proof = f"settled by hand by {actor}: {redact(finding.evidence)}"
        outcomes = self._outcomes(entry)
        if finding.succeeded:
            outcome = outcomes.succeeded(self._effect(entry, finding, proof), entry.attempt)
            return self._record(entry, State.SUCCEEDED, outcome, proof)
        outcome = outcomes.failed(_failure(entry, finding), entry.attempt)
        return self._record(entry, State.FAILED, outcome, proof)

    def publish(self, entry: Entry) -> ResolutionReport:
        """Publish the outcome of an entry that has ended, again or for the first time."""
        if entry.outcome is None:
            raise ResolutionRefused(f"{entry.key} has no outcome to publish")
        if self._publisher.publish([entry.outcome]):
            finding = "EventBridge did not take the outcome: the sweeper publishes it, or run this again"
            return ResolutionReport(entry, finding, settled=True)
        if entry.unpublished:
            with suppress(Fenced):  # somebody else has published and noted it
                entry = self._ledger.published(entry)
        return ResolutionReport(entry, entry.proof or "", settled=True, published=True)

    def _record(self, entry: Entry, state: State, outcome: Outcome, proof: str) -> ResolutionReport:
        try:
            recorded = self._ledger.record(
                entry, state, outcome, in_doubt=False, proof=proof, unpublished=True
            )
        except Fenced as error:
            raise ResolutionRefused(
                f"{entry.key} changed while you looked at it, and was left alone: look again ({error})"
            ) from None
        return self.publish(recorded)

    def _effect(self, entry: Entry, finding: Finding, proof: str) -> Effect:
        policy = _policy(entry)
        refs = _refs(entry)
        if finding.reference is not None:
            name = "cancellation_id" if policy.provider == "portone" else "return_request_id"
            refs = refs.model_copy(update={name: finding.reference})
        if not policy.moves_money:
            return Effect(provider=refs, proof=proof)
        items = entry.request.get("items", ())
        return Effect(
            provider=refs,
            proof=proof,
            money=self._money(entry, finding),
            items=tuple(CancelledItem.model_validate(item) for item in items),  # type: ignore[attr-defined]
        )

    def _money(self, entry: Entry, finding: Finding) -> MoneyMoved:
        amount = Decimal(finding.amount) if finding.amount is not None else self._asked(entry)
        if not amount:
            raise ResolutionRefused(f"the ledger does not know how much {entry.key} moves: add --amount")
        baseline = entry.baseline.cancellable if entry.baseline else None
        return MoneyMoved(
            currency="KRW",
            cancelled=amount,
            cancellable_before=baseline,
            cancellable_after=None if baseline is None else baseline - amount,
        )

    def _asked(self, entry: Entry) -> Decimal:
        """Won that the request asks for; zero where only the provider knows what is left."""
        if entry.baseline is None:
            amount = entry.request.get("amount", entry.request.get("totalCancelAmount", 0))
            return Decimal(str(amount))
        operation = self._status_inquiry.operations[entry.key.cancel_type]
        return operation.amount(recall(entry), entry.baseline).amount

    def _outcomes(self, entry: Entry) -> OutcomeFactory:
        now = datetime.fromtimestamp(self._clock(), UTC)
        return OutcomeFactory(_policy(entry), _identity(entry), format_timestamp(now))

    def _busy(self, entry: Entry) -> str:
        wait = int(entry.lease_until - self._clock()) + 1
        return f"A worker has {entry.key}, or what it sent may still arrive: try again in {wait} s"


def _as_remembered(effect: Effect) -> Effect:
    """Not "immediate": the ledger does not know whether it goes to a bank account, which takes a day."""
    if effect.money is None or effect.money.settles != "immediate":
        return effect
    return replace(effect, money=effect.money.model_copy(update={"settles": None}))


def _failure(entry: Entry, finding: Finding) -> Failure:
    money = None
    if _policy(entry).moves_money:
        baseline = entry.baseline.cancellable if entry.baseline else None
        money = MoneyMoved(currency="KRW", cancelled=Decimal(0), cancellable_before=baseline)
    return Failure(
        code=finding.code,
        message="an operator found that it was not carried out",
        provider=_refs(entry),
        money=money,
    )


def _refs(entry: Entry) -> ProviderRefs:
    policy = _policy(entry)
    return entry.baseline.refs(policy.provider) if entry.baseline else ProviderRefs(name=policy.provider)


def _policy(entry: Entry) -> Policy:
    return cancel_type(entry.key.cancel_type).policy


def _identity(entry: Entry) -> Identity:
    requested_by: RequestedBy = entry.requested_by  # type: ignore[assignment]
    return Identity(entry.key.cancel_request_id, entry.order_id, requested_by, entry.requested_at)
