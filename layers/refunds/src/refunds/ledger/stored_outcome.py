"""An outcome as its ledger item holds it: only what the rest of the item does not say already.

Most of an outcome is the request, the payment and the proof again. What it should say is put together
from the entry, and only the differences are stored, under short names. ``restored`` puts both together
again, byte for byte; where that would not work, the whole outcome is stored, as version 1 did.

What an item says of its outcome is part of the format: a change here must keep reading what was written
(tests/unit/ledger/items_of_version_2.json).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from refunds.contracts import strict_json
from refunds.contracts.inbound import format_timestamp
from refunds.contracts.naming import CANCEL_TYPES, PORTONE, Naming
from refunds.contracts.outbound import (
    MoneyMoved,
    Outcome,
    OutcomeError,
    OutcomeKind,
    ProviderRefs,
    outcome_id,
)
from refunds.domain.entry import Entry, State

#: Short names of fields, in all objects of an outcome. None is the name of a field.
_SHORT: Final = {
    "outcome_id": "id",
    "revision": "r",
    "outcome": "o",
    "occurred_at": "at",
    "attempts": "n",
    "provider": "p",
    "money": "m",
    "items": "i",
    "error": "e",
    "imp_uid": "u",
    "merchant_uid": "mu",
    "cancellation_id": "c",
    "pg_provider": "pg",
    "pg_tid": "t",
    "receipt_url": "ru",
    "return_request_id": "rr",
    "cancelled": "x",
    "currency": "cu",
    "cancellable_before": "cb",
    "cancellable_after": "ca",
    "settles": "s",
    "code": "k",
    "message": "tx",
    "retryable": "re",
    "may_have_been_applied": "mb",
    "provider_code": "pc",
    "provider_message": "pm",
}
_LONG: Final = {short: name for name, short in _SHORT.items()}

#: The contract of outcomes when this format was made; another one is stored as a difference.
_SCHEMA_VERSION: Final = "1.1"
_KINDS: Final = {
    State.SUCCEEDED: OutcomeKind.SUCCEEDED,
    State.FAILED: OutcomeKind.FAILED,
    State.PENDING: OutcomeKind.PENDING,
}
_REFERENCES: Final[dict[str, Any]] = dict.fromkeys(ProviderRefs.model_fields)
_AMOUNTS: Final[dict[str, Any]] = dict.fromkeys(MoneyMoved.model_fields)
_PROVIDER_TEXTS: Final = ("provider_code", "provider_message")


def shortened(entry: Entry, outcome: Outcome) -> str:
    """What to store of the outcome of ``entry``, as JSON."""
    said = outcome.model_dump()
    said["items"] = list(said["items"])
    differences = _without_names(_differences(_expected(entry, outcome.outcome), said))
    differences = _with_short_time(entry, differences)
    if outcome.outcome_id == _expected_id(entry, outcome):
        differences.pop("id", None)
    short = strict_json.dumps(differences)
    try:
        return short if restored(entry, short) == outcome else outcome.to_json()
    except (LookupError, ValueError, TypeError):
        return outcome.to_json()


def restored(entry: Entry, text: str) -> Outcome:
    """The outcome of ``entry``, which needs all its other attributes, from what was stored of it.

    Raises:
        ValueError: it cannot be read.
    """
    stored: Any = strict_json.loads(text)
    if "outcome_id" in stored:
        return Outcome.from_json(text)
    differences = _with_names(stored)
    kind = differences.get("outcome", _kind(entry).value)
    whole = _merged(_expected(entry, kind), differences)
    if isinstance(offset := whole["occurred_at"], int):
        whole["occurred_at"] = _moment(entry, offset)
    outcome = Outcome.model_validate(whole)
    if "outcome_id" not in differences:
        outcome = outcome.model_copy(update={"outcome_id": _expected_id(entry, outcome)})
    return outcome


def _expected(entry: Entry, kind: str) -> dict[str, Any]:
    """The outcome of that kind as far as the rest of the item suggests it."""
    return {
        "schema_version": _SCHEMA_VERSION,
        "outcome_id": "",
        "revision": entry.revision,
        "outcome": _kind(entry).value,
        "cancel_type": entry.key.cancel_type,
        "cancel_request_id": entry.key.cancel_request_id,
        "order_id": entry.order_id,
        "requested_by": entry.requested_by,
        "requested_at": entry.requested_at,
        "occurred_at": None,
        "attempts": entry.attempt,
        "provider": _expected_provider(entry),
        "money": _expected_money(entry, kind),
        "items": _expected_items(entry, kind),
        "error": _expected_error(entry, kind),
    }


def _kind(entry: Entry) -> OutcomeKind:
    return _KINDS.get(entry.state, OutcomeKind.PARKED)


def _naming(entry: Entry) -> Naming:
    """How the names are understood; PortOne's, since version 1, where a request names nothing else."""
    naming = CANCEL_TYPES.get(entry.key.cancel_type, PORTONE)
    return naming if naming.required is None or naming.required in entry.request else PORTONE


def _expected_provider(entry: Entry) -> dict[str, Any]:
    seen = entry.baseline.shown if entry.baseline else {}
    return _REFERENCES | _naming(entry).refs(entry.payment_ref, seen, entry.request)


def _expected_money(entry: Entry, kind: str) -> dict[str, Any] | None:
    request, baseline, naming = entry.request, entry.baseline, _naming(entry)
    before = baseline.cancellable if baseline else None
    asked: Any = request.get(naming.amount, before)
    if asked is None:
        return None
    money: dict[str, Any] = _AMOUNTS | {
        "currency": (baseline.currency if baseline else None) or "KRW",
        "cancelled": asked,
        "cancellable_before": before if naming.tells_balance else None,
    }
    if kind in (OutcomeKind.FAILED, OutcomeKind.PARKED):
        return money | {"cancelled": None if entry.in_doubt else 0}
    money |= {name: request.get(of) for name, of in naming.parts.items()} | {"settles": "immediate"}
    if money["cancellable_before"] is not None:
        money["cancellable_after"] = money["cancellable_before"] - asked
    return money


def _expected_items(entry: Entry, kind: str) -> list[dict[str, Any]]:
    """The lines of the request, where they were cancelled."""
    lines: Any = entry.request.get("items", ()) if kind == OutcomeKind.SUCCEEDED else ()
    return [{"taxAmount": None, **line} for line in lines]


def _expected_error(entry: Entry, kind: str) -> dict[str, Any] | None:
    if kind in (OutcomeKind.SUCCEEDED, OutcomeKind.PENDING):
        return None
    return {
        "code": None,
        "message": entry.proof,
        "retryable": kind == OutcomeKind.PARKED,
        "may_have_been_applied": entry.in_doubt,
        **dict.fromkeys(_PROVIDER_TEXTS),
    }


def _expected_id(entry: Entry, outcome: Outcome) -> str:
    error: OutcomeError | None = outcome.error
    request_id = entry.key.cancel_request_id
    return outcome_id(entry.key.cancel_type, request_id, outcome.outcome, error, number=entry.statement)


def _differences(expected: Mapping[str, Any], actual: Mapping[str, Any]) -> dict[str, Any]:
    """What has to be merged into ``expected`` to get ``actual``."""
    found: dict[str, Any] = {}
    for name, value in actual.items():
        other = expected.get(name)
        if name in expected and other == value:
            continue
        if isinstance(value, dict) and isinstance(other, dict):
            found[name] = _differences(other, value)
        else:
            found[name] = value
    return found


def _merged(expected: Mapping[str, Any], differences: Mapping[str, Any]) -> dict[str, Any]:
    whole = dict(expected)
    for name, value in differences.items():
        other = whole.get(name)
        if isinstance(value, dict) and isinstance(other, dict):
            whole[name] = _merged(other, value)
        else:
            whole[name] = value
    return whole


def _without_names(value: Any) -> Any:
    return _renamed(value, _SHORT)


def _with_names(value: Any) -> Any:
    return _renamed(value, _LONG)


def _renamed(value: Any, names: Mapping[str, str]) -> Any:
    """The same JSON with other names in its objects; lists (EBP's lines) stay as they are."""
    if not isinstance(value, dict):
        return value
    return {names.get(name, name): _renamed(member, names) for name, member in value.items()}


def _with_short_time(entry: Entry, differences: dict[str, Any]) -> dict[str, Any]:
    """``occurred_at`` as microseconds since the claim, where that is the same time written the same way."""
    text = differences.get("at")
    if not isinstance(text, str):
        return differences
    try:
        offset = (datetime.fromisoformat(text) - _begun(entry)) // timedelta(microseconds=1)
        same = _moment(entry, offset) == text
    except (ValueError, TypeError, OverflowError):
        return differences
    return differences | {"at": offset} if same else differences


def _moment(entry: Entry, offset: int) -> str:
    return format_timestamp(_begun(entry) + timedelta(microseconds=offset))


def _begun(entry: Entry) -> datetime:
    text = entry.timeline[0].partition(" ")[0] if entry.timeline else ""
    return datetime.fromisoformat(text) if text else datetime.fromtimestamp(0, UTC)
