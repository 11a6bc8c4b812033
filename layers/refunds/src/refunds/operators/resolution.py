"""Ends a request without its message: by asking the provider, or by hand. Never by sending.

Nothing final is written unless it is proven how the request ended. The write that records it is
conditional on owner and version as they were seen, so that of two operators, or of an operator
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
from refunds.contracts.money import MAX_AMOUNT, decimals, fits
from refunds.contracts.outbound import CancelledItem, MoneyMoved, Outcome, ProviderRefs
from refunds.domain.entry import Entry, State
from refunds.domain.operation import (
    Applied,
    Baseline,
    Effect,
    Failure,
    Money,
    Rejected,
    Resolution,
    Unproven,
)
from refunds.domain.outcomes import OutcomeFactory, Trouble, as_recorded
from refunds.domain.policy import Policy
from refunds.domain.redaction import redact
from refunds.errors import (
    ConfigurationError,
    ErrorCode,
    Fenced,
    InvalidRequest,
    LookupFailed,
    NotSent,
    RefundsError,
)
from refunds.ledger.audit import Actor
from refunds.ledger.claims import Ledger
from refunds.messaging.publisher import Publisher
from refunds.operators.replay_verdicts import in_words
from refunds.operators.status_inquiry import StatusInquiry, known_currency, may_be_booked_later, recall

_NOTHING_SENT: Final = (
    "It is proven that nothing was sent, so there is nothing to ask: replay its message, or resolve it by "
    "hand"
)


class ResolutionRefused(RefundsError):
    """The request cannot be resolved so, or not now; the message says why and what to do."""


@dataclass(frozen=True)
class ResolutionReport:
    """What asking or resolving led to: the entry as it is now, and what to make of it, in words."""

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
        amount: what moved, where the ledger does not know what the request moves.
        reference: the provider's id of the cancellation (PortOne's ``cancellation_id``, EBP's
            ``returnRequestId``), if known.
        code: why it failed.
        currency: ISO 4217, where the ledger does not know what the payment is in.
        never_booked: the gateway itself says that it will not be carried out any more. "Failed" needs that
            where a gateway books later than it accepts.
    """

    succeeded: bool
    evidence: str
    amount: Decimal | None = None
    reference: str | None = None
    code: ErrorCode = ErrorCode.PROVIDER_REFUSED
    currency: str | None = None
    never_booked: bool = False


class Resolver:
    """Ends open ledger items.

    Args:
        clock: UNIX seconds, close to the functions' own clock: leases are judged by it.
        under_way: seconds for which a send of unknown fate may still be carried out.
    """

    def __init__(
        self,
        ledger: Ledger,
        publisher: Publisher,
        status_inquiry: StatusInquiry,
        *,
        clock: Callable[[], float],
        under_way: float = 0.0,
    ) -> None:
        self._ledger = ledger
        self._publisher = publisher
        self._status_inquiry = status_inquiry
        self._clock = clock
        self._under_way = under_way

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
        answer = self.answer(entry)
        match answer:
            case Applied(effect) if not self._may_have(entry, effect):
                return ResolutionReport(entry, "What the provider shows proves another request already")
            case Applied(effect):
                outcome = self._outcomes(entry).succeeded(_as_remembered(effect), entry.attempt)
                return self._record(entry, State.SUCCEEDED, outcome, effect.proof)
            case Rejected(failure, retry_later=False) if failure.excludes_late_attempts and self._is_quiet(
                entry
            ):
                outcome = self._outcomes(entry).failed(failure, entry.attempt)
                return self._record(entry, State.FAILED, outcome, failure.message)
        return ResolutionReport(entry, in_words(answer))

    def answer(self, entry: Entry) -> Resolution:
        """What the provider shows of an entry that can be asked about; nothing is recorded.

        Raises:
            LookupFailed, NotSent, ConfigurationError: the provider gave no usable answer.
            InvalidRequest: the item was written under another contract.
        """
        return self._status_inquiry.resolve(entry, recall(entry))

    def _is_quiet(self, entry: Entry) -> bool:
        return self._clock() >= entry.sent_at + self._under_way

    def unaskable(self, entry: Entry) -> str | None:
        """Why the provider cannot be asked about an open entry, or not now; ``None`` if it can."""
        if entry.state is State.UNKNOWN:
            return "A newer version wrote it, and this one does not know its state: leave it to that version"
        if entry.leased(self._clock()):
            return self._busy(entry)
        if not entry.in_doubt:
            return _NOTHING_SENT
        if entry.baseline is None:
            return "It was claimed without a baseline to ask by: resolve it by hand"
        return None

    def park(self, entry: Entry, trouble: Trouble) -> ResolutionReport:
        """Record that there is no progress, and tell. ``in_doubt`` becomes ``trouble.may_have_been_applied``.

        Raises:
            ResolutionRefused: a worker has it, or the item changed meanwhile.
        """
        if entry.leased(self._clock()):
            raise ResolutionRefused(self._busy(entry))
        outcome = self._outcomes(entry).parked(trouble, entry.attempt, entry.baseline)
        return self._record(
            entry, State.PARKED, outcome, trouble.message, in_doubt=trouble.may_have_been_applied
        )

    def by_hand(self, entry: Entry, finding: Finding, actor: Actor) -> ResolutionReport:
        """Record what a person found out. The request's message is not needed.

        Raises:
            ResolutionRefused: it has ended already, a worker has it, an amount or a currency is missing, it
                may still be booked, or the item changed meanwhile.
        """
        self._refuse_untimely(entry)
        self._refuse_what_says_nothing(entry, finding)
        if not finding.succeeded:
            self._refuse_what_is_done(entry)
        proof = f"resolved by hand by {actor}: {redact(finding.evidence)}"
        outcomes = self._outcomes(entry)
        if finding.succeeded:
            effect = self._effect(entry, finding, proof)
            taken = finding.reference in self._ledger.siblings(entry).cancellation_ids
            if taken or not self._may_have(entry, effect):
                raise ResolutionRefused(f"another request is proven by {finding.reference} already")
            return self._record(entry, State.SUCCEEDED, outcomes.succeeded(effect, entry.attempt), proof)
        if may_be_booked_later(entry) and not finding.never_booked:
            raise ResolutionRefused(
                f"{entry.key} may still be booked: its gateway books later than it accepts, or nobody has "
                "seen which gateway it is. Record a failure only if the gateway itself says that it will not "
                "be carried out, and say so with --never-booked"
            )
        outcome = outcomes.failed(self._failure(entry, finding), entry.attempt)
        return self._record(entry, State.FAILED, outcome, proof)

    def publish(self, entry: Entry) -> ResolutionReport:
        """Publish the outcome of an entry, again or for the first time, and take its mark away."""
        if entry.outcome is None:
            raise ResolutionRefused(f"{entry.key} has no outcome to publish")
        if self._publisher.publish([entry.outcome]):
            finding = "EventBridge did not take the outcome: the sweeper publishes it, or run this again"
            return ResolutionReport(entry, finding, settled=True)
        if entry.unpublished:
            with suppress(Fenced):  # somebody else has published and noted it
                entry = self._ledger.published(entry)
        return ResolutionReport(entry, entry.proof or "", settled=True, published=True)

    def _refuse_untimely(self, entry: Entry) -> None:
        if entry.state.terminal:
            raise ResolutionRefused(f"{entry.key} has ended as {entry.state} and stays so: {entry.proof}")
        if entry.state is State.UNKNOWN:
            raise ResolutionRefused(f"a newer version wrote {entry.key}: resolve it with that version")
        if entry.leased(self._clock()):
            raise ResolutionRefused(self._busy(entry))

    def _refuse_what_says_nothing(self, entry: Entry, finding: Finding) -> None:
        if not finding.evidence.strip():
            raise ResolutionRefused(f"say how you know what became of {entry.key}")
        if not finding.succeeded and finding.code is ErrorCode.OUTCOME_UNKNOWN:
            raise ResolutionRefused(f"{finding.code} says that nobody knows what became of {entry.key}")

    def _refuse_what_is_done(self, entry: Entry) -> None:
        """Nobody records as failed what the provider shows as carried out, once or more often."""
        if self.unaskable(entry) is not None:
            return
        try:
            answer = self.answer(entry)
        except (LookupFailed, NotSent, ConfigurationError, InvalidRequest):
            return  # a person may know more than a provider that cannot be asked
        twice = isinstance(answer, Unproven) and answer.code is ErrorCode.RESPONSE_MISMATCH
        if twice or isinstance(answer, Applied):
            raise ResolutionRefused(f"{entry.key} is not recorded as failed: {in_words(answer)}")

    def _may_have(self, entry: Entry, effect: Effect) -> bool:
        """Whether what proves the effect proves no other request: a strongly consistent note says so."""
        if effect.held_as is None:
            return True
        subject = entry.baseline.subject if entry.baseline else entry.payment_ref
        if subject is None:
            return True
        return self._ledger.hold_entry(entry, _policy(entry).provider, subject, effect.held_as)

    def _record(
        self, entry: Entry, state: State, outcome: Outcome, proof: str, *, in_doubt: bool = False
    ) -> ResolutionReport:
        try:
            recorded = self._ledger.record(
                entry, state, as_recorded(outcome, entry), in_doubt=in_doubt, proof=proof, unpublished=True
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
            refs = refs.model_copy(update={policy.naming.effect: finding.reference})
        if not policy.moves_money:
            return Effect(provider=refs, proof=proof)
        money = self._money(entry, finding)
        whole = not _is_in_another_currency(entry) and money.cancelled == self._asked(entry).amount
        items = entry.request.get("items", ()) if whole else ()  # of a part nobody says which lines it was
        return Effect(
            provider=refs,
            proof=proof,
            money=money,
            items=tuple(CancelledItem.model_validate(item) for item in items),  # type: ignore[attr-defined]
            held_as=finding.reference,
        )

    def _money(self, entry: Entry, finding: Finding) -> MoneyMoved:
        foreign = _is_in_another_currency(entry)
        asked = None if foreign else self._asked(entry).amount
        amount = asked if finding.amount is None else Decimal(finding.amount)
        currency = self._currency(entry, finding)
        if not amount:
            raise ResolutionRefused(f"the ledger does not know how much {entry.key} moves: add --amount")
        if currency is None:
            raise ResolutionRefused(f"the ledger does not know what {entry.key} is in: add --currency")
        if not 0 < amount <= MAX_AMOUNT or not fits(amount, currency):
            raise ResolutionRefused(f"an amount in {currency} has at most {decimals(currency)} decimals")
        if asked and amount > asked:
            raise ResolutionRefused(
                f"{entry.key} asked for {asked:f} {currency}: that it moved more cannot be recorded here, "
                "and is to be told to accounting in person"
            )
        baseline = entry.baseline.cancellable if entry.baseline and not foreign else None
        return MoneyMoved(
            currency=currency,
            cancelled=amount,
            cancellable_before=baseline,
            cancellable_after=None if baseline is None else baseline - amount,
        )

    def _currency(self, entry: Entry, finding: Finding) -> str | None:
        """What the payment is in; ``None`` if neither the ledger nor the operator says so.

        Raises:
            ResolutionRefused: they say different things.
        """
        if _is_in_another_currency(entry):
            return finding.currency
        known = known_currency(entry)
        if known is None and _policy(entry).contract.default_currency is None:  # the deployment knows it
            known = self._asked(entry).currency
        if None not in (known, finding.currency) and known != finding.currency:
            raise ResolutionRefused(f"{entry.key} is in {known}, not in {finding.currency}")
        return finding.currency or known

    def _asked(self, entry: Entry) -> Money:
        """What the request asks for; zero where only the provider knows what is left."""
        operation = self._status_inquiry.operations[entry.key.cancel_type]
        return operation.amount(recall(entry), entry.baseline or Baseline(subject=entry.payment_ref or ""))

    def _failure(self, entry: Entry, finding: Finding) -> Failure:
        money = None
        currency = self._currency(entry, finding) if _policy(entry).moves_money else None
        if currency is not None:
            known = entry.baseline is not None and not _is_in_another_currency(entry)
            before = entry.baseline.cancellable if entry.baseline and known else None
            money = MoneyMoved(currency=currency, cancelled=Decimal(0), cancellable_before=before)
        return Failure(
            code=finding.code,
            message="an operator found that it was not carried out",
            provider=_refs(entry),
            money=money,
        )

    def _outcomes(self, entry: Entry) -> OutcomeFactory:
        now = datetime.fromtimestamp(self._clock(), UTC)
        return OutcomeFactory(_policy(entry), identity_in(entry), format_timestamp(now))

    def _busy(self, entry: Entry) -> str:
        wait = int(entry.lease_until - self._clock()) + 1
        return f"A worker has {entry.key}, or what it sent may still arrive: try again in {wait} s"


def identity_in(entry: Entry) -> Identity:
    """Whom an entry is about."""
    requested_by: RequestedBy = entry.requested_by  # type: ignore[assignment]
    names, said = _policy(entry).naming.references, entry.request
    return Identity(
        cancel_request_id=entry.key.cancel_request_id,
        order_id=entry.order_id,
        requested_by=requested_by,
        requested_at=entry.requested_at,
        currency=known_currency(entry),
        references={name: str(said[name]) for name in names if said.get(name)},
    )


def _is_in_another_currency(entry: Entry) -> bool:
    """Whether the provider showed another one than the event means: then no amount of the ledger's counts."""
    error = entry.outcome.error if entry.outcome else None
    return error is not None and error.code is ErrorCode.CURRENCY_MISMATCH


def _as_remembered(effect: Effect) -> Effect:
    """Not "immediate": the ledger does not know whether it goes to a bank account, which takes a day."""
    if effect.money is None or effect.money.settles != "immediate":
        return effect
    return replace(effect, money=effect.money.model_copy(update={"settles": None}))


def _refs(entry: Entry) -> ProviderRefs:
    naming = _policy(entry).naming
    return entry.baseline.refs(naming) if entry.baseline else ProviderRefs(name=naming.provider)


def _policy(entry: Entry) -> Policy:
    return cancel_type(entry.key.cancel_type).policy
