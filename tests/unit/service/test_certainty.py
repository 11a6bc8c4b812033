from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from refunds.domain.disposition import Redeliver
from refunds.domain.entry import State
from tests.unit.service.world import NOW, Gateway, World, wanted

PARTIAL: Any = {"amount": 3_000}
CHECKED: Any = {"amount": 3_000, "checksum": 10_000}
UNKNOWN = ("parked", "OUTCOME_UNKNOWN", True)
DONE_ALREADY = (
    "결제취소에 실패하였습니다. …(기취소성공)…",
    "[500626|기 취소 거래]",
    "이미 전액취소된 주문입니다.",
    "이미 취소된 거래",
    "Already cancelled",
    "PG timeout",
    "응답 시간 초과",
)


@pytest.mark.parametrize("text", DONE_ALREADY)
@pytest.mark.parametrize("request_fields", [PARTIAL, CHECKED, {}])
def test_a_refusal_that_hints_it_was_done_is_never_a_failure(text: str, request_fields: Any) -> None:
    """The payment does not show it: that is less certain, so it is neither failed nor sent again now."""
    world = World((Gateway(answers=[text]),))
    world.deliver(wanted(**request_fields), final=True)
    assert world.told() == [UNKNOWN]
    assert len(world.gateway.sent) == 1


def test_what_a_hinting_refusal_did_is_found_later() -> None:
    """The PG books 40 s after PortOne gave up: the question of the next delivery proves it."""
    world = World((Gateway(answers=["PG timeout"]),))
    world.deliver(wanted(**PARTIAL))
    tag = world.gateway.sent[0]["reason"]
    world.gateway.apply(Decimal(3_000), tag)
    world.deliver(wanted(**PARTIAL))
    assert world.told() == [UNKNOWN, ("succeeded", None, None)]
    assert world.gateway.refunded == 3_000


def test_what_was_refused_with_a_hint_is_never_sent_again() -> None:
    """Neither a redelivery nor a replay sends it: the PG may still book the first attempt."""
    world = World((Gateway(answers=["PG timeout"]),))
    for final in (False, False, True, False):
        world.deliver(wanted(**PARTIAL), final=final)
    assert len(world.gateway.sent) == 1
    assert set(world.told()) == {UNKNOWN}


def test_a_refusal_beside_a_lost_answer_is_not_repeated_at_once() -> None:
    """The first answer was lost, the second is a refusal of an unchanged payment: one send a delivery."""
    world = World((Gateway(answers=["lose before", "한도 초과"]),))
    world.deliver(wanted(**PARTIAL))
    world.deliver(wanted(**PARTIAL))
    assert len(world.gateway.sent) == 2


@pytest.mark.parametrize("reason", ["", "고객 변?", "PG 취소", "고객"])
def test_a_reason_that_the_pg_cut_does_not_make_a_failure(reason: str) -> None:
    """Carried out, called refused, and the reason cut where it could not be encoded: parked (ADR 7)."""
    world = World((Gateway(answers=["apply and refuse 기취소 거래"]),))
    with pytest.MonkeyPatch.context() as patch:
        apply = Gateway.apply
        patch.setattr(Gateway, "apply", lambda self, amount, _reason: apply(self, amount, reason))
        world.deliver(wanted(**CHECKED), final=True)
    assert world.gateway.refunded == 3_000
    assert world.told() == [UNKNOWN]


def test_a_console_refund_of_long_ago_explains_a_blind_refusal() -> None:
    """Refunded at the console an hour before the event: CancelFailed, for the history explains it all."""
    world = World()
    world.gateway.apply(Decimal(10_000), cancelled_at=int(NOW) - 3_600)
    world.deliver(wanted(**CHECKED))
    assert world.told() == [("failed", "ALREADY_CANCELLED", False)]


def test_a_console_refund_of_this_minute_explains_nothing() -> None:
    """Two clocks differ: what is so young may be what our own send did."""
    world = World()
    world.gateway.apply(Decimal(10_000), cancelled_at=int(NOW) - 60)
    world.deliver(wanted(**CHECKED), final=True)
    assert world.told() == [UNKNOWN]


def test_a_withheld_discount_forbids_a_second_send() -> None:
    """The PG booked 2,700 of 3,000 and kept no reason; the answer was lost."""
    world = World((Gateway(answers=["lose"], keeps_reasons=False),))
    with pytest.MonkeyPatch.context() as patch:
        apply = Gateway.apply
        patch.setattr(Gateway, "apply", lambda self, _amount, reason: apply(self, Decimal(2_700), reason))
        world.deliver(wanted(**PARTIAL))
    for final in (False, True, True):
        world.deliver(wanted(**PARTIAL), final=final)
    assert len(world.gateway.sent) == 1
    assert set(world.told()) == {UNKNOWN}


def test_the_second_attempts_refusal_does_not_judge_the_first() -> None:
    """The first answer was lost and had worked; what the second is refused for is our own doing."""
    world = World((Gateway(answers=["lose"], keeps_reasons=False, extra={"cancel_history": []}),))
    for final in (False, False, True):
        world.deliver(wanted(amount=10_000), final=final)
    assert set(world.told()) == {UNKNOWN}


def test_an_event_older_than_the_ledgers_memory_is_kept_back() -> None:
    """It may have been carried out long ago: neither sent nor refused, until a person lets it pass."""
    world = World(memory_seconds=86_400.0)
    old = wanted(**PARTIAL, made_at=NOW - 86_401)
    world.deliver(old)
    world.deliver(old)
    assert set(world.told()) == {("parked", "LIMIT_EXCEEDED", True)}
    assert "long ago" in world.published[0].error.message  # type: ignore[union-attr]
    assert (world.portone.asked, world.gateway.sent) == (0, [])
    entry = world.item()
    world.ledger.items[entry.key] = replace(entry, limits_passed=True, in_doubt=False)
    world.deliver(old)
    assert world.told()[-1] == ("succeeded", None, None)


def test_what_a_slow_gateway_may_still_carry_out_is_not_sent_again() -> None:
    """Its checksum was compared when it arrived: it is asked about, and sent again much later."""
    world = World((Gateway(answers=["lose before"]),), under_way=600.0)
    world.deliver(wanted(**PARTIAL))
    waits = world.deliver(wanted(**PARTIAL))
    assert isinstance(waits, Redeliver)
    assert waits.not_before > 0
    assert (len(world.gateway.sent), world.told()) == (1, [])
    world.now += waits.not_before
    world.deliver(wanted(**PARTIAL))
    assert (len(world.gateway.sent), world.told()) == (2, [("succeeded", None, None)])


def test_what_a_slow_gateway_may_still_carry_out_is_no_failure() -> None:
    """Somebody cancels the rest meanwhile: that stops nothing that is under way."""
    world = World((Gateway(answers=["lose before"]),), under_way=600.0)
    world.deliver(wanted(**PARTIAL))
    world.gateway.apply(Decimal(10_000), reason="console")
    world.gateway.book()
    assert isinstance(world.deliver(wanted(**PARTIAL)), Redeliver)
    assert world.told() == []
    world.now += 600.0
    world.deliver(wanted(**PARTIAL))
    assert world.told() == [("failed", "ALREADY_CANCELLED", False)]


def test_an_old_event_of_a_known_request_goes_on() -> None:
    """The ledger remembers it, whatever its age."""
    world = World((Gateway(answers=["lose before"]),), memory_seconds=86_400.0)
    world.deliver(wanted(**PARTIAL))
    world.now += 400 * 86_400
    world.deliver(wanted(**PARTIAL))
    assert world.told() == [("succeeded", None, None)]


def test_naverpay_gets_the_customers_reason_alone() -> None:
    """The PG wants the real reason: no tag; what is ours is inferred, and held."""
    world = World((Gateway(pg_provider="naverpay", answers=["lose"]),))
    world.deliver(wanted(**PARTIAL))
    assert world.gateway.sent[0]["reason"] == "고객 변심"
    assert world.told() == [("succeeded", None, None)]
    assert world.item().state is State.SUCCEEDED
    assert list(world.ledger.held) == [("portone", "imp_1", "c-1")]


def test_a_yes_that_contradicts_the_request_is_never_repeated() -> None:
    """PortOne said yes for another payment: whatever ours shows, a replay sends nothing."""
    world = World((Gateway(extra={"imp_uid": "imp_9"}, late=True),))
    with pytest.MonkeyPatch.context() as patch:
        shown = world.gateway.payment().model_copy(update={"imp_uid": "imp_1"})
        patch.setattr(world.portone, "payment", lambda *_, **__: shown)
        for _ in range(3):
            world.deliver(wanted(**PARTIAL), final=True)
    assert world.told()[0] == ("parked", "RESPONSE_MISMATCH", True)
    assert {told[2] for told in world.told()} == {True}
    assert len(world.gateway.sent) == 1


def test_more_cancelled_than_paid_leaves_nothing() -> None:
    """An amount in a statement is never below zero, whatever a payment shows."""
    world = World((Gateway(extra={"cancel_amount": 20_000}),))
    world.deliver(wanted(amount=1_000))
    assert world.told() == [("failed", "ALREADY_CANCELLED", False)]
    money = world.published[0].money
    assert money is not None
    assert (money.cancellable_before, money.cancellable_after) == (Decimal(0), Decimal(0))
