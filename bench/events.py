"""The work: SQS batches of cancellations, as the event source mapping hands them over."""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from bench.world.provider import balance_of
from local import trigger

Message = dict[str, Any]


@dataclass
class Orders:
    """Makes cancellations that never were before.

    Attributes:
        checksum: whether the events bring the balance, so that nobody needs to look.
        earlier: cancellations each payment has behind it.
    """

    checksum: bool = True
    earlier: int = 0
    _run: str = field(default_factory=lambda: os.urandom(4).hex())
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def batch(self, size: int = 10) -> dict[str, Any]:
        """An event of Lambda's SQS trigger."""
        return trigger.batch(*(self.message() for _ in range(size)))

    def message(self) -> Message:
        """One record of it, its body an EventBridge envelope."""
        number = f"{self._run}-{next(self._numbers)}"
        body = json.dumps(self._envelope(number), ensure_ascii=False)
        return trigger.record(body, message_id=f"message-{number}", receipt=f"receipt-{number}")

    def _envelope(self, number: str) -> dict[str, Any]:
        request: dict[str, Any] = {"imp_uid": f"imp_{self.earlier}_{number}", "amount": 3000, "tax_free": 0}
        if self.checksum:
            request["checksum"] = balance_of(self.earlier)
        content = trigger.detail(f"cr-{number}", request, order_id=f"ORD-{number}")
        return trigger.envelope(content, id=f"event-{number}")
