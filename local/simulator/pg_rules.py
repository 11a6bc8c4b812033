"""What single PGs demand of a cancellation and refuse (portone-v1.openapi.json, `x-portone-per-pg`).

The texts are this simulator's own unless marked; no client may depend on them.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from local.simulator import reasons

if TYPE_CHECKING:
    from decimal import Decimal

    from local.simulator.payments import Payment

MISSING_REFUND_ACCOUNT = "환불계좌 정보가 누락되었습니다."
MISSING_VAT = "부가세 금액이 누락되었습니다."
MISSING_REQUESTER = "네이버페이는 extra.requester와 reason이 필수입니다."
NOT_THE_REAL_REASON = "취소 사유가 실제 사유와 다릅니다."
PROMOTION_CHOICE_CHANGED = "retain_promotion은 최초 취소와 같아야 합니다."
NO_PARTIAL = "부분취소가 불가능한 결제건입니다."
TOO_MANY_PARTIALS = "부분취소 가능 횟수를 초과하였습니다."
TOO_OLD = "취소 가능 기간이 지났습니다."
AT_NIGHT = "가상계좌 취소가 불가능한 시간입니다."
NO_CONTRACT = "가상계좌 환불 특약이 필요합니다."
UNREADABLE_REASON = "취소 사유에 사용할 수 없는 문자가 있습니다."

UNSETTLED: Mapping[str, str] = {  # docs/providers.md: refused for now, and taken later
    "nice": "취소금액이 미정산 금액보다 큽니다",
    "kcp": "[8178] 취소금액이 미정산 금액보다 큽니다",
    "daou": "[9029] 취소금액이 미정산 금액보다 큽니다",
    "danal": "취소불가 상태입니다",
}
UNSETTLED_ELSEWHERE = "취소금액이 미정산 금액보다 큽니다"

VAT_PG_PROVIDERS = frozenset({"nice", "html5_inicis", "welcome", "nice_v2"})
PHONE_PG_PROVIDERS = frozenset({"smartro", "smartro_v2"})
NAVERPAY = "naverpay"
REFUND_ACCOUNT_FIELDS = ("refund_holder", "refund_bank", "refund_account")
GIFT_CARDS = frozenset({"cultureland", "smartculture", "culturegift", "happymoney", "booknlife"})

KSNET_PARTIALS = 9
KSNET_DAYS = 183
KSNET_NIGHT = (23, 0, 1, 2, 3, 4, 5)  # hours in Korea
_KST = timezone(timedelta(hours=9))


def unsettled(pg_provider: str) -> str:
    """The text of a PG whose merchant's balance is too small for now."""
    return UNSETTLED.get(pg_provider, UNSETTLED_ELSEWHERE)


def objection(payment: Payment, fields: Mapping[str, Any], amount: Decimal, now: float) -> str | None:
    """The text of the first rule a cancellation breaks at this payment's PG."""
    return (
        _refused_for_now(payment, now)
        or _not_in_part(payment, amount)
        or (_ksnet(payment, amount, now) if payment.pg_provider == "ksnet" else None)
        or _missing_field(payment, fields, now)
        or _reason(payment, fields)
    )


def _refused_for_now(payment: Payment, now: float) -> str | None:
    return unsettled(payment.pg_provider) if now < payment.unsettled_until else None


def _not_in_part(payment: Payment, amount: Decimal) -> str | None:
    gift_card = payment.pg_provider == "tosspayments" and payment.pay_method in GIFT_CARDS
    ksnet_phone = payment.pg_provider == "ksnet" and payment.pay_method == "phone"
    whole_only = gift_card or ksnet_phone or not payment.partial_cancellable
    return NO_PARTIAL if whole_only and amount != payment.amount else None


def _ksnet(payment: Payment, amount: Decimal, now: float) -> str | None:
    if amount != payment.cancellable and len(payment.history) >= KSNET_PARTIALS:
        return TOO_MANY_PARTIALS
    if now - payment.paid_at > KSNET_DAYS * 24 * 3600:
        return TOO_OLD
    night = datetime.fromtimestamp(now, _KST).hour in KSNET_NIGHT
    return AT_NIGHT if payment.pay_method == "vbank" and night else None


def _missing_field(payment: Payment, fields: Mapping[str, Any], now: float) -> str | None:
    if payment.pay_method == "vbank" and not payment.refund_contract:
        return NO_CONTRACT
    if _needs_account(payment, now):
        needs_phone = payment.pg_provider in PHONE_PG_PROVIDERS
        needed = (*REFUND_ACCOUNT_FIELDS, "refund_tel") if needs_phone else REFUND_ACCOUNT_FIELDS
        if not all(fields.get(name) for name in needed):
            return MISSING_REFUND_ACCOUNT
    with_vat = payment.vat_amount is not None and payment.pg_provider in VAT_PG_PROVIDERS
    if with_vat and fields.get("vat_amount") is None:
        return MISSING_VAT
    if payment.retain_promotion not in (None, truth(fields.get("retain_promotion"))):
        return PROMOTION_CHOICE_CHANGED
    return None


def _needs_account(payment: Payment, now: float) -> bool:
    match payment.pg_provider, payment.pay_method:
        case _, "vbank":
            return True
        case "smartro_v2", "trans":
            return True
        case "kcp", "phone":  # a mobile payment of an earlier month
            return _month(payment.paid_at) != _month(now)
        case _:
            return False


def _reason(payment: Payment, fields: Mapping[str, Any]) -> str | None:
    reason = str(fields.get("reason") or "")
    if payment.pg_provider == NAVERPAY:
        extra = fields.get("extra")
        if not (isinstance(extra, Mapping) and extra.get("requester") and reason):
            return MISSING_REQUESTER
    if payment.real_reason and reason != payment.real_reason:
        return NOT_THE_REAL_REASON
    return UNREADABLE_REASON if reasons.is_refused(payment.keeps_reason, reason) else None


def _month(seconds: float) -> tuple[int, int]:
    day = datetime.fromtimestamp(seconds, UTC).astimezone(_KST)
    return day.year, day.month


def truth(value: Any) -> bool:
    """A boolean of JSON or of a form."""
    return value is True or value == "true"
