"""Control endpoints for what providers do by themselves: book late, take back, pay again, change keys."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from local.simulator.reversal import SHAPES
from local.simulator.summary import summary

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from local.simulator.world import World


def _end_bookings(world: World, _query: Mapping[str, str], body: Any) -> Any:
    return {"ended": world.end_bookings(body["subject"], body.get("end"))}


def _acceptances(world: World, query: Mapping[str, str], _body: Any) -> Any:
    world.apply_due()
    subject = query.get("subject")
    accepted = world.money.acceptances.values() if subject is None else world.money.accepted(subject)
    return [asdict(acceptance) for acceptance in accepted]


def _reverse(world: World, _query: Mapping[str, str], body: Any) -> Any:
    world.reverse(body["subject"], body.get("cancellation_id"), body.get("shape", SHAPES[0]))
    return {"status": "ok"}


def _pay_again(world: World, _query: Mapping[str, str], body: Any) -> Any:
    changes = dict(body)
    subject, keep = changes.pop("subject"), bool(changes.pop("keep", False))
    return {"imp_uid": world.portone.console.pay_again(subject, keep=keep, changes=changes)}


def _reissue(world: World, _query: Mapping[str, str], body: Any) -> Any:
    receipt = world.portone.console.reissue(
        body["merchant_uid"], body.get("receipt_tid"), body.get("applied_at")
    )
    return receipt.annotation()


def _rotate_keys(world: World, _query: Mapping[str, str], body: Any) -> Any:
    keys = dict(body)
    world.rotate_keys(tokens=bool(keys.pop("tokens", True)), **keys)
    return {"status": "ok"}


def _summary(world: World, query: Mapping[str, str], _body: Any) -> Any:
    world.apply_due()
    return [asdict(line) for line in summary(world.money, query.get("subject"))]


CONSOLE_ROUTES: Mapping[tuple[str, str], Callable[[World, Mapping[str, str], Any], Any]] = {
    ("POST", "bookings"): _end_bookings,
    ("GET", "acceptances"): _acceptances,
    ("POST", "reversals"): _reverse,
    ("POST", "pay_again"): _pay_again,
    ("POST", "reissue"): _reissue,
    ("POST", "keys"): _rotate_keys,
    ("GET", "summary"): _summary,
}
