"""Typed client of the control endpoints, for the demo, the integration tests and chaos."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Self

import httpx

from local.simulator.currencies import as_number, money
from local.simulator.late_booking import Acceptance
from local.simulator.movements import Actor, Movement, MovementKind
from local.simulator.reversal import SHAPES
from local.simulator.summary import SummaryLine
from local.simulator.world import LoggedRequest

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal
    from types import TracebackType

    from local.simulator.faults import Fault, Operation

Seed = dict[str, Any]


class ControlError(Exception):
    """The simulator did not accept a control request; the message says why."""


class SimulatorControl:
    """Seeds, breaks and questions a running simulator. Use as a context manager, or `close` it."""

    def __init__(self, url: str, *, timeout_seconds: float = 10.0) -> None:
        self._client = httpx.Client(base_url=f"{url.rstrip('/')}/_control/", timeout=timeout_seconds)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def healthy(self) -> bool:
        """Whether the simulator answers."""
        try:
            return bool(self._ask("GET", "health")["status"] == "ok")
        except httpx.TransportError:
            return False

    def seed_payments(self, *seeds: Seed) -> None:
        """Put payments; fields as in `local.simulator.payments.Payment`."""
        self._ask("POST", "payments", list(seeds))

    def seed_receipts(self, *seeds: Seed) -> None:
        """Put external cash receipts; fields as in `local.simulator.payments.Receipt`."""
        self._ask("POST", "receipts", list(seeds))

    def seed_orders(self, *seeds: Seed) -> None:
        """Put EBP orders: `orderNo`, `items` as in EBP_API_232, any switch of `orders.Order`."""
        self._ask("POST", "orders", list(seeds))

    def add_faults(self, *faults: Fault) -> None:
        """Switch faults on, the first one first."""
        self._ask("POST", "faults", [fault.as_mapping(state=False) for fault in faults])

    def clear_faults(self, subject: str | None = None) -> None:
        """Switch all faults off, or those of one subject."""
        self._ask("DELETE", "faults", query={"subject": subject})

    def somebody_else(
        self, subject: str, action: str = "cancel", amount: Decimal | int | None = None, reason: str = ""
    ) -> None:
        """Change a record through another channel than the API; see `World.somebody_else`."""
        self._ask(
            "POST",
            "somebody_else",
            {"subject": subject, "action": action, "amount": amount, "reason": reason},
        )

    def start_outage(
        self, mode: str = "unavailable", *, seconds: float | None = None, provider: str = "*"
    ) -> None:
        """Fail every provider request; see `World.start_outage`."""
        self._ask("POST", "outage", {"mode": mode, "seconds": seconds, "provider": provider})

    def end_outage(self) -> None:
        """Let the providers work again."""
        self._ask("DELETE", "outage")

    def settle(self) -> None:
        """Carry out every late application now."""
        self._ask("POST", "settle")

    def ledger(self, subject: str | None = None) -> list[Movement]:
        """The oracle's movements, all or of one payment, receipt or order."""
        rows = self._ask("GET", "ledger", query={"subject": subject})
        return [_movement(row) for row in rows]

    def summary(self, subject: str | None = None) -> list[SummaryLine]:
        """The oracle in one line per subject and currency."""
        rows = self._ask("GET", "summary", query={"subject": subject})
        exact = ("refunded", "waiting")
        return [SummaryLine(**{**row, **{name: money(row[name]) for name in exact}}) for row in rows]

    def acceptances(self, subject: str | None = None) -> list[Acceptance]:
        """What late-booking PGs accepted, and what became of it."""
        rows = self._ask("GET", "acceptances", query={"subject": subject})
        return [Acceptance(**{**row, "amount": money(row["amount"])}) for row in rows]

    def end_bookings(self, subject: str, end: str | None = None) -> int:
        """End what waits of a payment, or one acceptance: as planned, "booked" or "refused"."""
        return int(self._ask("POST", "bookings", {"subject": subject, "end": end})["ended"])

    def reverse(self, subject: str, cancellation_id: str | None = None, shape: str = SHAPES[0]) -> None:
        """A refund that had been booked is rejected after all; see `reversal.SHAPES`."""
        body = {"subject": subject, "cancellation_id": cancellation_id, "shape": shape}
        self._ask("POST", "reversals", body)

    def pay_again(self, subject: str, *, keep: bool = False, **changes: Any) -> str:
        """Make another payment of an order and return its imp_uid; see `PortOneConsole.pay_again`."""
        body = {"subject": subject, "keep": keep, **changes}
        return str(self._ask("POST", "pay_again", body)["imp_uid"])

    def reissue(self, merchant_uid: str, **changes: Any) -> dict[str, Any]:
        """Issue another receipt (`receipt_tid`, `applied_at`) in the place of one, and return it."""
        receipt: dict[str, Any] = self._ask("POST", "reissue", {"merchant_uid": merchant_uid, **changes})
        return receipt

    def rotate_keys(self, *, tokens: bool = True, **keys: str) -> None:
        """Change keys, named as in the provider secret; the old ones are refused from now on."""
        self._ask("POST", "keys", {"tokens": tokens, **keys})

    def requests(self, subject: str | None = None, operation: Operation | None = None) -> list[LoggedRequest]:
        """The provider requests received, all or of one subject, of one operation."""
        rows = self._ask("GET", "requests", query={"subject": subject, "operation": operation})
        return [
            LoggedRequest(**{**row, "subjects": tuple(row["subjects"]), "faults": tuple(row["faults"])})
            for row in rows
        ]

    def calls(self, subject: str, operation: Operation | None = None) -> int:
        """How many requests a payment, receipt or order saw."""
        return len(self.requests(subject, operation))

    def state(self) -> dict[str, Any]:
        """Payments, receipts and orders as a lookup would show them, and the faults switched on."""
        state: dict[str, Any] = self._ask("GET", "state")
        return state

    def reset(self, *, tokens: bool = False) -> None:
        """Forget everything; access tokens only on demand."""
        self._ask("POST", "reset", {"tokens": tokens})

    def _ask(
        self, method: str, path: str, body: Any = None, query: Mapping[str, str | None] | None = None
    ) -> Any:
        params = {name: value for name, value in (query or {}).items() if value is not None}
        content = None if body is None else json.dumps(body, default=as_number)
        answer = self._client.request(method, path, content=content, params=params)
        if answer.status_code != httpx.codes.OK:
            raise ControlError(f"{method} {path}: {answer.json()['error']}")
        return answer.json()


def _movement(row: Mapping[str, Any]) -> Movement:
    typed = {"kind": MovementKind(row["kind"]), "who": Actor(row["who"]), "amount": money(row["amount"])}
    return Movement(**{**row, **typed})
