"""What is looked at in an account, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from refunds.operators.operations import Operations


@dataclass(frozen=True)
class Finding:
    """One assumption. ``holds`` is ``None`` where this AWS cannot say."""

    assumption: str
    holds: bool | None
    shown: str = ""


@dataclass(frozen=True)
class Deployment:
    """One deployed stack.

    Attributes:
        operations: what operators work with.
        outputs: the stack's outputs.
    """

    operations: Operations
    outputs: Mapping[str, str]

    def client(self, service: str) -> Any:
        """A client of an AWS service."""
        return self.operations.aws(service)


Check = Callable[[Deployment], Finding]
