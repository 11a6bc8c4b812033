"""What a run does, drawn from a seed before it begins: cancellations, repetitions and faults."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from local.demo.scenario import Request
from local.demo.scenarios import Cast
from local.simulator.faults import Fault, FaultKind, Operation

_PAID: Final = 10_000
_FAULT_RATE: Final = 0.05
_DUPLICATE_RATE: Final = 0.10
_WEIGHTS: Final = {
    "payment_cancel": 60,
    "vbank_revoke": 10,
    "cvs_revoke": 10,
    "receipt_revoke": 10,
    "order_cancel": 10,
}
_SEND: Final = {
    "payment_cancel": Operation.CANCEL,
    "vbank_revoke": Operation.REVOKE,
    "cvs_revoke": Operation.REVOKE,
    "receipt_revoke": Operation.RECEIPT,
    "order_cancel": Operation.CANCEL,
}
_FAULTS: Final[tuple[tuple[FaultKind, Mapping[str, Any]], ...]] = (
    (FaultKind.REFUSE_CONNECTION, {}),
    (FaultKind.DROP_BEFORE_COMMIT, {}),
    (FaultKind.DROP_AFTER_COMMIT, {}),
    (FaultKind.HANG_AFTER_COMMIT, {}),
    (FaultKind.HTTP_5XX_BEFORE_COMMIT, {}),
    (FaultKind.HTTP_5XX_AFTER_COMMIT, {}),
    (FaultKind.HTML_AFTER_COMMIT, {}),
    (FaultKind.TRUNCATED_BODY_AFTER_COMMIT, {}),
    (FaultKind.LATE_APPLY, {"lookups": 1}),
    (FaultKind.HTTP_429, {"seconds": 1.0}),
    (FaultKind.WRONG_ECHO, {}),
)


@dataclass(frozen=True)
class Subject:
    """One payment, number, receipt or order, and the cancellations of it.

    ``amount`` is the won that must have moved in the end if all of them succeed; 0 for a void.
    """

    name: str
    kind: str
    seed: Mapping[str, Any]
    requests: tuple[Request, ...]
    amount: int
    fault: Fault | None = None


@dataclass
class Plan:
    """A whole run."""

    subjects: list[Subject] = field(default_factory=list)
    repetitions: list[Request] = field(default_factory=list)

    @property
    def requests(self) -> list[Request]:
        """Every cancellation, once."""
        return [request for subject in self.subjects for request in subject.requests]


def draw(run: str, seed: int, requests: int) -> Plan:
    """A run of about ``requests`` cancellations; the same arguments give the same run."""
    chance = random.Random(seed)
    cast, plan = Cast(run), Plan()
    number = 100
    while len(plan.requests) < requests:
        cancel_type = chance.choices(list(_WEIGHTS), weights=list(_WEIGHTS.values()))[0]
        plan.subjects.append(_subject(cast, number, cancel_type, chance))
        number += 1
    plan.repetitions = [r for r in plan.requests if chance.random() < _DUPLICATE_RATE]
    return plan


def _subject(cast: Cast, number: int, cancel_type: str, chance: random.Random) -> Subject:
    name, kind, seed, requests, amount = _made(cast, number, cancel_type, chance)
    return Subject(name, kind, seed, tuple(requests), amount, _fault(name, cancel_type, chance))


def _made(
    cast: Cast, number: int, cancel_type: str, chance: random.Random
) -> tuple[str, str, dict[str, Any], list[Request], int]:
    match cancel_type:
        case "payment_cancel":
            requests = list(_refunds(cast, number, chance))
            amount = sum(request.request.get("amount", _PAID) for request in requests)
            return cast.payment(number), "payments", cast.paid(number), requests, amount
        case "receipt_revoke":
            fields = {"merchant_uid": cast.order(number)}
            seed = {**fields, "amount": _PAID}
            return cast.order(number), "receipts", seed, [cast.request(cancel_type, number, fields)], 0
        case "order_cancel":
            items = [_item(1, 2, 2_000), _item(2, 1, 1_000)]
            asked = items if chance.random() < 0.5 else items[1:]  # noqa: PLR2004 - whole order or one item
            total = sum(item["quantity"] * item["amount"] for item in asked)
            order: dict[str, Any] = {
                "orderNo": cast.order(number),
                "totalCancelAmount": total,
                "items": asked,
            }
            seed = {"orderNo": cast.order(number), "items": items}
            return cast.order(number), "orders", seed, [cast.request(cancel_type, number, order)], total
    method = cancel_type.removesuffix("_revoke")
    seed = cast.paid(number, pay_method=method, status="ready")
    request = cast.request(cancel_type, number, {"imp_uid": cast.payment(number)})
    return cast.payment(number), "payments", seed, [request], 0


def _refunds(cast: Cast, number: int, chance: random.Random) -> Iterator[Request]:
    """A full refund, a partial one with or without checksum, or several of one payment at once."""
    payment = {"imp_uid": cast.payment(number)}
    match chance.choice(("full", "full with checksum", "partial", "partial with checksum", "several")):
        case "full":
            yield cast.request("payment_cancel", number, payment)
        case "full with checksum":
            yield cast.request("payment_cancel", number, {**payment, "checksum": _PAID})
        case "partial":
            yield cast.request("payment_cancel", number, {**payment, "amount": 3_000})
        case "partial with checksum":
            yield cast.request("payment_cancel", number, {**payment, "amount": 3_000, "checksum": _PAID})
        case _:
            for suffix, amount in (("a", 3_000), ("b", 3_000), ("c", 1_000)):
                yield cast.request("payment_cancel", number, {**payment, "amount": amount}, suffix)


def _item(seq: int, quantity: int, amount: int) -> dict[str, Any]:
    return {
        "seq": seq,
        "itemType": "PHYSICAL",
        "itemId": f"P{seq:03d}",
        "quantity": quantity,
        "amount": amount,
        "taxAmount": 0,
    }


def _fault(name: str, cancel_type: str, chance: random.Random) -> Fault | None:
    if chance.random() >= _FAULT_RATE:
        return None
    kind, parameters = chance.choice(_FAULTS)
    return Fault(kind, name, _SEND[cancel_type], **parameters)
