"""What SQS and EventBridge do, tried on a queue and a bus that exist for a moment."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from botocore.exceptions import ClientError

from verify.findings import Deployment, Finding

_PREFIX: Final = "refunds-verify"
_LARGE: Final = 300 * 1024  # bytes; more than EventBridge took until 2026


def a_malformed_entry_is_refused_alone(deployment: Deployment) -> Finding:
    """Its neighbours are taken."""
    with _bus(deployment) as bus:
        details = ("{}", '{"a": ', "{}")
        answer = deployment.client("events").put_events(Entries=[_entry(bus, detail) for detail in details])
    taken = [bool(result.get("EventId")) for result in answer["Entries"]]
    return Finding(
        "a malformed entry of PutEvents is refused alone", taken == [True, False, True], str(taken)
    )


def a_large_entry_is_taken(deployment: Deployment) -> Finding:
    """EventBridge's limit is 1 MB now."""
    with _bus(deployment) as bus:
        try:
            answer = deployment.client("events").put_events(
                Entries=[_entry(bus, json.dumps({"a": "x" * _LARGE}))]
            )
        except ClientError as error:
            return Finding("an entry of 300 KB is taken", holds=False, shown=str(error))
    return Finding("an entry of 300 KB is taken", answer["FailedEntryCount"] == 0)


def a_long_delay_is_refused(deployment: Deployment) -> Finding:
    """Not cut to 900 seconds."""
    sqs = deployment.client("sqs")
    url = sqs.create_queue(QueueName=f"{_PREFIX}-{uuid.uuid4().hex[:12]}")["QueueUrl"]
    try:
        sqs.send_message(QueueUrl=url, MessageBody="{}", DelaySeconds=901)
    except ClientError as error:
        return Finding("a delay over 900 s is refused", holds=True, shown=error.response["Error"]["Code"])
    finally:
        sqs.delete_queue(QueueUrl=url)
    return Finding("a delay over 900 s is refused", holds=False, shown="it was taken")


@contextmanager
def _bus(deployment: Deployment) -> Iterator[str]:
    """A bus without rules: what is put on it goes nowhere."""
    events = deployment.client("events")
    name = f"{_PREFIX}-{uuid.uuid4().hex[:12]}"
    events.create_event_bus(Name=name)
    try:
        yield name
    finally:
        events.delete_event_bus(Name=name)


def _entry(bus: str, detail: str) -> Any:
    return {"Source": _PREFIX, "DetailType": "Verification", "Detail": detail, "EventBusName": bus}
