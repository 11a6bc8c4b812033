"""What a call to AWS ends with when it does not succeed: botocore's own exceptions."""

from __future__ import annotations

from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError, ReadTimeoutError

AWS_ERRORS: Final = (BotoCoreError, ClientError)
"""What botocore raises, whatever the service."""

CONDITION_FAILED: Final = "ConditionalCheckFailedException"


class AwsError(Exception):
    """What a service in memory refuses with; ``fields`` stand beside the message in the answer's body."""

    def __init__(self, code: str, message: str = "made up", *, status: int = 400, **fields: Any) -> None:
        super().__init__(message)
        self.code = code
        self.status = status
        self.fields = fields


class ConditionalCheckFailedException(ClientError):
    """The condition of a write did not hold; botocore makes such a class for each client."""


class Exceptions:
    """A client's ``exceptions``."""

    ClientError = ClientError
    ConditionalCheckFailedException = ConditionalCheckFailedException


def no_answer() -> ReadTimeoutError:
    """Nothing came back: the call may have been carried out."""
    return ReadTimeoutError(endpoint_url="https://aws.invalid")


def refusal(operation: str, error: AwsError) -> ClientError:
    """What botocore makes of a refusal."""
    kind = ConditionalCheckFailedException if error.code == CONDITION_FAILED else ClientError
    response: Any = {"Error": {"Code": error.code, "Message": str(error)}, **error.fields}
    return kind(response, operation)
