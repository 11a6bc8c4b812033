from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from local.simulator import Actor, LoggedRequest, Operation, World
from local.simulator.pg_rules import (
    MISSING_REFUND_ACCOUNT,
    MISSING_REQUESTER,
    MISSING_VAT,
    PROMOTION_CHOICE_CHANGED,
)
from local.simulator.portone_cancel import (
    ALREADY_CANCELLED,
    CHECKSUM_MISMATCH,
    NOT_PAID,
    OVER_AMOUNT,
    UNKNOWN_PAYMENT,
    WRONG_AMOUNT,
)

if TYPE_CHECKING:
    from tests.unit.simulator.caller import Caller

REFUND_ACCOUNT = {"refund_holder": "김환불", "refund_bank": "004", "refund_account": "110-1234"}


@pytest.fixture(autouse=True)
def payment(world: World) -> None:
    world.seed_payment({"imp_uid": "imp_1", "merchant_uid": "ORD-1", "amount": 10_000})


def refusal(payload: dict[str, Any]) -> tuple[int, str]:
    assert payload["response"] is None
    return payload["code"], payload["message"]


def test_partial_cancellations_add_up_and_every_one_has_its_own_id(caller: Caller, world: World) -> None:
    """Two equal partial cancellations both count, with different ids and the payment's own pg_tid."""
    caller.cancel(imp_uid="imp_1", amount=3000, reason="first")
    response = caller.cancel(imp_uid="imp_1", amount=3000, reason="second")["response"]
    history = response["cancel_history"]
    assert (response["status"], response["cancel_amount"]) == ("paid", 6000)
    assert [entry["reason"] for entry in history] == ["first", "second"]
    assert len({entry["cancellation_id"] for entry in history}) == 2
    assert {entry["pg_tid"] for entry in history} == {response["pg_tid"]}
    assert [(int(m.amount), m.reason, m.who) for m in world.money.movements] == [
        (3000, "first", Actor.API),
        (3000, "second", Actor.API),
    ]


@pytest.mark.parametrize("amount", [{}, {"amount": 0}, {"amount": None}])
def test_no_amount_cancels_all_that_is_left(caller: Caller, world: World, amount: dict[str, Any]) -> None:
    """An absent, null or zero amount cancels everything that is left."""
    caller.cancel(imp_uid="imp_1", amount=4000)
    response = caller.cancel(imp_uid="imp_1", **amount)["response"]
    assert (response["status"], response["cancel_amount"]) == ("cancelled", 10_000)
    assert world.money.refunded("imp_1") == 10_000


def test_forms_work_as_json_does(caller: Caller, world: World) -> None:
    """A form-encoded cancellation with nested extra is understood."""
    payload = caller.cancel_by_form(
        **{"imp_uid": "imp_1", "amount": "1000.0", "checksum": "10000", "extra[requester]": "admin"}
    )
    assert payload["code"] == 0
    assert world.money.refunded("imp_1") == 1000


def test_imp_uid_wins_over_merchant_uid(caller: Caller) -> None:
    """A wrong imp_uid fails although the merchant_uid would find a payment."""
    payload = caller.cancel(imp_uid="imp_wrong", merchant_uid="ORD-1")
    assert refusal(payload) == (1, UNKNOWN_PAYMENT)


def test_merchant_uid_alone_finds_the_refundable_payment(caller: Caller, world: World) -> None:
    """Of several payments with one merchant_uid the refundable one is cancelled."""
    world.seed_payment({"imp_uid": "imp_2", "merchant_uid": "ORD-1", "amount": 10_000, "status": "failed"})
    assert caller.cancel(merchant_uid="ORD-1")["response"]["imp_uid"] == "imp_1"


def test_already_cancelled_is_told_before_the_checksum_is_compared(caller: Caller) -> None:
    """A fully cancelled payment answers "already cancelled" even when the checksum does not match either."""
    caller.cancel(imp_uid="imp_1")
    assert refusal(caller.cancel(imp_uid="imp_1", checksum=10_000)) == (1, ALREADY_CANCELLED)


def test_checksum_guards_the_balance_and_null_skips_it(caller: Caller, world: World) -> None:
    """A checksum other than the balance moves nothing; a null one is not compared."""
    caller.cancel(imp_uid="imp_1", amount=1000, checksum=10_000)
    assert refusal(caller.cancel(imp_uid="imp_1", amount=1000, checksum=10_000)) == (-1, CHECKSUM_MISMATCH)
    assert caller.cancel(imp_uid="imp_1", amount=1000, checksum=None)["code"] == 0
    assert world.money.refunded("imp_1") == 2000


@pytest.mark.parametrize(
    ("amount", "message"),
    [(10_001, OVER_AMOUNT), (-1, WRONG_AMOUNT), ("1.5", WRONG_AMOUNT), ("x", WRONG_AMOUNT)],
)
def test_impossible_amounts_are_refused(caller: Caller, world: World, amount: Any, message: str) -> None:
    """An amount beyond what is left, a negative, a fractional and a non-numeric one move nothing."""
    assert refusal(caller.cancel(imp_uid="imp_1", amount=amount)) == (-1, message)
    assert world.money.movements == []


@pytest.mark.parametrize("status", ["ready", "failed"])
def test_unpaid_payments_are_refused(caller: Caller, world: World, status: str) -> None:
    """A payment nobody paid cannot be refunded."""
    world.seed_payment({"imp_uid": "imp_2", "merchant_uid": "ORD-2", "amount": 1, "status": status})
    assert refusal(caller.cancel(imp_uid="imp_2")) == (-1, NOT_PAID)


def test_paid_virtual_account_needs_a_refund_account(caller: Caller, world: World) -> None:
    """Without holder, bank and account a virtual-account refund is refused, with them carried out."""
    world.seed_payment({"imp_uid": "imp_v", "merchant_uid": "ORD-V", "amount": 500, "pay_method": "vbank"})
    assert refusal(caller.cancel(imp_uid="imp_v", refund_holder="김환불")) == (-1, MISSING_REFUND_ACCOUNT)
    assert caller.cancel(imp_uid="imp_v", **REFUND_ACCOUNT)["code"] == 0


def test_smartro_needs_a_phone_number_too(caller: Caller, world: World) -> None:
    """Smartro refuses a virtual-account refund without refund_tel."""
    world.seed_payment(
        {
            "imp_uid": "imp_v",
            "merchant_uid": "V",
            "amount": 5,
            "pay_method": "vbank",
            "pg_provider": "smartro",
        }
    )
    assert refusal(caller.cancel(imp_uid="imp_v", **REFUND_ACCOUNT)) == (-1, MISSING_REFUND_ACCOUNT)
    assert caller.cancel(imp_uid="imp_v", **REFUND_ACCOUNT, refund_tel="010")["code"] == 0


@pytest.mark.parametrize(
    ("seed", "message", "completed"),
    [
        ({"pg_provider": "nice_v2", "vat_amount": 90}, MISSING_VAT, {"vat_amount": 9}),
        ({"pg_provider": "naverpay"}, MISSING_REQUESTER, {"reason": "r", "extra": {"requester": "admin"}}),
    ],
)
def test_fields_a_pg_requires(
    caller: Caller, world: World, seed: dict[str, Any], message: str, completed: dict[str, Any]
) -> None:
    """A PG's required field is asked for, and enough once it is there."""
    world.seed_payment({"imp_uid": "imp_p", "merchant_uid": "P", "amount": 990, **seed})
    assert refusal(caller.cancel(imp_uid="imp_p", amount=99)) == (-1, message)
    assert caller.cancel(imp_uid="imp_p", amount=99, **completed)["code"] == 0


def test_promotion_choice_must_be_repeated(caller: Caller, world: World) -> None:
    """A later partial cancellation that changes retain_promotion is refused."""
    world.seed_payment({"imp_uid": "imp_p", "merchant_uid": "P", "amount": 100, "promotion": True})
    assert caller.cancel(imp_uid="imp_p", amount=10, retain_promotion=True)["code"] == 0
    assert refusal(caller.cancel(imp_uid="imp_p", amount=10)) == (-1, PROMOTION_CHOICE_CHANGED)
    assert caller.cancel(imp_uid="imp_p", amount=10, retain_promotion=True)["code"] == 0


@pytest.mark.parametrize("partial_status", ["paid", "cancelled"])
def test_partial_status_is_switchable_and_leaves_the_rest_refundable(
    caller: Caller, world: World, partial_status: str
) -> None:
    """A partly cancelled payment reports what it was told to, and its rest can still be cancelled."""
    world.seed_payment(
        {"imp_uid": "imp_s", "merchant_uid": "S", "amount": 100, "partial_status": partial_status}
    )
    assert caller.cancel(imp_uid="imp_s", amount=40)["response"]["status"] == partial_status
    assert caller.cancel(imp_uid="imp_s", amount=60)["response"]["cancel_amount"] == 100


@pytest.mark.parametrize(
    ("keeps", "shown"),
    [("verbatim", "abcdef"), ("dropped", ""), ("truncated:3", "abc"), ("replaced:고객 취소", "고객 취소")],
)
def test_history_keeps_of_the_reason_what_the_pg_keeps(
    caller: Caller, world: World, keeps: str, shown: str
) -> None:
    """The history shows the PG's version of the reason, the oracle the caller's."""
    world.seed_payment({"imp_uid": "imp_k", "merchant_uid": "K", "amount": 100, "keeps_reason": keeps})
    response = caller.cancel(imp_uid="imp_k", reason="abcdef")["response"]
    assert response["cancel_history"][0]["reason"] == shown
    assert world.money.of("imp_k")[0].reason == "abcdef"


def test_unreadable_body_is_a_bad_request(caller: Caller, world: World) -> None:
    """A body that is no JSON object is answered 400 and moves nothing."""
    answer = world.handle("POST", "/payments/cancel", {}, caller.headers, b"[1")
    assert getattr(answer, "status", None) == 400
    assert world.money.movements == []


def test_the_log_tells_what_a_payment_saw_without_secrets(caller: Caller, world: World) -> None:
    """Every request is logged with its outcome and no trace of accounts, tokens or query strings."""
    caller.headers["tier"] = "abc"
    caller.cancel(imp_uid="imp_1", amount=1, reason="r", **REFUND_ACCOUNT)
    caller.cancel(imp_uid="imp_1", amount=99_999)
    caller.ask("DELETE", "/vbanks/imp_1", pg_api_key="secret-key")
    assert world.calls("imp_1", Operation.CANCEL) == 2
    assert world.calls("ORD-1") == 3
    assert [(r.outcome, r.committed) for r in world.requests] == [
        ("200", True),
        ("200", False),
        ("400", False),
    ]
    assert world.requests[0].tier == "abc"
    logged = json.dumps([[getattr(r, name) for name in LoggedRequest.__slots__] for r in world.requests])
    for secret in ("110-1234", "김환불", "secret-key", "token-"):
        assert secret not in logged
