"""The work: SQS batches of cancellations, as the event source mapping hands them over."""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from bench.world.provider import balance_of

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
        return {"Records": [self.message() for _ in range(size)]}

    def message(self) -> Message:
        """One record of it, its body an EventBridge envelope."""
        number = f"{self._run}-{next(self._numbers)}"
        return {
            "messageId": f"message-{number}",
            "receiptHandle": f"receipt-{number}",
            "body": json.dumps(self._envelope(number), ensure_ascii=False),
            "attributes": {
                "ApproximateReceiveCount": "1",
                "SentTimestamp": "1795237200000",
                "SenderId": "AIDAIENQZJOLO23YVJ4VO",
                "ApproximateFirstReceiveTimestamp": "1795237200001",
            },
            "messageAttributes": {},
            "md5OfBody": "",
            "eventSource": "aws:sqs",
            "eventSourceARN": "arn:aws:sqs:ap-northeast-2:123456789012:refunds-payment-cancel",
            "awsRegion": "ap-northeast-2",
        }

    def _envelope(self, number: str) -> dict[str, Any]:
        request: dict[str, Any] = {"imp_uid": f"imp_{self.earlier}_{number}", "amount": 3000, "tax_free": 0}
        if self.checksum:
            request["checksum"] = balance_of(self.earlier)
        return {
            "version": "0",
            "id": f"event-{number}",
            "detail-type": "PaymentCancelRequested",
            "source": "order-service",
            "account": "123456789012",
            "time": "2026-11-21T05:00:00Z",
            "region": "ap-northeast-2",
            "resources": [],
            "detail": {
                "schema_version": "1.0",
                "cancel_request_id": f"cr-{number}",
                "order_id": f"ORD-{number}",
                "requested_at": "2026-11-21T05:00:00Z",
                "requested_by": "customer",
                "reason": "고객 변심",
                "request": request,
            },
        }
