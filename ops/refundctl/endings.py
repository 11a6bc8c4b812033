"""How a command ends: exit codes, and the errors that are the command line's own."""

from __future__ import annotations

from typing import Final

from refunds.errors import RefundsError

EXIT_ERROR: Final = 1
EXIT_USAGE: Final = 2
EXIT_DIFFERENCES: Final = 3
EXIT_LEFT: Final = 4  # something is left to do
EXIT_INTERRUPTED: Final = 130


class NothingMatches(RefundsError):
    """What was asked for is not there; the text names it."""
