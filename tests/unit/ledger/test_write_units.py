"""What a refund costs at DynamoDB: whole functions carry out sample events, and their writes are weighed."""

from __future__ import annotations

import copy
import json
import time
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pytest

from bench.world.units import INDEXES, Item, index_units, size, write_units
from local.trigger import record
from refunds.cancel_types import MODULES
from refunds.domain.entry import Key
from refunds.ledger.claims import HELD_PREFIX, Ledger
from tests.unit.rig import EVENTS, TABLE, Rig

#: Bytes of an item that one write unit pays for.
UNIT = 1024
#: Samples that are neither duplicates of others nor refused.
SAMPLES = {
    **{name: "eventbridge" for name in MODULES if name != "order_cancel"},
    "order_cancel": "eventbridge_amount",
}
#: Whose payment is not the order itself: they are in an index of their own.
PAYMENTS = ("payment_cancel", "vbank_revoke", "cvs_revoke")


@dataclass(frozen=True)
class Cost:
    """Bytes of the item after each write, and write units.

    Attributes:
        table: units of the item itself.
        indexes: of each index of the table.
        held: of the items that hold entries of the provider's books for it (ADR 10).
    """

    sizes: tuple[int, ...]
    table: int
    indexes: tuple[int, ...]
    held: int

    @property
    def units(self) -> int:
        """All of them."""
        return self.table + sum(self.indexes) + self.held


def cost(rig: Rig, cancel_type: str, sample: str) -> Cost:
    """Carry out a sample event that comes by its queue, and weigh every version of its item."""
    rig.seed_samples()
    event: Any = json.loads((EVENTS / cancel_type / f"{sample}.json").read_text(encoding="utf-8"))
    states: list[Item | None] = []
    key = f"{cancel_type}#{event['detail']['cancel_request_id']}"
    rig.tables.disturb = lambda _operation, _key: states.append(copy.deepcopy(rig.items.get(key)))
    assert rig.batch(cancel_type, record(json.dumps(event))) == []
    states.append(copy.deepcopy(rig.items[key]))
    changes = [(old, new) for old, new in pairwise(states) if new and new != old]
    indexes = tuple(sum(index_units(index, old, new) for old, new in changes) for index in INDEXES)
    units = sum(write_units(old, new) for old, new in changes)
    held = sum(write_units(None, item) for one, item in rig.items.items() if one.startswith(HELD_PREFIX))
    return Cost(tuple(size(new) for _, new in changes), units - sum(indexes), indexes, held)


@pytest.mark.parametrize("cancel_type", PAYMENTS)
def test_a_refund_costs_five_write_units(rig: Rig, cancel_type: str, record_property: Any) -> None:
    """Claim 1, record 1, by_payment 1, by_order 1, by_day 1; with room for longer ids."""
    found = cost(rig, cancel_type, SAMPLES[cancel_type])
    record_property("bytes", found.sizes)
    assert (found.table, found.indexes, found.held) == (2, (1, 1, 1, 0), 0)
    assert found.units == 5
    assert found.sizes[-1] <= 950


def test_a_receipt_that_is_its_order_costs_four(rig: Rig) -> None:
    """It is in one index less."""
    found = cost(rig, "receipt_revoke", "eventbridge")
    assert (found.table, found.indexes, found.held) == (2, (0, 1, 1, 0), 0)


def test_an_order_line_costs_five_write_units(rig: Rig) -> None:
    """Claim 1, record 1, by_order 1, by_day 1, and the number of EBP's answer, which is held."""
    found = cost(rig, "order_cancel", SAMPLES["order_cancel"])
    assert (found.table, found.indexes, found.held) == (2, (0, 1, 1, 0), 1)
    assert found.units == 5


def test_three_order_lines_cost_six_write_units(rig: Rig) -> None:
    """All of the order, which is held too. Lines are in the request, and not again in the outcome."""
    found = cost(rig, "order_cancel", "eventbridge")
    assert (found.table, found.indexes, found.held) == (2, (0, 1, 1, 0), 2)
    assert found.units == 6


@pytest.mark.parametrize(("cancel_type", "sample"), [*SAMPLES.items(), ("order_cancel", "eventbridge")])
def test_an_outcome_that_is_read_is_the_one_that_was_published(
    rig: Rig, cancel_type: str, sample: str
) -> None:
    """It is put together again from its item, byte for byte."""
    cost(rig, cancel_type, sample)
    ledger = Ledger(rig.aws.connect("dynamodb"), TABLE, clock=time.time, ttl_days=400)
    (key,) = (key for key in rig.items if key.startswith(cancel_type))
    entry = ledger.get(Key.of(key))
    assert entry is not None
    assert entry.outcome is not None
    assert rig.bus.details() == [json.loads(entry.outcome.to_json())]
