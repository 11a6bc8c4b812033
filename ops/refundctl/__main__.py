"""Entry point: one place that turns interruptions and known errors into exit codes and plain words."""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import Final

import httpx
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    ProfileNotFound,
    SSOTokenLoadError,
    TokenRetrievalError,
)

from refundctl.commands import app
from refunds.domain.redaction import redact
from refunds.errors import RefundsError

EXIT_ERROR: Final = 1
EXIT_INTERRUPTED: Final = 130

_PERMISSION: Final = "docs/runbook.md, Getting started, lists what you must be allowed to do"
_LOGIN: Final = "your credentials are not valid (any more): log in again, e.g. aws sso login"
_ADVICE: Final = {
    "ValidationError": "is --stack right, and AWS_PROFILE and region those of its account?",
    "AccessDenied": _PERMISSION,
    "AccessDeniedException": _PERMISSION,
    "UnauthorizedOperation": _PERMISSION,
    "ExpiredToken": _LOGIN,
    "ExpiredTokenException": _LOGIN,
    "InvalidClientTokenId": _LOGIN,
    "UnrecognizedClientException": _LOGIN,
    "AWS.SimpleQueueService.NonExistentQueue": "the stack was changed meanwhile: start again",
}


def main() -> None:
    """Run refundctl as a process.

    Exit codes: 0 done; 1 an error; 2 wrong usage; 3 differences found; 4 something could not be
    replayed, published or settled; 130 interrupted.
    """
    signal.signal(signal.SIGTERM, _interrupt)
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run one command; returns its exit code."""
    try:
        app(args=list(arguments), prog_name="refundctl", standalone_mode=True)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(bool(end.code))
    except KeyboardInterrupt:
        return _failed("interrupted: nothing is lost, start it again to go on", EXIT_INTERRUPTED)
    except RefundsError as error:
        return _failed(str(error), EXIT_ERROR)
    except (ClientError, BotoCoreError, httpx.HTTPError, OSError) as error:
        return _failed(f"{type(error).__name__}: {redact(str(error))}{_advice(error)}", EXIT_ERROR)
    return 0


def _advice(error: Exception) -> str:
    """What to do about an error on the way to AWS; nothing where only the error itself says more."""
    match error:
        case NoRegionError():
            advice = "name one: --region, or AWS_REGION"
        case ProfileNotFound():
            advice = "AWS_PROFILE names a profile of ~/.aws/config"
        case NoCredentialsError() | PartialCredentialsError() | TokenRetrievalError() | SSOTokenLoadError():
            advice = "set AWS_PROFILE, or log in: aws sso login"
        case EndpointConnectionError():
            advice = "is the network up? A local stack: is it running? make up"
        case ClientError(response={"Error": {"Code": code}}) if code in _ADVICE:
            advice = _ADVICE[code]
        case _:
            return ""
    return f"\n{advice}"


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    """A polite end, as by Ctrl-C: dead letters are made visible again on the way out."""
    raise KeyboardInterrupt


def _failed(message: str, code: int) -> int:
    print(f"refundctl: {message}", file=sys.stderr)
    return code


if __name__ == "__main__":
    main()
