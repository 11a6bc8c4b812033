from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from local.simulator import World
    from tests.unit.simulator.caller import Caller, ManualClock

DAY = 24 * 3600


def seed(world: World, imp_uid: str, merchant_uid: str = "ORD-1", **fields: Any) -> None:
    world.seed_payment({"imp_uid": imp_uid, "merchant_uid": merchant_uid, "amount": 100, **fields})


def listed(payload: dict[str, Any]) -> list[str]:
    return [payment["imp_uid"] for payment in payload["response"]["list"]]


def test_unknown_payment_is_404_with_the_documented_text(caller: Caller) -> None:
    """A lookup of an unknown payment answers 404, code -1 and PortOne's text."""
    status, payload = caller.ask("GET", "/payments/imp_none")
    assert (status, payload["code"], payload["message"]) == (404, -1, "존재하지 않는 결제정보입니다.")


def test_sandbox_payments_hide_unless_asked_for(caller: Caller, world: World) -> None:
    """A test payment is 404 without include_sandbox=true."""
    seed(world, "imp_t", sandbox=True)
    assert caller.ask("GET", "/payments/imp_t")[0] == 404
    assert caller.ask("GET", "/payments/imp_t", include_sandbox="true")[0] == 200


def test_find_gives_the_newest_or_the_first_of_a_status(caller: Caller, world: World) -> None:
    """Of payments sharing a merchant_uid `find` shows the newest, or the newest of a status, or 404."""
    seed(world, "imp_1", started_at=10)
    seed(world, "imp_2", started_at=20, status="failed")
    assert caller.ask("GET", "/payments/find/ORD-1")[1]["response"]["imp_uid"] == "imp_2"
    assert caller.ask("GET", "/payments/find/ORD-1/paid")[1]["response"]["imp_uid"] == "imp_1"
    assert caller.ask("GET", "/payments/find/ORD-1/ready")[0] == 404
    assert caller.ask("GET", "/payments/find/ORD-1/nonsense")[0] == 400


def test_find_all_pages_through_a_repeated_merchant_uid(caller: Caller, world: World) -> None:
    """`findAll` lists every payment of a merchant_uid page by page; `next: 0` ends, unknown is 404."""
    for number in range(3):
        seed(world, f"imp_{number}", started_at=number)
    first = caller.ask("GET", "/payments/findAll/ORD-1", limit="2")[1]
    second = caller.ask("GET", "/payments/findAll/ORD-1", limit="2", page="2")[1]
    assert (listed(first), first["response"]["next"]) == (["imp_2", "imp_1"], 2)
    assert (listed(second), second["response"]["next"], second["response"]["previous"]) == (["imp_0"], 0, 1)
    assert caller.ask("GET", "/payments/findAll/ORD-1", limit="2", page="3")[0] == 400
    assert caller.ask("GET", "/payments/findAll/ORD-none")[0] == 404


def test_status_list_goes_by_cancellation_time(caller: Caller, world: World, clock: ManualClock) -> None:
    """`/payments/status/cancelled` selects by the time of the cancellation, both ends included."""
    start = int(clock.now)
    for number in range(3):
        seed(world, f"imp_{number}")
        caller.cancel(imp_uid=f"imp_{number}")
        clock.elapse(100)
    chosen = {"from": str(start + 100), "to": str(start + 200), "sorting": "updated"}
    assert listed(caller.ask("GET", "/payments/status/cancelled", **chosen)[1]) == ["imp_1", "imp_2"]
    assert listed(caller.ask("GET", "/payments/status/paid")[1]) == []
    assert caller.ask("GET", "/payments/status/all")[1]["response"]["total"] == 3


@pytest.mark.parametrize(
    "query",
    [
        {"from": "0", "to": str(90 * DAY + 1)},
        {"limit": "1001"},
        {"limit": "0"},
        {"page": "2"},
        {"sorting": "amount"},
        {"from": "yesterday"},
    ],
)
def test_impossible_list_questions_are_bad_requests(caller: Caller, query: dict[str, str]) -> None:
    """More than 90 days, a limit or page out of range, an unknown sorting and a non-number are 400."""
    assert caller.ask("GET", "/payments/status/cancelled", None, **query)[0] == 400


def test_unknown_status_and_route(caller: Caller) -> None:
    """A status that does not exist is 400, a path that does not exist 404."""
    assert caller.ask("GET", "/payments/status/nonsense")[0] == 400
    assert caller.ask("GET", "/payments/find/a/b/c")[0] == 404
    assert caller.ask("GET", "/nowhere")[0] == 404
