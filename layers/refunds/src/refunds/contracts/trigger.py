"""Where a detail comes wrapped: EventBridge envelopes, and SQS bodies with or without one."""

from __future__ import annotations

import re
from typing import Final, Protocol

from refunds.contracts import strict_json
from refunds.errors import InvalidRequest

_EVENT_ID: Final = re.compile(r"[A-Za-z0-9-]{1,64}")

#: How the name of a replay from the archive begins that is silent about finished requests.
QUIET_REPLAY: Final = "quiet-"


class LambdaContext(Protocol):
    """What is used of Lambda's context object."""

    aws_request_id: str

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until Lambda stops the invocation."""
        ...


def event_of_body(body: str) -> object:
    """What an SQS message body holds: an EventBridge envelope or the bare detail.

    Raises:
        InvalidRequest: not JSON.
    """
    try:
        return strict_json.loads(body)
    except strict_json.NotStrictJson as error:
        raise InvalidRequest(f"the message body cannot be read: {error}") from None


def readable_event(body: str) -> object:
    """What can be read of a body that ``event_of_body`` refuses for its numbers; ``None`` if nothing can.

    Good for saying whom it is about, and for nothing else.
    """
    try:
        return strict_json.loads_leniently(body)
    except strict_json.NotStrictJson:
        return None


def unwrapped(event: object) -> object:
    """The event itself, where a Lambda destination has wrapped it.

    A failed asynchronous invocation may come back so (``requestPayload``), and replays as it is.
    """
    if isinstance(event, dict) and {"requestContext", "requestPayload"} <= event.keys():
        return event["requestPayload"]
    return event


def detail_of_event(event: object, detail_type: str) -> object:
    """The detail of an EventBridge event; anything that is no envelope is the detail itself.

    Raises:
        InvalidRequest: an envelope of another cancel type.
    """
    event = unwrapped(event)
    if not isinstance(event, dict) or not ("detail-type" in event and "detail" in event):
        return event
    if event["detail-type"] != detail_type:
        raise InvalidRequest(f"this queue takes {detail_type} events; the envelope says another detail-type")
    return event["detail"]


def is_quiet_replay(event: object) -> bool:
    """Whether it was replayed from an archive under a name that begins with ``quiet-``.

    EventBridge puts the name of the replay into the envelope's ``replay-name`` (user guide, "Replaying
    archived events").
    """
    name = event.get("replay-name") if isinstance(event, dict) else None
    return isinstance(name, str) and name.startswith(QUIET_REPLAY)


def event_id(event: object) -> str | None:
    """EventBridge's id of an event, which its copies and replays keep; ``None`` for a bare detail."""
    found = event.get("id") if isinstance(event, dict) and "detail" in event else None
    return found if isinstance(found, str) and _EVENT_ID.fullmatch(found) else None


def is_sqs_batch(event: object) -> bool:
    """Whether Lambda was invoked by an SQS event source mapping."""
    return isinstance(event, dict) and isinstance(event.get("Records"), list)
