"""Which entry of a payment's cancellation history is ours.

The tag in ``reason`` says so where the PG keeps it. Where it does not, an entry counts as ours only
if it is new, has our amount, belongs to no other ledger item, and nothing else can explain it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from refunds.domain.operation import Baseline, ResolveContext
from refunds.domain.tag import is_tagged
from refunds.providers.portone.models import CancelHistoryEntry, Payment

#: Seconds by which our clock and PortOne's may differ; an entry so little older may be our own.
_CLOCKS_DIFFER: Final = 600


@dataclass(frozen=True)
class Own:
    """This entry is ours; ``proof`` says why."""

    entry: CancelHistoryEntry
    proof: str


@dataclass(frozen=True)
class Unclear:
    """An entry may be ours; nobody can tell.

    ``suspects`` are the entries that explain a refusal as well as a refusal that was false: once the
    refusal is forgotten, they would look like the only explanation of a lost answer.
    """

    message: str
    suspects: tuple[str, ...] = ()


@dataclass(frozen=True)
class Search:
    """What to look for: won, the tag, and the reason as it was sent."""

    amount: Decimal
    tag: str
    sent_reason: str


def find_own(
    payment: Payment, baseline: Baseline, search: Search, context: ResolveContext
) -> Own | Unclear | None:
    """Our entry, ``None`` if we have none, or ``Unclear``."""
    fresh = _unseen(payment, baseline)
    tagged = [entry for entry in fresh if search.tag in (entry.reason or "")]
    if tagged:
        return _tagged(tagged, search)
    candidates = [entry for entry in fresh if entry.amount == search.amount and not is_tagged(entry.reason)]
    if context.only_attempt:
        return _after_refusal(payment, baseline, search, context, candidates)
    return _after_silence(payment, baseline, search, context, candidates)


def confirm_own(payment: Payment, baseline: Baseline, search: Search) -> Own | None:
    """Our entry in the answer to our own successful send, if the amounts agree with it."""
    fresh = [entry for entry in _unseen(payment, baseline) if entry.amount == search.amount]
    tagged = [entry for entry in fresh if search.tag in (entry.reason or "")]
    if tagged and _growth_is_explained(payment, baseline, search, tagged=True):
        return Own(_latest(tagged), "the answer lists a new cancellation with our tag and amount")
    untagged = [entry for entry in fresh if not is_tagged(entry.reason)]
    if untagged and not tagged and _growth_is_explained(payment, baseline, search, tagged=False):
        return Own(_latest(untagged), "the answer lists a new cancellation with our amount")
    return None


def _growth_is_explained(payment: Payment, baseline: Baseline, search: Search, *, tagged: bool) -> bool:
    """The cancelled amount grew by exactly ours, or by ours and others that were faster than the answer."""
    growth = _moved(payment, baseline)
    if baseline.cancellation_ids is None:
        return _adds_up(payment) and (growth == search.amount or (tagged and growth > search.amount))
    if growth <= search.amount:
        return growth == search.amount
    return growth == sum((entry.amount for entry in _unseen(payment, baseline)), Decimal(0))


def _moved(payment: Payment, baseline: Baseline) -> Decimal:
    """By how much the balance is smaller than it was, or than the event says it was."""
    return (baseline.cancellable or Decimal(0)) - payment.cancellable


def _unseen(payment: Payment, baseline: Baseline) -> list[CancelHistoryEntry]:
    """An entry without an id, as in documents of 2023, cannot be recognised: it may be new."""
    seen = frozenset(baseline.cancellation_ids or ())
    return [e for e in payment.cancel_history if e.cancellation_id not in seen]


def _tagged(tagged: Sequence[CancelHistoryEntry], search: Search) -> Own | Unclear:
    if len(tagged) == 1 and tagged[0].amount == search.amount:
        return Own(tagged[0], "the payment's history holds a cancellation with our tag and amount")
    return Unclear("the payment's history holds our tag more than once or with another amount")


def _after_refusal(
    payment: Payment,
    baseline: Baseline,
    search: Search,
    context: ResolveContext,
    candidates: Sequence[CancelHistoryEntry],
) -> Unclear | None:
    """The only attempt was refused, sometimes falsely: "cancelled already" can be our own doing."""
    moved = _moved(payment, baseline)
    if moved >= search.amount and not _adds_up(payment):
        return Unclear("the payment's history does not add up to its cancelled amount")
    if baseline.cancellation_ids is None:
        candidates = [] if moved < search.amount else _unexplained(candidates, search, context)
    if not candidates:
        return None
    held = context.siblings().cancellation_ids
    suspects = [entry.cancellation_id for entry in candidates if entry.cancellation_id not in held]
    if not suspects:
        return None
    return Unclear(
        "refused, yet the history shows a cancellation of our amount that could be ours",
        suspects=tuple(suspect for suspect in suspects if suspect),
    )


def _unexplained(
    candidates: Sequence[CancelHistoryEntry], search: Search, context: ResolveContext
) -> list[CancelHistoryEntry]:
    """Where nobody looked, an entry in somebody else's words, or older than our send, is why we were refused.

    Here nothing is sent again, so the words may decide (ADR 7). Where we looked they may not: an entry that
    is seconds old and of our amount, at a PG that puts its own text as the reason, would be refunded twice.
    """
    return [e for e in candidates if _could_be(e, search) and not _is_older(e, context)]


def _after_silence(
    payment: Payment,
    baseline: Baseline,
    search: Search,
    context: ResolveContext,
    candidates: Sequence[CancelHistoryEntry],
) -> Own | Unclear | None:
    """An attempt of unknown fate: an untagged entry of our amount is ours if nothing else explains it."""
    moved = _moved(payment, baseline)
    if baseline.cancellation_ids is None and moved < search.amount:
        candidates = _recent(candidates, context)
    if moved == 0 and not candidates:
        return None
    if not _adds_up(payment):
        return Unclear("the payment's history does not add up to its cancelled amount")
    if moved < search.amount:
        message = "the history shows a cancellation that the balance does not show"
        return Unclear(message) if candidates else None
    return _unclaimed(payment, baseline, search, context, candidates)


def _recent(candidates: Sequence[CancelHistoryEntry], context: ResolveContext) -> list[CancelHistoryEntry]:
    """Those that could have been made since our claim, by nobody we know of.

    Where nobody looked first, a balance shown too high is not recognised by itself; what tells our own entry
    from one that the order service knew of, when it read its checksum, is the time.
    """
    recent = [entry for entry in candidates if not _is_older(entry, context)]
    held = context.siblings().cancellation_ids if recent else frozenset()
    return [entry for entry in recent if entry.cancellation_id not in held]


def _unclaimed(
    payment: Payment,
    baseline: Baseline,
    search: Search,
    context: ResolveContext,
    candidates: Sequence[CancelHistoryEntry],
) -> Own | Unclear | None:
    """Ours, if no other request has it or may have it, and nothing speaks against it."""
    siblings = context.siblings()
    candidates = [e for e in candidates if e.cancellation_id not in siblings.cancellation_ids]
    if not candidates:
        return None
    rivals = search.amount in siblings.open_amounts or None in siblings.open_amounts
    own = _likely(payment, baseline, search, candidates)
    refuted = (None, *baseline.suspects)
    if rivals or own is None or own.cancellation_id in refuted or _is_older(own, context):
        return Unclear("the history shows a new cancellation of our amount that somebody else may have made")
    return Own(own, "the history holds a new cancellation of our amount that no other request made")


def _likely(
    payment: Payment, baseline: Baseline, search: Search, candidates: Sequence[CancelHistoryEntry]
) -> CancelHistoryEntry | None:
    """The one candidate that can be ours by its text; where nobody looked, by the balance it met as well."""
    likely = [entry for entry in candidates if _could_be(entry, search)]
    if baseline.cancellation_ids is None:
        likely = [entry for entry in likely if entry == _entry_at(baseline.cancellable, payment)]
    return likely[0] if len(likely) == 1 else None


def _entry_at(balance: Decimal | None, payment: Payment) -> CancelHistoryEntry | None:
    """The cancellation before which this balance was left: ours carried it as its checksum."""
    left = payment.amount
    for entry in _in_order(payment.cancel_history):
        if left == balance:
            return entry
        left -= entry.amount
    return None


def _is_older(entry: CancelHistoryEntry, context: ResolveContext) -> bool:
    """Older than any attempt of ours. Two clocks are compared: this never leads to sending again."""
    return entry.cancelled_at is not None and entry.cancelled_at < context.sent_at - _CLOCKS_DIFFER


def _could_be(entry: CancelHistoryEntry, search: Search) -> bool:
    """No text at all, or the beginning of ours: a PG that drops or cuts what it was sent."""
    reason = (entry.reason or "").strip()
    return search.sent_reason.startswith(reason)


def _adds_up(payment: Payment) -> bool:
    return sum((entry.amount for entry in payment.cancel_history), Decimal(0)) == payment.cancel_amount


def _latest(entries: Sequence[CancelHistoryEntry]) -> CancelHistoryEntry:
    """PortOne counts in whole seconds: of two in the same one, the later listed is the later one."""
    return _in_order(entries)[-1]


def _in_order(entries: Sequence[CancelHistoryEntry]) -> list[CancelHistoryEntry]:
    return sorted(entries, key=lambda entry: entry.cancelled_at or 0)
