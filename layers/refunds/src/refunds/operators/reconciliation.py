"""PortOne's cancellations of a period against the ledger's: the daily proof that both tell the same story.

Both directions are checked. What PortOne lists is looked for in the ledger (an index query per payment).
What the ledger recorded in the period, read from the index of its days, is asked for payment by payment where
the list has not shown it: the list has only payments whose status is ``cancelled`` and goes by their last
cancellation, so that it shows neither every partial cancellation nor every day's.

What settles later than it is booked may still be rejected. It is asked about again days later: one that was
booked and is not there any more is ``reversed``.

It costs what the period has, however large the ledger is, and works in pieces: a piece that has to stop says
where the next one goes on.

EBP offers no list of cancellations: of ``order_cancel`` only what settles later is asked about again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Self

from refunds.domain.attribution import with_tag
from refunds.domain.deadline import Deadline
from refunds.domain.entry import Entry, Key, State
from refunds.domain.operation import Rejected
from refunds.domain.tag import carries, tag_of
from refunds.errors import ConfigurationError, InvalidRequest, LookupFailed, NotSent
from refunds.ledger.queries import LedgerQueries, Partition, Readings, recorded_at
from refunds.ledger.shards import day_of, days
from refunds.operators.status_inquiry import StatusInquiry, recall
from refunds.operators.walk import Place, Walk
from refunds.providers.portone.models import CancelHistoryEntry, Payment, UnreadablePayment

if TYPE_CHECKING:
    from refunds.providers.portone.client import PortOneClient

CANCEL_TYPE: Final = "payment_cancel"
MAX_DAYS: Final = 90  # GET /payments/status/{status}, docs/providers.md
#: Days after which what settles later than it is booked is looked at again.
DUE_AFTER: Final = (4, 14)
_LISTINGS: Final = 3  # tries at a list that does not move while it is read
_READERS: Final = 8
_PATIENCE: Final = 3  # questions in a row without an answer: the provider is out
_DAY: Final = 86_400
_SPREAD_AFTER: Final = 3_600  # seconds; DynamoDB's copies of an item are alike after one, as a rule
_DEFAULT_CURRENCY: Final = "KRW"  # of an answer that names none (PortOne's specification)
_NO_ANSWER: Final = (LookupFailed, NotSent, ConfigurationError, InvalidRequest)


class Kind(StrEnum):
    """How PortOne and the ledger differ."""

    NOT_IN_LEDGER = "not_in_ledger"
    """Refunded elsewhere (a console, another system), or by us without the ledger knowing."""
    NOT_AT_PROVIDER = "not_at_provider"
    """Recorded and published as refunded, but PortOne has no such cancellation."""
    AMOUNT_DIFFERS = "amount_differs"
    """The same cancellation with two amounts or currencies."""
    REVERSED = "reversed"
    """Booked, recorded and published, and rejected before the money arrived: it has not moved after all."""
    UNANSWERED = "unanswered"
    """Nobody can say: PortOne, or the ledger, has no readable answer about it."""


@dataclass(frozen=True)
class Difference:
    """One difference. Amounts are exact, in ``currency``; ``at`` is PortOne's time of it (ISO 8601)."""

    kind: Kind
    imp_uid: str
    note: str
    merchant_uid: str | None = None
    cancellation_id: str | None = None
    cancel_request_id: str | None = None
    currency: str | None = None
    provider_amount: Decimal | None = None
    ledger_amount: Decimal | None = None
    at: str | None = None

    def to_json(self) -> dict[str, object]:
        """For a log or an answer: amounts as texts, which no JSON reader rounds."""
        return {
            name: str(value) if isinstance(value, Decimal) else value for name, value in vars(self).items()
        }


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

    def days_ended(self, days_before: int) -> Window:
        """The days in UTC that ended in the period, so many days before: the ledger's items stand by these.

        Of periods that follow each other, each day is in one.
        """
        shift = days_before * _DAY
        return Window(self.since // _DAY * _DAY - shift, self.until // _DAY * _DAY - shift)

    def has(self, moment: int | None) -> bool:
        """Whether it lies in the period; what has no time might."""
        return moment is None or self.since <= moment < self.until


@dataclass(frozen=True)
class Stop:
    """Where a comparison goes on.

    Attributes:
        tier: number of the list that is being read; behind the last one once all have been.
        page: its next page, from 1; ``total`` is how many payments the list had so far.
        place: in the ledger's days.
    """

    tier: int = 0
    page: int = 1
    total: int | None = None
    place: Place = field(default_factory=Place)

    def to_json(self) -> dict[str, object]:
        """For an event that invokes a function."""
        return {**vars(self), "place": self.place.to_json()}

    @classmethod
    def of_json(cls, value: object) -> Self:
        """What ``to_json`` wrote; the beginning for anything else."""
        if not isinstance(value, Mapping):
            return cls()
        numbers = {n: value[n] for n in ("tier", "page", "total") if isinstance(value.get(n), int)}
        return cls(**numbers, place=Place.of_json(value.get("place")))


@dataclass(frozen=True)
class _Part:
    """A period of the ledger to read: everything, or only what settles late."""

    window: Window
    late_only: bool

    def wants(self, entry: Entry) -> bool:
        """Whether an entry is to be compared."""
        if entry.state is not State.SUCCEEDED or not self.window.has(int(recorded_at(entry))):
            return False
        return settles_late(entry) if self.late_only else entry.key.cancel_type == CANCEL_TYPE


class Reconciliation:
    """Compares a period.

    Args:
        patience: seconds for one question to PortOne.
        tiers: sub-merchants whose payments are listed besides the merchant's own.
        status_inquiry: asks about what settles later at other providers; without it, that is left out.
        due_after: days after which what settles later is looked at again.
        clock: UNIX seconds; what was recorded long ago is then read at half the price.
    """

    def __init__(  # noqa: PLR0913 - what it works with, each once
        self,
        ledger_queries: LedgerQueries,
        client: PortOneClient,
        *,
        patience: float,
        tiers: Iterable[str] = (),
        status_inquiry: StatusInquiry | None = None,
        due_after: Sequence[int] = DUE_AFTER,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self._ledger_queries = ledger_queries
        self._client = client
        self._patience = patience
        self._tiers: tuple[str | None, ...] = (None, *tiers)
        self._status_inquiry = status_inquiry
        self._due_after = due_after
        self._clock = clock
        self._compared: set[int] = set()
        self._told: set[int] = set()
        self._silent = 0
        self._steps = 0
        self.stopped: Stop | None = None
        """Where the next piece goes on; ``None`` once everything was compared."""

    def run(
        self, window: Window, *, deadline: Deadline | None = None, start: Stop | None = None
    ) -> Iterator[Difference]:
        """Every difference, in no particular order; ends early, and sets ``stopped``, when the time is up.

        Raises:
            LookupFailed: PortOne could not be asked to the end; what was found until then is right.
        """
        start = start or Stop()
        with ThreadPoolExecutor(_READERS, thread_name_prefix="compare") as readers:
            for number in range(start.tier, len(self._tiers)):
                first = start if number == start.tier else Stop(number)
                yield from self._compare_list(window, first, deadline, readers)
                if self.stopped is not None:
                    return
            listed = Stop(len(self._tiers), place=start.place)
            yield from self._compare_ledger(window, listed, deadline, readers)

    def _compare_list(
        self, window: Window, start: Stop, deadline: Deadline | None, readers: ThreadPoolExecutor
    ) -> Iterator[Difference]:
        """One list, page by page, each payment once. One that moves meanwhile is read again."""
        known: set[str] = set()
        page, total = start.page, start.total
        for _ in range(_LISTINGS):
            steady = True
            while page:
                if self._is_time_up(deadline):
                    self.stopped = Stop(start.tier, page, total)
                    return
                found = self._client.cancelled_between(
                    window.since,
                    window.until - 1,
                    deadline=self._deadline(),
                    page=page,
                    tier=self._tiers[start.tier],
                )
                steady = steady and total in (None, found.total)
                total = found.total
                readable = [payment for payment in found.payments if isinstance(payment, Payment)]
                fresh = [payment for payment in readable if payment.imp_uid not in known]
                for payment in found.payments:
                    if isinstance(payment, UnreadablePayment):
                        yield _unreadable_payment(payment)
                known.update(payment.imp_uid for payment in fresh)
                entries = readers.map(lambda payment: self._entries(payment.imp_uid), fresh)
                for listed, booked in zip(fresh, entries, strict=True):
                    yield from self._compare_listed(listed, booked, window)
                if found.next not in (0, page + 1):
                    raise LookupFailed(f"PortOne's list of cancelled payments breaks off after page {page}")
                page = found.next
            if steady:
                return
            page = 1
        raise LookupFailed(
            "PortOne's list of cancelled payments kept changing while it was read: try again later"
        )

    def _compare_listed(
        self, payment: Payment, entries: Sequence[Entry], window: Window
    ) -> Iterator[Difference]:
        """A payment as the list shows it; one whose refund the list does not show is asked for."""
        matched: set[Key] = set()
        yield from _compare(payment, entries, window, matched)
        part = _Part(window, late_only=False)
        self._told.add(hash(payment.imp_uid))
        if all(entry.key in matched for entry in entries if part.wants(entry)):
            self._compared.add(hash(payment.imp_uid))

    def _compare_ledger(
        self, window: Window, start: Stop, deadline: Deadline | None, readers: ThreadPoolExecutor
    ) -> Iterator[Difference]:
        """What the ledger recorded, and what is due, against what PortOne shows of each payment."""
        parts = self._parts(window)
        walk = Walk(self._ledger_queries, [partition for partition, _ in parts], start.place)
        for keys in walk:
            if self._is_time_up(deadline):
                self.stopped = replace(start, place=walk.place)
                return
            part = parts[walk.number][1]
            readings = self._read(keys, part.window)
            for key in readings.unreadable:
                yield _unreadable(key)
            wanted = [entry for entry in readings.entries.values() if part.wants(entry)]
            for found in readers.map(lambda group: self._ask(*group), _by_payment(wanted, part)):
                yield from found

    def _is_time_up(self, deadline: Deadline | None) -> bool:
        """Not before the first step: every run gets on."""
        self._steps += 1
        return deadline is not None and self._steps > 1 and deadline.remaining() <= 0

    def _parts(self, window: Window) -> list[tuple[Partition, _Part]]:
        parts = [_Part(window, late_only=False)]
        parts += [_Part(window.days_ended(days_back), late_only=True) for days_back in self._due_after]
        return [
            (partition, part)
            for part in parts
            for day in days(day_of(part.window.since), day_of(part.window.until - 1))
            for partition in self._ledger_queries.day_partitions(day)
        ]

    def _read(self, keys: Sequence[Key], window: Window) -> Readings:
        """Strongly consistent, unless the period is long over: then every copy has what was recorded in it.

        What succeeded does not change any more. Nothing is told of an item because its copy is old.
        """
        if self._clock is None or window.until > self._clock() - _SPREAD_AFTER:
            return self._ledger_queries.readable(keys)
        readings = self._ledger_queries.readable(keys, consistent=False)
        again = self._ledger_queries.readable(readings.unreadable)
        return Readings({**readings.entries, **again.entries}, again.unreadable)

    def _entries(self, imp_uid: str, known: Iterable[Entry] = ()) -> list[Entry]:
        """The payment's cancellations, strongly consistent; what succeeded does not change any more."""
        return [
            entry
            for entry in self._ledger_queries.of_payment(imp_uid, known=known)
            if entry.key.cancel_type == CANCEL_TYPE
        ]

    def _ask(self, subject: str, wanted: Sequence[Entry], part: _Part) -> list[Difference]:
        """What the provider shows of a payment or order whose refunds the ledger has."""
        if wanted[0].key.cancel_type != CANCEL_TYPE:
            return self._ask_otherwise(wanted)
        place = hash(subject)
        if not part.late_only and place in self._compared:
            return []
        entries = self._entries(subject, wanted)
        tier = next((str(entry.request["tier"]) for entry in entries if "tier" in entry.request), None)
        try:
            payment = self._client.payment(subject, tier=tier, deadline=self._deadline())
        except (LookupFailed, NotSent) as error:
            return self._unanswered(wanted[0], error)
        self._silent = 0
        matched: set[Key] = set()
        differences = (
            [] if payment is None else list(_compare(payment, entries, part.window, matched, wanted))
        )
        lost = [_missing(entry, payment) for entry in wanted if entry.key not in matched]
        if part.late_only or place in self._told:  # the rest was told when it was new, or as it was listed
            return lost
        self._compared.add(place)
        return differences + lost

    def _ask_otherwise(self, wanted: Sequence[Entry]) -> list[Difference]:
        """A provider without a list: asked about each refund that is due."""
        found: list[Difference] = []
        for entry in wanted:
            if self._status_inquiry is None or entry.baseline is None:
                continue
            try:
                answer = self._status_inquiry.resolve(entry, recall(entry))
            except _NO_ANSWER as error:
                found += self._unanswered(entry, error)
                continue
            self._silent = 0
            if isinstance(answer, Rejected):
                found.append(_missing(entry, None, note=f"reversed: {answer.failure.message}"))
        return found

    def _unanswered(self, entry: Entry, error: Exception) -> list[Difference]:
        """One refund that cannot be asked about ends nothing; a provider that is out ends the comparison."""
        self._silent += 1
        if self._silent >= _PATIENCE:
            raise LookupFailed(f"the provider does not answer: {error}")
        note = f"it could not be asked about ({error}): compare it by hand"
        return [replace(_missing(entry, None, note=note), kind=Kind.UNANSWERED)]

    def _deadline(self) -> Deadline:
        return Deadline(time.monotonic() + self._patience, time.monotonic)


def settles_late(entry: Entry) -> bool:
    """Whether the money arrives later than it is booked, or nobody knows when."""
    money = entry.outcome.money if entry.outcome else None
    return money is not None and money.settles != "immediate"


def _by_payment(entries: Iterable[Entry], part: _Part) -> list[tuple[str, list[Entry], _Part]]:
    groups: dict[tuple[str, str], list[Entry]] = {}
    for entry in entries:
        groups.setdefault((entry.key.cancel_type, entry.payment_ref or ""), []).append(entry)
    return [(subject, group, part) for (_, subject), group in groups.items() if subject]


def _compare(
    payment: Payment,
    entries: Iterable[Entry],
    window: Window,
    matched: set[Key],
    wanted: Iterable[Entry] = (),
) -> Iterator[Difference]:
    """Every cancellation of one payment against the ledger's entries of it; adds to ``matched``."""
    entries = list(entries)
    meant = {entry.key for entry in wanted}
    succeeded = [entry for entry in entries if entry.state is State.SUCCEEDED and entry.outcome]
    for record in payment.history:
        if not _is_booked(payment, record):
            continue
        entry = _match(record, [one for one in succeeded if one.key not in matched])
        if entry is not None:
            matched.add(entry.key)
        if not window.has(record.cancelled_at) and (entry is None or entry.key not in meant):
            continue
        if entry is None:
            yield _not_in_ledger(payment, record, entries)
        elif _differs(payment, record, entry):
            yield _amount_differs(payment, record, entry)


def _is_booked(payment: Payment, record: CancelHistoryEntry) -> bool:
    """Whether an entry of a history says that money moved."""
    return record.is_done and payment.cancelled >= record.amount


def _differs(payment: Payment, record: CancelHistoryEntry, entry: Entry) -> bool:
    money = entry.outcome.money if entry.outcome else None
    if money is None or money.cancelled is None:
        return False
    return (money.cancelled, money.currency) != (record.amount, _currency(payment))


def _currency(payment: Payment) -> str:
    return payment.currency or _DEFAULT_CURRENCY


def _match(record: CancelHistoryEntry, entries: Iterable[Entry]) -> Entry | None:
    """The entry that holds the cancellation's id; else one without an id, resolved by hand, of its amount."""
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
    ours = next((e for e in entries if carries(record.reason, _tag(e))), None)
    equal = next((e for e in entries if _amount(e) == record.amount), None)
    note = "made elsewhere: no request of ours"
    marked = with_tag(payment.history, _tag(ours)) if ours else []
    if ours is not None and len(marked) > 1:
        what = _what_several_are(marked, ours)
        note = f"one of {len(marked)} that carry the mark of {ours.key}: {what}"
    elif ours is not None and ours.state is State.SUCCEEDED:
        note = f"carries the mark of {ours.key}, which has another cancellation: it was carried out twice"
    elif ours is not None:
        note = f"carries the mark of {ours.key}, which is {ours.state} in the ledger: refundctl resolve"
    elif equal is not None:
        note = f"of the same amount as {equal.key}: made elsewhere, or that one was carried out twice"
    return Difference(
        kind=Kind.NOT_IN_LEDGER,
        imp_uid=payment.imp_uid,
        note=note,
        merchant_uid=payment.merchant_uid,
        cancellation_id=record.cancellation_id,
        cancel_request_id=ours.key.cancel_request_id if ours else None,
        currency=_currency(payment),
        provider_amount=record.amount,
        at=_iso(record.cancelled_at),
    )


def _what_several_are(marked: Sequence[CancelHistoryEntry], ours: Entry) -> str:
    left = ours.baseline.cancellable if ours.baseline else None
    if sum(entry.amount for entry in marked) == ours.request.get("amount", left):
        return "together they are what it asked for"
    return f"it was carried out {len(marked)} times"


def _amount_differs(payment: Payment, record: CancelHistoryEntry, entry: Entry) -> Difference:
    money = entry.outcome.money if entry.outcome else None
    other = f" in {money.currency}" if money and money.currency != _currency(payment) else ""
    return Difference(
        kind=Kind.AMOUNT_DIFFERS,
        imp_uid=payment.imp_uid,
        note=f"the ledger and accounting have another amount{other} than PortOne",
        merchant_uid=payment.merchant_uid,
        cancellation_id=record.cancellation_id,
        cancel_request_id=entry.key.cancel_request_id,
        currency=_currency(payment),
        provider_amount=record.amount,
        ledger_amount=_amount(entry),
        at=_iso(record.cancelled_at),
    )


def _missing(entry: Entry, payment: Payment | None, *, note: str | None = None) -> Difference:
    """A refund that was recorded and is not there: never was, or was taken back before it settled."""
    outcome = entry.outcome
    booked = outcome is not None and (outcome.provider.cancellation_id or outcome.provider.return_request_id)
    kind = Kind.REVERSED if booked and settles_late(entry) else Kind.NOT_AT_PROVIDER
    if note is None:
        note = "PortOne does not know the payment" if payment is None else "its history does not show it"
        if kind is Kind.REVERSED:
            note = f"recorded as booked, to settle later, and not there: {note}"
    return Difference(
        kind=kind,
        imp_uid=entry.payment_ref or "",
        note=note,
        merchant_uid=outcome.provider.merchant_uid if outcome else None,
        cancellation_id=outcome.provider.cancellation_id if outcome else None,
        cancel_request_id=entry.key.cancel_request_id,
        currency=outcome.money.currency if outcome and outcome.money else None,
        ledger_amount=_amount(entry),
    )


def _unreadable(key: Key) -> Difference:
    note = f"the ledger item {key} cannot be read by this version"
    return Difference(Kind.UNANSWERED, "", note, cancel_request_id=key.cancel_request_id)


def _unreadable_payment(payment: UnreadablePayment) -> Difference:
    return Difference(Kind.UNANSWERED, payment.imp_uid or "", "PortOne's list shows it unreadably")


def _tag(entry: Entry) -> str:
    return tag_of(entry.key.cancel_type, entry.key.cancel_request_id)


def _iso(moment: int | None) -> str | None:
    return datetime.fromtimestamp(moment, UTC).isoformat().replace("+00:00", "Z") if moment else None
