"""PortOne's cancellations of a period against the ledger's: the daily proof that both tell the same story.

Both directions are checked. What PortOne lists is looked for in the ledger (an index query per payment).
What the ledger recorded in the period and the list does not show is asked for, payment by payment, before
it counts as missing: the list has only payments whose status is ``cancelled`` and goes by their last
cancellation, so that it shows neither every partial cancellation nor every day's.

EBP offers no list of cancellations: ``order_cancel`` cannot be reconciled this way.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from refunds.domain.deadline import Deadline
from refunds.domain.entry import Entry, Key, State
from refunds.domain.tag import tag_of
from refunds.errors import LookupFailed
from refunds.ledger.queries import LedgerQueries
from refunds.providers.portone.models import CancelHistoryEntry, Payment

if TYPE_CHECKING:
    from refunds.providers.portone.client import PortOneClient

CANCEL_TYPE: Final = "payment_cancel"
MAX_DAYS: Final = 90  # GET /payments/status/{status}, providers.md
_LISTINGS: Final = 3  # tries at a list that does not move while it is read
_READERS: Final = 8


class Kind(StrEnum):
    """How PortOne and the ledger differ."""

    NOT_IN_LEDGER = "not_in_ledger"
    """Refunded elsewhere (a console, another system), or by us without the ledger knowing."""
    NOT_AT_PROVIDER = "not_at_provider"
    """Recorded and published as refunded, but PortOne has no such cancellation."""
    AMOUNT_DIFFERS = "amount_differs"
    """The same cancellation with two amounts."""


@dataclass(frozen=True)
class Difference:
    """One difference. Amounts are won, ``at`` is PortOne's time of it (ISO 8601)."""

    kind: Kind
    imp_uid: str
    note: str
    merchant_uid: str | None = None
    cancellation_id: str | None = None
    cancel_request_id: str | None = None
    provider_amount: int | None = None
    ledger_amount: int | None = None
    at: str | None = None


@dataclass(frozen=True)
class Window:
    """A period in UNIX seconds, ``until`` excluded."""

    since: int
    until: int

    @classmethod
    def of_days(cls, first: date, days: int, zone: tzinfo) -> Window:
        """``days`` calendar days from ``first`` on, as they begin and end in ``zone``.

        Raises:
            ValueError: it is not 1 … 90 days.
        """
        if not 1 <= days <= MAX_DAYS:
            raise ValueError(f"PortOne lists 1 to {MAX_DAYS} days at once, not {days}")
        start = datetime(first.year, first.month, first.day, tzinfo=zone)
        end = first + timedelta(days=days)
        until = datetime(end.year, end.month, end.day, tzinfo=zone)
        return cls(int(start.timestamp()), int(until.timestamp()))

    def has(self, moment: int | None) -> bool:
        """Whether it lies in the period; what has no time might."""
        return moment is None or self.since <= moment < self.until


@dataclass
class _Unseen:
    """Refunds that the ledger recorded in the period and PortOne has not shown yet, by payment.

    ``compared``: payments whose differences have been told.
    """

    payments: dict[str, set[Key]] = field(default_factory=dict)
    compared: set[str] = field(default_factory=set)

    def add(self, entry: Entry) -> None:
        self.payments.setdefault(entry.payment_ref or "", set()).add(entry.key)

    def shown(self, imp_uid: str, keys: Iterable[Key]) -> None:
        left = self.payments.get(imp_uid, set()) - set(keys)
        if left:
            self.payments[imp_uid] = left
        else:
            self.payments.pop(imp_uid, None)


class Reconciliation:
    """Compares a period.

    Args:
        tiers: sub-merchants whose payments are listed besides the merchant's own.
        patience: seconds for one question to PortOne.
    """

    def __init__(
        self,
        ledger_queries: LedgerQueries,
        client: PortOneClient,
        *,
        patience: float,
        tiers: Iterable[str] = (),
    ) -> None:
        self._ledger_queries = ledger_queries
        self._client = client
        self._patience = patience
        self._tiers: tuple[str | None, ...] = (None, *tiers)

    def run(self, window: Window) -> Iterator[Difference]:
        """Every difference, in no particular order.

        Raises:
            LookupFailed: PortOne could not be asked to the end; what was found until then is right.
        """
        unseen = _Unseen()
        for entry in self._recorded(window):
            unseen.add(entry)
        with ThreadPoolExecutor(_READERS, thread_name_prefix="books") as readers:
            for tier in self._tiers:
                for payments in self._listed(window, tier):
                    entries = readers.map(lambda payment: self._entries(payment.imp_uid), payments)
                    for payment, booked in zip(payments, entries, strict=True):
                        yield from _compare(payment, booked, window, unseen)
        for imp_uid in list(unseen.payments):
            yield from self._ask(imp_uid, window, unseen)

    def _recorded(self, window: Window) -> Iterator[Entry]:
        return self._ledger_queries.ended_between(
            window.since, window.until, cancel_types=[CANCEL_TYPE], states=[State.SUCCEEDED]
        )

    def _entries(self, imp_uid: str) -> list[Entry]:
        return [
            entry
            for entry in self._ledger_queries.of_payment(imp_uid)
            if entry.key.cancel_type == CANCEL_TYPE
        ]

    def _listed(self, window: Window, tier: str | None) -> Iterator[list[Payment]]:
        """Page by page, each payment once. A list that grows or shrinks meanwhile is read again."""
        known: set[str] = set()
        for _ in range(_LISTINGS):
            page, total, steady = 1, None, True
            while page:
                found = self._client.cancelled_between(
                    window.since, window.until - 1, deadline=self._deadline(), page=page, tier=tier
                )
                steady = steady and total in (None, found.total)
                total = found.total
                fresh = [payment for payment in found.payments if payment.imp_uid not in known]
                known.update(payment.imp_uid for payment in fresh)
                yield fresh
                if found.next not in (0, page + 1):
                    raise LookupFailed(f"PortOne's list of cancelled payments breaks off after page {page}")
                page = found.next
            if steady:
                return
        raise LookupFailed(
            "PortOne's list of cancelled payments kept changing while it was read: try again later"
        )

    def _ask(self, imp_uid: str, window: Window, unseen: _Unseen) -> Iterator[Difference]:
        entries = self._entries(imp_uid)
        tier = next((str(entry.request["tier"]) for entry in entries if "tier" in entry.request), None)
        payment = self._client.payment(imp_uid, tier=tier, deadline=self._deadline())
        if payment is not None:
            told = imp_uid in unseen.compared
            differences = list(_compare(payment, entries, window, unseen))
            yield from () if told else differences
        for entry in entries:
            if entry.key in unseen.payments.get(imp_uid, ()):
                note = (
                    "PortOne does not know the payment" if payment is None else "its history does not show it"
                )
                yield _missing(entry, note)

    def _deadline(self) -> Deadline:
        return Deadline(time.monotonic() + self._patience, time.monotonic)


def _compare(
    payment: Payment, entries: Iterable[Entry], window: Window, unseen: _Unseen
) -> Iterator[Difference]:
    """Every cancellation of one payment against the ledger's entries of it."""
    entries = list(entries)
    succeeded = [entry for entry in entries if entry.state is State.SUCCEEDED and entry.outcome]
    wanted = unseen.payments.get(payment.imp_uid, set())
    matched: set[Key] = set()
    for record in payment.cancel_history:
        entry = _match(record, [one for one in succeeded if one.key not in matched])
        if entry is not None:
            matched.add(entry.key)
        if not window.has(record.cancelled_at) and (entry is None or entry.key not in wanted):
            continue
        if entry is None:
            yield _not_in_ledger(payment, record, entries)
        elif _amount(entry) not in (None, record.amount):
            yield _amount_differs(payment, record, entry)
    unseen.shown(payment.imp_uid, matched)
    unseen.compared.add(payment.imp_uid)


def _match(record: CancelHistoryEntry, entries: Iterable[Entry]) -> Entry | None:
    """The entry that holds the cancellation's id; else one without an id, settled by hand, of its amount."""
    loose = None
    for entry in entries:
        held = entry.outcome.provider.cancellation_id if entry.outcome else None
        if held is not None and held == record.cancellation_id:
            return entry
        if (
            loose is None
            and (held is None or record.cancellation_id is None)
            and _amount(entry) == record.amount
        ):
            loose = entry
    return loose


def _amount(entry: Entry) -> Decimal | None:
    return entry.outcome.money.cancelled if entry.outcome and entry.outcome.money else None


def _not_in_ledger(payment: Payment, record: CancelHistoryEntry, entries: Iterable[Entry]) -> Difference:
    ours = next((e for e in entries if _tag(e) in (record.reason or "")), None)
    note = "made elsewhere: no request of ours"
    if ours is not None:
        note = f"carries the mark of {ours.key}, which is {ours.state} in the ledger: refundctl resolve"
    return Difference(
        kind=Kind.NOT_IN_LEDGER,
        imp_uid=payment.imp_uid,
        note=note,
        merchant_uid=payment.merchant_uid,
        cancellation_id=record.cancellation_id,
        cancel_request_id=ours.key.cancel_request_id if ours else None,
        provider_amount=int(record.amount),
        at=_iso(record.cancelled_at),
    )


def _amount_differs(payment: Payment, record: CancelHistoryEntry, entry: Entry) -> Difference:
    amount = _amount(entry)
    return Difference(
        kind=Kind.AMOUNT_DIFFERS,
        imp_uid=payment.imp_uid,
        note="the ledger and accounting have another amount than PortOne",
        merchant_uid=payment.merchant_uid,
        cancellation_id=record.cancellation_id,
        cancel_request_id=entry.key.cancel_request_id,
        provider_amount=int(record.amount),
        ledger_amount=None if amount is None else int(amount),
        at=_iso(record.cancelled_at),
    )


def _missing(entry: Entry, note: str) -> Difference:
    amount = _amount(entry)
    return Difference(
        kind=Kind.NOT_AT_PROVIDER,
        imp_uid=entry.payment_ref or "",
        note=note,
        merchant_uid=entry.outcome.provider.merchant_uid if entry.outcome else None,
        cancellation_id=entry.outcome.provider.cancellation_id if entry.outcome else None,
        cancel_request_id=entry.key.cancel_request_id,
        ledger_amount=None if amount is None else int(amount),
    )


def _tag(entry: Entry) -> str:
    return tag_of(entry.key.cancel_type, entry.key.cancel_request_id)


def _iso(moment: int | None) -> str | None:
    return datetime.fromtimestamp(moment, UTC).isoformat().replace("+00:00", "Z") if moment else None
