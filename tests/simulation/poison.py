"""Items that no version of this code wrote so, or that a newer one did: none of them may stop anybody."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from refunds.ledger.shards import open_partition

if TYPE_CHECKING:
    from tests.simulation.simulation import Simulation
    from tests.simulation.table import Item

_TIME: Final = "2026-11-20T05:00:00.000Z"


def _item(key: str, **attributes: Any) -> Item:
    item: Item = {
        "pk": {"S": key},
        "fingerprint": {"S": "1:planted"},
        "order_id": {"S": "ORD1"},
        "requested_by": {"S": "system"},
        "requested_at": {"S": "2026-11-20T05:00:00Z"},
        "request": {"S": '{"amount":1000,"imp_uid":"imp_planted"}'},
        "payment_ref": {"S": "imp_planted"},
        "state": {"S": "STARTED"},
        "owner": {"S": "planted"},
        "attempt": {"N": "1"},
        "version": {"N": "1"},
        "timeline": {"L": [{"S": f"{_TIME} STARTED attempt 1"}]},
        "open": {"S": open_partition(key)},
    }
    return {**item, **attributes}


def _parked(key: str, code: str) -> Item:
    outcome = (
        '{"schema_version":"1.2","outcome_id":"00000000-0000-5000-8000-000000000000","revision":2,'
        '"outcome":"parked","cancel_type":"payment_cancel","cancel_request_id":"planted-code","order_id":"ORD1",'
        '"requested_by":"system","requested_at":"2026-11-20T05:00:00Z","occurred_at":"2026-11-20T05:00:00Z",'
        '"attempts":1,"provider":{"name":"portone"},"money":null,"items":[],"error":{"code":"'
        + code
        + '","message":"new","retryable":true,"may_have_been_applied":true,"provider_code":null,'
        '"provider_message":null}}'
    )
    return _item(
        key,
        state={"S": "PARKED"},
        outcome={"S": outcome},
        in_doubt={"BOOL": True},
        unpublished={"BOOL": True},
    )


def _items() -> tuple[Item, ...]:
    unreadable = _item("payment_cancel#planted-unreadable")
    del unreadable["timeline"]
    return (
        unreadable,
        _item("payment_cancel#planted-state", state={"S": "REVIEWED"}),
        _parked("payment_cancel#planted-code", "OUT_OF_FASHION"),
        _item("gift_card_cancel#planted-type"),
        _item("order_cancel#planted-request", request={"S": '{"orderNo":7}'}, in_doubt={"BOOL": True}),
    )


def plant(simulation: Simulation) -> None:
    """Put all of them among the open requests; the first one cannot be written either."""
    for item in _items():
        key = item["pk"]["S"]
        simulation.planted.add(key)
        simulation.table.plant(item)
    simulation.table.unwritable.add("payment_cancel#planted-code")
