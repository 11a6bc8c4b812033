"""Where a detail comes wrapped: EventBridge envelopes, and SQS bodies with or without one."""

from __future__ import annotations

from refunds import strict_json
from refunds.errors import InvalidRequest


def detail_of_body(body: str, detail_type: str) -> object:
    """The detail in an SQS message body: an EventBridge envelope or the bare detail.

    Raises:
        InvalidRequest: not JSON, or an envelope of another cancel type.
    """
    try:
        content = strict_json.loads(body)
    except strict_json.NotStrictJson as error:
        raise InvalidRequest(f"the message body is {error}") from None
    return detail_of_event(content, detail_type)


def detail_of_event(event: object, detail_type: str) -> object:
    """The detail of an EventBridge event; anything that is no envelope is the detail itself.

    A failed asynchronous invocation may come back wrapped as a Lambda destination wraps it
    (``requestPayload``); the wrapping is taken off, so that such a message replays as it is.

    Raises:
        InvalidRequest: an envelope of another cancel type.
    """
    if isinstance(event, dict) and {"requestContext", "requestPayload"} <= event.keys():
        event = event["requestPayload"]
    if not isinstance(event, dict) or not ("detail-type" in event and "detail" in event):
        return event
    if event["detail-type"] != detail_type:
        raise InvalidRequest(f"this queue takes {detail_type} events; the envelope says another detail-type")
    return event["detail"]


def is_sqs_batch(event: object) -> bool:
    """Whether Lambda was invoked by an SQS event source mapping."""
    return isinstance(event, dict) and isinstance(event.get("Records"), list)
