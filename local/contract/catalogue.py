"""Which contracts are published, and by which names other systems know them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from refunds.cancel_types import all_cancel_types
from refunds.contracts.outbound import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import BaseModel

    from refunds.domain.policy import Policy

PROJECT = Path(__file__).parents[2]
EVENTS = PROJECT / "events"

#: The EventBridge source of the order service's events; a template parameter.
ORDER_SOURCE = "order-service"


@dataclass(frozen=True)
class Contract:
    """One published event detail: its model, and what names it to other systems."""

    name: str
    direction: Literal["inbound", "outbound"]
    title: str
    model: type[BaseModel]


def policies() -> tuple[Policy, ...]:
    """Every cancel type's policy, in the order of the registry."""
    return tuple(kind.policy for kind in all_cancel_types())


def contracts() -> Iterator[Contract]:
    """Every published contract."""
    for policy in policies():
        yield Contract(policy.cancel_type, "inbound", policy.detail_type, policy.contract)
    yield Contract("outcome", "outbound", "CancelOutcome", Outcome)


@cache
def sample_events(cancel_type: str) -> tuple[dict[str, Any], ...]:
    """The order service's events in ``events/``, as a rule delivers them."""
    paths = sorted((EVENTS / cancel_type).glob("eventbridge*.json"))
    return tuple(json.loads(path.read_text(encoding="utf-8")) for path in paths)
