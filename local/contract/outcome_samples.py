"""A real outcome of every kind that a cancel type has, as accounting's rule delivers it.

They answer the events of ``events/<cancel_type>/eventbridge.json`` and are built by the outbound models.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Any

from local.contract.catalogue import policies, sample_events
from refunds.contracts.outbound import (
    SOURCE,
    CancelledItem,
    MoneyMoved,
    Outcome,
    OutcomeError,
    OutcomeKind,
    ProviderRefs,
    outcome_id,
)
from refunds.errors import ErrorCode

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ACCOUNT = "123456789012"
REGION = "ap-northeast-2"
_OCCURRED_AT = "2026-11-21T05:00:04.211Z"
_IDS = uuid.UUID("5f5f0ad2-5d9b-5d4b-8d93-7a3a0b7f1c55")

#: How a case is called, where it is not called after its kind of outcome.
_INVALID = "parked_invalid"


@dataclass(frozen=True)
class _Case:
    """What differs from case to case; the rest is the request's."""

    kind: OutcomeKind
    number: int = 1
    revision: int = 2
    attempts: int = 1
    provider: Mapping[str, str] = field(default_factory=dict)
    money: MoneyMoved | None = None
    items: bool = False
    error: OutcomeError | None = None


def _won(cancelled: int | None, before: int, **more: Any) -> MoneyMoved:
    after = None if cancelled is None else Decimal(before - cancelled)
    return MoneyMoved(
        currency="KRW",
        cancelled=None if cancelled is None else Decimal(cancelled),
        cancellable_before=Decimal(before),
        cancellable_after=after,
        **more,
    )


def _error(code: ErrorCode, message: str, *, maybe: bool = False, **more: Any) -> OutcomeError:
    retryable = code in {ErrorCode.PROVIDER_UNAVAILABLE, ErrorCode.OUTCOME_UNKNOWN}
    return OutcomeError(code=code, message=message, retryable=retryable, may_have_been_applied=maybe, **more)


_LOST = _error(
    ErrorCode.OUTCOME_UNKNOWN, "no answer arrived, and the history does not show the cancellation", maybe=True
)
_DOWN = _error(ErrorCode.PROVIDER_UNAVAILABLE, "no connection to PortOne could be made")
_BAD = _error(ErrorCode.INVALID_REQUEST, "request: amount is greater than checksum, the balance it is from")
_PAYPAL = {"imp_uid": "imp_448280090726", "merchant_uid": "ORD20261121009", "pg_provider": "paypal_v2"}
_PAID = {"pg_provider": "tosspayments", "pg_tid": "tviva20261121050004"}


def _cases() -> Mapping[str, Mapping[str, _Case]]:
    """By cancel type and name."""
    succeeded, failed, parked = OutcomeKind.SUCCEEDED, OutcomeKind.FAILED, OutcomeKind.PARKED
    return {
        "payment_cancel": {
            "succeeded": _Case(
                succeeded,
                provider={
                    **_PAID,
                    "cancellation_id": "6f1b2c34-0c7d-4b55-9f5e-2f1f3ad6b701",
                    "receipt_url": "https://receipts.example.com/cancellation/6f1b2c34",
                },
                money=_won(3000, 10000, tax_free=Decimal(0), settles="immediate"),
            ),
            "succeeded_usd": _Case(
                succeeded,
                revision=4,
                number=2,
                provider={**_PAYPAL, "cancellation_id": "0a9a2a0e-6f2d-47c1-8b1c-5d41c7a1e1f2"},
                money=_dollars(settles="later"),
            ),
            "failed": _Case(
                failed,
                number=3,
                provider=_PAID,
                money=_won(0, 2000),
                error=_error(
                    ErrorCode.AMOUNT_EXCEEDS_CANCELLABLE,
                    "3000 KRW asked, 2000 KRW cancellable; nothing was sent",
                ),
            ),
            "pending_usd": _Case(
                OutcomeKind.PENDING, number=2, provider=_PAYPAL, money=_dollars(settles="later")
            ),
            "parked": _Case(
                parked, number=4, revision=6, attempts=5, provider=_PAID, money=_won(None, 10000), error=_LOST
            ),
            _INVALID: _Case(
                parked,
                number=5,
                revision=0,
                attempts=0,
                money=MoneyMoved(currency="KRW", cancelled=Decimal(0)),
                error=_BAD,
            ),
        },
        "vbank_revoke": {
            "succeeded": _Case(succeeded, provider={"pg_provider": "html5_inicis"}),
            "failed": _Case(
                failed,
                number=3,
                provider={"pg_provider": "html5_inicis"},
                error=_error(ErrorCode.ALREADY_PAID, "somebody has paid: cancel the payment instead"),
            ),
            "parked": _Case(parked, number=4, revision=6, attempts=5, error=_DOWN),
        },
        "cvs_revoke": {
            "succeeded": _Case(succeeded, provider={"pg_provider": "settle"}),
            "failed": _Case(
                failed, number=3, error=_error(ErrorCode.NOT_FOUND, "PortOne knows no such payment")
            ),
            "parked": _Case(parked, number=4, revision=6, attempts=5, error=_DOWN),
        },
        "receipt_revoke": {
            "succeeded": _Case(succeeded),
            "failed": _Case(
                failed, number=3, error=_error(ErrorCode.UNSUPPORTED_BY_PG, "the PG cannot revoke receipts")
            ),
            "parked": _Case(parked, number=4, revision=6, attempts=5, error=_DOWN),
        },
        "order_cancel": {
            "succeeded": _Case(
                succeeded,
                provider={"return_request_id": "RET-20261121-000042"},
                money=MoneyMoved(currency="KRW", cancelled=None, vat=Decimal(9636), settles="immediate"),
                items=True,
            ),
            "failed": _Case(
                failed,
                number=3,
                money=MoneyMoved(currency="KRW", cancelled=Decimal(0)),
                error=_error(
                    ErrorCode.PROVIDER_REFUSED,
                    "EBP refused the cancellation; the order is unchanged",
                    provider_code="EBP-C-0003",
                    provider_message="quantity exceeds what is left",
                ),
            ),
            "parked": _Case(
                parked,
                number=4,
                attempts=1,
                money=MoneyMoved(currency="KRW", cancelled=None),
                error=_error(
                    ErrorCode.OUTCOME_UNKNOWN,
                    "EBP cannot be asked whether a part of an order was cancelled",
                    maybe=True,
                ),
            ),
        },
    }


def _ordinary(*, moves_money: bool) -> Mapping[str, _Case]:
    """Of a type that has nothing to show of its own."""
    won = {"succeeded": _won(3000, 10000, settles="immediate"), "failed": _won(0, 10000)}
    money = won if moves_money else {}
    refused = _error(ErrorCode.PROVIDER_REFUSED, "refused, and not carried out")
    return {
        "succeeded": _Case(OutcomeKind.SUCCEEDED, money=money.get("succeeded")),
        "failed": _Case(OutcomeKind.FAILED, number=3, money=money.get("failed"), error=refused),
        "parked": _Case(
            OutcomeKind.PARKED, number=4, revision=6, attempts=5, money=money.get("failed"), error=_DOWN
        ),
    }


def _dollars(**more: Any) -> MoneyMoved:
    return MoneyMoved(
        currency="USD",
        cancelled=Decimal("181.56"),
        cancellable_before=Decimal("726.24"),
        cancellable_after=Decimal("544.68"),
        **more,
    )


@cache
def outcome_events() -> dict[str, dict[str, Any]]:
    """The EventBridge events by the names of their files in ``events/outcomes/``."""
    return dict(_events())


def _events() -> Iterator[tuple[str, dict[str, Any]]]:
    cases = _cases()
    for policy in policies():
        (event, *_others) = sample_events(policy.cancel_type)
        found = cases.get(policy.cancel_type) or _ordinary(moves_money=policy.moves_money)
        for name, case in found.items():
            file_name = f"{policy.cancel_type}_{name}.json"
            outcome = _outcome(policy.cancel_type, policy.provider, event["detail"], case)
            yield file_name, _envelope(file_name, outcome)


def _outcome(cancel_type: str, provider: str, detail: Mapping[str, Any], case: _Case) -> Outcome:
    request = detail["request"]
    # Made-up numbers: two statements about one request would have to fit together.
    key = f"{detail['cancel_request_id'][:-4]}{case.number:04d}"
    references = {name: request[name] for name in ("imp_uid", "merchant_uid") if name in request}
    refs: dict[str, Any] = {"name": provider, **references, **case.provider}
    money = case.money
    items: tuple[CancelledItem, ...] = ()
    if case.items:
        items = tuple(CancelledItem.model_validate(item) for item in request["items"])
        money = MoneyMoved.model_validate({**dict(money or ()), "cancelled": request["totalCancelAmount"]})
    return Outcome(
        outcome_id=outcome_id(cancel_type, key, case.kind, case.error),
        revision=case.revision,
        outcome=case.kind,
        cancel_type=cancel_type,
        cancel_request_id=key,
        order_id=detail["order_id"],
        requested_by=detail["requested_by"],
        requested_at=detail["requested_at"],
        occurred_at=_OCCURRED_AT,
        attempts=case.attempts,
        provider=ProviderRefs.model_validate(refs),
        money=money,
        items=items,
        error=case.error,
    )


def _envelope(name: str, outcome: Outcome) -> dict[str, Any]:
    return {
        "version": "0",
        "id": str(uuid.uuid5(_IDS, name)),
        "detail-type": outcome.outcome.detail_type,
        "source": SOURCE,
        "account": ACCOUNT,
        "time": "2026-11-21T05:00:05Z",
        "region": REGION,
        "resources": [],
        "detail": json.loads(outcome.to_json()),
    }
