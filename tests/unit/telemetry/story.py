"""Everything that can become of a request, told to every function, and what they write meanwhile."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from local.cancel_types import example
from local.demo.cast import Cast
from local.simulator.faults import Fault, FaultKind, Operation
from local.trigger import envelope, record
from refunds.cancel_types import MODULES
from tests.unit.contracts.details import detail
from tests.unit.rig import MAX_RECEIVE_COUNT, Rig

PROJECT: Final = Path(__file__).parents[3]
PAID: Final = 10_000
PAUSED: Final = {"SENDING_PAUSED": "true"}
_ITEMS: Final = [
    {"seq": 1, "itemType": "PHYSICAL", "itemId": "P001", "quantity": 2, "amount": 2_000},
    {"seq": 2, "itemType": "DELIVERY", "itemId": "D001", "quantity": 1, "amount": 3_000},
]


@dataclass(frozen=True)
class Metric:
    """What CloudWatch makes of one value: alarms and widgets must name exactly this."""

    namespace: str
    name: str
    dimensions: frozenset[tuple[str, str]]

    @classmethod
    def of(cls, namespace: str, name: str, dimensions: Mapping[str, str]) -> Metric:
        """From a mapping of dimensions."""
        return cls(namespace, name, frozenset(dimensions.items()))


@dataclass(frozen=True)
class Written:
    """The standard output of the functions."""

    text: str

    @property
    def lines(self) -> list[dict[str, Any]]:
        """Log lines."""
        return [line for line in self._objects() if "_aws" not in line]

    @property
    def metrics(self) -> dict[Metric, set[str]]:
        """Every metric in it with its units."""
        found: dict[Metric, set[str]] = {}
        for line in self._objects():
            for directive in line.get("_aws", {}).get("CloudWatchMetrics", ()):
                for names in directive["Dimensions"]:
                    dimensions = {name: line[name] for name in names}
                    for one in directive["Metrics"]:
                        metric = Metric.of(directive["Namespace"], one["Name"], dimensions)
                        found.setdefault(metric, set()).add(one["Unit"])
        return found

    def _objects(self) -> Iterator[dict[str, Any]]:
        return (json.loads(line) for line in self.text.splitlines())


def tell(rig: Rig, namespace: str) -> Written:
    """Let every function meet everything once, with its metrics under ``namespace``."""
    environment = {**rig.environment, "POWERTOOLS_METRICS_NAMESPACE": namespace, "LOG_LEVEL": "DEBUG"}
    jobs = [job for name in MODULES for job in _jobs(rig, name)]
    jobs += [_booked_later(rig)]
    jobs += [("sweeper", {}, {}), ("reconcile", {"date": "2026-01-01"}, {})]
    done = subprocess.run(
        [sys.executable, "-m", "tests.unit.telemetry.child"],
        input=json.dumps(
            [
                {"function": name, "event": event, "environment": {"SENDING_PAUSED": "false", **changed}}
                for name, event, changed in jobs
            ]
        ),
        env={**os.environ, **environment},
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    )
    return Written(done.stdout)


def _jobs(rig: Rig, name: str) -> Iterator[tuple[str, object, Mapping[str, str]]]:
    """A cancel type's invocations, for which the provider is prepared."""
    send = example(name).send
    for story, precheck in _PREPARATIONS.items():
        subject = _subject(name, story)
        body = json.dumps(_detail(rig, name, subject, story))
        precheck(rig, subject, send)
        receives = MAX_RECEIVE_COUNT if story == "unknown" else 1
        batch = {"Records": [record(body, receives=receives)]}
        for _ in range(2 if story == "twice" else 1):
            yield name, batch, PAUSED if story == "held" else {}
    event = envelope(_detail(rig, name, _subject(name, "event"), "event"), name)
    yield name, event | {"id": "event-1"}, {}
    broken = detail(name, cancel_request_id=f"cr-{name}-broken", request={})
    yield name, {"Records": [record("{}"), record(json.dumps(broken))]}, {}


def _booked_later(rig: Rig) -> tuple[str, object, Mapping[str, str]]:
    """A PayPal refund in dollars, which only payment_cancel meets: accepted now, booked later."""
    rig.world.seed_payment(
        {"imp_uid": "late", "merchant_uid": "M-late", "amount": 100, "pg_provider": "paypal_v2"}
    )
    body = detail(
        "payment_cancel",
        cancel_request_id="cr-payment_cancel-late",
        order_id="ORD-late",
        currency="USD",
        request={"imp_uid": "late", "amount": 60},
    )
    return "payment_cancel", {"Records": [record(json.dumps(body))]}, {}


def _subject(name: str, story: str) -> str:
    if name in _REQUESTS:
        return f"{name}-{story}".replace("_", "-")
    return example(name).subject(Cast(f"{name}-{story}"), 1)


def _detail(rig: Rig, name: str, subject: str, story: str) -> dict[str, Any]:
    fields = _REQUESTS[name](rig, subject, story) if name in _REQUESTS else _going_through(rig, name, story)
    return detail(name, cancel_request_id=f"cr-{name}-{story}", order_id=f"ORD-{subject}", request=fields)


def _payment(rig: Rig, subject: str, _story: str) -> dict[str, Any]:
    rig.world.seed_payment({"imp_uid": subject, "merchant_uid": f"M-{subject}", "amount": PAID})
    return {"imp_uid": subject, "amount": 1_000, "checksum": PAID}


def _number(pay_method: str) -> Callable[[Rig, str, str], dict[str, Any]]:
    def seed(rig: Rig, subject: str, story: str) -> dict[str, Any]:
        status = "paid" if story == "refused" else "ready"
        payment = {"imp_uid": subject, "merchant_uid": f"M-{subject}", "amount": PAID}
        rig.world.seed_payment(payment | {"status": status, "pay_method": pay_method})
        return {"imp_uid": subject}

    return seed


def _receipt(rig: Rig, subject: str, story: str) -> dict[str, Any]:
    if story != "refused":
        rig.world.seed_receipt({"merchant_uid": subject, "amount": PAID})
    return {"merchant_uid": subject}


def _order(rig: Rig, subject: str, story: str) -> dict[str, Any]:
    rig.world.seed_order({"orderNo": subject, "items": _ITEMS})
    items = _ITEMS[:1] if story == "unknown" else _ITEMS
    total = sum(int(str(item["quantity"])) * int(str(item["amount"])) for item in items)
    return {"orderNo": subject, "totalCancelAmount": total, "items": items}


def _going_through(rig: Rig, name: str, story: str) -> dict[str, Any]:
    """The example of a type that no story needs another world for."""
    one, cast = example(name), Cast(f"{name}-{story}")
    rig.seed(one.kind, one.seed(cast, 1))
    return one.request(cast, 1)


#: Where a story needs a world of its own.
_REQUESTS: Final[Mapping[str, Callable[[Rig, str, str], dict[str, Any]]]] = {
    "payment_cancel": _payment,
    "vbank_revoke": _number("vbank"),
    "cvs_revoke": _number("cvs"),
    "receipt_revoke": _receipt,
    "order_cancel": _order,
}


def _nothing(_rig: Rig, _subject: str, _send: Operation) -> None:
    """The provider does as it is told."""


def _refuse(rig: Rig, subject: str, send: Operation) -> None:
    rig.world.add_fault(Fault(FaultKind.REFUSE, subject, send, times=None))


def _lose_the_answer(rig: Rig, subject: str, send: Operation) -> None:
    rig.world.add_fault(Fault(FaultKind.DROP_AFTER_COMMIT, subject, send))


def _lose_every_answer(rig: Rig, subject: str, send: Operation) -> None:
    _lose_the_answer(rig, subject, send)
    rig.world.add_fault(Fault(FaultKind.HTTP_5XX_BEFORE_COMMIT, subject, Operation.LOOKUP, times=None))


def _be_down(rig: Rig, subject: str, send: Operation) -> None:
    rig.world.add_fault(Fault(FaultKind.HTTP_5XX_BEFORE_COMMIT, subject, send))


_PREPARATIONS: Final[Mapping[str, Callable[[Rig, str, Operation], None]]] = {
    "carried-out": _nothing,
    "twice": _nothing,
    "refused": _refuse,
    "asked": _lose_the_answer,
    "unknown": _lose_every_answer,
    "retried": _be_down,
    "held": _nothing,
}
