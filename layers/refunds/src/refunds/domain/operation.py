"""What a cancel type does at its provider, as the protocol sees it.

Three questions, asked by ``refunds.service`` in this order: may it be sent (``precheck``), send it
(``send``), and what is true now (``resolve``). An operation knows the provider and no ledger.

The port between them, so it stands below both: the service and the ledger speak in these types, the
providers implement them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Generic, Protocol, TypeVar

from refunds.contracts.inbound import Cancellation, ProviderRequest
from refunds.contracts.naming import Naming
from refunds.contracts.outbound import CancelledItem, MoneyMoved, ProviderRefs
from refunds.domain.deadline import Deadline
from refunds.errors import ErrorCode, Refused

RequestT = TypeVar("RequestT", bound=ProviderRequest)


@dataclass(frozen=True)
class Money:
    """An amount in a currency (ISO 4217): what limits are compared with."""

    amount: Decimal
    currency: str


@dataclass(frozen=True)
class Baseline:
    """What the provider showed before the first send; kept in the ledger, later answers are compared with it.

    Attributes:
        subject: the payment, receipt or order that was chosen; it never changes.
        currency: of the payment, as the provider showed it; ``None`` where there was no precheck.
        cancellable: what was left to cancel, in the payment's currency; without a precheck, the event's
            own checksum.
        cancellation_ids: the cancellations that were there already; ``None`` without a precheck, because
            the event brought its own checksum or because a repeat is harmless.
        accepted: the provider accepted a cancellation of ours without booking it at once, or refused it as
            if it had been carried out. From then on a missing entry proves nothing.
        suspects: cancellations that were there when our only attempt was refused: they may be ours, and
            will never be proven to be.
        shown: what else tells which payment it is and how it is paid, by the provider's own names.
    """

    subject: str
    currency: str | None = None
    cancellable: Decimal | None = None
    cancellation_ids: tuple[str, ...] | None = None
    status: str | None = None
    accepted: bool = False
    suspects: tuple[str, ...] = ()
    shown: Mapping[str, str] = field(default_factory=dict)

    def refs(self, naming: Naming) -> ProviderRefs:
        """What can be said of the payment before anything was done to it."""
        return ProviderRefs.model_validate(naming.refs(self.subject, self.shown))


@dataclass(frozen=True)
class Attempt(Generic[RequestT]):
    """One attempt at one cancellation.

    Attributes:
        tag: marks it in the provider's history.
        deadline: bounds every call.
        number: 1 for the first; a provider that takes an idempotency key gets one per attempt that may
            be sent beside an earlier one.
    """

    cancellation: Cancellation[RequestT]
    tag: str
    deadline: Deadline
    number: int = 1

    @property
    def request(self) -> RequestT:
        """The provider fields of the event."""
        return self.cancellation.request


@dataclass(frozen=True)
class Effect:
    """Proof that the cancellation was carried out.

    Attributes:
        proof: says in words what proved it.
        held_as: the name of what proves it in the provider's books (a ``cancellation_id``), where no mark
            of ours is on it: the ledger then notes, strongly consistent, that no other request may be
            proven by it. ``None`` where it carries our tag.
        also_held_as: further names that no other request may be proven by.
    """

    provider: ProviderRefs
    proof: str
    money: MoneyMoved | None = None
    items: tuple[CancelledItem, ...] = ()
    held_as: str | None = None
    also_held_as: tuple[str, ...] = ()

    @property
    def inferred(self) -> bool:
        """Whether it is ours only because nobody else's explains it."""
        return self.held_as is not None


@dataclass(frozen=True)
class Accepted:
    """The provider said yes and books it later; nothing is ever sent again."""

    provider: ProviderRefs
    proof: str
    money: MoneyMoved | None = None


@dataclass(frozen=True)
class Failure:
    """Why the provider will not carry it out.

    ``excludes_late_attempts`` is true when the same facts also make it impossible that an earlier attempt,
    still under way at the provider, is carried out after all.
    """

    code: ErrorCode
    message: str
    provider: ProviderRefs
    money: MoneyMoved | None = None
    provider_code: str | None = None
    provider_message: str | None = None
    excludes_late_attempts: bool = False
    baseline: Baseline | None = None


@dataclass(frozen=True)
class SentBefore:
    """The provider shows this request's own mark, and its item says nothing of a send: an item was lost.

    ``baseline`` is as if somebody had looked before that send. A missing entry proves nothing any more.
    """

    baseline: Baseline


@dataclass(frozen=True)
class Siblings:
    """What the ledger knows of other cancellations of the same payment.

    Amounts are in the payment's currency; ``None`` for "all that is left". They come from an index that
    may lag: they make an answer less certain, and never more.

    Attributes:
        cancellation_ids: held by other items.
        open_amounts: of cancellations that have not ended.
        settled_by_hand: of cancellations that a person recorded as carried out without saying which they
            are at the provider.
    """

    cancellation_ids: frozenset[str] = frozenset()
    open_amounts: tuple[Decimal | None, ...] = ()
    settled_by_hand: tuple[Decimal | None, ...] = ()
    others_succeeded: bool = False


@dataclass(frozen=True)
class ResolveContext:
    """What is known when the provider is asked what is true.

    ``refusal`` is the answer to the latest send, if it was a refusal. ``only_attempt`` says that no other
    attempt of this request was ever possibly sent. No attempt it may be about began before ``sent_at`` (UNIX
    seconds; 0 if unknown).
    """

    refusal: Refused | None
    only_attempt: bool
    siblings: Callable[[], Siblings]
    sent_at: float = 0.0


@dataclass(frozen=True)
class Applied:
    """Proven: it was carried out."""

    effect: Effect


@dataclass(frozen=True)
class Rejected:
    """Proven: it was not carried out, and will not be. ``retry_later`` means "not today": worth repeating."""

    failure: Failure
    retry_later: bool = False


@dataclass(frozen=True)
class Unapplied:
    """Not carried out so far; sending again with ``baseline`` cannot double it."""

    baseline: Baseline


@dataclass(frozen=True)
class Unproven:
    """Nobody can tell. ``unresolvable`` means that asking again will not tell either.

    ``baseline`` is the one to keep from now on, where something was learnt that the next to ask must know.
    ``code`` says what is wrong when it is more than not knowing.
    """

    message: str
    unresolvable: bool = False
    baseline: Baseline | None = None
    code: ErrorCode = ErrorCode.OUTCOME_UNKNOWN


Resolution = Applied | Rejected | Unapplied | Unproven | Accepted
"""``Accepted``: a provider that said yes still has not booked it."""


class Operation(Protocol[RequestT]):
    """One provider operation. ``Attempt.deadline`` bounds every call."""

    def subject(self, request: RequestT) -> str | None:
        """The payment, receipt or order meant, where the request names it unmistakably."""
        ...

    def amount(self, cancellation: Cancellation[RequestT], baseline: Baseline) -> Money:
        """What carrying it out would move; zero for what moves no money."""
        ...

    def warm_up(self, deadline: Deadline) -> None:
        """Get in advance what every call needs: credentials, an access token.

        Raises:
            ConfigurationError, NotSent: not now; the first call that needs it tries again.
        """
        ...

    def needs_precheck(self, request: RequestT) -> bool:
        """Whether ``precheck`` asks the provider."""
        ...

    def precheck(self, attempt: Attempt[RequestT], chosen: str | None) -> Baseline | SentBefore | Failure:
        """Look, where the policy asks for it, and decide whether it may be sent at all.

        Builds the wire request too: what would be refused as malformed is refused before the claim.

        Args:
            attempt: the first of the request, or one after those that provably sent nothing.
            chosen: the subject that an earlier attempt chose; no other one is chosen anymore.

        Raises:
            InvalidRequest: the request does not name one payment, or cannot be written.
            LookupFailed, NotSent: try again later; nothing was sent.
        """
        ...

    def sends_alone(self, baseline: Baseline) -> bool:
        """Whether it may only be sent while no other cancellation of the same subject is open.

        Where a provider books later than it accepts, what is left is not known while one waits.
        """
        ...

    def send(self, attempt: Attempt[RequestT], baseline: Baseline) -> Effect | Accepted:
        """Send once and verify the answer.

        Raises:
            NotSent, OutcomeUnknown, Refused, ResponseMismatch: see ``refunds.errors``.
        """
        ...

    def resolve(self, attempt: Attempt[RequestT], baseline: Baseline, context: ResolveContext) -> Resolution:
        """Ask what is true now and compare it with ``baseline``.

        Raises:
            LookupFailed, NotSent: the provider gave no usable answer to the question.
        """
        ...
