"""Publishes outcomes on the accounting bus."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Final, TypeAlias

from refunds.contracts.outbound import SOURCE, Outcome

if TYPE_CHECKING:
    from types_boto3_events import EventBridgeClient
    from types_boto3_events.type_defs import PutEventsRequestEntryTypeDef

_MAX_ENTRIES: Final = 10  # entries in one PutEvents (AWS limit)
_MAX_BYTES: Final = 256 * 1024  # all entries of one PutEvents together (AWS limit)
_ROUNDS: Final = 2

#: Entries of one call, each with its ``outcome_id``.
_Chunk: TypeAlias = "list[tuple[str, PutEventsRequestEntryTypeDef]]"


class Publisher:
    """Puts outcomes on an EventBridge bus, as many as fit in one call."""

    def __init__(self, client: EventBridgeClient, bus: str) -> None:
        self._client = client
        self._bus = bus

    def publish(self, outcomes: Iterable[Outcome]) -> frozenset[str]:
        """Publish, and return the ``outcome_id`` of every outcome that EventBridge did not take.

        PutEvents fails entry by entry; failed entries are offered once more. An error of a whole call
        counts as failure of its entries, so that the outcomes of other calls still count.
        """
        waiting = {outcome.outcome_id: self._entry(outcome) for outcome in outcomes}
        for _ in range(_ROUNDS):
            if not waiting:
                break
            waiting = dict(entry for chunk in _chunks(waiting) for entry in self._put(chunk))
        return frozenset(waiting)

    def _put(self, chunk: _Chunk) -> _Chunk:
        """Returns what was not taken."""
        try:
            answer = self._client.put_events(Entries=[entry for _outcome_id, entry in chunk])
        except Exception:  # noqa: BLE001 - an error answer, or none: whichever client it is, nothing is known to be taken
            return chunk
        results = answer.get("Entries", [])
        accepted = [bool(result.get("EventId")) for result in results]
        accepted += [False] * (len(chunk) - len(accepted))
        return [offered for offered, taken in zip(chunk, accepted, strict=False) if not taken]

    def _entry(self, outcome: Outcome) -> PutEventsRequestEntryTypeDef:
        return {
            "Source": SOURCE,
            "DetailType": outcome.outcome.detail_type,
            "Detail": outcome.to_json(),
            "EventBusName": self._bus,
        }


def _chunks(entries: Mapping[str, PutEventsRequestEntryTypeDef]) -> Iterator[_Chunk]:
    chunk: _Chunk = []
    size = 0
    for outcome_id, entry in entries.items():
        entry_size = _size(entry)
        if chunk and (len(chunk) == _MAX_ENTRIES or size + entry_size > _MAX_BYTES):
            yield chunk
            chunk, size = [], 0
        chunk.append((outcome_id, entry))
        size += entry_size
    if chunk:
        yield chunk


def _size(entry: PutEventsRequestEntryTypeDef) -> int:
    """Bytes as EventBridge counts them: source, detail-type and detail in UTF-8."""
    return len(entry["Source"]) + len(entry["DetailType"]) + len(entry["Detail"].encode())
