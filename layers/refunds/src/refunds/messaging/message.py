"""One message: the SQS record, and what its text says: a cancellation, or why it is none and who is meant."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from refunds.contracts.inbound import Cancellation, Identity, ProviderRequest, identify, parse_cancellation
from refunds.contracts.trigger import (
    detail_of_event,
    event_id,
    event_of_body,
    is_quiet_replay,
    readable_event,
)
from refunds.domain.policy import Policy
from refunds.errors import InvalidRequest
from refunds.messaging.queue import HELD_SINCE

RequestT = TypeVar("RequestT", bound=ProviderRequest)


@dataclass(frozen=True)
class Message:
    """One SQS record; ``held_since`` is UNIX seconds, for a copy of one that was held back."""

    message_id: str
    receipt_handle: str
    body: str
    receive_count: int
    held_since: float | None = None

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> Message:
        """Read what the event source mapping passes on."""
        attributes = record.get("attributes") or {}
        return cls(
            message_id=record["messageId"],
            receipt_handle=record.get("receiptHandle", ""),
            body=record.get("body") or "",
            receive_count=int(attributes.get("ApproximateReceiveCount", 1)),
            held_since=_held_since(record),
        )


@dataclass(frozen=True)
class Reading(Generic[RequestT]):
    """Exactly one of ``cancellation`` and ``error`` is there; ``identity`` is what an invalid one still says.

    ``event_id``: EventBridge's, where there is one. ``quiet``: it comes from a replay that does not want
    finished requests published again.
    """

    identity: Identity | None = None
    cancellation: Cancellation[RequestT] | None = None
    error: InvalidRequest | None = None
    quiet: bool = False
    event_id: str | None = None

    @property
    def cancel_request_id(self) -> str | None:
        """The idempotency key, if it can be read."""
        if self.cancellation is not None:
            return self.cancellation.cancel_request_id
        return self.identity.cancel_request_id if self.identity else None

    @property
    def order_id(self) -> str | None:
        """The order, if it can be read."""
        known = self.cancellation or self.identity
        return known.order_id if known else None


def read_body(policy: Policy, body: str) -> Reading[Any]:
    """Read an SQS message body."""
    try:
        event = event_of_body(body)
    except InvalidRequest as error:
        return Reading(identity=_who(policy, readable_event(body)), error=error)
    return read_event(policy, event)


def _who(policy: Policy, event: object) -> Identity | None:
    """Whom a body is about that cannot be read to its end."""
    try:
        return identify(detail_of_event(event, policy.detail_type))
    except InvalidRequest:
        return None


def read_event(policy: Policy, event: object) -> Reading[Any]:
    """Read an EventBridge event, or a bare detail."""
    event_name = event_id(event)
    try:
        detail = detail_of_event(event, policy.detail_type)
    except InvalidRequest as error:
        return Reading(error=error, event_id=event_name)
    try:
        cancellation: Cancellation[Any] = parse_cancellation(policy.contract, detail)
    except InvalidRequest as error:
        return Reading(identity=identify(detail), error=error, event_id=event_name)
    return Reading(cancellation=cancellation, quiet=is_quiet_replay(event), event_id=event_name)


def _held_since(record: Mapping[str, Any]) -> float | None:
    """Anybody may send messages with attributes; one that is no number is not ours."""
    attributes = record.get("messageAttributes") or {}
    try:
        since = float(attributes[HELD_SINCE]["stringValue"])
    except (KeyError, TypeError, ValueError):
        return None
    return since if math.isfinite(since) else None
