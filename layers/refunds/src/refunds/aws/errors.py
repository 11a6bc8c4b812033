"""What a call to AWS may end with. Names and shapes are botocore's, so that a caller can do with either."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

#: Worth repeating (AWS SDKs and Tools Reference Guide, "Retry behavior", mode standard).
_TRANSIENT_STATUS: Final = frozenset({500, 502, 503, 504})
_TRANSIENT_CODES: Final = frozenset(
    {
        "BandwidthLimitExceeded",
        "LimitExceededException",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "RequestTimeout",
        "RequestTimeoutException",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
        "TransactionInProgressException",
    }
)


class AwsError(Exception):
    """An AWS call did not succeed. ``transient``: the same call may succeed when it is repeated."""

    transient: bool = False


class NoAnswer(AwsError):
    """Nothing that can be read came back: the call may have been carried out."""

    transient = True


class ClientError(AwsError):
    """An error that AWS answered with; ``response`` is what botocore's error has under that name."""

    def __init__(self, operation: str, response: Mapping[str, Any], status: int) -> None:
        code = response["Error"]["Code"]
        # Without AWS's message, which can repeat what was sent.
        super().__init__(f"{operation} was answered with {code}")
        self.response = response
        self.transient = status in _TRANSIENT_STATUS or code in _TRANSIENT_CODES


class ConditionalCheckFailedException(ClientError):
    """The condition of a write did not hold; ``response["Item"]`` is what it was checked against."""


def error_of(operation: str, status: int, answer: Mapping[str, Any]) -> ClientError:
    """The error in an answer of the JSON protocols: its code is the end of ``__type``."""
    code = (
        str(answer.get("__type") or answer.get("code") or f"HTTP {status}")
        .rpartition("#")[2]
        .partition(":")[0]
    )
    message = str(answer.get("message") or answer.get("Message") or "")
    response = {**answer, "Error": {"Code": code, "Message": message}}
    kind = (
        ConditionalCheckFailedException if code == ConditionalCheckFailedException.__name__ else ClientError
    )
    return kind(operation, response, status)
