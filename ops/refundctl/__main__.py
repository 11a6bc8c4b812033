"""Entry point: one place that turns interruptions and known errors into exit codes and plain words."""

from __future__ import annotations

import signal
import sys
from types import FrameType
from typing import Final

import httpx
from botocore.exceptions import BotoCoreError, ClientError

from refundctl.commands import app
from refunds.errors import RefundsError
from refunds.providers.redaction import redact

EXIT_ERROR: Final = 1
EXIT_INTERRUPTED: Final = 130


def main() -> None:
    """Run refundctl.

    Exit codes: 0 done; 1 an error; 2 wrong usage; 3 differences found; 4 something could not be
    replayed, published or settled; 130 interrupted.
    """
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        app()
    except KeyboardInterrupt:
        _fail("interrupted: nothing is lost, start it again to go on", EXIT_INTERRUPTED)
    except RefundsError as error:
        _fail(str(error), EXIT_ERROR)
    except (ClientError, BotoCoreError, httpx.HTTPError, OSError) as error:
        _fail(f"{type(error).__name__}: {redact(str(error))}", EXIT_ERROR)


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    """A polite end, as by Ctrl-C: dead letters are made visible again on the way out."""
    raise KeyboardInterrupt


def _fail(message: str, code: int) -> None:
    print(f"refundctl: {message}", file=sys.stderr)
    sys.exit(code)


if __name__ == "__main__":
    main()
