from __future__ import annotations

import json
import uuid
from decimal import Decimal

import pytest
from pydantic import ValidationError

from refunds.contracts.outbound import (
    MoneyMoved,
    Outcome,
    OutcomeError,
    OutcomeKind,
    ProviderRefs,
    outcome_id,
)
from refunds.errors import ErrorCode


def error(code: str = ErrorCode.OUTCOME_UNKNOWN, *, maybe: bool = True) -> OutcomeError:
    return OutcomeError(code=code, message="…", retryable=True, may_have_been_applied=maybe)


def outcome(kind: OutcomeKind = OutcomeKind.SUCCEEDED) -> Outcome:
    return Outcome(
        outcome_id=outcome_id("payment_cancel", "cr-1", kind),
        revision=2,
        outcome=kind,
        cancel_type="payment_cancel",
        cancel_request_id="cr-1",
        order_id="ORD-1",
        requested_by="customer",
        requested_at="2026-11-21T05:00:00Z",
        occurred_at="2026-11-21T05:00:01Z",
        attempts=1,
        provider=ProviderRefs(name="portone", imp_uid="imp_1"),
        money=MoneyMoved(currency="KRW", cancelled=Decimal("3000.0")),
    )


@pytest.mark.parametrize(
    ("kind", "detail_type"),
    [
        (OutcomeKind.SUCCEEDED, "CancelSucceeded"),
        (OutcomeKind.FAILED, "CancelFailed"),
        (OutcomeKind.PENDING, "CancelPending"),
        (OutcomeKind.PARKED, "CancelParked"),
    ],
)
def test_detail_types(kind: OutcomeKind, detail_type: str) -> None:
    """Each kind of outcome has the detail-type that the contract names."""
    assert kind.detail_type == detail_type


def test_last_words() -> None:
    """Only a success or a failure is final."""
    assert [kind.value for kind in OutcomeKind if kind.final] == ["succeeded", "failed"]


def test_ids_never_change() -> None:
    """An id depends on type, request and statement, and is the same in every version of this code."""
    assert (
        outcome_id("payment_cancel", "cr-1", OutcomeKind.SUCCEEDED) == "e827c242-20a9-537f-976f-ab7f4a0fc773"
    )
    kinds = (OutcomeKind.SUCCEEDED, OutcomeKind.FAILED, OutcomeKind.PENDING)
    ids = {
        outcome_id(name, key, kind)
        for name in ("payment_cancel", "vbank_revoke")
        for key in ("cr-1", "cr-2")
        for kind in kinds
    }
    assert len(ids) == 12
    assert {uuid.UUID(found).version for found in ids} == {5}


def test_another_reason_is_another_statement() -> None:
    """Parked for another reason, or with money in doubt, is not what was said before."""
    statements = [
        error(ErrorCode.PROVIDER_UNAVAILABLE, maybe=False),
        error(ErrorCode.OUTCOME_UNKNOWN, maybe=False),
        error(ErrorCode.OUTCOME_UNKNOWN, maybe=True),
        error("CODE_OF_A_NEWER_VERSION"),
    ]
    ids = [outcome_id("payment_cancel", "cr-1", OutcomeKind.PARKED, said) for said in statements]
    assert len(set(ids)) == 4
    assert ids == [outcome_id("payment_cancel", "cr-1", OutcomeKind.PARKED, said) for said in statements]
    named = uuid.UUID("8f0f3a52-6a53-5c0e-9b8e-2f6a0d5a7c11")
    assert ids[2] == str(uuid.uuid5(named, "payment_cancel#cr-1#parked#OUTCOME_UNKNOWN#true"))


def test_parked_says_why() -> None:
    """Nothing is parked without a reason."""
    with pytest.raises(ValueError, match="says why"):
        outcome_id("payment_cancel", "cr-1", OutcomeKind.PARKED)


def test_written_in_full() -> None:
    """Every field is written, null where there is nothing to say, and money as integers."""
    written = json.loads(outcome().to_json())
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


@pytest.mark.parametrize("amount", ["726.24", "181.56", "0.1", "1000", "999999999999.99"])
def test_amounts_are_written_exactly(amount: str) -> None:
    """An amount is the JSON number that it is, and is read back the same."""
    told = outcome().model_copy(update={"money": MoneyMoved(currency="USD", cancelled=Decimal(amount))})
    assert f'"cancelled":{amount},' in told.to_json()
    assert Outcome.from_json(told.to_json()) == told
    assert json.loads(told.model_dump_json()) == json.loads(told.to_json())


def test_money_has_a_currency() -> None:
    """No amount is told without saying in what."""
    with pytest.raises(ValidationError, match="currency"):
        MoneyMoved.model_validate({"cancelled": 1})


def test_read_back_from_the_ledger() -> None:
    """What was written is read back the same, with amounts as Decimal."""
    read = Outcome.from_json(outcome().to_json())
    assert read == outcome()
    assert read.money is not None
    assert type(read.money.cancelled) is Decimal


def test_an_older_outcome_is_read() -> None:
    """An outcome of version 1.0 has no revision, and stays what it says it is."""
    stored = json.loads(outcome().to_json())
    del stored["revision"]
    read = Outcome.from_json(json.dumps({**stored, "schema_version": "1.0"}))
    assert (read.schema_version, read.revision, read.outcome) == ("1.0", 0, OutcomeKind.SUCCEEDED)
    assert json.loads(read.to_json()) == {**stored, "schema_version": "1.0"}


def test_a_newer_outcome_is_read() -> None:
    """Codes and words of a newer version stay as they are, and its new fields are passed over."""
    stored = json.loads(outcome(OutcomeKind.FAILED).to_json())
    stored["money"]["settles"] = "next_month"
    stored["error"] = json.loads(error("CODE_OF_A_NEWER_VERSION").model_dump_json())
    stored |= {"schema_version": "1.7", "added": {"deep": 1}}
    read = Outcome.from_json(json.dumps(stored))
    assert read.error is not None
    assert read.money is not None
    assert (read.error.code, read.money.settles) == ("CODE_OF_A_NEWER_VERSION", "next_month")
    again = json.loads(read.to_json())
    assert again == {name: value for name, value in stored.items() if name != "added"}


def test_known_codes_are_codes() -> None:
    """A code of this version is read as the enum that the code compares with."""
    assert type(error("NOT_FOUND").code) is ErrorCode


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"schema_version": "2.0"}'])
def test_what_is_no_outcome(text: str) -> None:
    """What is no outcome of version 1 is refused, not guessed at."""
    with pytest.raises(ValueError, match=r"JSON|validation error"):
        Outcome.from_json(text)


def test_immutable() -> None:
    """An outcome cannot be changed after it was reached."""
    with pytest.raises(ValidationError):
        outcome().attempts = 2
