"""A payment gateway behind PortOne, and a ledger, both in memory: what the protocol is tried against."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final, cast

from local.trigger import detail
from refunds.contracts.outbound import Outcome
from refunds.contracts.payment_cancel import PaymentCancellation
from refunds.domain.deadline import Deadline
from refunds.domain.disposition import Acknowledge, Disposition, Publish
from refunds.domain.entry import Entry, Key, State
from refunds.domain.limits import Limits
from refunds.domain.operation import Baseline, Siblings
from refunds.domain.outcomes import same_statement
from refunds.errors import Fenced, LedgerError, OutcomeUnknown, Refused
from refunds.ledger.claims import AlreadyClaimed, Ledger
from refunds.providers.http import wire
from refunds.providers.portone.client import PortOneClient
from refunds.providers.portone.models import Payment
from refunds.providers.portone.payment_cancel import POLICY, PaymentCancel
from refunds.service.guard import Guard
from refunds.service.parts import Delivery, Timing
from refunds.service.refund_service import RefundService

NOW: Final = 1_800_000_000.0
LEASE: Final = 100.0
EVERYTHING: Final = {"imp_uid": "imp_1"}


class Died(BaseException):
    """The process is gone: nothing of it is executed any more."""


@dataclass
class Gateway:
    """One payment at PortOne, and what its PG makes of a cancellation.

    Attributes:
        late: accepts, and books when ``book`` is called.
        keeps_reasons: whether the history shows the reason that was sent.
        said: what every entry of the history says besides.
        answers: what becomes of the next answers: ``lose`` (after carrying out), ``lose before``,
            ``die``, or a text that it is refused with; ``apply and refuse TEXT`` does both.
    """

    currency: str | None = "KRW"
    amount: Decimal = Decimal(10_000)
    pg_provider: str | None = "tosspayments"
    pay_method: str = "card"
    paid_at: int = int(NOW) - 3_600
    late: bool = False
    keeps_reasons: bool = True
    answers: list[str] = field(default_factory=list)
    clock: Callable[[], float] = lambda: NOW
    imp_uid: str = "imp_1"
    merchant_uid: str = "ORD-1"
    history: list[dict[str, Any]] = field(default_factory=list)
    waiting: list[dict[str, Any]] = field(default_factory=list)
    sent: list[dict[str, Any]] = field(default_factory=list)
    extra: dict[str, Any] = field(default_factory=dict)
    said: dict[str, Any] = field(default_factory=dict)
    status: str = "paid"

    @property
    def cancelled(self) -> Decimal:
        """What was cancelled so far."""
        return sum((entry["amount"] for entry in self.history), Decimal(0))

    @property
    def refunded(self) -> Decimal:
        """What was cancelled, or will be."""
        return self.cancelled + sum((entry["amount"] for entry in self.waiting), Decimal(0))

    def cancel(self, body: dict[str, Any]) -> Payment:
        """``POST /payments/cancel``."""
        self.sent.append(body)
        plan = self.answers.pop(0) if self.answers else ""
        if plan == "lose before":
            raise OutcomeUnknown("no answer")
        if plan and plan not in ("lose", "die") and not plan.startswith("apply and refuse"):
            raise Refused("refused", provider_code="-1", provider_message=plan)
        left = self.amount - self.cancelled
        if "checksum" in body and body["checksum"] != left:
            raise Refused(
                "refused", provider_code="1", provider_message="취소 가능 잔액이 일치하지 않습니다."
            )
        if body.get("amount", left) > left:
            raise Refused("refused", provider_code="1", provider_message="초과")
        self.apply(body.get("amount", left), body["reason"])
        if plan == "lose":
            raise OutcomeUnknown("no answer")
        if plan == "die":
            raise Died
        if plan:
            text = plan.removeprefix("apply and refuse").strip()
            raise Refused("refused", provider_code="-1", provider_message=text)
        return self.payment()

    def apply(self, amount: Decimal, reason: str = "관리자 취소", **fields: Any) -> None:
        """Carry a cancellation out, or keep it waiting."""
        entry = {
            "cancellation_id": f"c-{len(self.history) + len(self.waiting) + 1}",
            "amount": amount,
            "reason": reason if self.keeps_reasons or reason == "관리자 취소" else "",
            "cancelled_at": int(self.clock()),
            "pg_tid": "tid",
        }
        (self.waiting if self.late else self.history).append(entry | self.said | fields)

    def book(self) -> None:
        """The PG books what it accepted."""
        self.history += self.waiting
        self.waiting = []
        if self.cancelled == self.amount or self.pg_provider == "paypal_v2":
            self.status = "cancelled"

    def payment(self) -> Payment:
        """As PortOne shows it."""
        shown = {
            "imp_uid": self.imp_uid,
            "merchant_uid": self.merchant_uid,
            "amount": self.amount,
            "cancel_amount": self.cancelled,
            "status": self.status,
            "currency": self.currency,
            "pg_provider": self.pg_provider,
            "pay_method": self.pay_method,
            "paid_at": self.paid_at,
            "cancel_history": self.history,
        }
        return Payment.model_validate(shown | self.extra)


class PortOne:
    """Stands in for the client: payments by their ``imp_uid``."""

    def __init__(self, *gateways: Gateway) -> None:
        self.gateways = {gateway.imp_uid: gateway for gateway in gateways}
        self.repeatable: list[bool] = []
        self.asked = 0

    def cancel(self, body: dict[str, Any], *, repeatable: bool, **_: Any) -> Payment:
        """Cancel."""
        self.repeatable.append(repeatable)
        return self.gateways[body["imp_uid"]].cancel(body)

    def payment(self, imp_uid: str, **_: Any) -> Payment | None:
        """Look one up."""
        self.asked += 1
        return self.gateways[imp_uid].payment() if imp_uid in self.gateways else None

    def payments_of(self, merchant_uid: str, **_: Any) -> tuple[Payment, ...]:
        """Look up those of an order."""
        self.asked += 1
        shown = (gateway.payment() for gateway in self.gateways.values())
        return tuple(payment for payment in shown if payment.merchant_uid == merchant_uid)

    def check(self, *, body: object = None, **_: Any) -> None:
        """Build the request."""
        wire.encode(body)


class Memory:
    """Stands in for the ledger: fenced by version; its index shows items ``lag`` writes late."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.items: dict[Key, Entry] = {}
        self.held: dict[tuple[str, str, str], Key] = {}
        self.index_lags = False
        self.open: list[Key] = []
        self.dies_before: str | None = None

    def get(self, key: Key) -> Entry | None:
        """Read."""
        return self.items.get(key)

    def claim(self, entry: Entry) -> Entry:
        """Write the first item."""
        self._may_die("claim")
        if entry.key in self.items:
            raise AlreadyClaimed(self.items[entry.key])
        return self._write(entry)

    def take_over(
        self, old: Entry, *, owner: str, lease_until: float, repaired: Entry | None = None
    ) -> Entry:
        """Take over."""
        changed = old
        if repaired is not None:
            changed = replace(
                old,
                fingerprint=repaired.fingerprint,
                request=repaired.request,
                payment_ref=repaired.payment_ref,
                baseline=repaired.baseline,
            )
        return self._write(
            replace(
                changed, state=State.STARTED, owner=owner, lease_until=lease_until, attempt=old.attempt + 1
            ),
            old,
            AlreadyClaimed,
        )

    def renew(self, entry: Entry, *, baseline: Baseline, lease_until: float) -> Entry:
        """Renew."""
        renewed = replace(
            entry,
            baseline=baseline,
            payment_ref=baseline.subject,
            lease_until=lease_until,
            in_doubt=True,
            limits_passed=True,
        )
        return self._write(renewed, entry)

    def learn(self, entry: Entry, *, baseline: Baseline) -> Entry:
        """Learn."""
        return self._write(replace(entry, baseline=baseline), entry)

    def release(self, entry: Entry, *, in_doubt: bool, baseline: Baseline | None = None) -> None:
        """Release."""
        kept = baseline or entry.baseline
        self._write(replace(entry, lease_until=0.0, in_doubt=in_doubt, baseline=kept), entry)

    def record(  # noqa: PLR0913 - as the ledger
        self,
        entry: Entry,
        state: State,
        outcome: Outcome,
        *,
        in_doubt: bool,
        proof: str,
        unpublished: bool = False,
        baseline: Baseline | None = None,
    ) -> Entry:
        """Record."""
        self._may_die("record")
        same = entry.outcome is None or same_statement(entry.outcome, outcome)
        recorded = replace(
            entry,
            state=state,
            outcome=outcome,
            in_doubt=in_doubt,
            proof=proof,
            unpublished=unpublished,
            baseline=baseline or entry.baseline,
            lease_until=entry.lease_until if in_doubt else 0.0,
            statement=entry.statement if same else entry.statement + 1,
        )
        return self._write(recorded, entry)

    def published(self, entry: Entry) -> Entry:
        """Take the mark away."""
        return self._write(replace(entry, unpublished=False), entry)

    def mark_unpublished(self, entry: Entry) -> Entry:
        """Mark."""
        return self._write(replace(entry, unpublished=True), entry)

    def note_open(self, entry: Entry) -> None:
        """Note."""
        self.open.append(entry.key)

    def hold_entry(self, entry: Entry, provider: str, subject: str, cancellation_id: str) -> bool:
        """Hold."""
        return self.held.setdefault((provider, subject, cancellation_id), entry.key) == entry.key

    def siblings(self, entry: Entry) -> Siblings:
        """What the index shows."""
        others = [e for e in self.items.values() if e.payment_ref == entry.payment_ref and e.key != entry.key]
        if self.index_lags:
            others = []
        succeeded = [e.outcome for e in others if e.outcome and e.state is State.SUCCEEDED]
        ids = (outcome.provider.cancellation_id for outcome in succeeded)
        amounts = (e.request.get("amount") for e in others if not e.state.terminal)
        return Siblings(
            cancellation_ids=frozenset(i for i in ids if i),
            open_amounts=tuple(None if a is None else Decimal(str(a)) for a in amounts),
            others_succeeded=bool(succeeded),
        )

    def _write(self, entry: Entry, seen: Entry | None = None, refuse: type[LedgerError] = Fenced) -> Entry:
        if seen is not None and self.items[entry.key].revision != seen.revision:
            raise AlreadyClaimed(self.items[entry.key]) if refuse is AlreadyClaimed else Fenced("fenced")
        when = datetime.fromtimestamp(self._clock(), UTC).isoformat()
        written = replace(
            entry, revision=entry.revision + 1, timeline=(*entry.timeline, f"{when} {entry.state}")
        )
        self.items[entry.key] = written
        return written

    def _may_die(self, before: str) -> None:
        if self.dies_before == before:
            self.dies_before = None
            raise Died


@dataclass
class World:
    """A service of ``payment_cancel`` and all it works with; time stands still unless it is moved."""

    gateways: tuple[Gateway, ...] = field(default_factory=lambda: (Gateway(),))
    limits: Limits = field(default_factory=Limits)
    memory_seconds: float | None = None
    under_way: float = 0.0
    now: float = NOW

    def __post_init__(self) -> None:
        """Put it together."""
        for gateway in self.gateways:
            gateway.clock = lambda: self.now
        self.portone = PortOne(*self.gateways)
        self.ledger = Memory(lambda: self.now)
        self.operation = PaymentCancel(cast("PortOneClient", self.portone))
        self.published: list[Outcome] = []
        owners = itertools.count(1)
        self.service = RefundService(
            POLICY,
            self.operation,
            cast("Ledger", self.ledger),
            timing=Timing(lambda: self.now, 10.0, LEASE, under_way=self.under_way),
            new_owner=lambda: f"owner-{next(owners)}",
            guard=Guard(self.limits, memory=self.memory_seconds),
        )

    @property
    def gateway(self) -> Gateway:
        """The only one, or the first."""
        return self.gateways[0]

    def deliver(
        self, detail: dict[str, Any], *, final: bool = False, republished: bool = True
    ) -> Disposition:
        """One delivery of a message; what is to be published is, leases end between deliveries."""
        cancellation = PaymentCancellation.model_validate(detail)
        delivery = Delivery(Deadline(60.0, lambda: 0.0), final_receive=final, republished=republished)
        try:
            disposition = self.service.process(cancellation, delivery)
        finally:
            self.now += 60.0 + 2 * LEASE
        if isinstance(disposition, Publish):
            self.published.append(disposition.outcome)
            if disposition.mark is not None:
                self.service.published(disposition.mark)
        assert not isinstance(disposition, Acknowledge)
        return disposition

    def dies(self, detail: dict[str, Any]) -> None:
        """One delivery in which the process dies."""
        try:
            self.deliver(detail)
        except Died:
            return
        raise AssertionError("it was meant to die")

    def item(self, key: str = "cr-1") -> Entry:
        """The ledger item."""
        return self.ledger.items[Key("payment_cancel", key)]

    def told(self) -> list[tuple[str, str | None, bool | None]]:
        """What accounting was told: outcome, error code, whether it may have been applied."""
        return [statement(outcome) for outcome in self.published]


def statement(outcome: Outcome) -> tuple[str, str | None, bool | None]:
    """What an outcome says."""
    error = outcome.error
    if error is None:
        return (str(outcome.outcome), None, None)
    return (str(outcome.outcome), str(error.code), error.may_have_been_applied)


def wanted(
    key: str = "cr-1", *, currency: str | None = None, made_at: float = NOW, **request: Any
) -> dict[str, Any]:
    """The detail of an event; without fields, all that is left of ``imp_1`` is cancelled."""
    said = {} if currency is None else {"currency": currency}
    request = request if "merchant_uid" in request else {"imp_uid": "imp_1", **request}
    return detail(key, request, requested_at=datetime.fromtimestamp(made_at, UTC).isoformat(), **said)
