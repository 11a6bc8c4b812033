"""The DynamoDB item that a ledger entry is written as (docs/adr/0037).

An ended item of ordinary ids fits into one write unit (1,024 bytes): nothing is stored twice. What says
nothing is absent: a lease that is over, ``in_doubt`` and the like when they are false. Where the request
names the payment or order itself, ``null`` stands for ``payment_ref``. Where that is the ``order_id``, a mark
stands for it, and the item is in ``by_order`` only. Only terminal items carry
``expires_at``: DynamoDB never deletes one whose outcome is open.

Items of version 1 are read too, and so is every mixture: an update writes what it changes in this
version's form and leaves the rest. What a newer version wrote is read as far as it is understood; a state
that is not known here becomes ``State.UNKNOWN``, and such an item is left alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any, Final

from refunds.contracts import strict_json
from refunds.domain.entry import Entry, Key, State
from refunds.domain.operation import Baseline
from refunds.errors import LedgerError
from refunds.ledger import stored_outcome, timeline
from refunds.ledger.shards import PREVIOUS_UNPUBLISHED

#: Attributes that keep an item in an index of open requests: this version's and version 1's.
OPEN_ATTRIBUTES: Final = ("open", "open_state")

#: Stands for a ``payment_ref`` that is the ``order_id``.
PAYMENT_IS_ORDER: Final = "payment_is_order"

#: What an update may not leave as it was when the entry no longer says it.
_OPTIONAL: Final = (
    "currency",
    "payment_ref",
    PAYMENT_IS_ORDER,
    "lease_until",
    "in_doubt",
    "admitted",
    "before",
    "outcome",
    "proof",
    "statement",
    "unpublished",
    "expires_at",
)

#: Version 1 stored it although the timeline says it too, so that an entry does not tell whether it is there.
_BESIDE_THE_TIMELINE: Final = "proof"

_FINGERPRINT: Final = re.compile(r"([0-9]{1,2}):([0-9a-f]{64}):([0-9a-f]{6})")
_OWNER: Final = re.compile(r"[0-9a-f]{32}")
_DIGEST_BYTES: Final = 32

#: Short names in ``before``, of fields of ``Baseline`` and of what a provider shows. None is such a name.
_SHORT: Final = {
    "subject": "s",
    "currency": "cu",
    "cancellable": "b",
    "cancellation_ids": "i",
    "status": "st",
    "merchant_uid": "mu",
    "pg_provider": "pg",
    "pay_method": "pm",
    "receipt_id": "ri",
    "accepted": "ac",
    "suspects": "su",
}
_LONG: Final = {short: name for name, short in _SHORT.items()}
_EMPTY: Final[Mapping[str, object]] = {"accepted": False, "suspects": ()}


class UnreadableItem(LedgerError):
    """An item that this code cannot read; ``pk`` names it."""

    def __init__(self, pk: str, problem: Exception) -> None:
        # Without the problem's own text, which may repeat what the item says.
        super().__init__(f"the ledger item {pk} cannot be read ({type(problem).__name__})")
        self.pk = pk


def encode(entry: Entry, *, now: float, ttl: int) -> dict[str, Any]:
    """The whole DynamoDB item, without its places in the indexes ``by_day`` and ``by_open``.

    Args:
        entry: what to write.
        now: UNIX seconds.
        ttl: seconds that an ended item is kept.
    """
    item: dict[str, Any] = {
        "pk": {"S": str(entry.key)},
        "fingerprint": _fingerprint(entry.fingerprint),
        "order_id": {"S": entry.order_id},
        "requested_by": {"S": entry.requested_by},
        "requested_at": {"S": entry.requested_at},
        "request": {"S": _request(entry)},
        "state": {"S": entry.state.value},
        "owner": owner_value(entry.owner),
        "attempt": {"N": str(entry.attempt)},
        "version": {"N": str(entry.revision)},
        "timeline": {"L": [{"S": event} for event in timeline.shortened(entry.timeline)]},
        **_flags(entry),
    }
    if entry.currency is not None:
        item["currency"] = {"S": entry.currency}
    if entry.payment_ref == entry.order_id:
        item[PAYMENT_IS_ORDER] = {"BOOL": True}
    elif entry.payment_ref is not None:
        item["payment_ref"] = {"S": entry.payment_ref}
    if entry.lease_until:
        item["lease_until"] = {"N": f"{entry.lease_until:.3f}"}
    if entry.baseline is not None:
        item["before"] = {"S": _baseline(entry.baseline, entry.payment_ref)}
    if entry.outcome is not None:
        item["outcome"] = {"S": stored_outcome.shortened(entry, entry.outcome)}
    if entry.proof is not None and entry.proof != _proof(entry.timeline):
        item["proof"] = {"S": entry.proof}
    if entry.state.terminal:
        item["expires_at"] = {"N": str(int(now) + ttl)}
    return item


def is_open(entry: Entry) -> bool:
    """Whether somebody still has to do something about it."""
    return entry.unpublished or not entry.state.terminal


def changed(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """What to set and what to remove, to turn one encoded entry into the other."""
    sets = {name: value for name, value in new.items() if old.get(name) != value}
    removes = [
        name for name in _OPTIONAL if name not in new and (name in old or name == _BESIDE_THE_TIMELINE)
    ]
    if PAYMENT_IS_ORDER in old and (PAYMENT_IS_ORDER not in new or "order_id" in sets):
        # An item of version 1 names both, and an entry does not tell which form it was read from.
        sets |= {name: new[name] for name in (PAYMENT_IS_ORDER,) if name in new}
        removes += [name for name in ("payment_ref",) if name not in new]
    return sets, removes


def decode(item: Mapping[str, Any]) -> Entry:
    """An entry from its DynamoDB item.

    Raises:
        UnreadableItem: it is not written as any version that is known here.
    """
    try:
        return _decode(item)
    except (LookupError, ValueError, TypeError, ArithmeticError, AttributeError) as problem:
        unreadable = UnreadableItem(item.get("pk", {}).get("S", "?"), problem)
    raise unreadable


def payment_ref_of(item: Mapping[str, Any]) -> str | None:
    """The payment, receipt or order that an item is about."""
    if "payment_ref" not in item and _flag(item, PAYMENT_IS_ORDER):
        return str(item["order_id"]["S"])
    return item["payment_ref"]["S"] if "payment_ref" in item else None


def owner_value(owner: str) -> dict[str, Any]:
    """An owner as an attribute value: 16 bytes, where it is a UUID."""
    return {"B": bytes.fromhex(owner)} if _OWNER.fullmatch(owner) else {"S": owner}


def _decode(item: Mapping[str, Any]) -> Entry:
    events = timeline.restored([event["S"] for event in item["timeline"]["L"]])
    payment_ref = payment_ref_of(item)
    entry = Entry(
        key=Key.of(item["pk"]["S"]),
        fingerprint=_read_fingerprint(item["fingerprint"]),
        order_id=item["order_id"]["S"],
        requested_by=item["requested_by"]["S"],
        requested_at=item["requested_at"]["S"],
        request=_read_request(item["request"]["S"], payment_ref),
        payment_ref=payment_ref,
        state=State.of(item["state"]["S"]),
        owner=_read_owner(item["owner"]),
        lease_until=float(item.get("lease_until", {"N": "0"})["N"]),
        attempt=int(item["attempt"]["N"]),
        in_doubt=_flag(item, "in_doubt"),
        limits_passed=_flag(item, "admitted"),
        baseline=_read_baseline(item["before"]["S"], payment_ref) if "before" in item else None,
        proof=item["proof"]["S"] if "proof" in item else _proof(events),
        timeline=events,
        unpublished=_flag(item, "unpublished") or _previously_unpublished(item),
        currency=item["currency"]["S"] if "currency" in item else None,
        revision=int(item["version"]["N"]),
        statement=int(item.get("statement", {"N": "1"})["N"]),
    )
    if "outcome" not in item or entry.state is State.UNKNOWN:
        return entry
    try:
        return replace(entry, outcome=stored_outcome.restored(entry, item["outcome"]["S"]))
    except (LookupError, ValueError, TypeError):
        # A statement of a newer version: a version that cannot read it must not make another one.
        return replace(entry, state=State.UNKNOWN)


def _flags(entry: Entry) -> dict[str, Any]:
    """What is absent in most items."""
    flags: dict[str, Any] = {
        name: {"BOOL": True}
        for name, said in (
            ("in_doubt", entry.in_doubt),
            ("admitted", entry.limits_passed),
            ("unpublished", entry.unpublished),
        )
        if said
    }
    if entry.statement > 1:
        flags["statement"] = {"N": str(entry.statement)}
    return flags


def _flag(item: Mapping[str, Any], name: str) -> bool:
    said: bool = item.get(name, {"BOOL": False})["BOOL"]
    return said


def _previously_unpublished(item: Mapping[str, Any]) -> bool:
    """Version 1 said so by the item's place in its index of open requests."""
    place: str = item.get("open_state", {"S": ""})["S"]
    return place.startswith(PREVIOUS_UNPUBLISHED)


def _proof(events: tuple[str, ...]) -> str | None:
    """What the timeline says of it."""
    found = timeline.recorded(events)
    return found[1] if found else None


def _fingerprint(text: str) -> dict[str, Any]:
    match = _FINGERPRINT.fullmatch(text)
    if match is None:
        return {"S": text}
    return {"B": bytes([int(match[1])]) + bytes.fromhex(match[2] + match[3])}


def _read_fingerprint(value: Mapping[str, Any]) -> str:
    if "S" in value:
        text: str = value["S"]
        return text
    code = bytes(value["B"])
    digest, personal = code[1 : 1 + _DIGEST_BYTES], code[1 + _DIGEST_BYTES :]
    return f"{code[0]}:{digest.hex()}:{personal.hex()}"


def _read_owner(value: Mapping[str, Any]) -> str:
    return bytes(value["B"]).hex() if "B" in value else value["S"]


def _request(entry: Entry) -> str:
    """``null``: the payment or order that ``payment_ref`` names. A field without a value is absent."""
    said = {name: value for name, value in entry.request.items() if value is not None}
    known = entry.payment_ref
    return strict_json.dumps({n: None if known is not None and v == known else v for n, v in said.items()})


def _read_request(text: str, payment_ref: str | None) -> Mapping[str, object]:
    request: Any = strict_json.loads(text)
    return {name: payment_ref if value is None else value for name, value in request.items()}


def _baseline(baseline: Baseline, payment_ref: str | None) -> str:
    """Without what says nothing; ``cancellation_ids`` says something even if it is empty."""
    # Not `asdict`: it copies deeply, and what is in there cannot change.
    said = {k: v for k, v in vars(baseline).items() if v is not None and _EMPTY.get(k) != v}
    said |= said.pop("shown")
    if baseline.subject == payment_ref:
        del said["subject"]
    return strict_json.dumps({_SHORT.get(name, name): value for name, value in said.items()})


def _read_baseline(text: str, payment_ref: str | None) -> Baseline:
    stored: Any = strict_json.loads(text)
    said = {_LONG.get(name, name): value for name, value in stored.items()}
    known: dict[str, Any] = {"subject": payment_ref}
    known |= {name: value for name, value in said.items() if name in Baseline.__dataclass_fields__}
    if known.get("cancellable") is not None:
        known["cancellable"] = Decimal(known["cancellable"])
    for name in known.keys() & {"cancellation_ids", "suspects"}:
        known[name] = tuple(known[name])
    return Baseline(**known, shown={name: said[name] for name in said.keys() - known.keys()})
