"""How far the local stack's timings are stretched: a busy machine needs longer for the same work."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from typing import Final

from local.stack.toolchain import StackError

_LONGEST: Final = 10.0
# By itself: nobody waits for minutes because other work is going on.
_LONGEST_BY_LOAD: Final = 3.0
_STEP: Final = 0.5
# What a slow machine uses up. Waits between two attempts and counts stay as they are.
_STRETCHED: Final = frozenset(
    {
        "FunctionTimeout",
        "ConnectTimeoutSeconds",
        "ReadTimeoutSeconds",
        "LookupTimeoutSeconds",
        "LeaseMarginSeconds",
    }
)
_STRETCHED_SUFFIX: Final = "VisibilityTimeout"


def time_scale(environment: Mapping[str, str], load: float | None = None) -> float:
    """The factor: TIME_SCALE, from 1 to 10, else runnable processes per processor, from 1 to 3.

    Args:
        environment: may have TIME_SCALE.
        load: runnable processes per processor; ``None`` asks the machine.

    Raises:
        StackError: TIME_SCALE is no number from 1 to 10.
    """
    wanted = environment.get("TIME_SCALE")
    if wanted:
        return _checked(wanted)
    if load is None:
        load = os.getloadavg()[0] / (os.cpu_count() or 1)
    return min(max(math.ceil(load / _STEP) * _STEP, 1.0), _LONGEST_BY_LOAD)


def _checked(text: str) -> float:
    try:
        factor = float(text)
    except ValueError:
        factor = math.nan
    if not 1.0 <= factor <= _LONGEST:
        raise StackError(f"TIME_SCALE is {text!r}, which is no number from 1 to {_LONGEST:.0f}")
    return factor


def stretched(parameters: Mapping[str, str], factor: float) -> dict[str, str]:
    """Those of the template's parameters that change, each a whole number of seconds."""
    if factor == 1.0:
        return {}
    return {
        name: str(math.ceil(float(value) * factor))
        for name, value in parameters.items()
        if name in _STRETCHED or name.endswith(_STRETCHED_SUFFIX)
    }
