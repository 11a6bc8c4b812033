"""Records that remember the state before their last change, so that a stale read can be played."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from local.simulator.currencies import NOTHING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from decimal import Decimal

Record = TypeVar("Record")


@dataclass(frozen=True, slots=True)
class Sight:
    """What a lookup sees: the state before the last change, and a balance that is `grown_by` too big."""

    stale: bool = False
    grown_by: Decimal = NOTHING


CLEAR_SIGHT = Sight()


@dataclass(slots=True)
class Records(Generic[Record]):
    """Immutable records by id. A change replaces the record and keeps the old one as `previous`."""

    current: dict[str, Record] = field(default_factory=dict)
    previous: dict[str, Record] = field(default_factory=dict)

    def seed(self, key: str, record: Record) -> None:
        """Put a record as if it had always been so."""
        self.current[key] = record
        self.previous.pop(key, None)

    def change(self, key: str, record: Record) -> None:
        """Replace a record, keeping the old one for stale reads."""
        self.previous[key] = self.current[key]
        self.current[key] = record

    def get(self, key: str, sight: Sight = CLEAR_SIGHT) -> Record | None:
        """The record as a lookup sees it."""
        if sight.stale and key in self.previous:
            return self.previous[key]
        return self.current.get(key)


def checked_seed(kind: type, seed: Mapping[str, Any], *, internal: frozenset[str]) -> dict[str, Any]:
    """The seed's fields as keyword arguments of `kind`. Raises ValueError naming an unknown field."""
    known = {f.name for f in fields(kind) if f.init} - internal
    unknown = set(seed) - known
    if unknown:
        raise ValueError(f"unknown fields {sorted(unknown)}; known: {sorted(known)}")
    return dict(seed)


def shown_without(shown: dict[str, Any], omits: Iterable[str]) -> dict[str, Any]:
    """What is shown of a record without the fields in `omits`.

    `cancel_history.cancellation_id` means that field of every entry of the list `cancel_history`.
    """
    for path in omits:
        name, _, inner = path.partition(".")
        if inner:
            for entry in shown.get(name) or ():
                entry.pop(inner, None)
        else:
            shown.pop(name, None)
    return shown
