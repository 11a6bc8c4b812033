"""Typed client of the control endpoints, for the demo, the integration tests and chaos."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import httpx

from local.simulator.movements import Actor, Movement, MovementKind
from local.simulator.world import LoggedRequest

if TYPE_CHECKING:
    from collections.abc import Mapping
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
        """Put EBP orders: `orderNo`, `items` as in document 004, any switch of `orders.Order`."""
        self._ask("POST", "orders", list(seeds))

    def add_faults(self, *faults: Fault) -> None:
        """Switch faults on, the first one first."""
        self._ask("POST", "faults", [fault.as_mapping(state=False) for fault in faults])

    def clear_faults(self, subject: str | None = None) -> None:
        """Switch all faults off, or those of one subject."""
        self._ask("DELETE", "faults", query={"subject": subject})

    def somebody_else(
        self, subject: str, action: str = "cancel", amount: int | None = None, reason: str = ""
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
        return [
            Movement(**{**row, "kind": MovementKind(row["kind"]), "who": Actor(row["who"])}) for row in rows
        ]

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
        answer = self._client.request(method, path, json=body, params=params)
        if answer.status_code != httpx.codes.OK:
            raise ControlError(f"{method} {path}: {answer.json()['error']}")
        return answer.json()
