"""Loads a function while Lambda initialises its environment; imports nothing itself before that.

What is imported lives as long as the process, and the garbage collector does not know it: while
modules are loaded it looks through all of them again and again and finds nothing. docs/performance.md has
what that takes, ADR 35 the decision.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from refunds.application import LambdaFunction


def lambda_function(name: str) -> LambdaFunction:
    """Load the function of one cancel type, and everything it is made of.

    Raises:
        KeyError: there is no cancel type of that name.
    """
    with collector_at_rest():
        from refunds.application import LambdaFunction  # noqa: PLC0415 - loading it here is the point

        return LambdaFunction(name)


@contextmanager
def collector_at_rest() -> Iterator[None]:
    """Collect no garbage meanwhile, and never look at what was made by then again.

    Leaves the collector as it was found.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if collecting:
            gc.enable()
