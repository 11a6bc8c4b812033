"""Accounting, as a consumer that follows docs/contracts.md to the letter, and what it then believes.

It keeps no order: events come shuffled and twice.
"""

from __future__ import annotations

from decimal import Decimal
from random import Random
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tests.simulation.aws import Event
    from tests.simulation.simulation import Simulation

_FINAL = frozenset({"succeeded", "failed"})


class Accounting:
    """Deduplicates by ``outcome_id``, keeps the highest revision, and lets a final statement be the last."""

    def __init__(self) -> None:
        self._heard: set[str] = set()
        self.believed: dict[str, Mapping[str, Any]] = {}

    def hear(self, statement: Mapping[str, Any]) -> None:
        """Take one event."""
        if statement["outcome_id"] in self._heard:
            return
        self._heard.add(statement["outcome_id"])
        key = f"{statement['cancel_type']}#{statement['cancel_request_id']}"
        known = self.believed.get(key)
        if known is None or _rank(statement) > _rank(known):
            self.believed[key] = statement


def _rank(statement: Mapping[str, Any]) -> tuple[bool, int]:
    return statement["outcome"] in _FINAL, statement.get("revision", 0)


def listen(events: Iterable[Event], order: int) -> Accounting:
    """Hear everything in an order of its own, some of it twice."""
    heard = list(events)
    heard += heard[:: 2 + order % 3]
    Random(order).shuffle(heard)  # noqa: S311 - must be repeatable
    accounting = Accounting()
    for event in heard:
        accounting.hear(event.said)
    return accounting


def wrongly_believed(s: Simulation, key: str, statement: Mapping[str, Any] | None) -> str | None:
    """What is wrong with what accounting believes of a request; ``None`` if the books say the same."""
    if s.wanted[key].cancel_type in ("payment_cancel", "order_cancel"):
        return _of_money(s, key, statement)
    return None


def _of_money(s: Simulation, key: str, statement: Mapping[str, Any] | None) -> str | None:
    moved = s.books.may_move(key)
    if statement is None:
        return f"{key} moved money, and accounting has heard nothing" if moved else None
    money, error = statement["money"] or {}, statement["error"]
    told = f"{money.get('cancelled')} {money.get('currency')}"
    match statement["outcome"]:
        case "succeeded":
            return _of_success(s, key, money, told)
        case "pending":
            return _of_waiting(s, key)
        case "parked" if error["may_have_been_applied"]:
            return None if money.get("cancelled") is None else f"{key}: {told} is told, and nobody knows"
    if moved:
        return f"{key} is told as not carried out ({statement['outcome']}), and money moved or may move"
    return None if money.get("cancelled") in (None, 0) else f"{key}: {told} is told as moved, and nothing did"


def _of_waiting(s: Simulation, key: str) -> str | None:
    """A PG that refuses in the end says so to nobody; a false success was never accepted by anyone."""
    if s.books.of_request(key):
        return f"{key} is told as pending, and is booked"
    lied = any("success, not applied" in fault.name for _call, fault in s.gate.struck)
    if s.books.acceptances_of(key) or lied:
        return None
    return f"{key} is told as pending, and no provider has accepted it"


def _of_success(s: Simulation, key: str, money: Mapping[str, Any], told: str) -> str | None:
    total = sum((movement.amount for movement in s.books.of_request(key)), Decimal(0))
    currencies = {movement.currency for movement in s.books.of_request(key)}
    if not currencies:
        return None  # somebody else's that nobody could tell from ours: `a recorded success is true` judges
    if money.get("cancelled") == total and currencies == {money.get("currency")}:
        return None
    return f"{key} is told as {told}, the provider's books say {total} {', '.join(currencies)}"
