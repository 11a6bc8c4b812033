"""What DynamoDB charges for a write: units of 1 KB for the item and for each index it is in.

Source: DynamoDB developer guide, "Read and write operations" and "Provisioned throughput considerations
for global secondary indexes".
"""

from __future__ import annotations

import base64
import math
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Any

Item = dict[str, Any]


@dataclass(frozen=True)
class Index:
    """A global secondary index: the attributes of its key, and whether it holds whole items or keys only."""

    keys: tuple[str, ...]
    whole: bool

    def entry(self, item: Item | None) -> Item | None:
        """What it holds of an item."""
        if item is None or any(key not in item for key in self.keys):
            return None
        return item if self.whole else {name: item[name] for name in sorted({*self.keys, "pk"})}


#: The ledger's indexes in template.yaml; `by_open` is sparse.
INDEXES = (
    Index(("payment_ref", "pk"), whole=False),
    Index(("order_id", "pk"), whole=False),
    Index(("day", "pk"), whole=False),
    Index(("open", "pk"), whole=False),
)
_UNIT = 1024
_OVERHEAD = 3  # bytes of a list or map, and one more for each of its elements


def write_units(old: Item | None, new: Item) -> int:
    """Write units for putting ``new`` in the place of ``old``."""
    table = max(_units(new), _units(old) if old else 0)
    return table + sum(index_units(index, old, new) for index in INDEXES)


def index_units(index: Index, old: Item | None, new: Item) -> int:
    """One write if the entry appears, goes or changes; two if its key changes."""
    before, after = index.entry(old), index.entry(new)
    if before is None or after is None:
        return _units(after or before or {}) if before or after else 0
    if any(before[key] != after[key] for key in index.keys):
        return _units(before) + _units(after)
    return max(_units(before), _units(after)) if before != after else 0


def _units(item: Item) -> int:
    return max(math.ceil(size(item) / _UNIT), 1)


def size(item: Item) -> int:
    """Bytes of an item as DynamoDB counts them: names and values.

    Source: DynamoDB developer guide, "DynamoDB item sizes and formats".
    """
    return sum([_text_size(name) + _value_size(value) for name, value in item.items()])


def _value_size(typed: dict[str, Any]) -> int:
    ((kind, value),) = typed.items()
    if kind == "S":
        return _text_size(value)
    if kind == "N":
        return _number_size(value)
    if kind == "B":
        return len(base64.b64decode(value) if isinstance(value, str) else value)
    if kind == "L":
        return _OVERHEAD + sum([1 + _value_size(element) for element in value])
    return _OVERHEAD + len(value) + size(value) if kind == "M" else 1


def _text_size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())


@lru_cache(maxsize=4096)
def _number_size(text: str) -> int:
    """A byte for two significant digits, one more, and one for a minus. The guide says "approximately"."""
    sign, digits, _ = Decimal(text).normalize().as_tuple()
    return math.ceil(len(digits) / 2) + 1 + sign
