from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any, Final

from refunds.ledger.item import decode, encode
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


def test_open_requests_of_all_shards_come_longest_untouched_first(rig: Rig, operations: Operations) -> None:
    """In whichever partition of the index they are, those of versions before the shards included."""
    moment = 1_800_000_000.0
    for number in range(40):
        item = _parked(number)
        retry_later = encode(decode(item), now=moment - 60 * (number * 7 % 40), ttl=0)
        old = item | {"updated_at": retry_later["updated_at"]}
        rig.items[item["pk"]["S"]] = old if number % 5 == 0 else retry_later
    assert len({item["open_state"]["S"] for item in rig.items.values()}) > 10
    found = [
        rig.items[str(entry.key)]["updated_at"]["S"] for entry in operations.ledger_queries.open_entries()
    ]
    assert len(found) == 40
    assert found == sorted(found)
