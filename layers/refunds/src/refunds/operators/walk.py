"""Goes through partitions of the ledger's indexes in pieces: each piece begins where the last one stopped."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final, Self

from refunds.domain.entry import Key
from refunds.ledger.queries import LedgerQueries, Partition

CHUNK: Final = 100  # keys that one BatchGetItem takes (AWS limit)


@dataclass(frozen=True)
class Place:
    """Where to go on: after ``after`` in the partition of that number."""

    partition: int = 0
    after: Key | None = None

    def to_json(self) -> dict[str, object]:
        """For an event that invokes a function."""
        return {"partition": self.partition, "after": str(self.after) if self.after else None}

    @classmethod
    def of_json(cls, value: object) -> Self:
        """What ``to_json`` wrote; the beginning for anything else."""
        if not isinstance(value, Mapping) or not isinstance(value.get("partition"), int):
            return cls()
        after = value.get("after")
        return cls(value["partition"], Key.of(after) if isinstance(after, str) else None)


class Walk:
    """The keys of several partitions, chunk by chunk.

    Attributes:
        place: where the next walk goes on: behind the last chunk that was worked off.
        number: of the partition that the current chunk is from; ``index`` is that one's.
    """

    def __init__(
        self, ledger_queries: LedgerQueries, partitions: Sequence[Partition], place: Place | None = None
    ) -> None:
        self._ledger_queries = ledger_queries
        self._partitions = partitions
        self.place = place or Place()
        self.number = self.place.partition
        self.index = ""

    def __iter__(self) -> Iterator[list[Key]]:
        for number in range(self.place.partition, len(self._partitions)):
            after = self.place.after if number == self.place.partition else None
            self.number, self.index = number, self._partitions[number].index
            keys = self._ledger_queries.keys_in(self._partitions[number], after)
            while chunk := list(islice(keys, CHUNK)):
                yield chunk
                self.place = Place(number, chunk[-1])
        self.place = Place(len(self._partitions))
