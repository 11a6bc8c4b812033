"""What a call to AWS ends with when it does not succeed: botocore's own exceptions."""

from __future__ import annotations

from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError, ReadTimeoutError

AWS_ERRORS: Final = (BotoCoreError, ClientError)
"""What botocore raises, whatever the service."""

CONDITION_FAILED: Final = "ConditionalCheckFailedException"


class ConditionalCheckFailedException(ClientError):
    """The condition of a write did not hold; botocore makes such a class for each client."""


class Exceptions:
    """A client's ``exceptions``."""

    ClientError = ClientError
    ConditionalCheckFailedException = ConditionalCheckFailedException


def no_answer() -> ReadTimeoutError:
    """Nothing came back: the call may have been carried out."""
    return ReadTimeoutError(endpoint_url="https://aws.invalid")


def refusal(operation: str, code: str, **fields: Any) -> ClientError:
    """An error that AWS answered with; ``fields`` stand beside it, as a refused condition's item does."""
    kind = ConditionalCheckFailedException if code == CONDITION_FAILED else ClientError
    response: Any = {"Error": {"Code": code, "Message": "refused"}, **fields}
    return kind(response, operation)
