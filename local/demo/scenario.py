"""What one line of the story is: the world before it, what is published, and what must come of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from local import trigger
from local.simulator.currencies import DEFAULT_CURRENCY, as_number
from local.simulator.faults import Fault

Expectation = str  # an event's detail-type


@dataclass(frozen=True)
class Request:
    """One cancellation as the order service publishes it; without a currency, in the one it means."""

    cancel_type: str
    detail_type: str
    cancel_request_id: str
    order_id: str
    request: Mapping[str, Any]
    requested_by: str = "customer"
    reason: str = "고객 변심"
    requested_at: str = "2026-11-21T05:00:00Z"
    currency: str | None = None

    def detail(self) -> dict[str, Any]:
        """The EventBridge detail."""
        said = {"schema_version": "1.1", "currency": self.currency} if self.currency else {}
        return trigger.detail(
            self.cancel_request_id,
            dict(self.request),
            order_id=self.order_id,
            requested_at=self.requested_at,
            requested_by=self.requested_by,
            reason=self.reason,
            **said,
        )

    def body(self) -> str:
        """The detail as a message body."""
        return json.dumps(self.detail(), ensure_ascii=False, default=as_number)


@dataclass(frozen=True)
class Scenario:
    """One line of the story.

    Attributes:
        title: what happens, for a newcomer.
        subject: the payment, number, receipt or order it is about, as the oracle names it.
        seeds: records for the simulator, by kind (``payments``, ``receipts``, ``orders``).
        faults: what goes wrong at the provider.
        copies: how often the event is published.
        console: what somebody refunded at the console before the event was published.
        kill: whether the function's process is killed right after the provider has committed.
        answer_decides: whether what must come of it depends on what the provider answers first: a process
            that is killed hears nothing.
        books_late: whether the provider accepts the cancellation first, and books it when it is told to:
            accounting must hear `CancelPending` meanwhile.
        expected: the outcomes accounting must end with, one per request, in order of the requests.
        moved: what the provider must have moved in the end by API calls, in ``currency``.
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
    console: int = 0
    kill: bool = False
    answer_decides: bool = False
    books_late: bool = False
    moved: int | Decimal = 0
    currency: str = DEFAULT_CURRENCY
    voided: int = 0
    in_dlq: int = 0
    hint: str = field(default="")
