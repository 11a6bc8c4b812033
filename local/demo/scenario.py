"""What one line of the story is: the world before it, what is published, and what must come of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from local.simulator.faults import Fault

Expectation = str  # an event's detail-type


@dataclass(frozen=True)
class Request:
    """One cancellation as the order service publishes it."""

    cancel_type: str
    detail_type: str
    cancel_request_id: str
    order_id: str
    request: Mapping[str, Any]
    requested_by: str = "customer"
    reason: str = "고객 변심"
    requested_at: str = "2026-11-21T05:00:00Z"

    def detail(self) -> dict[str, Any]:
        """The EventBridge detail."""
        return {
            "schema_version": "1.0",
            "cancel_request_id": self.cancel_request_id,
            "order_id": self.order_id,
            "requested_at": self.requested_at,
            "requested_by": self.requested_by,
            "reason": self.reason,
            "request": dict(self.request),
        }

    def body(self) -> str:
        """The detail as a message body."""
        return json.dumps(self.detail(), ensure_ascii=False)


@dataclass(frozen=True)
class Scenario:
    """One line of the story.

    Attributes:
        title: what happens, for a newcomer.
        subject: the payment, number, receipt or order it is about, as the oracle names it.
        seeds: records for the simulator, by kind (``payments``, ``receipts``, ``orders``).
        faults: what goes wrong at the provider.
        copies: how often the event is published.
        kill: whether the function's process is killed right after the provider has committed.
        expected: the outcomes accounting must end with, one per request, in order of the requests.
        moved: won the provider must have moved in the end, by API calls.
        voided: numbers and receipts the provider must have voided.
        in_dlq: messages that must wait in the DLQ.
    """

    title: str
    subject: str
    requests: tuple[Request, ...]
    seeds: Mapping[str, tuple[Mapping[str, Any], ...]]
    expected: tuple[Expectation, ...]
    faults: tuple[Fault, ...] = ()
    copies: int = 1
    kill: bool = False
    moved: int = 0
    voided: int = 0
    in_dlq: int = 0
    hint: str = field(default="")
