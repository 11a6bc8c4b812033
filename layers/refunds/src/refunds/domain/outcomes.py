"""Builds the outbound detail from what was proven."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from refunds.contracts.inbound import Identity
from refunds.contracts.outbound import (
    MoneyMoved,
    Outcome,
    OutcomeError,
    OutcomeKind,
    ProviderRefs,
    outcome_id,
)
from refunds.domain.entry import Entry
from refunds.domain.operation import Accepted, Baseline, Effect, Failure
from refunds.domain.policy import Policy
from refunds.domain.redaction import holds, redact
from refunds.errors import ErrorCode


@dataclass(frozen=True)
class Trouble:
    """Why a message is parked."""

    code: ErrorCode
    message: str
    may_have_been_applied: bool
    provider_code: str | None = None
    provider_message: str | None = None


@dataclass(frozen=True)
class OutcomeFactory:
    """Outcomes of one cancellation.

    Attributes:
        occurred_at: ISO 8601.
        personal: what the request says of a person: a provider's text or address may repeat it even in the
            answer to a question that did not contain it.
    """

    policy: Policy
    identity: Identity
    occurred_at: str
    personal: tuple[str, ...] = ()

    def succeeded(self, effect: Effect, attempts: int) -> Outcome:
        """``CancelSucceeded``."""
        return self._outcome(
            OutcomeKind.SUCCEEDED, attempts, effect.provider, money=effect.money, items=effect.items
        )

    def pending(self, accepted: Accepted, attempts: int) -> Outcome:
        """``CancelPending``: the provider books it later."""
        return self._outcome(OutcomeKind.PENDING, attempts, accepted.provider, money=accepted.money)

    def failed(self, failure: Failure, attempts: int) -> Outcome:
        """``CancelFailed``: proven not applied."""
        error = OutcomeError(
            code=failure.code,
            message=failure.message,
            retryable=False,
            may_have_been_applied=False,
            provider_code=failure.provider_code,
            provider_message=self._masked(failure.provider_message),
        )
        return self._outcome(OutcomeKind.FAILED, attempts, failure.provider, money=failure.money, error=error)

    def parked(self, trouble: Trouble, attempts: int, baseline: Baseline | None) -> Outcome:
        """``CancelParked``: the message waits in the DLQ."""
        error = OutcomeError(
            code=trouble.code,
            message=trouble.message,
            retryable=trouble.code is not ErrorCode.INVALID_REQUEST,
            may_have_been_applied=trouble.may_have_been_applied,
            provider_code=trouble.provider_code,
            provider_message=self._masked(trouble.provider_message),
        )
        money = self._nothing_proven(trouble, baseline) if self.policy.moves_money else None
        return self._outcome(OutcomeKind.PARKED, attempts, self._refs(baseline), money=money, error=error)

    def _nothing_proven(self, trouble: Trouble, baseline: Baseline | None) -> MoneyMoved | None:
        """In the currency that the provider showed, or else in the event's, unless that one is wrong."""
        currency = baseline.currency if baseline else None
        if currency is None and trouble.code is not ErrorCode.CURRENCY_MISMATCH:
            currency = self.identity.currency or self.policy.contract.default_currency
        if currency is None:
            return None
        return MoneyMoved(
            currency=currency,
            cancelled=None if trouble.may_have_been_applied else Decimal(0),
            cancellable_before=baseline.cancellable if baseline else None,
        )

    def _masked(self, text: str | None) -> str | None:
        return None if text is None else redact(text, self.personal)

    def _named(self, provider: ProviderRefs) -> ProviderRefs:
        """With the ids that the request itself names, and without an address that says who was refunded."""
        said, names = self.identity.references, self.policy.naming.references
        changed: dict[str, str | None] = {
            k: said[k] for k in names if k in said and getattr(provider, k) is None
        }
        if provider.receipt_url is not None and holds(provider.receipt_url, self.personal):
            changed["receipt_url"] = None
        return provider.model_copy(update=changed) if changed else provider

    def _refs(self, baseline: Baseline | None) -> ProviderRefs:
        if baseline is None:
            return ProviderRefs(name=self.policy.provider)
        return baseline.refs(self.policy.naming)

    def _outcome(
        self,
        kind: OutcomeKind,
        attempts: int,
        provider: ProviderRefs,
        *,
        error: OutcomeError | None = None,
        **parts: object,
    ) -> Outcome:
        identity = self.identity
        return Outcome.model_validate(
            {
                "outcome_id": outcome_id(self.policy.cancel_type, identity.cancel_request_id, kind, error),
                "outcome": kind,
                "cancel_type": self.policy.cancel_type,
                "cancel_request_id": identity.cancel_request_id,
                "order_id": identity.order_id,
                "requested_by": identity.requested_by,
                "requested_at": identity.requested_at,
                "occurred_at": self.occurred_at,
                "attempts": attempts,
                "provider": self._named(provider),
                "error": error,
                **parts,
            }
        )


def as_recorded(outcome: Outcome, entry: Entry) -> Outcome:
    """The outcome as the next write of ``entry`` records it.

    The same statement as the one that is there stays as it was said, to the letter. Another one gets its
    id and the revision that the item has after the write.
    """
    if entry.outcome is None:
        return outcome.model_copy(update={"revision": entry.revision + 1})
    if same_statement(entry.outcome, outcome):
        return entry.outcome
    numbered = outcome_id(
        outcome.cancel_type,
        outcome.cancel_request_id,
        outcome.outcome,
        outcome.error,
        number=entry.statement + 1,
    )
    return outcome.model_copy(update={"revision": entry.revision + 1, "outcome_id": numbered})


def same_statement(one: Outcome, other: Outcome) -> bool:
    """Whether two outcomes of one request say the same: what happened and, when parked, why and how sure."""
    return _statement(one) == _statement(other)


def _statement(outcome: Outcome) -> tuple[object, ...]:
    error = outcome.error
    if outcome.outcome is not OutcomeKind.PARKED or error is None:
        return (outcome.outcome,)
    return (outcome.outcome, str(error.code), error.may_have_been_applied)
