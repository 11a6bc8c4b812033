"""What a run does, drawn from a seed before it begins: cancellations, repetitions and faults."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, Final

from local.cancel_types import all_examples, example
from local.demo.cast import Cast
from local.demo.scenario import Request
from local.simulator.currencies import DEFAULT_CURRENCY
from local.simulator.faults import Fault, FaultKind

_FAULT_RATE: Final = 0.05
_DUPLICATE_RATE: Final = 0.10
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
class Purse:
    """Money of one currency: what was paid, and the parts that are refunded."""

    currency: str
    paid: Decimal
    part: Decimal
    small: Decimal


WON: Final = Purse(DEFAULT_CURRENCY, Decimal(10_000), Decimal(3_000), Decimal(1_000))
DOLLARS: Final = Purse("USD", Decimal("726.24"), Decimal("181.56"), Decimal("60.52"))


@dataclass(frozen=True)
class _Counter:
    """Where a payment was made: how often, in which money, at which PG."""

    weight: int
    purse: Purse
    fields: Mapping[str, Any] = field(default_factory=dict)
    late: bool = False


_COUNTERS: Final = (
    _Counter(66, WON),
    _Counter(14, DOLLARS),
    _Counter(10, DOLLARS, {"pg_provider": "paypal_v2"}, late=True),
    _Counter(5, WON, {"pg_provider": "smartro_v2", "pay_method": "vbank"}, late=True),
    _Counter(5, WON, {"pg_provider": "daou", "pay_method": "vbank"}, late=True),
)
# How a late-booking PG ends what it has accepted, with how often; seconds are drawn.
_ENDS: Final[tuple[tuple[int, Mapping[str, Any]], ...]] = (
    (60, {"seconds": 20.0}),
    (15, {"lookups": 2}),
    (10, {"seconds": 20.0, "balance": "moved"}),
    (10, {"seconds": 20.0, "end": "refused"}),
    (5, {"end": "never"}),
)


@dataclass(frozen=True)
class Subject:
    """One payment, number, receipt or order, and the cancellations of it.

    ``amount`` is what must have moved in the end if all of them succeed, in ``currency``; 0 for a void.
    ``late``: its PG books later, or never; nothing there is sent twice, so an attempt can stay unproven.
    """

    name: str
    kind: str
    seed: Mapping[str, Any]
    requests: tuple[Request, ...]
    amount: Decimal
    currency: str = DEFAULT_CURRENCY
    late: bool = False
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
    shares = {name: example.share for name, example in all_examples().items()}
    number = 100
    while len(plan.requests) < requests:
        cancel_type = chance.choices(list(shares), weights=list(shares.values()))[0]
        plan.subjects.append(_subject(cast, number, cancel_type, chance))
        number += 1
    plan.repetitions = [r for r in plan.requests if chance.random() < _DUPLICATE_RATE]
    return plan


def _subject(cast: Cast, number: int, cancel_type: str, chance: random.Random) -> Subject:
    subject = _made(cast, number, cancel_type, chance)
    return replace(subject, fault=_fault(subject.name, cancel_type, chance))


def _made(cast: Cast, number: int, cancel_type: str, chance: random.Random) -> Subject:
    match cancel_type:
        case "payment_cancel":
            return _payment(cast, number, chance)
        case "order_cancel":
            return _order(cast, number, chance)
    one = example(cancel_type)
    requests = (cast.request(cancel_type, number, one.request(cast, number)),)
    subject, seed = one.subject(cast, number), one.seed(cast, number)
    return Subject(subject, one.kind, seed, requests, Decimal(one.moved))


def _payment(cast: Cast, number: int, chance: random.Random) -> Subject:
    counter = chance.choices(_COUNTERS, weights=[one.weight for one in _COUNTERS])[0]
    purse = counter.purse
    seed = cast.paid(number, **{"amount": purse.paid, "currency": purse.currency, **counter.fields})
    if counter.late:
        seed["booking"] = _booking(chance)
    requests = tuple(
        replace(request, currency=None if purse is WON else purse.currency)
        for request in _refunds(cast, number, purse, chance)
    )
    amount = sum((request.request.get("amount", purse.paid) for request in requests), Decimal(0))
    name = cast.payment(number)
    return Subject(name, "payments", seed, requests, amount, purse.currency, late=counter.late)


def _booking(chance: random.Random) -> dict[str, Any]:
    booking = dict(chance.choices([end for _, end in _ENDS], weights=[weight for weight, _ in _ENDS])[0])
    if "seconds" in booking:
        booking["seconds"] = round(chance.uniform(1.0, booking["seconds"]), 1)
    return booking


def _order(cast: Cast, number: int, chance: random.Random) -> Subject:
    items = [_item(1, 2, 2_000), _item(2, 1, 1_000)]
    asked = items if chance.random() < 0.5 else items[1:]  # noqa: PLR2004 - whole order or one item
    total = sum(item["quantity"] * item["amount"] for item in asked)
    order: dict[str, Any] = {"orderNo": cast.order(number), "totalCancelAmount": total, "items": asked}
    seed = {"orderNo": cast.order(number), "items": items}
    requests = (cast.request("order_cancel", number, order),)
    return Subject(cast.order(number), "orders", seed, requests, Decimal(total))


def _refunds(cast: Cast, number: int, purse: Purse, chance: random.Random) -> Iterator[Request]:
    """A full refund, a partial one with or without checksum, or several of one payment at once."""
    payment = {"imp_uid": cast.payment(number)}
    match chance.choice(("full", "full with checksum", "partial", "partial with checksum", "several")):
        case "full":
            yield cast.request("payment_cancel", number, payment)
        case "full with checksum":
            yield cast.request("payment_cancel", number, {**payment, "checksum": purse.paid})
        case "partial":
            yield cast.request("payment_cancel", number, {**payment, "amount": purse.part})
        case "partial with checksum":
            part = {**payment, "amount": purse.part, "checksum": purse.paid}
            yield cast.request("payment_cancel", number, part)
        case _:
            for suffix, amount in (("a", purse.part), ("b", purse.part), ("c", purse.small)):
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
    return Fault(kind, name, example(cancel_type).send, **parameters)
