"""A ledger over a table in memory, reached through botocore."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest

from refunds.contracts.outbound import (
    MoneyMoved,
    Outcome,
    OutcomeError,
    OutcomeKind,
    ProviderRefs,
    outcome_id,
)
from refunds.domain.entry import Entry, Key
from refunds.domain.operation import Baseline
from refunds.errors import ErrorCode
from refunds.ledger.claims import Ledger
from refunds.ledger.queries import LedgerQueries
from tests.fakes import dynamodb
from tests.fakes.endpoint import Aws

TABLE = "ledger"
NOON = 1_795_262_400.0  # 2026-11-21T12:00:00Z
DAY = 86_400.0
PROVIDERS = {"payment_cancel": "portone", "vbank_revoke": "portone", "order_cancel": "ebp"}


@dataclass
class Shelf:
    """The ledger, its queries and its table, at a time that the test sets."""

    tables: dynamodb.Tables = field(default_factory=lambda: dynamodb.Tables(**{TABLE: "pk"}))
    now: float = NOON
    passed_over: list[Key] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.client = Aws({dynamodb.TARGET: self.tables}).connect("dynamodb")
        self.ledger = Ledger(
            self.client, TABLE, clock=lambda: self.now, ttl_days=400, provider_of=PROVIDERS.get
        )
        self.queries = LedgerQueries(
            self.client, TABLE, ["payment_cancel", "order_cancel"], unreadable=self.passed_over.append
        )

    @property
    def items(self) -> dict[str, dict[str, Any]]:
        """The table, by partition key."""
        return self.tables.items[TABLE]

    def item(self, entry: Entry) -> dict[str, Any]:
        """An entry's item."""
        return self.items[str(entry.key)]

    def read(self, entry: Entry) -> Entry:
        """An entry as its item says it is."""
        found = self.ledger.get(entry.key)
        assert found is not None
        return found

    def claimed(self, number: int = 1, **said: Any) -> Entry:
        """A request that a worker has begun."""
        return self.ledger.claim(new_entry(number, **said))


@pytest.fixture
def shelf() -> Shelf:
    """An empty table."""
    return Shelf()


def new_entry(number: int = 1, **said: Any) -> Entry:
    """A request that is about to be claimed and sent."""
    fields: dict[str, Any] = {
        "key": Key("payment_cancel", f"cr-{number}"),
        "fingerprint": f"1:{number:064x}:0a1b2c",
        "order_id": "ORD20261121004",
        "requested_by": "customer",
        "requested_at": "2026-11-21T05:20:00Z",
        "request": {"imp_uid": "imp_448280090641", "amount": 1000},
        "payment_ref": "imp_448280090641",
        "owner": f"{number:032x}",
        "lease_until": NOON + 95,
        "baseline": Baseline(
            subject="imp_448280090641",
            currency="KRW",
            cancellable=Decimal(10_000),
            cancellation_ids=(),
            status="paid",
            shown={"merchant_uid": "ORD20261121004", "pg_provider": "tosspayments", "pay_method": "card"},
        ),
        "in_doubt": True,
        "limits_passed": True,
    }
    return Entry(**fields | said)


def outcome(entry: Entry, kind: OutcomeKind = OutcomeKind.SUCCEEDED, **said: Any) -> Outcome:
    """What is told of an entry that is recorded now."""
    error = said.get("error")
    fields: dict[str, Any] = {
        "outcome_id": outcome_id(entry.key.cancel_type, entry.key.cancel_request_id, kind, error),
        "revision": entry.revision + 1,
        "outcome": kind,
        "cancel_type": entry.key.cancel_type,
        "cancel_request_id": entry.key.cancel_request_id,
        "order_id": entry.order_id,
        "requested_by": entry.requested_by,
        "requested_at": entry.requested_at,
        "occurred_at": "2026-11-21T12:00:02.540824Z",
        "attempts": entry.attempt,
        "provider": ProviderRefs(
            name="portone",
            imp_uid="imp_448280090641",
            merchant_uid="ORD20261121004",
            cancellation_id=f"cancellation-{entry.key.cancel_request_id}",
            pg_provider="tosspayments",
            pg_tid="tid-imp_448280090641",
            receipt_url="https://receipts.invalid/cancellation-1",
        ),
        "money": MoneyMoved(
            currency="KRW",
            cancelled=Decimal(1000),
            cancellable_before=Decimal(10_000),
            cancellable_after=Decimal(9000),
            settles="immediate",
        ),
    }
    return Outcome(**fields | said)


def parked(entry: Entry, code: ErrorCode = ErrorCode.OUTCOME_UNKNOWN, *, applied: bool = True) -> Outcome:
    """What is told of an entry that is parked now."""
    error = OutcomeError(code=code, message="nobody knows", retryable=True, may_have_been_applied=applied)
    money = MoneyMoved(currency="KRW", cancelled=None if applied else Decimal(0))
    return outcome(entry, OutcomeKind.PARKED, error=error, money=money)
