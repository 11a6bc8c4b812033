"""What one cancellation writes to the ledger: the items the functions write, weighed as DynamoDB does."""

from __future__ import annotations

import copy
import json
import math
from dataclasses import dataclass
from itertools import pairwise

from bench.world.units import INDEXES, Item, index_units, size, write_units
from local.trigger import record
from refunds.ledger.claims import HELD_PREFIX
from tests.unit.rig import EVENTS, Rig

BY_DAY = 2  # in INDEXES
_ROUNDED = 32  # bytes


@dataclass(frozen=True)
class Weight:
    """One sample event, carried out.

    Attributes:
        claimed: bytes of the item while the cancellation is under way.
        ended: bytes of the item afterwards.
        entries: bytes of the ended item's entries in the indexes.
        units: write units of the table and all its indexes together, those for ``held`` included.
        table: of these, the table's own.
        by_day: of these, the ones of ``by_day``, spread over its shards.
        held: items beside the request's own, which hold entries of the provider's books for it (ADR 10).
    """

    claimed: int
    ended: int
    entries: tuple[int, ...]
    units: int
    table: int
    by_day: int
    held: int

    @property
    def stored(self) -> int:
        """``ended``, rounded up: the times in an item take a digit more or less from run to run."""
        return math.ceil(self.ended / _ROUNDED) * _ROUNDED


def weigh(rig: Rig, cancel_type: str) -> Weight:
    """Carry out the sample event of a cancel type."""
    rig.reset()
    rig.seed_samples()
    event = json.loads((EVENTS / cancel_type / "eventbridge.json").read_text(encoding="utf-8"))
    states: list[dict[str, Item]] = []

    def look(_operation: str, _key: str) -> None:
        states.append(copy.deepcopy(rig.items))

    rig.tables.disturb = look
    assert rig.batch(cancel_type, record(json.dumps(event))) == []
    states.append(copy.deepcopy(rig.items))
    (key,) = (key for key in rig.items if not key.startswith(HELD_PREFIX))
    changes = [change for one in rig.items for change in _changes(states, one)]
    claimed, ended = (new for _, new in _changes(states, key))
    by_index = [sum(index_units(index, old, new) for old, new in changes) for index in INDEXES]
    units = sum(write_units(old, new) for old, new in changes)
    return Weight(
        claimed=size(claimed),
        ended=size(ended),
        entries=tuple(size(entry) for index in INDEXES if (entry := index.entry(ended))),
        units=units,
        table=units - sum(by_index),
        by_day=by_index[BY_DAY],
        held=len(rig.items) - 1,
    )


def _changes(states: list[dict[str, Item]], key: str) -> list[tuple[Item | None, Item]]:
    """What was written to one item, in order."""
    versions = [state.get(key) for state in states]
    return [(old, new) for old, new in pairwise(versions) if new and new != old]
