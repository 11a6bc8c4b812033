"""Which entry of a payment's cancellation history is ours, whatever provider shows it.

The tag in ``reason`` says so where the PG keeps it. Where it does not, an entry counts as ours only
if it is new, has our amount, belongs to no other ledger item, and nothing else can explain it. What could
be ours and cannot be proven is ``Unclear``: never a success, a failure or a reason to send again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Generic, Protocol, TypeVar

from refunds.domain.operation import Baseline, ResolveContext
from refunds.domain.tag import carries, is_tagged

#: Seconds by which our clock and a provider's may differ; an entry so little older may be our own.
_CLOCKS_DIFFER: Final = 600


class HistoryEntry(Protocol):
    """One cancellation as a provider's history shows it."""

    @property
    def cancellation_id(self) -> str | None:
        """Unique to it, where it has one."""
        ...

    @property
    def amount(self) -> Decimal:
        """In the payment's currency."""
        ...

    @property
    def reason(self) -> str | None:
        """As the provider keeps it: as it was sent, cut, replaced or dropped."""
        ...

    @property
    def cancelled_at(self) -> int | None:
        """UNIX seconds; ``None`` or ``0`` where nobody says."""
        ...

    @property
    def is_done(self) -> bool:
        """Whether it says nothing of itself that speaks against it: else it is no proof."""
        ...

    @property
    def name(self) -> str:
        """Under which the ledger notes whose it is; no other entry has it."""
        ...


E = TypeVar("E", bound=HistoryEntry)
E_co = TypeVar("E_co", bound=HistoryEntry, covariant=True)


class PaymentHistory(Protocol[E_co]):
    """A payment as a provider shows it; amounts in its currency."""

    @property
    def amount(self) -> Decimal:
        """What was paid."""
        ...

    @property
    def cancelled(self) -> Decimal:
        """What was cancelled so far."""
        ...

    @property
    def cancellable(self) -> Decimal:
        """What is left."""
        ...

    @property
    def history(self) -> Sequence[E_co]:
        """Its cancellations, in any order."""
        ...


@dataclass(frozen=True)
class Own(Generic[E]):
    """This entry is ours; ``proof`` says why, ``tagged`` that it carries our tag."""

    entry: E
    proof: str
    tagged: bool

    @property
    def held_as(self) -> str | None:
        """The name under which the ledger notes whose it is; one with our tag needs none."""
        return None if self.tagged else self.entry.name


@dataclass(frozen=True)
class Unclear:
    """An entry may be ours; nobody can tell.

    ``suspects`` are the entries that explain a refusal as well as a refusal that was false: once the
    refusal is forgotten, they would look like the only explanation of a lost answer. ``for_ever`` where
    asking again will not tell either.
    """

    message: str
    suspects: tuple[str, ...] = ()
    for_ever: bool = False


@dataclass(frozen=True)
class Search:
    """What to look for: the amount in the payment's currency, the tag, and the reason as it was sent."""

    amount: Decimal
    tag: str
    sent_reason: str


def find_own(
    payment: PaymentHistory[E], baseline: Baseline, search: Search, context: ResolveContext
) -> Own[E] | Unclear | None:
    """Our entry, ``None`` if we have none, or ``Unclear``."""
    fresh = unseen(payment, baseline)
    tagged = with_tag(fresh, search.tag)
    if tagged:
        return _tagged(tagged, search)
    untagged = [entry for entry in fresh if not is_tagged(entry.reason)]
    if _of_another_amount(untagged, baseline, search, context):
        return Unclear("the history shows a new cancellation that could be ours, with another amount")
    candidates = [entry for entry in untagged if entry.amount == search.amount]
    if context.only_attempt and baseline.cancellation_ids is None:
        return _after_blind_refusal(payment, baseline, untagged, context)
    if context.only_attempt:
        return _after_refusal(payment, baseline, context, candidates)
    return _after_silence(payment, baseline, search, context, candidates)


def confirm_own(payment: PaymentHistory[E], baseline: Baseline, search: Search) -> Own[E] | None:
    """Our entry in the answer to our own successful send, if the amounts agree with it."""
    fresh = [e for e in unseen(payment, baseline) if e.amount == search.amount and e.is_done]
    tagged = with_tag(fresh, search.tag)
    if len(tagged) > 1:
        return None  # carried out more than once
    if tagged and _growth_is_explained(payment, baseline, search, tagged=True):
        return Own(tagged[0], "the answer lists a new cancellation with our tag and amount", tagged=True)
    untagged = [entry for entry in fresh if not is_tagged(entry.reason)]
    if untagged and not tagged and _growth_is_explained(payment, baseline, search, tagged=False):
        return Own(_latest(untagged), "the answer lists a new cancellation with our amount", tagged=False)
    return None


def with_tag(entries: Sequence[E], tag: str) -> list[E]:
    """Those that carry a request's tag: nobody else makes them."""
    return [entry for entry in entries if carries(entry.reason, tag)]


def moved(payment: PaymentHistory[E], baseline: Baseline) -> Decimal:
    """By how much the balance is smaller than it was, or than the event says it was."""
    return (baseline.cancellable or Decimal(0)) - payment.cancellable


def unseen(payment: PaymentHistory[E], baseline: Baseline) -> list[E]:
    """An entry without an id, as in documents of 2023, cannot be recognised: it may be new."""
    seen = frozenset(baseline.cancellation_ids or ())
    return [e for e in payment.history if e.cancellation_id not in seen]


def _growth_is_explained(
    payment: PaymentHistory[E], baseline: Baseline, search: Search, *, tagged: bool
) -> bool:
    """The cancelled amount grew by exactly ours, or by ours and others that were faster than the answer."""
    growth = moved(payment, baseline)
    if baseline.cancellation_ids is None:
        return adds_up(payment) and (growth == search.amount or (tagged and growth > search.amount))
    if growth <= search.amount:
        return growth == search.amount
    return growth == sum((entry.amount for entry in unseen(payment, baseline)), Decimal(0))


def _tagged(tagged: Sequence[E], search: Search) -> Own[E] | Unclear:
    own = tagged[0]
    if len(tagged) > 1:
        amounts = " and ".join(f"{entry.amount:f}" for entry in tagged)
        what = "carried out more than once"
        if sum(entry.amount for entry in tagged) == search.amount:
            what = "booked in parts that together are what was asked, or carried out more than once"
        message = f"{what}: the payment's history holds our tag with {amounts}"
        return Unclear(message, for_ever=True)
    if own.amount != search.amount:
        return Unclear("the payment's history holds our tag with another amount", for_ever=True)
    if not own.is_done:
        return Unclear("the payment's history holds our cancellation, and not as one that is done")
    return Own(own, "the payment's history holds a cancellation with our tag and amount", tagged=True)


def _of_another_amount(
    untagged: Sequence[E], baseline: Baseline, search: Search, context: ResolveContext
) -> bool:
    """A PG may book another amount than was asked for: a discount taken back, a fee withheld."""
    others = [e for e in untagged if e.amount != search.amount and _could_be(e, search)]
    if baseline.cancellation_ids is None:
        others = [entry for entry in others if not _is_older(entry, context)]
    return bool(_held_by_nobody(others, context))


def _after_refusal(
    payment: PaymentHistory[E], baseline: Baseline, context: ResolveContext, candidates: Sequence[E]
) -> Unclear | None:
    """The only attempt was refused, sometimes falsely: "cancelled already" can be our own doing."""
    if moved(payment, baseline) and not adds_up(payment):
        return Unclear("the payment's history does not add up to its cancelled amount")
    return _suspicious(candidates, context)


def _after_blind_refusal(
    payment: PaymentHistory[E], baseline: Baseline, untagged: Sequence[E], context: ResolveContext
) -> Unclear | None:
    """Without a precheck, the refusal is believed if every entry is known not to be ours.

    By its age, by another request that holds it, or by another request's tag. What a reason says decides
    nothing: a PG may put its own text there, or cut what it cannot encode.
    """
    if moved(payment, baseline) > 0 and not adds_up(payment):
        return Unclear("the payment's history does not add up to its cancelled amount")
    return _suspicious([entry for entry in untagged if not _is_older(entry, context)], context)


def _suspicious(candidates: Sequence[E], context: ResolveContext) -> Unclear | None:
    suspects = _held_by_nobody(candidates, context)
    if not suspects:
        return None
    return Unclear(
        "refused, yet the history shows a cancellation that could be ours",
        suspects=tuple(entry.cancellation_id for entry in suspects if entry.cancellation_id),
    )


def _after_silence(
    payment: PaymentHistory[E],
    baseline: Baseline,
    search: Search,
    context: ResolveContext,
    candidates: Sequence[E],
) -> Own[E] | Unclear | None:
    """An attempt of unknown outcome: an untagged entry of our amount is ours if nothing else explains it."""
    growth = moved(payment, baseline)
    if baseline.cancellation_ids is None and growth < search.amount:
        # Without a precheck, a balance shown too high is not recognised by itself; what tells our own
        # entry from one that the order service knew of, when it read its checksum, is the time.
        candidates = _held_by_nobody([e for e in candidates if not _is_older(e, context)], context)
    if growth == 0 and not candidates:
        return None
    if not adds_up(payment):
        return Unclear("the payment's history does not add up to its cancelled amount")
    if growth < search.amount:
        message = "the history shows a cancellation that the balance does not show"
        return Unclear(message) if candidates else None
    return _unclaimed(payment, baseline, search, context, candidates)


def _unclaimed(
    payment: PaymentHistory[E],
    baseline: Baseline,
    search: Search,
    context: ResolveContext,
    candidates: Sequence[E],
) -> Own[E] | Unclear | None:
    """Ours, if no other request has it or may have it, and nothing speaks against it."""
    candidates = _held_by_nobody(candidates, context)
    if not candidates:
        return None
    siblings = context.siblings()
    rivals = {*siblings.open_amounts, *siblings.settled_by_hand} & {search.amount, None}
    own = _likely(payment, baseline, search, candidates)
    refuted = (None, *baseline.suspects)
    if (
        rivals
        or own is None
        or own.cancellation_id in refuted
        or _would_carry_our_tag(payment, candidates, search)
        or _is_older(own, context)
        or not own.is_done
    ):
        return Unclear("the history shows a new cancellation of our amount that somebody else may have made")
    proof = "the history holds a new cancellation of our amount that no other request made"
    return Own(own, proof, tagged=False)


def _likely(
    payment: PaymentHistory[E], baseline: Baseline, search: Search, candidates: Sequence[E]
) -> E | None:
    """The one candidate that can be ours by its text; without a precheck, by the balance it met as well."""
    likely = [entry for entry in candidates if _could_be(entry, search)]
    if baseline.cancellation_ids is None:
        likely = [entry for entry in likely if entry == _entry_at(baseline.cancellable, payment)]
    return likely[0] if len(likely) == 1 else None


def _entry_at(balance: Decimal | None, payment: PaymentHistory[E]) -> E | None:
    """The cancellation before which this balance was left: ours carried it as its checksum."""
    left = payment.amount
    for entry in _in_order(payment.history):
        if left == balance:
            return entry
        left -= entry.amount
    return None


def _held_by_nobody(entries: Sequence[E], context: ResolveContext) -> list[E]:
    """Those that no other request is known to have made; the ledger is asked only if there are any."""
    if not entries:
        return []
    held = context.siblings().cancellation_ids
    return [entry for entry in entries if entry.cancellation_id not in held]


def _is_older(entry: E, context: ResolveContext) -> bool:
    """Older than any attempt of ours. Two clocks are compared: this never leads to sending again."""
    return bool(entry.cancelled_at) and (entry.cancelled_at or 0) < context.sent_at - _CLOCKS_DIFFER


def _could_be(entry: E, search: Search) -> bool:
    """No text at all, or the beginning of ours: a PG that drops or cuts what it was sent."""
    reason = (entry.reason or "").strip()
    return search.sent_reason.startswith(reason)


def _would_carry_our_tag(payment: PaymentHistory[E], candidates: Sequence[E], search: Search) -> bool:
    """Ours would: this payment's history keeps tags, or keeps the customer's words whole.

    Somebody at the console may have chosen the same words.
    """
    words = search.sent_reason.removesuffix(search.tag).strip()
    if words == search.sent_reason:
        return False  # sent without a tag
    keeps_tags = any(is_tagged(entry.reason) for entry in payment.history)
    return keeps_tags or (bool(words) and any((e.reason or "").strip() == words for e in candidates))


def adds_up(payment: PaymentHistory[E]) -> bool:
    """Whether every cancellation in the history is in the balance, and nothing else."""
    return sum((entry.amount for entry in payment.history), Decimal(0)) == payment.cancelled


def _latest(entries: Sequence[E]) -> E:
    """Providers count in whole seconds: of two in the same one, the later listed is the later one."""
    return _in_order(entries)[-1]


def _in_order(entries: Sequence[E]) -> list[E]:
    return sorted(entries, key=lambda entry: entry.cancelled_at or 0)
