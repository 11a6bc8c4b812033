"""Every error of the refund handler, and whether the work behind it may be retried.

::

    RefundsError
    ├── ConfigurationError          the deployment is wrong; nothing was sent
    ├── InvalidRequest              the message can never be carried out as it stands
    ├── DuplicateKey                the idempotency key is taken by another payload
    ├── NotSettled                  a single event must be invoked again
    ├── LedgerError
    │   ├── AlreadyClaimed          the request has a ledger item (carries it)
    │   └── Fenced                  another worker owns the item now
    └── ProviderError
        ├── NotSent                 the request provably never reached the provider
        │   ├── CredentialsRejected the provider refuses our credentials
        │   └── LimitExceeded       a guard rail of ours kept it back
        ├── LookupFailed            a question (not a cancellation) got no usable answer
        ├── OutcomeUnknown          it may or may not have been carried out
        ├── Refused                 a complete, well-formed "no" (not yet a proof)
        └── ResponseMismatch        a "yes" that contradicts what was asked

``retryable`` says whether the *same message* may be tried again without a person changing
anything. It never says whether a provider call may be *sent* again: that is the protocol's
decision (``refunds.service``), made from proofs and from the policy of the cancel type.
"""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar


class ErrorCode(StrEnum):
    """The closed set of error codes in outbound events, DLQ attributes and metrics."""

    INVALID_REQUEST = "INVALID_REQUEST"
    DUPLICATE_KEY_DIFFERENT_PAYLOAD = "DUPLICATE_KEY_DIFFERENT_PAYLOAD"
    NOT_FOUND = "NOT_FOUND"
    ALREADY_CANCELLED = "ALREADY_CANCELLED"
    ALREADY_PAID = "ALREADY_PAID"
    NOT_CANCELLABLE = "NOT_CANCELLABLE"
    AMOUNT_EXCEEDS_CANCELLABLE = "AMOUNT_EXCEEDS_CANCELLABLE"
    CHECKSUM_MISMATCH = "CHECKSUM_MISMATCH"
    UNSUPPORTED_BY_PG = "UNSUPPORTED_BY_PG"
    PROVIDER_REFUSED = "PROVIDER_REFUSED"
    PROVIDER_UNAVAILABLE = "PROVIDER_UNAVAILABLE"
    PROVIDER_AUTH = "PROVIDER_AUTH"
    OUTCOME_UNKNOWN = "OUTCOME_UNKNOWN"
    RESPONSE_MISMATCH = "RESPONSE_MISMATCH"
    LIMIT_EXCEEDED = "LIMIT_EXCEEDED"
    CURRENCY_MISMATCH = "CURRENCY_MISMATCH"


class RefundsError(Exception):
    """Base of all errors raised by this package."""

    retryable: ClassVar[bool] = False


class ConfigurationError(RefundsError):
    """An environment variable or secret is missing or unusable; the message names it, never its value."""

    retryable = True  # the message is not at fault: it waits until the deployment is mended


class InvalidRequest(RefundsError):
    """The message breaks the inbound contract.

    The text names fields and rules, never the values found: values may be personal data.
    """

    code = ErrorCode.INVALID_REQUEST


class DuplicateKey(RefundsError):
    """The same ``cancel_request_id`` arrived earlier with another payload."""

    code = ErrorCode.DUPLICATE_KEY_DIFFERENT_PAYLOAD


class NotProcessed(RefundsError):
    """A single event has no outcome yet; the text says why. Invoking it again is safe."""

    retryable = True


class LedgerError(RefundsError):
    """The ledger refused a conditional write."""

    retryable = True


class Fenced(LedgerError):
    """Another worker took the item over: this worker's result must not be recorded."""


class ProviderError(RefundsError):
    """A payment provider did not carry the request out as asked.

    Attributes:
        code: the error code this becomes if nothing better is found out.
        provider_code: the provider's own code (PortOne ``code``, EBP ``resultCode``), if any.
        provider_message: the provider's own text, already redacted. It proves nothing.
        status: HTTP status, ``None`` where no answer arrived.
        retry_after: seconds the provider asked us to wait, if it did.
    """

    code: ErrorCode = ErrorCode.PROVIDER_UNAVAILABLE

    def __init__(
        self,
        message: str,
        *,
        code: ErrorCode | None = None,
        provider_code: str | None = None,
        provider_message: str | None = None,
        status: int | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        if code is not None:
            self.code = code
        self.provider_code = provider_code
        self.provider_message = provider_message
        self.status = status
        self.retry_after = retry_after


class NotSent(ProviderError):
    """No connection was made, or there was no time left to make one: known not carried out."""

    retryable = True


class CredentialsRejected(NotSent):
    """The provider rejects our keys: check the provider secret. Nothing was carried out."""

    code = ErrorCode.PROVIDER_AUTH


class LimitExceeded(NotSent):
    """A guard rail (``refunds.service.guard``) kept the request back: a person decides what becomes of it."""

    retryable = False
    code = ErrorCode.LIMIT_EXCEEDED


class LookupFailed(ProviderError):
    """A lookup got no usable answer. It moves no money and says nothing about a cancellation."""

    retryable = True


class OutcomeUnknown(ProviderError):
    """The answer is missing, incomplete, malformed or a server error: it may have been carried out."""

    retryable = True
    code = ErrorCode.OUTCOME_UNKNOWN


class Refused(ProviderError):
    """A complete, well-formed refusal. Asking shows whether it is true (docs/protocol.md, step 6)."""

    code = ErrorCode.PROVIDER_REFUSED


class ResponseMismatch(ProviderError):
    """A success answer whose id or amounts are not the ones asked for.

    Attributes:
        suspects: added to the baseline's, so that whoever asks later knows of the answer; empty where a later
            question can answer that.
    """

    code = ErrorCode.RESPONSE_MISMATCH

    def __init__(
        self, message: str, *, code: ErrorCode | None = None, suspects: tuple[str, ...] = ()
    ) -> None:
        super().__init__(message, code=code)
        self.suspects = suspects
