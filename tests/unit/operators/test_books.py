from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any, Final

from refunds.operators.operations import Operations
from tests.unit.rig import Rig

_OLD: Final[dict[str, Any]] = json.loads(
    (Path(__file__).parents[1] / "ledger" / "items_of_version_1.json").read_text(encoding="utf-8")
)["parked_in_doubt"]["item"]


def _parked(number: int) -> dict[str, Any]:
    """A parked item as version 1.0.0 wrote it, when its index had one partition per state."""
    item = copy.deepcopy(_OLD)
    item["pk"]["S"] = f"payment_cancel#cr-{number}"
    item["cancel_request_id"]["S"] = f"cr-{number}"
    return item


def test_open_requests_of_the_previous_version_are_found_in_every_shard(
    rig: Rig, operations: Operations
) -> None:
    """In whichever partition of its index they are, those of releases before the shards included."""
    for number in range(40):
        item = _parked(number)
        if number % 5:
            item["open_state"] = {"S": f"PARKED.{number % 16}"}
        rig.items[item["pk"]["S"]] = item
    operations.indexes = "with-by-open"
    found = {entry.key.cancel_request_id for entry in operations.ledger_queries.open_entries()}
    assert found == {f"cr-{number}" for number in range(40)}
