"""One message: where it comes from, and what it says: a cancellation, or why it is none and who is meant."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from aws_lambda_powertools.utilities.data_classes import EventBridgeEvent, SQSRecord

from refunds.contracts.inbound import Cancellation, Identity, ProviderRequest, identify, parse_cancellation
from refunds.contracts.trigger import (
    detail_of_event,
    event_id,
    event_of_body,
    is_quiet_replay,
    readable_event,
    unwrapped,
)
from refunds.domain.policy import Policy
from refunds.errors import InvalidRequest
from refunds.messaging.queue import CANCEL_TYPE, HELD_SINCE

RequestT = TypeVar("RequestT", bound=ProviderRequest)
T = TypeVar("T")

#: What is in no SQS message.
_NO_TEXT: Final = re.compile("[\ud800-\udfff\ufffe\uffff]")
#: What a record may lack or have in another shape when it was made by hand.
_UNREADABLE: Final = (AttributeError, KeyError, TypeError, ValueError, OverflowError)


@dataclass(frozen=True)
class Origin:
    """Whose events are carried out.

    EventBridge writes both into the envelope: ``account`` is the sender's and cannot be chosen by it.
    ``None`` stands for anybody. A bare detail has no envelope, and an envelope made by hand may lack
    either: who may send those is the queue policy's decision.
    """

    source: str | None = None
    account: str | None = None

    def refuse(self, event: object) -> None:
        """Check an envelope.

        Raises:
            InvalidRequest: it comes from somebody else.
        """
        if not isinstance(event, dict) or "detail" not in event:
            return
        envelope = EventBridgeEvent(event)
        found = {"source": envelope.get("source"), "account": envelope.get("account")}
        for name, own in (("source", self.source), ("account", self.account)):
            if own is not None and found[name] is not None and found[name] != own:
                raise InvalidRequest(f"the envelope's {name} is not the one whose events are carried out")


ANYBODY: Final = Origin()


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


@dataclass(frozen=True)
class Message(Generic[RequestT]):
    """One SQS record, or one event that Lambda was invoked with.

    Attributes:
        body: what a copy of it consists of.
        reading: what it says.
        message_id: SQS's; ``None`` for a record that was made by hand without one.
        receive_count: approximate, as SQS counts; 1 where it cannot be read.
        held_since: UNIX seconds of the first time it was held back, for a copy that was requeued.
        cancel_type: the cancel type a dead letter says it has, if it is not the one of this queue.
        single: an event that Lambda was invoked with.
    """

    body: str
    reading: Reading[RequestT]
    message_id: str | None = None
    receipt_handle: str = ""
    receive_count: int = 1
    held_since: float | None = None
    cancel_type: str | None = None
    single: bool = False

    @classmethod
    def of(cls, policy: Policy, record: object, origin: Origin = ANYBODY) -> Message[Any]:
        """Read what the event source mapping passes on; whatever it is, reading it never raises."""
        sqs = SQSRecord(record if isinstance(record, dict) else {})
        body = sqs.get("body")
        stated = _attribute(sqs, CANCEL_TYPE)
        foreign = stated if stated not in (None, policy.cancel_type) else None
        return cls(
            body=body if isinstance(body, str) and body else as_text(body or ""),
            reading=_read_record(policy, body, origin) if foreign is None else _misplaced(foreign),
            message_id=_text(sqs.get("messageId")),
            receipt_handle=_text(sqs.get("receiptHandle")) or "",
            receive_count=max(_read(lambda: int(sqs.attributes.approximate_receive_count), 1), 1),
            held_since=_seconds(_attribute(sqs, HELD_SINCE)),
            cancel_type=foreign,
        )

    @classmethod
    def of_event(cls, policy: Policy, event: object, origin: Origin = ANYBODY) -> Message[Any]:
        """Read the event that Lambda was invoked with; never raises."""
        return cls(body=as_text(event), reading=read_event(policy, event, origin), single=True)

    @property
    def cancellation(self) -> Cancellation[RequestT] | None:
        """The cancellation it asks for, if it is valid."""
        return self.reading.cancellation


def read_body(policy: Policy, body: str, origin: Origin = ANYBODY) -> Reading[Any]:
    """Read an SQS message body."""
    try:
        event = event_of_body(body)
    except InvalidRequest as error:
        return Reading(identity=_who(policy, readable_event(body)), error=error)
    return read_event(policy, event, origin)


def _who(policy: Policy, event: object) -> Identity | None:
    """Whom a body is about that cannot be read to its end."""
    try:
        return identify(detail_of_event(event, policy.detail_type))
    except InvalidRequest:
        return None


def read_event(policy: Policy, event: object, origin: Origin = ANYBODY) -> Reading[Any]:
    """Read an EventBridge event, or a bare detail."""
    event = unwrapped(event)
    event_name = event_id(event)
    try:
        detail = detail_of_event(event, policy.detail_type)
    except InvalidRequest as error:
        return Reading(error=error, event_id=event_name)
    try:
        origin.refuse(event)
        cancellation: Cancellation[Any] = parse_cancellation(policy.contract, detail)
    except InvalidRequest as error:
        return Reading(identity=identify(detail), error=error, event_id=event_name)
    return Reading(cancellation=cancellation, quiet=is_quiet_replay(event), event_id=event_name)


def as_text(event: object) -> str:
    """The JSON text of something that came parsed, for a message body; empty if it cannot be written.

    In UTF-8 it takes half the room that it takes escaped; escaped is what such text has to be that UTF-8
    or SQS does not know.
    """
    try:
        text = json.dumps(event, ensure_ascii=False)
        return json.dumps(event) if _NO_TEXT.search(text) else text
    except (RecursionError, TypeError, ValueError):
        return ""  # SQS refuses it: whoever has the event keeps it


def _read_record(policy: Policy, body: object, origin: Origin) -> Reading[Any]:
    """SQS bodies are text; a record made by hand may hold the event itself."""
    return (
        read_body(policy, body or "", origin)
        if isinstance(body, str | None)
        else read_event(policy, body, origin)
    )


def _misplaced(cancel_type: str) -> Reading[Any]:
    """Two types can have requests of one shape: it must not be carried out as another type's.

    Nobody is identified: nothing is to be said of a request of this type.
    """
    return Reading(
        error=InvalidRequest(f"this dead letter is one of {cancel_type[:64]}: it is in another queue now")
    )


def _attribute(sqs: SQSRecord, name: str) -> str | None:
    """Anybody may send messages with attributes: one of another type is none of ours."""

    def value() -> str | None:
        found = sqs.message_attributes[name]
        return None if found is None else _text(found.string_value)

    return _read(value, None)


def _seconds(text: str | None) -> float | None:
    since = _read(lambda: float(text or ""), math.nan)
    return since if math.isfinite(since) else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _read(what: Callable[[], T], otherwise: T) -> T:
    """A field of a record that may have been made by hand."""
    try:
        return what()
    except _UNREADABLE:
        return otherwise
