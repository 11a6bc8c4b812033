"""The DynamoDB item that a ledger entry is written as (DESIGN section 5).

Only terminal items carry ``expires_at``: DynamoDB never deletes one whose outcome is open.

The index ``by_state`` holds what still needs somebody: open items, and outcomes that were found
without their message (``refunds.operators.resolution``) until these have been published. It is
sparse, and in shards: every request enters it and leaves it, one partition takes 1,000 write units a
second (AWS limit), and an index that cannot follow throttles the writes of its table.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final
from zlib import crc32

from refunds.contracts import strict_json
from refunds.contracts.outbound import Outcome
from refunds.domain.entry import Entry, Key, State
from refunds.domain.operation import Baseline

_EXACT: Final = json.JSONDecoder(parse_float=Decimal)

#: Where a terminal item stands in ``by_state`` whose outcome is still to be published.
UNPUBLISHED: Final = "UNPUBLISHED"

_SHARDS: Final = 16


def encode(entry: Entry, *, now: float, ttl: int) -> dict[str, Any]:
    """The whole DynamoDB item. ``now`` is UNIX seconds, ``ttl`` how many an ended one is kept."""
    return {
        "pk": {"S": str(entry.key)},
        "cancel_type": {"S": entry.key.cancel_type},
        "cancel_request_id": {"S": entry.key.cancel_request_id},
        **payload(entry),
        **progress(entry, now=now, ttl=ttl),
        "updated_at": {"S": iso(now)},
        "timeline": {"L": [{"S": event} for event in entry.timeline]},
    }


def payload(entry: Entry) -> dict[str, Any]:
    """The attributes that say what the message asked for."""
    return {
        "fingerprint": {"S": entry.fingerprint},
        "order_id": {"S": entry.order_id},
        "requested_by": {"S": entry.requested_by},
        "requested_at": {"S": entry.requested_at},
        "request": {"S": strict_json.dumps(entry.request)},
    }


def progress(entry: Entry, *, now: float, ttl: int) -> dict[str, Any]:
    """The attributes that may change after the claim, besides ``updated_at`` and ``timeline``."""
    item: dict[str, Any] = {
        "state": {"S": entry.state.value},
        "owner": {"S": entry.owner},
        "lease_until": {"N": _number(entry.lease_until)},
        "attempt": {"N": str(entry.attempt)},
        "in_doubt": {"BOOL": entry.in_doubt},
        "admitted": {"BOOL": entry.limits_passed},
        "version": {"N": str(entry.revision)},
    }
    if entry.statement > 1:
        item["statement"] = {"N": str(entry.statement)}
    if entry.payment_ref is not None:
        item["payment_ref"] = {"S": entry.payment_ref}
    if entry.baseline is not None:
        item["before"] = {"S": _encode_baseline(entry.baseline)}
    if entry.outcome is not None:
        item["outcome"] = {"S": entry.outcome.to_json()}
    if entry.proof is not None:
        item["proof"] = {"S": entry.proof}
    if entry.state.terminal:
        item["expires_at"] = {"N": str(int(now) + ttl)}
    if entry.unpublished or not entry.state.terminal:
        item["open_state"] = {"S": _open_state(entry)}
    return item


def open_states(standing: str) -> tuple[str, ...]:
    """Every partition of ``by_state`` for what stands so; versions before the shards wrote the bare word."""
    return (standing, *(f"{standing}.{shard}" for shard in range(_SHARDS)))


def _open_state(entry: Entry) -> str:
    standing = UNPUBLISHED if entry.unpublished else entry.state.value
    return f"{standing}.{crc32(str(entry.key).encode()) % _SHARDS}"


def decode(item: Mapping[str, Any]) -> Entry:
    """An entry from its DynamoDB item."""
    outcome = item.get("outcome")
    baseline = item.get("before")
    return Entry(
        key=Key(item["cancel_type"]["S"], item["cancel_request_id"]["S"]),
        fingerprint=item["fingerprint"]["S"],
        order_id=item["order_id"]["S"],
        requested_by=item["requested_by"]["S"],
        requested_at=item["requested_at"]["S"],
        request=_EXACT.decode(item["request"]["S"]),
        payment_ref=item["payment_ref"]["S"] if "payment_ref" in item else None,
        state=State.of(item["state"]["S"]),
        owner=item["owner"]["S"],
        lease_until=float(item["lease_until"]["N"]),
        attempt=int(item["attempt"]["N"]),
        in_doubt=item["in_doubt"]["BOOL"],
        limits_passed=item.get("admitted", {"BOOL": False})["BOOL"],
        baseline=_decode_baseline(baseline["S"]) if baseline else None,
        outcome=Outcome.from_json(outcome["S"]) if outcome else None,
        proof=item["proof"]["S"] if "proof" in item else None,
        timeline=tuple(event["S"] for event in item["timeline"]["L"]),
        unpublished=item.get("open_state", {"S": ""})["S"].startswith(UNPUBLISHED),
        revision=int(item["version"]["N"]) if "version" in item else len(item["timeline"]["L"]),
        statement=int(item.get("statement", {"N": "1"})["N"]),
    )


def _encode_baseline(baseline: Baseline) -> str:
    """Without what says nothing; ``cancellation_ids`` says something even if it is empty."""
    # Not `asdict`: it copies deeply, and what is in there cannot change.
    shown = {k: v for k, v in vars(baseline).items() if v is not None}
    for name in ("suspects", "accepted"):
        if not shown[name]:
            del shown[name]
    return strict_json.dumps(shown)


def _decode_baseline(text: str) -> Baseline:
    known = {k: v for k, v in json.loads(text).items() if k in Baseline.__dataclass_fields__}
    if "cancellable" in known:
        known["cancellable"] = Decimal(known["cancellable"])
    for name in known.keys() & {"cancellation_ids", "suspects"}:
        known[name] = tuple(known[name])
    return Baseline(**known)


def iso(now: float) -> str:
    """UNIX seconds as the ledger writes times: the order of the texts is the order of the times."""
    return datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _number(value: float) -> str:
    return f"{value:.3f}"
