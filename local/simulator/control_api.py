"""The control endpoints under `/_control/`: seed, break, and ask the oracle. README.md lists them."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from local.simulator.control_console import CONSOLE_ROUTES
from local.simulator.currencies import as_number
from local.simulator.faults import Fault, Operation
from local.simulator.wire import JSON_HEADERS, Answer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from local.simulator.world import World

PREFIX = "/_control/"


def control(world: World, method: str, path: str, query: Mapping[str, str], body: bytes) -> Answer:
    """Answer one control request: 200 with JSON, 400 with `error` for wrong input, 404 for no such route."""
    handler = ROUTES.get((method, path.removeprefix(PREFIX).strip("/")))
    if handler is None:
        return _answer(404, {"error": f"no such control endpoint: {method} {path}"})
    try:
        return _answer(200, handler(world, query, json.loads(body) if body else {}))
    except (ValueError, TypeError, KeyError, AttributeError) as wrong:
        return _answer(400, {"error": f"{type(wrong).__name__}: {wrong}"})


def _answer(status: int, payload: Any) -> Answer:
    return Answer(status, JSON_HEADERS, json.dumps(payload, ensure_ascii=False, default=as_number).encode())


def _listed(body: Any) -> list[dict[str, Any]]:
    return body if isinstance(body, list) else [body]


def _health(_world: World, _query: Mapping[str, str], _body: Any) -> Any:
    return {"status": "ok"}


def _seed_payments(world: World, _query: Mapping[str, str], body: Any) -> Any:
    return {"seeded": [world.seed_payment(seed).imp_uid for seed in _listed(body)]}


def _seed_receipts(world: World, _query: Mapping[str, str], body: Any) -> Any:
    return {"seeded": [world.seed_receipt(seed).merchant_uid for seed in _listed(body)]}


def _seed_orders(world: World, _query: Mapping[str, str], body: Any) -> Any:
    return {"seeded": [world.seed_order(seed).order_no for seed in _listed(body)]}


def _add_faults(world: World, _query: Mapping[str, str], body: Any) -> Any:
    faults = [Fault.from_mapping(data) for data in _listed(body)]
    for fault in faults:
        world.add_fault(fault)
    return {"added": len(faults)}


def _faults(world: World, _query: Mapping[str, str], _body: Any) -> Any:
    return [fault.as_mapping() for fault in world.faults.faults]


def _clear_faults(world: World, query: Mapping[str, str], _body: Any) -> Any:
    world.faults.clear(query.get("subject"))
    return _faults(world, query, None)


def _somebody_else(world: World, _query: Mapping[str, str], body: Any) -> Any:
    world.somebody_else(
        body["subject"], body.get("action", "cancel"), body.get("amount"), body.get("reason", "")
    )
    return {"status": "ok"}


def _start_outage(world: World, _query: Mapping[str, str], body: Any) -> Any:
    world.start_outage(
        body.get("mode", "unavailable"), seconds=body.get("seconds"), provider=body.get("provider", "*")
    )
    return {"status": "ok"}


def _end_outage(world: World, _query: Mapping[str, str], _body: Any) -> Any:
    world.end_outage()
    return {"status": "ok"}


def _settle(world: World, _query: Mapping[str, str], _body: Any) -> Any:
    world.settle()
    return {"status": "ok"}


def _ledger(world: World, query: Mapping[str, str], _body: Any) -> Any:
    world.apply_due()
    subject = query.get("subject")
    movements = world.money.movements if subject is None else world.money.of(subject)
    return [asdict(movement) for movement in movements]


def _requests(world: World, query: Mapping[str, str], _body: Any) -> Any:
    subject, operation = query.get("subject"), query.get("operation")
    if operation is not None:
        operation = Operation(operation)
    return [
        asdict(logged)
        for logged in world.requests
        if subject in (None, *logged.subjects) and operation in (None, logged.operation)
    ]


def _state(world: World, query: Mapping[str, str], _body: Any) -> Any:
    world.apply_due()
    return {
        "payments": [payment.annotation() for payment in world.portone_state.payments.current.values()],
        "receipts": [receipt.annotation() for receipt in world.portone_state.receipts.current.values()],
        "orders": [order.detail() for order in world.ebp_state.orders.current.values()],
        "faults": _faults(world, query, None),
        "late_applications": len(world.late),
        "waiting_bookings": len(world.portone_state.waiting),
        "outage": None if world.outage is None else asdict(world.outage),
    }


def _reset(world: World, _query: Mapping[str, str], body: Any) -> Any:
    world.reset(tokens=bool(body.get("tokens", False)))
    return {"status": "ok"}


ROUTES: Mapping[tuple[str, str], Callable[[World, Mapping[str, str], Any], Any]] = {
    ("GET", "health"): _health,
    ("POST", "payments"): _seed_payments,
    ("POST", "receipts"): _seed_receipts,
    ("POST", "orders"): _seed_orders,
    ("GET", "faults"): _faults,
    ("POST", "faults"): _add_faults,
    ("DELETE", "faults"): _clear_faults,
    ("POST", "somebody_else"): _somebody_else,
    ("POST", "outage"): _start_outage,
    ("DELETE", "outage"): _end_outage,
    ("POST", "settle"): _settle,
    ("GET", "ledger"): _ledger,
    ("GET", "requests"): _requests,
    ("GET", "state"): _state,
    ("POST", "reset"): _reset,
    **CONSOLE_ROUTES,
}
