from __future__ import annotations

import json
import uuid
from decimal import Decimal

import pytest
from pydantic import ValidationError

from refunds.contracts.outbound import MoneyMoved, Outcome, OutcomeKind, ProviderRefs, outcome_id


def outcome(kind: OutcomeKind = OutcomeKind.SUCCEEDED) -> Outcome:
    return Outcome(
        outcome_id=outcome_id("payment_cancel", "cr-1", kind),
        outcome=kind,
        cancel_type="payment_cancel",
        cancel_request_id="cr-1",
        order_id="ORD-1",
        requested_by="customer",
        requested_at="2026-11-21T05:00:00Z",
        occurred_at="2026-11-21T05:00:01Z",
        attempts=1,
        provider=ProviderRefs(name="portone", imp_uid="imp_1"),
        money=MoneyMoved(cancelled=Decimal("3000.0")),
    )


@pytest.mark.parametrize(
    ("kind", "detail_type"),
    [
        (OutcomeKind.SUCCEEDED, "CancelSucceeded"),
        (OutcomeKind.FAILED, "CancelFailed"),
        (OutcomeKind.PARKED, "CancelParked"),
    ],
)
def test_detail_types(kind: OutcomeKind, detail_type: str) -> None:
    """Each kind of outcome has the detail-type that the contract names."""
    assert kind.detail_type == detail_type


def test_ids_never_change() -> None:
    """An outcome's id depends on type, request and kind, and is the same in every version of this code."""
    assert (
        outcome_id("payment_cancel", "cr-1", OutcomeKind.SUCCEEDED) == "e827c242-20a9-537f-976f-ab7f4a0fc773"
    )
    ids = {
        outcome_id(name, key, kind)
        for name in ("payment_cancel", "vbank_revoke")
        for key in ("cr-1", "cr-2")
        for kind in OutcomeKind
    }
    assert len(ids) == 12
    assert {uuid.UUID(found).version for found in ids} == {5}


def test_written_in_full() -> None:
    """Every field is written, null where there is nothing to say, and money as integers."""
    written = json.loads(outcome().model_dump_json())
    assert written.keys() == Outcome.model_fields.keys()
    assert written["error"] is None
    assert written["money"] == {
        "currency": "KRW",
        "cancelled": 3000,
        "tax_free": None,
        "vat": None,
        "cancellable_before": None,
        "cancellable_after": None,
        "settles": None,
    }
    assert type(written["money"]["cancelled"]) is int


def test_read_back_from_the_ledger() -> None:
    """What was written is read back the same, with amounts as Decimal."""
    read = Outcome.model_validate_json(outcome().model_dump_json())
    assert read == outcome()
    assert read.money is not None
    assert type(read.money.cancelled) is Decimal


def test_immutable() -> None:
    """An outcome cannot be changed after it was reached."""
    with pytest.raises(ValidationError):
        outcome().attempts = 2
