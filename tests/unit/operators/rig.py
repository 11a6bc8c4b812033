"""An operator's operators over a ledger in memory and a provider that answers as it is told."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from refunds.cancel_types import MODULES, cancel_type
from refunds.contracts.outbound import MoneyMoved, ProviderRefs
from refunds.domain.entry import Entry, Key, State
from refunds.domain.operation import Accepted, Applied, Baseline, Effect, Failure, Money, Resolution, Unproven
from refunds.domain.outcomes import OutcomeFactory, Trouble, as_recorded
from refunds.errors import ErrorCode
from refunds.ledger.claims import Ledger
from refunds.ledger.queries import LedgerQueries
from refunds.messaging.publisher import Publisher
from refunds.operators.resolution import Resolver, identity_in
from refunds.operators.status_inquiry import StatusInquiry
from tests.fakes.direct import Direct
from tests.fakes.dynamodb import Tables
from tests.fakes.messaging import Bus

START = 1_800_000_000.0
DAY = 86_400.0
SHOWN = Baseline(
    subject="imp_1",
    currency="KRW",
    cancellable=Decimal(10_000),
    cancellation_ids=(),
    shown={"pg_provider": "html5_inicis", "pay_method": "card"},
)


@dataclass
class Provider:
    """Every operation of every provider: answers by subject, ``Unproven`` where it was told nothing."""

    answers: dict[str, Resolution | Exception] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def resolve(self, _attempt: Any, baseline: Baseline, _context: Any) -> Resolution:
        """What it was told to say."""
        self.asked.append(baseline.subject)
        answer = self.answers.get(baseline.subject, Unproven("nothing is shown"))
        if isinstance(answer, Exception):
            raise answer
        return answer

    def amount(self, cancellation: Any, baseline: Baseline) -> Money:
        """What is asked for, or all that is left."""
        asked = getattr(cancellation.request, "amount", None) or baseline.cancellable or Decimal(0)
        return Money(asked, baseline.currency or "KRW")


@dataclass
class OperatorRig:
    """What operators and scheduled functions work with; ``now`` is UNIX seconds and moved by the test."""

    now: float = START
    tables: Tables = field(default_factory=lambda: Tables(ledger="pk"))
    bus: Bus = field(default_factory=Bus)
    provider: Provider = field(default_factory=Provider)

    def __post_init__(self) -> None:
        self.client: Any = Direct(self.tables)
        client: Any = self.client
        self.ledger = Ledger(client, "ledger", clock=lambda: self.now, ttl_days=400)
        self.queries = LedgerQueries(client, "ledger", MODULES)
        self.publisher = Publisher(Direct(self.bus), "accounting")  # type: ignore[arg-type]
        operations: Any = dict.fromkeys(MODULES, self.provider)
        self.inquiry = StatusInquiry(operations, self.ledger, 1.0)
        self.resolver = Resolver(self.ledger, self.publisher, self.inquiry, clock=lambda: self.now)

    def claim(self, key: str = "cr-1", kind: str = "payment_cancel", **changes: Any) -> Entry:
        """A request that a worker took on now and left at once, perhaps after sending it."""
        baseline = changes.pop("baseline", replace(SHOWN, subject=f"imp_{key}"))
        entry = Entry(
            key=Key(kind, key),
            fingerprint="f" * 64,
            order_id="ORD-1",
            requested_by="customer",
            requested_at="2026-11-21T05:00:00Z",
            request={"imp_uid": f"imp_{key}", "amount": 1000},
            payment_ref=baseline.subject if baseline else None,
            owner="worker",
            lease_until=self.now,
            in_doubt=True,
            baseline=baseline,
        )
        return self.ledger.claim(replace(entry, **changes))

    def park(
        self,
        key: str = "cr-1",
        code: ErrorCode = ErrorCode.OUTCOME_UNKNOWN,
        *,
        in_doubt: bool = True,
        unpublished: bool = False,
        **changes: Any,
    ) -> Entry:
        """A request that is parked now."""
        entry = self.claim(key, **changes)
        trouble = Trouble(code, "made up", may_have_been_applied=in_doubt)
        outcome = self.outcomes(entry).parked(trouble, 1, entry.baseline)
        return self.ledger.record(
            entry,
            State.PARKED,
            as_recorded(outcome, entry),
            in_doubt=in_doubt,
            proof="made up",
            unpublished=unpublished,
        )

    def pend(self, key: str = "cr-1", **changes: Any) -> Entry:
        """A request that a provider accepted now and has not booked."""
        entry = self.claim(key, **changes)
        outcome = as_recorded(self.outcomes(entry).pending(accepted(), 1), entry)
        return self.ledger.record(entry, State.PENDING, outcome, in_doubt=True, proof="accepted")

    def succeed(self, key: str = "cr-1", *, unpublished: bool = False, **changes: Any) -> Entry:
        """A request that succeeded now."""
        settles = changes.pop("settles", "immediate")
        reference = changes.pop("cancellation_id", f"c-{key}")
        currency = changes.pop("currency", "KRW")
        amount = Decimal(changes.pop("amount", 1000))
        entry = self.claim(key, **changes)
        effect = applied(key, amount, currency, reference, settles).effect
        outcome = as_recorded(self.outcomes(entry).succeeded(effect, 1), entry)
        return self.ledger.record(
            entry, State.SUCCEEDED, outcome, in_doubt=False, proof="shown", unpublished=unpublished
        )

    def outcomes(self, entry: Entry) -> OutcomeFactory:
        """Outcomes of an entry that occur now."""
        return OutcomeFactory(
            cancel_type(entry.key.cancel_type).policy, identity_in(entry), "2026-11-21T05:00:01Z"
        )

    def entry(self, key: str = "cr-1", kind: str = "payment_cancel") -> Entry:
        """As the ledger has it now."""
        found = self.ledger.get(Key(kind, key))
        assert found is not None
        return found

    def told(self) -> list[tuple[str, str]]:
        """Every statement on the accounting bus: request and outcome."""
        return [(one["cancel_request_id"], one["outcome"]) for one in self.bus.details()]

    def spoil(self, key: str, **attributes: Any) -> None:
        """Change an item as another version might have written it."""
        self.tables.items["ledger"][key] |= attributes


def applied(
    key: str,
    amount: Decimal = Decimal(1000),
    currency: str = "KRW",
    reference: str | None = None,
    settles: Any = "immediate",
    held_as: str | None = None,
) -> Applied:
    """The provider shows it carried out."""
    money = MoneyMoved(currency=currency, cancelled=amount, settles=settles)
    refs = ProviderRefs(name="portone", imp_uid=f"imp_{key}", cancellation_id=reference)
    return Applied(Effect(provider=refs, proof="the history shows it", money=money, held_as=held_as))


def accepted() -> Accepted:
    """The provider said yes and has not booked it."""
    money = MoneyMoved(currency="KRW", cancelled=Decimal(1000))
    return Accepted(ProviderRefs(name="portone"), "accepted", money)


def refused(*, late: bool = True) -> Failure:
    """Proven not applied; ``late`` excludes that an earlier attempt still arrives."""
    return Failure(
        code=ErrorCode.ALREADY_CANCELLED,
        message="the payment is fully cancelled already",
        provider=ProviderRefs(name="portone"),
        excludes_late_attempts=late,
    )


def by_key(entries: Iterator[Entry]) -> dict[str, Entry]:
    """Entries by the order service's id."""
    return {entry.key.cancel_request_id: entry for entry in entries}
