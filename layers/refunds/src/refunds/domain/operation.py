"""What a cancel type does at its provider, as the protocol sees it.

Three questions, asked by ``refunds.service`` in this order: may it be sent (``precheck``), send it
(``send``), and what is true now (``resolve``). An operation knows the provider and no ledger.

The port between them, so it stands below both: the service and the ledger speak in these types, the
providers implement them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Generic, Literal, Protocol, TypeVar

from refunds.contracts.inbound import Cancellation, ProviderRequest
from refunds.contracts.outbound import CancelledItem, MoneyMoved, ProviderRefs
from refunds.domain.deadline import Deadline
from refunds.errors import ErrorCode, Refused

RequestT = TypeVar("RequestT", bound=ProviderRequest)


@dataclass(frozen=True)
class Baseline:
    """What the provider showed before the first send; kept in the ledger as the yardstick.

    ``cancellable`` is won. ``cancellation_ids`` is ``None`` when nobody looked, because the event
    brought its own checksum or because a repeat is harmless. ``suspects`` are cancellations that were
    there when our only attempt was refused: they may be ours, and will never be proven to be.
    """

    subject: str
    cancellable: Decimal | None = None
    cancellation_ids: tuple[str, ...] | None = None
    status: str | None = None
    merchant_uid: str | None = None
    pg_provider: str | None = None
    pay_method: str | None = None
    suspects: tuple[str, ...] = ()

    def refs(self, provider: Literal["portone", "ebp"]) -> ProviderRefs:
        """What can be said of the payment before anything was done to it."""
        if provider == "ebp":
            return ProviderRefs(name=provider)
        return ProviderRefs(
            name=provider,
            imp_uid=None if self.subject == self.merchant_uid else self.subject,
            merchant_uid=self.merchant_uid,
            pg_provider=self.pg_provider,
        )


@dataclass(frozen=True)
class Attempt(Generic[RequestT]):
    """One cancellation, the tag that marks it in the provider's history, and the time left for it."""

    cancellation: Cancellation[RequestT]
    tag: str
    deadline: Deadline

    @property
    def request(self) -> RequestT:
        """The provider fields of the event."""
        return self.cancellation.request


@dataclass(frozen=True)
class Effect:
    """Proof that the cancellation was carried out; ``proof`` says in words what proved it."""

    provider: ProviderRefs
    proof: str
    money: MoneyMoved | None = None
    items: tuple[CancelledItem, ...] = ()


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
class Siblings:
    """What the ledger knows of other cancellations of the same payment."""

    cancellation_ids: frozenset[str]
    open_amounts: frozenset[Decimal | None]
    """Amounts of cancellations that have not ended; ``None`` for "all that is left"."""
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

    ``baseline`` is the yardstick to keep from now on, where something was learnt that the next to ask
    must know.
    """

    message: str
    unresolvable: bool = False
    baseline: Baseline | None = None


Resolution = Applied | Rejected | Unapplied | Unproven


class Operation(Protocol[RequestT]):
    """One provider operation. ``Attempt.deadline`` bounds every call."""

    def subject(self, request: RequestT) -> str | None:
        """The payment, receipt or order meant, where the request names it unmistakably."""
        ...

    def amount(self, request: RequestT, baseline: Baseline) -> Decimal:
        """Won that carrying it out would move; zero for what moves no money."""
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

    def precheck(self, attempt: Attempt[RequestT]) -> Baseline | Failure:
        """Look, where the policy asks for it, and decide whether it may be sent at all.

        Raises:
            InvalidRequest: the request does not name one payment.
            LookupFailed, NotSent: try again later; nothing was sent.
        """
        ...

    def send(self, attempt: Attempt[RequestT], baseline: Baseline) -> Effect:
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
