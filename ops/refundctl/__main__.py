"""Entry point: one place that turns interruptions and known errors into exit codes and plain words."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import Final

import typer
from typer.exceptions import TyperException

from refundctl.commands import app
from refundctl.endings import EXIT_ERROR, EXIT_INTERRUPTED
from refunds.errors import RefundsError

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

    Exit codes: 0 done; 1 an error, or nothing is there; 2 wrong usage; 3 differences found; 4 something is
    left to do; 130 interrupted.
    """
    signal.signal(signal.SIGTERM, _interrupt)
    if "_REFUNDCTL_COMPLETE" in os.environ:
        from typer.completion import completion_init  # type: ignore[attr-defined] # typer itself imports it there

        completion_init()
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run one command; returns its exit code."""
    json_wanted = "--json" in arguments
    try:
        ended = app(args=list(arguments), prog_name="refundctl", standalone_mode=False)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(bool(end.code))
    except TyperException as error:
        return _misused(error, json_wanted=json_wanted)
    except (KeyboardInterrupt, typer.Abort):
        message = "interrupted: nothing is lost, start it again to go on"
        return _failed("interrupted", message, EXIT_INTERRUPTED, json_wanted=json_wanted)
    except RefundsError as error:
        return _failed(type(error).__name__, str(error), EXIT_ERROR, json_wanted=json_wanted)
    except Exception as error:
        told = _outside(error)
        if told is None:
            raise
        return _failed(type(error).__name__, told, EXIT_ERROR, json_wanted=json_wanted)
    return ended if isinstance(ended, int) else 0


def _misused(error: TyperException, *, json_wanted: bool) -> int:
    """What was typed is wrong: how it is to be typed, and what is wrong with it."""
    context: typer.Context | None = getattr(error, "ctx", None)
    message = error.format_message()
    if context is None or message.startswith("Usage:"):
        print(message, file=sys.stderr)
    else:
        print(
            f"{context.get_usage()}\nTry '{context.command_path} --help'.\n\nError: {message}",
            file=sys.stderr,
        )
    return _told("usage", message, error.exit_code, json_wanted=json_wanted)


def _outside(error: Exception) -> str | None:
    """What to say of an error on the way to AWS or a provider; ``None`` for a mistake of our own."""
    import httpx
    from botocore.exceptions import BotoCoreError, ClientError

    from refunds.domain.redaction import redact

    if not isinstance(error, ClientError | BotoCoreError | httpx.HTTPError | OSError):
        return None
    return f"{type(error).__name__}: {redact(str(error))}{_advice(error)}"


def _advice(error: Exception) -> str:
    """What to do about an error on the way to AWS; nothing where only the error itself says more."""
    from botocore.exceptions import (
        ClientError,
        EndpointConnectionError,
        NoCredentialsError,
        NoRegionError,
        PartialCredentialsError,
        ProfileNotFound,
        SSOTokenLoadError,
        TokenRetrievalError,
    )

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


def _failed(kind: str, message: str, code: int, *, json_wanted: bool) -> int:
    print(f"refundctl: {message}", file=sys.stderr)
    return _told(kind, message, code, json_wanted=json_wanted)


def _told(kind: str, message: str, code: int, *, json_wanted: bool) -> int:
    """The error as a row as well, where the output is rows."""
    if json_wanted:
        from refundctl.output import as_json

        print(as_json({"type": "error", "error": kind, "message": message, "exit_code": code}))
    return code


if __name__ == "__main__":
    main()
