"""What one cancellation writes to the ledger: the items the functions write, weighed as DynamoDB does."""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from bench.world.units import INDEXES, Item, index_units, size, write_units
from refunds.domain.entry import State
from refunds.ledger.item import open_states
from tests.unit.rig import EVENTS, Rig

BY_STATE = INDEXES[2]


@dataclass(frozen=True)
class Weight:
    """One sample event, carried out.

    Attributes:
        claimed: bytes of the item while the cancellation is under way.
        ended: bytes of the item afterwards.
        units: write units of the table and all its indexes together.
        table: of these, the table's own.
        by_state: of these, the ones of ``by_state`` for what is under way, spread over its shards.
    """

    claimed: int
    ended: int
    units: int
    table: int
    by_state: int


def weigh(rig: Rig, cancel_type: str) -> Weight:
    """Carry out the sample event of a cancel type."""
    rig.reset()
    rig.seed_samples()
    event = json.loads((EVENTS / cancel_type / "eventbridge.json").read_text(encoding="utf-8"))
    states: list[dict[str, Item]] = []

    def look(_operation: str, _key: str) -> None:
        states.append(copy.deepcopy(rig.items))

    rig.tables.disturb = look
    rig.invoke(cancel_type, event)
    states.append(copy.deepcopy(rig.items))
    (key,) = rig.items
    versions: list[Item | None] = [state.get(key) for state in states]
    changes = [(old, new) for old, new in pairwise(versions) if new and new != old]
    (_, claimed), (_, ended) = changes
    indexes = sum(index_units(index, old, new) for index in INDEXES for old, new in changes)
    units = sum(write_units(old, new) for old, new in changes)
    return Weight(
        claimed=size(claimed),
        ended=size(ended),
        units=units,
        table=units - indexes,
        by_state=sum(_of_key(old, new) for old, new in changes),
    )


def _of_key(old: Item | None, new: Item) -> int:
    states: list[Any] = [one.get("open_state", {"S": ""})["S"] for one in (old, new) if one]
    meant = any(state in open_states(State.STARTED) for state in states)
    return index_units(BY_STATE, old, new) if meant else 0
