"""Corrects an invalid message without changing which request it is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from refunds.contracts import strict_json
from refunds.errors import RefundsError
from refunds.messaging.message import read_body
from refunds.operators.dead_letters import DeadLetterMessage
from refunds.providers.http import wire


class NotRepairable(RefundsError):
    """The edited message is not an acceptable replacement; the message says why."""


def patched(dead_letter: DeadLetterMessage, patch: object) -> str:
    """The body with a JSON merge patch (RFC 7386) applied to the event's detail.

    Raises:
        NotRepairable: the body is no JSON object, so that there is nothing to patch.
    """
    try:
        content = strict_json.loads(dead_letter.body)
    except strict_json.NotStrictJson as error:
        raise NotRepairable(f"the body is {error}: use --edit") from None
    event = content
    if isinstance(event, dict) and {"requestContext", "requestPayload"} <= event.keys():
        event = event["requestPayload"]
    if isinstance(event, dict) and "detail-type" in event and "detail" in event:
        event = event | {"detail": _merged(event["detail"], patch)}
    else:
        event = _merged(event, patch)
    return wire.encode(event).decode()


def check(dead_letter: DeadLetterMessage, body: str) -> list[str]:
    """Accept ``body`` in the place of an invalid message, and name what it changes.

    Raises:
        NotRepairable: the message needs no repair, the replacement is invalid as well, or it is
            another request.
    """
    if dead_letter.reading.error is None:
        raise NotRepairable(
            "the message is valid: another payload under its cancel_request_id would be refused. "
            "Publish a new event with a new cancel_request_id instead"
        )
    new = read_body(dead_letter.queues.policy, body)
    if new.cancellation is None:
        raise NotRepairable(f"it is still invalid: {new.error}")
    old_id, new_id = dead_letter.cancel_request_id, new.cancel_request_id
    if old_id is not None and old_id != new_id:
        raise NotRepairable(f"its cancel_request_id is {old_id} and must stay so")
    return changes(dead_letter.body, body)


def changes(old: str, new: str) -> list[str]:
    """Paths of the fields that differ, without their values."""
    try:
        return sorted(dict.fromkeys(_differences(strict_json.loads(old), strict_json.loads(new), "")))
    except strict_json.NotStrictJson:
        return ["the whole body"]


def _merged(target: Any, patch: object) -> Any:
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = _merged(merged.get(name), value)
    return merged


def _differences(old: object, new: object, path: str) -> Iterator[str]:
    if isinstance(old, dict) and isinstance(new, dict):
        for name in old.keys() | new.keys():
            yield from _differences(old.get(name), new.get(name), f"{path}.{name}".lstrip("."))
    elif old != new:
        yield path or "the whole body"
