"""What DynamoDB charges for a write: units of 1 KB for the item and for each index it is in.

Source: DynamoDB developer guide, "Read and write operations" and "Provisioned throughput considerations
for global secondary indexes".
"""

from __future__ import annotations

import math
from typing import Any

Item = dict[str, Any]

#: The ledger's indexes in template.yaml, by what their keys are; each projects every attribute.
INDEXES = (("payment_ref", "pk"), ("order_id", "pk"), ("open_state", "updated_at"))
_UNIT = 1024
_OVERHEAD = 3  # bytes of a list or map, and one more for each of its elements


def write_units(old: Item | None, new: Item) -> int:
    """Write units for putting ``new`` in the place of ``old``."""
    table = max(_units(new), _units(old) if old else 0)
    return table + sum(index_units(keys, old, new) for keys in INDEXES)


def index_units(keys: tuple[str, ...], old: Item | None, new: Item) -> int:
    """One write if the entry appears, goes or changes; two if its key changes."""
    before = _entry(keys, old)
    after = _entry(keys, new)
    if before is None or after is None:
        return _units(after or before or {}) if before or after else 0
    if any(before[key] != after[key] for key in keys):
        return _units(before) + _units(after)
    return max(_units(before), _units(after)) if before != after else 0


def _entry(keys: tuple[str, ...], item: Item | None) -> Item | None:
    return item if item and all(key in item for key in keys) else None


def _units(item: Item) -> int:
    return max(math.ceil(size(item) / _UNIT), 1)


def size(item: Item) -> int:
    """Bytes of an item as DynamoDB counts them: names and values."""
    return sum(len(name.encode()) + _value_size(value) for name, value in item.items())


def _value_size(typed: dict[str, Any]) -> int:
    ((kind, value),) = typed.items()
    match kind:
        case "S":
            return len(value.encode())
        case "N":
            return len(value) // 2 + 2
        case "L":
            return _OVERHEAD + sum(1 + _value_size(element) for element in value)
        case "M":
            return _OVERHEAD + len(value) + size(value)
    return 1
