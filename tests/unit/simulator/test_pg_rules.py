"""What single PGs demand, refuse for now, and keep of a reason."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from local.simulator import Fault, FaultKind
from local.simulator.pg_rules import (
    AT_NIGHT,
    MISSING_REFUND_ACCOUNT,
    MISSING_REQUESTER,
    NO_CONTRACT,
    NO_PARTIAL,
    NOT_THE_REAL_REASON,
    TOO_MANY_PARTIALS,
    TOO_OLD,
    UNREADABLE_REASON,
    unsettled,
)

if TYPE_CHECKING:
    from local.simulator import World
    from tests.unit.simulator.caller import Caller, ManualClock

ACCOUNT = {"refund_holder": "김환불", "refund_bank": "004", "refund_account": "1"}
DAY = 24 * 3600


def seed(world: World, **changes: Any) -> None:
    world.seed_payment({"imp_uid": "imp_1", "merchant_uid": "M", "amount": 1000, **changes})


def refusal(caller: Caller, **fields: Any) -> str | None:
    message: str | None = caller.cancel(imp_uid="imp_1", **fields)["message"]
    return message


@pytest.mark.parametrize(
    "changes",
    [
        {"pg_provider": "ksnet", "pay_method": "phone"},
        {"pg_provider": "tosspayments", "pay_method": "cultureland"},
        {"pg_provider": "welcome", "partial_cancellable": False},
    ],
)
def test_some_take_the_whole_only(caller: Caller, world: World, changes: dict[str, Any]) -> None:
    """A partial cancellation is refused, the whole one carried out."""
    seed(world, **changes)
    assert refusal(caller, amount=100) == NO_PARTIAL
    assert refusal(caller) is None


def test_ksnet_counts_partial_cancellations_and_days(
    caller: Caller, world: World, clock: ManualClock
) -> None:
    """Nine parts and then only the rest; half a year and then nothing."""
    seed(world, pg_provider="ksnet")
    assert [refusal(caller, amount=1) for _ in range(10)] == [None] * 9 + [TOO_MANY_PARTIALS]
    clock.elapse(184 * DAY)
    caller.fetch_token()
    assert refusal(caller) == TOO_OLD


def test_ksnets_virtual_accounts_sleep(caller: Caller, world: World, clock: ManualClock) -> None:
    """Between 23:00 and 06:00 in Korea a refund is refused, an hour later carried out."""
    five_in_korea = 5 * 3600 - 9 * 3600
    clock.elapse((five_in_korea - clock.now) % DAY)
    caller.fetch_token()
    seed(world, pg_provider="ksnet", pay_method="vbank")
    assert refusal(caller, amount=1, **ACCOUNT) == AT_NIGHT
    clock.elapse(3600)
    caller.fetch_token()
    assert refusal(caller, amount=1, **ACCOUNT) is None


def test_a_virtual_account_without_a_contract(caller: Caller, world: World) -> None:
    """Without the special contract no refund is possible."""
    seed(world, pg_provider="daou", pay_method="vbank", refund_contract=False)
    assert refusal(caller, **ACCOUNT) == NO_CONTRACT


def test_kcps_mobile_payment_of_last_month(caller: Caller, world: World, clock: ManualClock) -> None:
    """In a later month a mobile payment is paid out to an account, which is then required."""
    seed(world, pg_provider="kcp", pay_method="phone")
    assert refusal(caller, amount=1) is None
    clock.elapse(32 * DAY)
    caller.fetch_token()
    assert refusal(caller, amount=1) == MISSING_REFUND_ACCOUNT
    assert refusal(caller, amount=1, **ACCOUNT) is None


def test_naverpay_wants_a_requester_and_the_real_reason(caller: Caller, world: World) -> None:
    """A reason that is not exactly the real one is refused."""
    seed(world, pg_provider="naverpay", real_reason="고객 변심")
    extra = {"requester": "customer"}
    assert refusal(caller, reason="고객 변심") == MISSING_REQUESTER
    assert refusal(caller, reason="고객 변심 [tag]", extra=extra) == NOT_THE_REAL_REASON
    assert refusal(caller, reason="고객 변심", extra=extra) is None


@pytest.mark.parametrize(
    ("rule", "kept"),
    [
        ("encoded:euc-kr", "변심 ? abc"),
        ("cut:euc-kr", "변심 "),
        ("bytes:3", "변\ufffd"),
        ("bytes:4", "변심"),
        ("dropped", ""),
    ],
)
def test_encodings_keep_less_than_was_sent(caller: Caller, world: World, rule: str, kept: str) -> None:
    """A PG of an older encoding replaces or cuts; the oracle has the text as it was sent."""
    seed(world, keeps_reason=rule)
    history = caller.cancel(imp_uid="imp_1", amount=1, reason="변심 😀 abc")["response"]["cancel_history"]
    assert history[0]["reason"] == kept
    assert world.money.movements[0].reason == "변심 😀 abc"


def test_a_reason_that_cannot_be_encoded_can_be_refused(caller: Caller, world: World) -> None:
    """A PG may take no such reason at all."""
    seed(world, keeps_reason="refused:euc-kr")
    assert refusal(caller, amount=1, reason="😀") == UNREADABLE_REASON
    assert refusal(caller, amount=1, reason="변심") is None


def test_a_pg_can_cut_and_deny_what_it_has_done(caller: Caller, world: World) -> None:
    """The money moved, the answer refuses, and the history's reason is cut."""
    seed(world, keeps_reason="cut:euc-kr")
    world.add_fault(Fault(FaultKind.ERROR_ANSWER_AFTER_COMMIT, "imp_1", "cancel"))
    assert caller.cancel(imp_uid="imp_1", amount=1, reason="😀 [tag]")["code"] == -1
    assert caller.lookup("imp_1")["cancel_history"][0]["reason"] == ""
    assert world.money.refunded("imp_1") == 1


@pytest.mark.parametrize("rule", ["cut", "cut:", "cut:no-such", "bytes:x", "truncated", "kept"])
def test_unknown_rules_are_rejected(world: World, rule: str) -> None:
    """A rule that cannot be followed is an error of the seed."""
    with pytest.raises(ValueError, match="keeps_reason"):
        seed(world, keeps_reason=rule)


@pytest.mark.parametrize("pg_provider", ["nice", "kcp", "daou", "danal", "kakaopay"])
def test_refused_for_now_and_taken_later(
    caller: Caller, world: World, clock: ManualClock, pg_provider: str
) -> None:
    """Each PG says it in its own words, and it goes away with time."""
    seed(world, pg_provider=pg_provider, unsettled_until=clock.now + 60)
    assert refusal(caller, amount=1) == unsettled(pg_provider)
    assert world.money.movements == []
    clock.elapse(60)
    assert refusal(caller, amount=1) is None


def test_refused_for_now_as_often_as_told(caller: Caller, world: World) -> None:
    """As a fault it goes away after some requests; EBP recommends a retry."""
    seed(world, pg_provider="kcp")
    world.add_fault(Fault(FaultKind.UNSETTLED, "imp_1", times=2))
    assert [refusal(caller, amount=1) for _ in range(3)] == [unsettled("kcp")] * 2 + [None]
    item = {"seq": 1, "itemType": "DIGITAL", "itemId": "P", "quantity": 1, "amount": 5}
    world.seed_order({"orderNo": "O", "items": [item]})
    world.add_fault(Fault(FaultKind.UNSETTLED, "O"))
    status, payload = caller.ebp("cancel", {"orderNo": "O", "totalCancelAmount": 5, "items": [item]})
    assert (status, payload["resultCode"]) == (500, "EBP-C-0011")
