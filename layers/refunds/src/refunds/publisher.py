"""Publishes outcomes on the accounting bus."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

from refunds.contracts.outbound import SOURCE, Outcome

if TYPE_CHECKING:
    from types_boto3_events import EventBridgeClient
    from types_boto3_events.type_defs import PutEventsRequestEntryTypeDef

_MAX_ENTRIES: Final = 10  # entries in one PutEvents (AWS limit)
_MAX_BYTES: Final = 256 * 1024  # all entries of one PutEvents together (AWS limit)
_ROUNDS: Final = 2


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
        waiting = {outcome.outcome_id: outcome for outcome in outcomes}
        for _ in range(_ROUNDS):
            if not waiting:
                break
            rejected = [o for chunk in _chunks(waiting.values()) for o in self._put(chunk)]
            waiting = {outcome.outcome_id: outcome for outcome in rejected}
        return frozenset(waiting)

    def _put(self, outcomes: Sequence[Outcome]) -> Sequence[Outcome]:
        try:
            answer = self._client.put_events(Entries=[self._entry(outcome) for outcome in outcomes])
        except Exception:  # noqa: BLE001 - an error answer, or none: whichever client it is, nothing is known to be taken
            return outcomes
        results = answer.get("Entries", [])
        accepted = [bool(result.get("EventId")) for result in results]
        accepted += [False] * (len(outcomes) - len(accepted))
        return [outcome for outcome, taken in zip(outcomes, accepted, strict=False) if not taken]

    def _entry(self, outcome: Outcome) -> PutEventsRequestEntryTypeDef:
        return {
            "Source": SOURCE,
            "DetailType": outcome.outcome.detail_type,
            "Detail": outcome.model_dump_json(),
            "EventBusName": self._bus,
        }


def _chunks(outcomes: Iterable[Outcome]) -> Iterator[list[Outcome]]:
    chunk: list[Outcome] = []
    size = 0
    for outcome in outcomes:
        entry_size = _size(outcome)
        if chunk and (len(chunk) == _MAX_ENTRIES or size + entry_size > _MAX_BYTES):
            yield chunk
            chunk, size = [], 0
        chunk.append(outcome)
        size += entry_size
    if chunk:
        yield chunk


def _size(outcome: Outcome) -> int:
    """Bytes as EventBridge counts them: source, detail-type and detail in UTF-8."""
    return len(SOURCE) + len(outcome.outcome.detail_type) + len(outcome.model_dump_json().encode())
