"""What an item says is what the entry said, and no more bytes than that takes."""

from __future__ import annotations

import base64
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refunds.contracts.outbound import CancelledItem, MoneyMoved, Outcome, OutcomeKind, ProviderRefs
from refunds.domain.entry import Entry, State
from refunds.domain.operation import Baseline
from refunds.errors import ErrorCode
from refunds.ledger.claims import WrittenByNewerVersion
from refunds.ledger.item import PAYMENT_IS_ORDER, UnreadableItem, changed, decode, encode
from tests.unit.ledger.conftest import NOON, Shelf, new_entry, outcome, parked

ORDER = new_entry().order_id
_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
_ID = st.text("abcXYZ019._-", min_size=1, max_size=20)
_AMOUNT = st.one_of(
    st.integers(0, 999_999_999_999).map(Decimal),
    st.decimals(min_value=0, max_value=99_999, places=2, allow_nan=False),
)
_MAYBE_ID = st.none() | _ID
_REFS = st.builds(
    ProviderRefs,
    name=st.sampled_from(["portone", "ebp"]),
    imp_uid=_MAYBE_ID,
    merchant_uid=_MAYBE_ID,
    cancellation_id=_MAYBE_ID,
    pg_provider=_MAYBE_ID,
    pg_tid=_MAYBE_ID,
    receipt_url=st.none() | _TEXT,
    return_request_id=_MAYBE_ID,
)
_MONEY = st.builds(
    MoneyMoved,
    currency=st.sampled_from(["KRW", "USD"]),
    cancelled=st.none() | _AMOUNT,
    tax_free=st.none() | _AMOUNT,
    vat=st.none() | _AMOUNT,
    cancellable_before=st.none() | _AMOUNT,
    cancellable_after=st.none() | _AMOUNT,
    settles=st.sampled_from([None, "immediate", "next_business_day", "later", "some day"]),
)
_BASELINE = st.builds(
    Baseline,
    subject=_ID,
    currency=st.sampled_from([None, "KRW", "USD"]),
    cancellable=st.none() | _AMOUNT,
    cancellation_ids=st.none() | st.lists(_ID, max_size=3).map(tuple),
    status=_MAYBE_ID,
    accepted=st.booleans(),
    suspects=st.lists(_ID, max_size=2).map(tuple),
    shown=st.dictionaries(
        st.sampled_from(["merchant_uid", "pg_provider", "pay_method", "receipt_id", "of_a_third_provider"]),
        _ID,
    ),
)
_MOMENT = st.sampled_from(
    [
        "2026-11-21T12:00:02.540824Z",
        "2026-11-21T12:00:00Z",
        "2025-01-01T00:00:00.000001+09:00",
        "1999-12-31T00:00:00Z",
    ]
)


@st.composite
def _outcomes(draw: st.DrawFn, entry: Entry) -> Outcome:
    kind = draw(st.sampled_from(OutcomeKind))
    told = parked(entry) if kind is OutcomeKind.PARKED else outcome(entry, kind)
    if kind is not OutcomeKind.SUCCEEDED and told.error:
        changes: dict[str, Any] = {
            "message": draw(_TEXT),
            "provider_message": draw(st.none() | _TEXT),
            "code": draw(st.sampled_from([*ErrorCode, "CODE_OF_TOMORROW"])),
        }
        told = told.model_copy(update={"error": told.error.model_copy(update=changes)})
    version = draw(st.sampled_from(["1.0", "1.1", "1.2"]))
    line = CancelledItem(seq=1, itemType="PHYSICAL", itemId="P1", quantity=2, amount=Decimal("1.5"))
    return told.model_copy(
        update={
            "outcome_id": draw(st.sampled_from([told.outcome_id, "82c44d24-6910-598c-a362-a1e1c939350a"])),
            "revision": 0 if version == "1.0" else draw(st.integers(0, 5)),
            "schema_version": version,
            "occurred_at": draw(_MOMENT),
            "order_id": draw(st.none() | _ID),
            "attempts": draw(st.integers(0, 3)),
            "provider": draw(_REFS),
            "money": draw(st.none() | _MONEY),
            "items": draw(st.sampled_from([(), (line,)])),
        }
    )


@st.composite
def _entries(draw: st.DrawFn) -> Entry:
    amount = draw(st.none() | _AMOUNT)
    request: dict[str, Any] = {"imp_uid": draw(_ID)} | ({} if amount is None else {"amount": amount})
    baseline = draw(st.none() | _BASELINE)
    entry = new_entry(
        request=request,
        payment_ref=draw(st.sampled_from([request["imp_uid"], "imp_other", ORDER, None])),
        baseline=baseline,
        state=draw(st.sampled_from([state for state in State if state is not State.UNKNOWN])),
        in_doubt=draw(st.booleans()),
        limits_passed=draw(st.booleans()),
        unpublished=draw(st.booleans()),
        lease_until=draw(st.sampled_from([0.0, NOON + 1.25])),
        attempt=draw(st.integers(1, 3)),
        revision=draw(st.integers(1, 4)),
        statement=draw(st.integers(1, 3)),
        owner=draw(st.sampled_from(["0" * 32, "function", ""])),
        fingerprint=draw(
            st.sampled_from([new_entry().fingerprint, "2:not as today", "12:" + "a" * 64 + ":000000"])
        ),
        timeline=(
            "2026-11-21T12:00:00.000Z STARTED attempt 1",
            "2026-11-21T12:00:02.541Z PARKED NOT_FOUND: why",
        ),
        proof=draw(st.sampled_from(["why", "another text", "여러 줄\nwhy: not"])),
    )
    return replace(entry, outcome=draw(st.none() | _outcomes(entry)))


@given(_entries())
def test_every_entry_is_read_as_it_was_written(entry: Entry) -> None:
    """Whatever an entry says is what its item says, the outcome byte for byte."""
    found = decode(encode(entry, now=NOON, ttl=1))
    assert found == entry
    assert (found.outcome and found.outcome.to_json()) == (entry.outcome and entry.outcome.to_json())


@pytest.mark.parametrize("of_version_1", [False, True])
@pytest.mark.parametrize("after", [ORDER, "ORD-2", "imp_1", None])
@pytest.mark.parametrize("order", [ORDER, "ORD-2"])
@pytest.mark.parametrize("before", [ORDER, "imp_1", None])
def test_a_payment_that_is_the_order_is_named_once(
    before: str | None, order: str, after: str | None, *, of_version_1: bool
) -> None:
    """Whatever an update makes of it, and also where version 1 named both."""
    old, new = new_entry(payment_ref=before), new_entry(payment_ref=after, order_id=order)
    seen, wanted = (encode(entry, now=NOON, ttl=1) for entry in (old, new))
    item = dict(seen)
    if of_version_1 and before == ORDER:
        del item[PAYMENT_IS_ORDER]
        item["payment_ref"] = {"S": ORDER}
    sets, removes = changed(seen, wanted)
    assert not sets.keys() & set(removes)
    updated = {name: value for name, value in (item | sets).items() if name not in removes}
    assert decode(updated).payment_ref == after
    assert ("payment_ref" in wanted) == (after not in (order, None))


def test_nothing_is_stored_twice(shelf: Shelf) -> None:
    """Of an outcome that says what the item says already, only the provider's new ids are stored."""
    entry = shelf.claimed()
    shelf.now += 2.5
    told = outcome(entry)
    recorded = shelf.ledger.record(entry, State.SUCCEEDED, told, in_doubt=False, proof="a tag of ours")
    item = shelf.item(entry)
    assert item["outcome"]["S"] == (
        '{"at":2540824,"p":{"c":"cancellation-cr-1","ru":"https://receipts.invalid/cancellation-1",'
        '"t":"tid-imp_448280090641"}}'
    )
    assert item["request"]["S"] == '{"amount":1000,"imp_uid":null}'
    assert "proof" not in item
    assert "lease_until" not in item
    assert shelf.read(entry) == recorded
    assert recorded.outcome == told
    assert recorded.proof == "a tag of ours"


def test_fingerprint_and_owner_are_binary(shelf: Shelf) -> None:
    """They are hexadecimal in the code and half as long in the table."""
    entry = shelf.claimed()
    item = shelf.item(entry)
    assert len(base64.b64decode(item["fingerprint"]["B"])) == 36
    assert len(base64.b64decode(item["owner"]["B"])) == 16
    assert shelf.read(entry) == entry


def test_a_state_of_a_newer_version_is_left_alone(shelf: Shelf) -> None:
    """An item in a state that is not known here is read as such, and no write touches it."""
    entry = shelf.claimed()
    shelf.item(entry)["state"] = {"S": "SUSPENDED"}
    before = dict(shelf.item(entry))
    found = shelf.read(entry)
    assert found.state is State.UNKNOWN
    with pytest.raises(WrittenByNewerVersion):
        shelf.ledger.take_over(found, owner="b" * 32, lease_until=NOON)
    assert shelf.item(entry) == before


def test_a_statement_of_a_newer_version_is_left_alone(shelf: Shelf) -> None:
    """An outcome of a kind that is not known here is not replaced by another one."""
    entry = shelf.claimed()
    told = parked(entry)
    shelf.ledger.record(entry, State.PARKED, told, in_doubt=True, proof="nobody knows")
    shelf.item(entry)["outcome"] = {"S": '{"o":"suspended"}'}
    assert shelf.read(entry).state is State.UNKNOWN


def test_an_error_code_of_a_newer_version_stays_what_it_is(shelf: Shelf) -> None:
    """A code that is not known here is published again as it was recorded."""
    entry = shelf.claimed()
    told = parked(entry)
    assert told.error is not None
    told = told.model_copy(update={"error": told.error.model_copy(update={"code": "CODE_OF_TOMORROW"})})
    shelf.ledger.record(entry, State.PARKED, told, in_doubt=True, proof="nobody knows")
    found = shelf.read(entry)
    assert found.state is State.PARKED
    assert found.outcome == told


def test_an_item_that_cannot_be_read_is_named(shelf: Shelf) -> None:
    """What is broken beyond reading raises an error with the item's key and none of its content."""
    entry = shelf.claimed()
    shelf.item(entry)["attempt"] = {"S": "secret"}
    with pytest.raises(UnreadableItem, match="payment_cancel#cr-1") as caught:
        shelf.read(entry)
    assert "secret" not in str(caught.value)


def test_an_update_never_takes_a_newer_versions_attributes_away(shelf: Shelf) -> None:
    """An update writes what it changes."""
    entry = shelf.claimed()
    shelf.item(entry)["review"] = {"S": "by nobody"}
    shelf.ledger.record(entry, State.SUCCEEDED, outcome(entry), in_doubt=False, proof="a tag of ours")
    assert shelf.item(entry)["review"] == {"S": "by nobody"}


def test_a_proof_that_version_1_stored_does_not_outlive_the_next_one() -> None:
    """It stands beside the timeline, which says it too: what no longer says it is taken out of the item."""
    _sets, removes = changed({}, {})
    assert removes == ["proof"]
    assert changed({"proof": {"S": "old"}}, {"proof": {"S": "new"}}) == ({"proof": {"S": "new"}}, [])
