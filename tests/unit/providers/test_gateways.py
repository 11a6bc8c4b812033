from __future__ import annotations

import pytest

from refunds.providers.portone.gateways import books_late, gateway
from refunds.providers.portone.texts import may_be_done, means_later


@pytest.mark.parametrize(
    ("pg_provider", "pay_method", "late"),
    [
        ("paypal_v2", "paypal", True),
        ("paypal_v2", None, True),
        ("smartro_v2", "vbank", True),
        ("smartro_v2", "trans", True),
        ("smartro_v2", "card", False),
        ("daou", "vbank", True),
        ("daou", "card", False),
        ("tosspayments", "vbank", False),
        ("html5_inicis", "card", False),
        ("never_heard_of", "card", True),
        (None, "card", True),
        ("", None, True),
    ],
)
def test_which_pgs_may_book_later_than_they_accept(
    pg_provider: str | None, pay_method: str | None, *, late: bool
) -> None:
    """Listed ones by their pay methods; of an unknown name, or of none, the worst is assumed."""
    assert books_late(pg_provider, pay_method) is late


@pytest.mark.parametrize(
    ("pg_provider", "pay_method", "to_account", "settles"),
    [
        ("tosspayments", "card", False, "immediate"),
        ("tosspayments", "vbank", False, "next_business_day"),
        ("tosspayments", "trans", True, "next_business_day"),
        ("daou", "vbank", True, "later"),
        ("smartro_v2", "vbank", True, "later"),
        ("paypal_v2", "paypal", False, "immediate"),
    ],
)
def test_when_the_money_arrives(pg_provider: str, pay_method: str, settles: str, *, to_account: bool) -> None:
    """Once it is booked; where a person at the PG checks refunds to accounts it takes longer."""
    assert gateway(pg_provider).settles(pay_method, to_account=to_account) == settles


def test_naverpay_alone_takes_no_tag() -> None:
    """It wants the real reason."""
    assert [gateway(name).takes_tag for name in ("naverpay", "tosspayments", None, "new")] == [
        False,
        True,
        True,
        True,
    ]


@pytest.mark.parametrize(
    "text",
    [
        "결제취소에 실패하였습니다. …(기취소성공)…",
        "결제취소에 실패하였습니다. [500626|기 취소 거래]",
        "이미 전액취소된 주문입니다.",
        "이미 취소된 거래입니다",
        "Payment has ALREADY been cancelled",
        "gateway time-out",
        "PG timed out",
        "중복된 취소 요청",
        "통신 오류",
    ],
)
def test_texts_that_leave_room_for_a_cancellation_that_was_carried_out(text: str) -> None:
    """They lower certainty, whatever else the answer says."""
    assert may_be_done(text)


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "취소금액이 미정산 금액보다 큽니다",
        "취소불가 상태입니다",
        "취소할 결제건이 존재하지 않습니다.",
        "requested cancel amount is bigger than cancelable amount",
        "결제취소에 실패하였습니다.",
    ],
)
def test_other_texts_do_not(text: str | None) -> None:
    """A plain refusal stays one."""
    assert not may_be_done(text)


def test_not_today() -> None:
    """What can be tried again later says so."""
    assert means_later("[8178] 잔액 부족")
    assert not means_later("한도 초과")
