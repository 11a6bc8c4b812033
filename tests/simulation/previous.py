"""Items as the previous version of the code wrote them: after a rollback, or before the first update.

The form is that of ``tests/unit/ledger/items_of_version_1.json``, which that version wrote itself.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from local.simulator.currencies import as_number
from refunds.domain.entry import State

if TYPE_CHECKING:
    from refunds.domain.entry import Entry
    from tests.simulation.table import Item, Table

_UNKNOWN_TO_IT: Final = frozenset({State.PENDING, State.UNKNOWN})


def roll_back(table: Table) -> None:
    """Let every item that the previous version could have written be as it would have written it."""
    for seen in list(table.requests.values()):
        if could_have_written(seen.entry):
            table.plant(as_version_1(seen.entry, seen.item))


def could_have_written(entry: Entry) -> bool:
    """It knew won, no acceptance, and one statement of each kind."""
    baseline = entry.baseline
    beyond = baseline is not None and (
        baseline.accepted or "receipt_id" in baseline.shown or baseline.currency not in (None, "KRW")
    )
    return not (beyond or entry.state in _UNKNOWN_TO_IT or entry.currency or entry.statement > 1)


def as_version_1(entry: Entry, item: Item) -> Item:
    """The item of an entry; what only DynamoDB knows comes from ``item``."""
    written: Item = {
        "pk": item["pk"],
        "cancel_type": {"S": entry.key.cancel_type},
        "cancel_request_id": {"S": entry.key.cancel_request_id},
        "fingerprint": {"S": entry.fingerprint},
        "order_id": {"S": entry.order_id},
        "requested_by": {"S": entry.requested_by},
        "requested_at": {"S": entry.requested_at},
        "request": {"S": _json({k: v for k, v in entry.request.items() if v is not None})},
        "state": {"S": entry.state.value},
        "owner": {"S": entry.owner},
        "lease_until": {"N": str(entry.lease_until)},
        "attempt": {"N": str(entry.attempt)},
        "in_doubt": {"BOOL": entry.in_doubt},
        "admitted": {"BOOL": entry.limits_passed},
        "updated_at": {"S": entry.timeline[-1].partition(" ")[0]},
        "version": {"N": str(entry.revision)},
        "timeline": {"L": [{"S": event} for event in entry.timeline]},
    }
    if entry.payment_ref is not None:
        written["payment_ref"] = {"S": entry.payment_ref}
    if entry.baseline is not None:
        known = {**vars(entry.baseline), **entry.baseline.shown}
        known = {name: value for name, value in known.items() if value not in (None, (), False)}
        del known["shown"]
        if entry.baseline.cancellation_ids == ():
            known["cancellation_ids"] = ()
        written["before"] = {"S": _json(known)}
    if entry.outcome is not None:
        written["outcome"] = {"S": entry.outcome.to_json()}
    if entry.proof is not None:
        written["proof"] = {"S": entry.proof}
    if "expires_at" in item:
        written["expires_at"] = item["expires_at"]
    if entry.unpublished:
        written["open_state"] = {"S": "UNPUBLISHED"}
    elif not entry.state.terminal:
        written["open_state"] = {"S": entry.state.value}
    return written


def _json(value: Any) -> str:
    return json.dumps(value, default=as_number, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
