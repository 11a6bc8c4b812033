"""Loads a function while Lambda initialises its environment; imports nothing itself before that.

docs/performance.md has what each of the two measures below is worth, next to the same function without them.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from refunds.application import LambdaFunction

_OWN_STATUS = "/proc/self/stat"


def lambda_function(name: str) -> LambdaFunction:
    """Load the function of one cancel type, and everything it is made of.

    Raises:
        KeyError: there is no cancel type of that name.
    """
    stay_on_one_processor()
    with collector_at_rest():
        from refunds.application import LambdaFunction  # noqa: PLC0415 - loading it here is the point

        return LambdaFunction(name)


def stay_on_one_processor() -> None:
    """Keep this process on the processor it runs on (ADR 36).

    The threads of one interpreter take turns. On several processors they wake each other across them
    for every turn, which takes processor time and makes nothing faster.
    Where the system does not tell or forbids it, nothing happens.
    """
    # Whatever is odd about the system: a function that cannot stay must work all the same.
    with suppress(AttributeError, OSError, ValueError, IndexError):
        with open(_OWN_STATUS, encoding="utf-8") as status:  # noqa: PTH123 - pathlib is not loaded yet
            fields = status.read().rpartition(")")[2].split()
        # The name in the second field may have blanks; after it come the third and the 37th: the processor.
        os.sched_setaffinity(0, {int(fields[36])})


@contextmanager
def collector_at_rest() -> Iterator[None]:
    """Collect no garbage meanwhile, and never look at what was made by then again (ADR 35).

    What is imported lives as long as the process, and the collector does not know it: while modules are
    loaded it looks through all of them again and again and finds nothing. It is left as it was found.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if collecting:
            gc.enable()
