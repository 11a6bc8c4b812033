from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from local.simulator import Actor, MovementKind

if TYPE_CHECKING:
    from local.simulator import World
    from tests.unit.simulator.caller import Caller


def seed_number(world: World, pay_method: str = "vbank", **fields: str) -> None:
    world.seed_payment(
        {
            "imp_uid": "imp_n",
            "merchant_uid": "N",
            "amount": 700,
            "status": "ready",
            "pay_method": pay_method,
            **fields,
        }
    )


def kinds(world: World) -> list[MovementKind]:
    return [movement.kind for movement in world.money.movements]


@pytest.mark.parametrize("revoked_status", ["cancelled", "failed"])
def test_unpaid_virtual_account_is_voided_once(caller: Caller, world: World, revoked_status: str) -> None:
    """A ready virtual account is voided; a second time it is not ready any more (400)."""
    seed_number(world, revoked_status=revoked_status)
    assert caller.ask("DELETE", "/vbanks/imp_n")[0] == 200
    assert caller.lookup("imp_n")["status"] == revoked_status
    assert caller.ask("DELETE", "/vbanks/imp_n")[0] == 400
    assert kinds(world) == [MovementKind.VBANK_VOID]


def test_virtual_account_refusals(caller: Caller, world: World) -> None:
    """Unknown is 404; a card payment and a paid virtual account are 400; nothing is voided."""
    world.seed_payment({"imp_uid": "imp_c", "merchant_uid": "C", "amount": 1})
    world.seed_payment({"imp_uid": "imp_v", "merchant_uid": "V", "amount": 1, "pay_method": "vbank"})
    statuses = [caller.ask("DELETE", f"/vbanks/{uid}")[0] for uid in ("imp_none", "imp_c", "imp_v")]
    assert statuses == [404, 400, 400]
    assert world.money.movements == []


def test_inicis_needs_its_own_api_key(caller: Caller, world: World) -> None:
    """KG Inicis refuses without pg_api_key or with a wrong one, HTTP 200 and a code."""
    seed_number(world, pg_provider="html5_inicis")
    for query in ({}, {"pg_api_key": "wrong"}):
        status, payload = caller.ask("DELETE", "/vbanks/imp_n", None, **query)
        assert (status, payload["code"]) == (200, -1)
    assert caller.ask("DELETE", "/vbanks/imp_n", pg_api_key="simulator-pg-api-key")[1]["code"] == 0


def test_store_number_is_voided_and_refusals_come_as_codes(caller: Caller, world: World) -> None:
    """A ready store number is voided; unknown, other and used ones are HTTP 200 with a code."""
    seed_number(world, pay_method="cvs")
    world.seed_payment({"imp_uid": "imp_c", "merchant_uid": "C", "amount": 1})
    codes = [
        caller.ask("DELETE", f"/cvs/{uid}")[1]["code"] for uid in ("imp_n", "imp_n", "imp_c", "imp_none")
    ]
    assert codes == [0, -1, -1, -1]
    assert kinds(world) == [MovementKind.CVS_VOID]


def test_deposit_closes_the_number_to_revocation(caller: Caller, world: World) -> None:
    """Once the customer has paid, the number is paid and cannot be voided."""
    seed_number(world)
    world.somebody_else("imp_n", "deposit")
    assert caller.ask("DELETE", "/vbanks/imp_n")[0] == 400
    assert caller.lookup("imp_n")["status"] == "paid"
    assert [(m.kind, int(m.amount), m.who) for m in world.money.movements] == [
        (MovementKind.DEPOSIT, 700, Actor.SOMEBODY_ELSE)
    ]


def test_receipt_is_revoked_and_shows_when(caller: Caller, world: World) -> None:
    """A revoked receipt shows cancelled_at; revoking it again fails with 500."""
    world.seed_receipt({"merchant_uid": "R-1", "amount": 1000})
    assert caller.ask("GET", "/receipts/external/R-1")[1]["response"]["cancelled_at"] == 0
    assert caller.ask("DELETE", "/receipts/external/R-1")[0] == 200
    assert caller.ask("GET", "/receipts/external/R-1")[1]["response"]["cancelled_at"] > 0
    assert caller.ask("DELETE", "/receipts/external/R-1")[0] == 500
    assert kinds(world) == [MovementKind.RECEIPT_VOID]


def test_receipt_refusals(caller: Caller, world: World) -> None:
    """Unknown is 404, a failing revocation 500, a PG that cannot do it 501."""
    world.seed_receipt({"merchant_uid": "R-F", "amount": 1, "revocation_fails": True})
    world.seed_receipt({"merchant_uid": "R-U", "amount": 1, "pg_provider": "danal"})
    statuses = [caller.ask("DELETE", f"/receipts/external/{uid}")[0] for uid in ("R-none", "R-F", "R-U")]
    assert statuses == [404, 500, 501]
    assert caller.ask("GET", "/receipts/external/R-none")[0] == 404
    assert world.money.movements == []
