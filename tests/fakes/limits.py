"""What AWS refuses, and with which words: the documented limits that the services in memory hold to."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from tests.fakes.answers import AwsError

#: Bytes of an item, names and values (DynamoDB, "Service, account, and table quotas").
MOST_OF_AN_ITEM: Final = 400 * 1024
#: Bytes that one BatchGetItem returns; the keys of the rest come back as unprocessed (API_BatchGetItem).
MOST_OF_A_BATCH: Final = 16 * 1024 * 1024
MOST_KEYS: Final = 100

#: Seconds (API_SendMessage, API_ChangeMessageVisibility); the second is counted from the receive.
MOST_DELAY: Final = 900
MOST_VISIBILITY: Final = 43_200
#: Bytes of a message, its attributes included (SQS, "message quotas").
MOST_OF_A_MESSAGE: Final = 1024 * 1024
#: Characters that a message may not have (API_SendMessage).
_NO_TEXT: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def deliverable(body: str) -> str:
    """Without the characters that no message has: SQS refused it when it was sent."""
    return _NO_TEXT.sub("", body) or " "


def check_delay(seconds: int) -> None:
    """Raises AwsError for a ``DelaySeconds`` that SQS does not take."""
    if not 0 <= seconds <= MOST_DELAY:
        raise AwsError("InvalidParameterValue", f"DelaySeconds must be >= 0 and <= {MOST_DELAY}")


def check_visibility(seconds: float, since_received: float = 0.0) -> None:
    """Raises AwsError for a visibility timeout beyond twelve hours, counted from the receive."""
    if not 0 <= seconds <= MOST_VISIBILITY or seconds + since_received > MOST_VISIBILITY:
        raise AwsError("InvalidParameterValue", "Total VisibilityTimeout is beyond the limit [43200 seconds]")


def check_message(body: str, attributes: Mapping[str, Any]) -> None:
    """Raises AwsError for a message that SQS does not take."""
    if not body:
        raise AwsError("MissingParameter", "The request must contain the parameter MessageBody.")
    texts = {name: value["StringValue"] for name, value in attributes.items()}
    if any(map(_NO_TEXT.search, (body, *texts.values()))):
        raise AwsError("InvalidMessageContents", "The message contains characters outside the allowed set.")
    if not all(texts.values()):
        raise AwsError("InvalidParameterValue", "Message (user) attribute must contain a non-empty value")
    parts = [body, *(part for name, text in texts.items() for part in (name, text))]
    parts += [value["DataType"] for value in attributes.values()]
    if sum(len(part.encode()) for part in parts) > MOST_OF_A_MESSAGE:
        raise AwsError("InvalidParameterValue", f"Message must be shorter than {MOST_OF_A_MESSAGE} bytes.")
