"""Answers that lack something, contradict themselves, or are sent in odd ways; keys that change."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

import pytest

from local.simulator import Answer, Fault, FaultKind, LossKind, Lost

if TYPE_CHECKING:
    from local.simulator import World
    from tests.unit.simulator.caller import Caller

ITEM = {"seq": 1, "itemType": "PHYSICAL", "itemId": "P1", "quantity": 2, "amount": 450, "taxAmount": 40.91}
ORDER_CANCEL = {"orderNo": "ORD-E", "totalCancelAmount": 900, "items": [ITEM]}
DETAIL = {"orderNo": "ORD-E"}


@pytest.fixture(autouse=True)
def records(world: World) -> None:
    world.seed_payment({"imp_uid": "imp_1", "merchant_uid": "ORD-1", "amount": 1000})
    world.seed_order({"orderNo": "ORD-E", "items": [ITEM]})


@pytest.mark.parametrize(
    ("variant", "cancel_amount", "ids"),
    [
        ("history", 300, [True]),
        ("balance_lags", 100, [True, True]),
        ("no_cancellation_id", 300, [False, False]),
        ("no_history", 300, None),
    ],
)
def test_history_and_balance_contradict_each_other(
    caller: Caller, world: World, variant: str, cancel_amount: int, ids: list[bool] | None
) -> None:
    """One lags behind the other, an entry has no id, or there is no history at all."""
    caller.cancel(imp_uid="imp_1", amount=100)
    caller.cancel(imp_uid="imp_1", amount=200)
    world.add_fault(Fault(FaultKind.WRONG_ECHO, "imp_1", "lookup", variant=variant))
    shown = caller.lookup("imp_1")
    history = shown.get("cancel_history")
    assert shown["cancel_amount"] == cancel_amount
    assert (history and [bool(entry.get("cancellation_id")) for entry in history]) == ids
    assert [bool(entry["cancellation_id"]) for entry in caller.lookup("imp_1")["cancel_history"]] == [
        True
    ] * 2


@pytest.mark.parametrize(("variant", "code"), [("number_code", 0), ("text_code", "0")])
def test_codes_of_another_type(caller: Caller, world: World, variant: str, code: Any) -> None:
    """A success code may be a number or a text, at both providers."""
    world.add_fault(Fault(FaultKind.WRONG_ECHO, times=None, variant=variant))
    for payload in (caller.cancel(imp_uid="imp_1", amount=1), caller.ebp("detail", DETAIL)[1]):
        told = payload["code"] if "code" in payload else payload["resultCode"]
        assert (told, type(told)) == (code, type(code))


@pytest.mark.parametrize(
    "code", ["EBP-D-0001", "EBP-E-0001", "1", 1, "EBP-C-0008", "EBP-C-0012", "EBP-Z-0005", "EBP-Q-9999"]
)
@pytest.mark.parametrize(
    ("kind", "moved"), [(FaultKind.ERROR_ANSWER_AFTER_COMMIT, 900), (FaultKind.REFUSE, 0)]
)
def test_ebps_codes_before_and_after_the_order_was_cancelled(
    caller: Caller, world: World, kind: FaultKind, moved: int, code: str | int
) -> None:
    """Every family of codes can come with and without the money having moved, as text or as number."""
    world.add_fault(Fault(kind, "ORD-E", "cancel", code=code, status=400))
    status, payload = caller.ebp("cancel", ORDER_CANCEL)
    assert (status, payload["resultCode"]) == (400, code)
    assert world.money.refunded("ORD-E") == moved


def test_ebps_regions(caller: Caller, world: World) -> None:
    """An order of one region has its currency and its cents; another region does not know it."""
    item = {**ITEM, "amount": 5.25}
    order = {"orderNo": "ORD-U", "totalCancelAmount": 10.5, "items": [item]}
    world.seed_order({"orderNo": "ORD-U", "items": [item], "currency": "USD"})
    assert caller.ebp("cancel", order)[1]["resultCode"] == "EBP-B-0001"
    assert caller.ebp("detail", order)[1]["resultCode"] == "EBP-C-0001"
    detail = caller.ebp("detail", order, x_currency_code="USD")[1]["data"]
    assert (detail["totalAmount"], detail["currencyCode"]) == (10.5, "USD")
    assert caller.ebp("cancel", order, x_currency_code="USD")[1]["data"]["totalProductAmount"] == 10.5
    assert [(str(m.amount), m.currency) for m in world.money.movements] == [("10.50", "USD")]


def test_an_order_without_a_region_goes_by_the_request(caller: Caller, world: World) -> None:
    """The books name the currency the caller named."""
    caller.ebp("cancel", ORDER_CANCEL, x_currency_code="JPY")
    assert world.money.movements[0].currency == "JPY"


def test_taxes_and_totals_with_fractions(caller: Caller, world: World) -> None:
    """A tax keeps its fraction even in won; a total with one is a fault."""
    world.add_fault(Fault(FaultKind.WRONG_ECHO, "ORD-E", "detail", variant="fraction"))
    assert caller.ebp("detail", DETAIL)[1]["data"]["totalCancelAmount"] == 0.5
    assert caller.ebp("cancel", ORDER_CANCEL)[1]["data"]["totalProductTaxAmount"] == 81.82


def test_a_detail_without_a_status(caller: Caller, world: World) -> None:
    """Once as a fault, for ever as a switch; `extra` adds what nobody documented."""
    world.add_fault(Fault(FaultKind.WRONG_ECHO, "ORD-E", "detail", variant="no_status"))
    assert "paymentStatus" not in caller.ebp("detail", DETAIL)[1]["data"]
    assert "paymentStatus" in caller.ebp("detail", DETAIL)[1]["data"]
    omits = ["paymentStatus", "cancelDetails"]
    world.seed_order({"orderNo": "ORD-E", "items": [ITEM], "omits": omits, "extra": {"new": 1}})
    data = caller.ebp("detail", DETAIL)[1]["data"]
    assert not {"paymentStatus", "cancelDetails"} & data.keys()
    assert data["new"] == 1


@pytest.mark.parametrize("variant", ["no_history", "no_cancellation_id", "balance_lags", "other_currency"])
def test_ebp_lacks_what_portone_lacks(caller: Caller, world: World, variant: str) -> None:
    """The variants of PortOne's answers have their counterparts, and none moves money."""
    world.seed_order({"orderNo": "ORD-E", "items": [ITEM], "currency": "KRW"})
    caller.ebp("cancel", ORDER_CANCEL)
    truth = caller.ebp("detail", DETAIL)[1]["data"]
    world.add_fault(Fault(FaultKind.WRONG_ECHO, "ORD-E", "detail", variant=variant))
    assert caller.ebp("detail", DETAIL)[1]["data"] != truth
    assert world.money.refunded("ORD-E") == 900


def test_gzip_and_huge_bodies_are_complete_answers(caller: Caller, world: World) -> None:
    """A body is compressed, padded, or both: a small answer that grows a thousandfold."""
    world.add_fault(Fault(FaultKind.GZIP, "imp_1"))
    packed = caller.send("GET", "/payments/imp_1")
    assert isinstance(packed, Answer)
    assert packed.headers["content-encoding"] == "gzip"
    truth = caller.lookup("imp_1")
    assert json.loads(gzip.decompress(packed.body))["response"] == truth
    world.add_fault(Fault(FaultKind.HUGE_BODY, "imp_1", size=5_000_000))
    world.add_fault(Fault(FaultKind.GZIP, "imp_1"))
    bomb = caller.send("POST", "/payments/cancel", {"imp_uid": "imp_1", "amount": 100})
    assert isinstance(bomb, Answer)
    assert len(bomb.body) < 10_000
    assert len(gzip.decompress(bomb.body)) == 5_000_000
    assert world.money.refunded("imp_1") == 100


@pytest.mark.parametrize(("when", "moved"), [("before", 0), ("after", 100)])
def test_a_head_without_line_ends(caller: Caller, world: World, when: str, moved: int) -> None:
    """No HTTP client can read it; the money may have moved."""
    world.add_fault(Fault(FaultKind(f"malformed_head_{when}_commit"), "imp_1"))
    answer = caller.send("POST", "/payments/cancel", {"imp_uid": "imp_1", "amount": 100})
    assert isinstance(answer, Lost)
    assert answer.kind is LossKind.MALFORMED
    assert world.money.refunded("imp_1") == moved


def test_keys_rotate(caller: Caller, world: World) -> None:
    """Old keys and the tokens got with them are refused from now on, and nothing moves."""
    world.rotate_keys(imp_secret="new-secret", access_key="new-access-key")
    assert caller.ask("GET", "/payments/imp_1")[0] == 401
    old = {"imp_key": "simulator-imp-key", "imp_secret": "simulator-imp-secret"}
    assert caller.ask("POST", "/users/getToken", old)[0] == 401
    assert caller.ask("POST", "/users/getToken", {**old, "imp_secret": "new-secret"})[0] == 200
    assert caller.ebp("cancel", ORDER_CANCEL)[1]["resultCode"] == "EBP-A-0001"
    assert caller.ebp("cancel", ORDER_CANCEL, x_access_key="new-access-key")[1]["resultCode"] == "0"
    world.reset()
    assert caller.ask("POST", "/users/getToken", old)[0] == 401


def test_tokens_may_outlive_their_keys(caller: Caller, world: World) -> None:
    """Some providers let running tokens end by themselves."""
    world.rotate_keys(tokens=False, imp_secret="new-secret")
    assert caller.ask("GET", "/payments/imp_1")[0] == 200
    with pytest.raises(ValueError, match="keys are"):
        world.rotate_keys(password="p")


def test_an_unknown_fault_kind_is_refused_with_the_list_of_kinds() -> None:
    """Whoever mistypes a kind reads which ones there are, and which variants a kind has."""
    with pytest.raises(ValueError, match="no fault kind 'drop'") as refused:
        Fault.from_mapping({"kind": "drop"})
    assert all(kind in str(refused.value) for kind in FaultKind)
    with pytest.raises(ValueError, match="variant of paid_again is one of"):
        Fault(FaultKind.PAID_AGAIN, variant="amount")
    with pytest.raises(ValueError, match="not an amount"):
        Fault(FaultKind.SOMEBODY_ELSE, amount=float("nan"))
