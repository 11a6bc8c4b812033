"""Publishes outcomes on the accounting bus."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from refunds.contracts.outbound import SOURCE, Outcome

if TYPE_CHECKING:
    from types_boto3_events import EventBridgeClient
    from types_boto3_events.type_defs import PutEventsRequestEntryTypeDef

_MAX_ENTRIES: Final = 10  # entries in one PutEvents (AWS limit)
#: Bytes of all entries that are put together. Ours: EventBridge takes 1 MB since January 2026 (AWS Compute
#: Blog, "serverless services now support payloads up to 1 MB") and took 256 KB before. An entry that
#: is larger goes alone, so that EventBridge alone decides about it.
_MAX_BYTES: Final = 256 * 1024
_ROUNDS: Final = 2
#: How the code of an error begins that says: one of the entries is not as it should be.
_MALFORMED: Final = ("Validation", "Invalid", "Malformed", "Serialization", "ParamValidation")

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
        counts as failure of its entries, so that the outcomes of other calls still count; if it is about
        what one of them says, each is offered on its own. Never raises.
        """
        waiting: dict[str, PutEventsRequestEntryTypeDef] = {}
        unwritable: set[str] = set()
        for outcome in outcomes:
            try:
                waiting[outcome.outcome_id] = self._entry(outcome)
            except Exception:  # noqa: BLE001 - an outcome that cannot be written does not keep the others back
                unwritable.add(outcome.outcome_id)
        for _ in range(_ROUNDS):
            if not waiting:
                break
            waiting = dict(entry for chunk in _chunks(waiting) for entry in self._put(chunk))
        return frozenset(waiting) | unwritable

    def _put(self, chunk: _Chunk) -> _Chunk:
        """Returns what was not taken."""
        try:
            answer = self._client.put_events(Entries=[entry for _outcome_id, entry in chunk])
        except Exception as error:  # noqa: BLE001 - an error answer, or none: whichever client it is, nothing is known to be taken
            if len(chunk) > 1 and _code(error).startswith(_MALFORMED):
                return [left for one in chunk for left in self._put([one])]
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


def _code(error: Exception) -> str:
    """AWS's code of an error answer, else the error's name."""
    response: Any = getattr(error, "response", None)
    if isinstance(response, Mapping) and isinstance(response.get("Error"), Mapping):
        return str(response["Error"].get("Code", ""))
    return type(error).__name__
