"""An example of each cancel type: a file per type, found by its name in the registry.

Demo, chaos and the tests take from it what they need to know of a type.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from local.demo.cast import Cast
from local.simulator.faults import Operation
from refunds.cancel_types import MODULES


@dataclass(frozen=True)
class Example:
    """A cancellation that goes through.

    Attributes:
        title: what happens, for a newcomer.
        send: what the simulator calls the operation that carries it out: where faults strike.
        kind: which of the simulator's records it is about (``payments``, ``receipts``, ``orders``).
        subject: the payment, number, receipt or order of that number, as the simulator names it.
        request: the provider's request fields.
        seed: the record.
        every_field: a valid request with every field there is.
        moved: won; 0 where a number or a receipt is voided.
        share: how often it is drawn among all types.
    """

    title: str
    send: Operation
    kind: str
    subject: Callable[[Cast, int], str]
    request: Callable[[Cast, int], dict[str, Any]]
    seed: Callable[[Cast, int], dict[str, Any]]
    every_field: dict[str, Any]
    moved: int = 0
    share: int = 10


def example(name: str) -> Example:
    """The example of a cancel type."""
    found: Example = importlib.import_module(f"{__name__}.{name}").EXAMPLE
    return found


def all_examples() -> Mapping[str, Example]:
    """One of each type, in the registry's order."""
    return {name: example(name) for name in MODULES}
