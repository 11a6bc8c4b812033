"""When EBP's "no" is believed: a closed list, the only attempt, and an order that does not contradict it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from refunds.domain.entry import State
from tests.unit.providers.ebp_orders import FAILED, PARKED, SUCCEEDED, Order, Refuse, Shop, part, wanted

CLOSED_LIST = ["EBP-A-0001", "EBP-B-0001", "EBP-B-0999", *(f"EBP-C-000{n}" for n in range(1, 8))]
UNKNOWN: list[object] = [
    *("EBP-C-0000", "EBP-C-0008", "EBP-C-0009", "EBP-C-0010", "EBP-C-0011", "EBP-C-0012", "EBP-C-0013"),
    *("EBP-D-0001", "EBP-E-0001", "EBP-Z-0005", "EBP-Z-0010", "1", "-1", "00", "ebp-c-0003", "EBP-C-00031"),
    *("EBP-C-0003-1", "EBP-C-3", "EBP-B-", "EBP-A", "C-0003", "EBP-C-0003 ", 1, 0, -1, 3, None, True, [], {}),
]


def shop(*plans: object, **order: Any) -> Shop:
    return Shop(Order(plans=list(plans), **order))


@pytest.mark.parametrize("code", [code for code in CLOSED_LIST if "-A-" not in code])
@pytest.mark.parametrize("shown", [{}, None], ids=["shown", "not shown"])
def test_a_refusal_of_the_closed_list_is_final(code: str, shown: dict[str, Any] | None) -> None:
    """The order is as it was before, or was not to be seen before either."""
    tried = shop(Refuse(code), shown=shown)
    tried.deliver(wanted())
    assert tried.told() == [FAILED]
    assert tried.order.refunded == 0
    money = tried.published[0].money
    assert money is not None
    assert (money.currency, money.cancelled) == ("KRW", Decimal(0))


@pytest.mark.parametrize("code", UNKNOWN, ids=repr)
@pytest.mark.parametrize("status", [400, 500])
def test_every_other_code_leaves_the_outcome_unknown(code: object, status: int) -> None:
    """It says nothing about the money: here it has moved."""
    tried = shop(Refuse(code, status, applies=True), shown=None)
    tried.deliver(wanted())
    tried.deliver(wanted(), final=True)
    assert set(tried.told()) == {PARKED}
    assert len(tried.order.bodies) == 1


@pytest.mark.parametrize("status", [200, 201, 302, 408, 409, 429, 500, 502, 503])
@pytest.mark.parametrize("code", ["EBP-A-0001", "EBP-B-0001", "EBP-C-0003"])
def test_a_code_of_the_list_counts_under_its_status_only(code: str, status: int) -> None:
    """Under a 2xx or a 5xx, or a status of whoever stands before EBP, it proves nothing."""
    tried = shop(Refuse(code, status))
    tried.deliver(wanted(**part()), final=True)
    assert tried.told() == [PARKED]


@pytest.mark.parametrize(
    "more",
    [
        {"errors": [{"code": "EBP-C-0003"}, {"code": "EBP-C-0010"}]},
        {"errors": [{"errorCode": 10}]},
        {"errors": ["EBP-Z-0005: it broke"]},
        {"errors": [{"reason": "see ebp-d-0001"}]},
        {"error": {"errorDetails": [{"error_code": "EBP-D-0001"}]}},
        {"error": {"code": "1"}},
        {"message": "EBP-C-0010: the PG did not answer"},
        {"data": {"returnRequestId": "RETREQ-9"}},
    ],
)
def test_the_worst_of_several_codes_wins(more: dict[str, Any]) -> None:
    """A refusal that names a doubt as well is a doubt."""
    tried = shop(Refuse("EBP-C-0003", more=more, applies=True), shown=None)
    tried.deliver(wanted(**part()), final=True)
    assert tried.told() == [PARKED]


@pytest.mark.parametrize(
    "more",
    [
        {"errors": [{"code": "EBP-C-0001"}, {"code": "EBP-B-0002"}]},
        {"errors": [{"field": "x-ebp-signature", "message": "X-EBP-Signature is missing", "code": None}]},
        {"error": {"errorDetails": [{"field": "items"}]}, "errors": []},
    ],
)
def test_details_that_name_no_other_code_change_nothing(more: dict[str, Any]) -> None:
    """Codes of the list beside each other, and names that look like codes."""
    tried = shop(Refuse("EBP-C-0003", more=more))
    tried.deliver(wanted())
    assert tried.told() == [FAILED]


def test_a_success_that_names_an_error_is_none() -> None:
    """Nobody can say what it means."""
    tried = shop()
    success = {"errors": [{"code": "EBP-C-0010"}]}
    tried.order.plans = [Refuse("0", 200, more=success)]
    tried.deliver(wanted(**part()), final=True)
    assert tried.told() == [PARKED]


def test_a_refusal_of_an_order_that_is_cancelled_now_is_not_final() -> None:
    """With no status seen before, nobody knows who cancelled it; and no later question makes it certain."""
    tried = shop(Refuse(applies=True), shown=None, shown_after={})
    tried.deliver(wanted())
    tried.deliver(wanted())
    assert tried.told() == [PARKED, PARKED]
    assert tried.item().state is State.PARKED


def test_a_refused_order_that_was_seen_uncancelled_and_is_cancelled_is_parked_for_ever() -> None:
    """That the refusal is forgotten at the next delivery must not make a success of it."""
    tried = shop(Refuse("EBP-C-0007", applies=True))
    for _ in range(3):
        tried.deliver(wanted())
    assert set(tried.told()) == {PARKED}
    assert len(tried.order.bodies) == 1


@pytest.mark.parametrize("shown", [{"paymentStatus": "CANCEL_REQUESTED"}, {"pgCancelTransactionId": "pgc-9"}])
def test_an_order_that_has_changed_contradicts_a_refusal(shown: dict[str, Any]) -> None:
    """Whatever it is now: something has happened that was not refused."""
    tried = shop(Refuse(), shown_after=shown)
    tried.deliver(wanted())
    assert tried.told() == [PARKED]


@pytest.mark.parametrize("gone", [None, 404, {"paymentStatus": None}], ids=["refused", "404", "no status"])
def test_an_order_that_is_not_shown_any_more_contradicts_a_refusal(gone: Any) -> None:
    """It is parked; when EBP shows the order again, unchanged, the refusal is true."""
    tried = shop(Refuse(), shown_after=gone)
    tried.deliver(wanted(), final=True)
    assert tried.told() == [PARKED]
    tried.order.shown = {}
    tried.deliver(wanted())
    assert tried.told() == [PARKED, FAILED]
    assert len(tried.order.bodies) == 1


def test_a_refusal_survives_a_question_that_fails() -> None:
    """The next delivery knows that it was refused: a cancelled order is not its success."""
    tried = shop(Refuse(), shown_after=500)
    tried.deliver(wanted())
    tried.order.shown = {}
    tried.order.cancel()
    tried.deliver(wanted())
    assert tried.told() == [PARKED]


def test_rejected_keys_wait_and_are_tried_again() -> None:
    """Nothing was sent, by a code of the list: with new keys it is carried out."""
    tried = shop(Refuse("EBP-A-0001"))
    tried.deliver(wanted())
    assert not tried.published
    assert not tried.item().in_doubt
    tried.deliver(wanted())
    assert tried.told() == [SUCCEEDED]
    assert tried.order.refunded == tried.order.total


@pytest.mark.parametrize("code", ["EBP-X-0001", "EBP-D-0001", 401, None], ids=repr)
def test_a_bare_401_is_never_answered_with_a_second_send(code: object) -> None:
    """It may have been carried out before the keys were found wrong."""
    tried = shop(Refuse(code, 401, applies=True))
    tried.deliver(wanted(**part()))
    for _ in range(3):
        tried.deliver(wanted(**part()), final=True)
    assert set(tried.told()) == {PARKED}
    assert (len(tried.order.bodies), tried.order.refunded) == (1, Decimal(2000))
