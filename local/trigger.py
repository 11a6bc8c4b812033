"""What triggers a function: a request's detail, EventBridge's envelope, SQS's record, Lambda's context."""

from __future__ import annotations

import itertools
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from refunds.cancel_types import cancel_type

ACCOUNT: Final = "123456789012"
REGION: Final = "ap-northeast-2"
REQUESTED_AT: Final = "2026-11-21T05:00:00Z"

Body = dict[str, Any]
_numbers: Final = itertools.count(1)


def detail(key: str, request: Mapping[str, Any], **fields: Any) -> Body:
    """What the order service asks for; ``fields`` take the place of what stands here, or are added."""
    return {
        "schema_version": "1.0",
        "cancel_request_id": key,
        "order_id": "ORD-1",
        "requested_at": REQUESTED_AT,
        "requested_by": "customer",
        "reason": "고객 변심",
        "request": request,
        **fields,
    }


def envelope(content: Mapping[str, Any], name: str = "payment_cancel", **fields: Any) -> Body:
    """The event of a cancel type, as EventBridge hands it on; ``replay-name`` is of one from an archive."""
    return {
        "version": "0",
        "id": "made-up",
        "detail-type": cancel_type(name).policy.detail_type,
        "source": "order-service",
        "account": ACCOUNT,
        "time": REQUESTED_AT,
        "region": REGION,
        "resources": [],
        "detail": content,
        **fields,
    }


def record(
    body: str, *, receives: int = 1, message_id: str | None = None, receipt: str | None = None
) -> Body:
    """A message, as the event source mapping hands it on; without a receipt its id is that, too."""
    message_id = message_id or f"message-{next(_numbers)}"
    return {
        "messageId": message_id,
        "receiptHandle": message_id if receipt is None else receipt,
        "body": body,
        "attributes": {
            "ApproximateReceiveCount": str(receives),
            "SentTimestamp": "1795237200000",
            "SenderId": "AIDAIENQZJOLO23YVJ4VO",
            "ApproximateFirstReceiveTimestamp": "1795237200001",
        },
        "messageAttributes": {},
        "md5OfBody": "",
        "eventSource": "aws:sqs",
        "eventSourceARN": f"arn:aws:sqs:{REGION}:{ACCOUNT}:refunds",
        "awsRegion": REGION,
    }


def batch(*records: Mapping[str, Any]) -> Body:
    """An event of Lambda's SQS trigger."""
    return {"Records": list(records)}


@dataclass
class Context:
    """Lambda's context of an invocation with so many seconds left."""

    seconds: float = 60.0
    aws_request_id: str = "made-up"
    function_name: str = "made-up"
    started: float = field(default_factory=time.monotonic)

    def get_remaining_time_in_millis(self) -> int:
        """What is left of them."""
        return int((self.seconds - (time.monotonic() - self.started)) * 1000)
