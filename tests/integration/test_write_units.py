"""What the deployed table says that a refund's writes have consumed."""

from __future__ import annotations

import time
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from local.stack import Stack
from local.stack.clients import Clients
from refunds.contracts.outbound import MoneyMoved, Outcome, OutcomeKind, ProviderRefs, outcome_id
from refunds.domain.entry import Entry, Key, State
from refunds.domain.operation import Baseline
from refunds.ledger.claims import Ledger

IMP_UID = "imp_448280090638"


class Consumed:
    """Asks what every write consumed, and keeps the answers: units by index, and of the ``table``."""

    def __init__(self, client: Any) -> None:
        self.writes: list[dict[str, float]] = []
        client.meta.events.register("before-parameter-build.dynamodb.*", self._ask)
        client.meta.events.register("after-call.dynamodb.*", self._keep)

    @staticmethod
    def _ask(params: dict[str, Any], **_: Any) -> None:
        params["ReturnConsumedCapacity"] = "INDEXES"

    def _keep(self, parsed: dict[str, Any], **_: Any) -> None:
        answer = parsed["ConsumedCapacity"]
        indexes = answer.get("GlobalSecondaryIndexes", {})
        units = {name: index["CapacityUnits"] for name, index in indexes.items()}
        self.writes.append({"table": answer["Table"]["CapacityUnits"], **units})


@pytest.fixture
def entry() -> Entry:
    """A payment_cancel with ids of ordinary length."""
    return Entry(
        key=Key("payment_cancel", f"cr-{uuid4()}"),
        fingerprint=f"1:{'a' * 64}:0a1b2c",
        order_id="ORD20261121001",
        requested_by="customer",
        requested_at="2026-11-21T05:00:00Z",
        request={"imp_uid": IMP_UID, "merchant_uid": "ORD20261121001", "amount": 3000, "tax_free": 0},
        payment_ref=IMP_UID,
        owner=uuid4().hex,
        lease_until=time.time() + 95,
        in_doubt=True,
        limits_passed=True,
        baseline=Baseline(
            IMP_UID,
            currency="KRW",
            cancellable=Decimal(10_000),
            cancellation_ids=(),
            status="paid",
            shown={"merchant_uid": "ORD20261121001", "pg_provider": "tosspayments", "pay_method": "card"},
        ),
    )


def _outcome(entry: Entry) -> Outcome:
    return Outcome(
        outcome_id=outcome_id("payment_cancel", entry.key.cancel_request_id, OutcomeKind.SUCCEEDED),
        revision=2,
        outcome=OutcomeKind.SUCCEEDED,
        cancel_type="payment_cancel",
        cancel_request_id=entry.key.cancel_request_id,
        order_id=entry.order_id,
        requested_by="customer",
        requested_at=entry.requested_at,
        occurred_at="2026-11-21T05:00:02.540824Z",
        attempts=1,
        provider=ProviderRefs(
            name="portone",
            imp_uid=IMP_UID,
            merchant_uid="ORD20261121001",
            cancellation_id="cancellation-00000002",
            pg_provider="tosspayments",
            pg_tid="tid-imp_448280090638",
            receipt_url="https://receipts.invalid/cancellation-00000002",
        ),
        money=MoneyMoved(currency="KRW", cancelled=Decimal(3000), settles="immediate"),
    )


def test_a_refund_consumes_five_write_units(stack: Stack, entry: Entry) -> None:
    """The claim costs the table and three indexes one unit each, the record one more, and no index."""
    client = Clients(stack.endpoint_url, stack.region, stack.ca_bundle).dynamodb
    consumed = Consumed(client)
    ledger = Ledger(client, stack.outputs["LedgerTableName"], clock=time.time, ttl_days=400)
    claimed = ledger.claim(entry)
    ledger.record(claimed, State.SUCCEEDED, _outcome(claimed), in_doubt=False, proof="a tag of ours")
    claim, record = consumed.writes
    assert claim == {"table": 1, "by_payment": 1, "by_order": 1, "by_day": 1}
    assert record == {"table": 1}
