from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refunds.providers.http.fields import MAX_AMOUNT, read_as
from refunds.providers.portone.models import Payment, Receipt
from tests.unit.providers.provider_stub import payment

_ADDRESS = "https://receipts.example/r-1?x=%20"
CRITICAL = {"imp_uid", "merchant_uid", "amount", "cancelled", "status", "history"}
PERSONAL = {
    "buyer_name": "홍길동",
    "buyer_email": "hong@example.com",
    "buyer_tel": "010-1234-5678",
    "buyer_addr": "서울시",
    "buyer_postcode": "06236",
    "vbank_num": "110123456789",
    "vbank_holder": "김예금",
    "card_number": "5365-****-1234",
    "custom_data": '{"note": "비밀"}',
    "user_agent": "Mozilla/5.0",
    "customer_uid": "customer-7",
    "cancel_history": [{"amount": 1, "reason": "이혼"}],
    "deposit_history": [{"depositor_name": "박입금"}],
}
ODD_VALUES: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.text(max_size=5),
    st.integers(),
    st.decimals(allow_nan=False, allow_infinity=False),
    st.just(Decimal("1E+999999999")),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)


def cancellation(**changes: object) -> dict[str, object]:
    return {
        "cancellation_id": "c-1",
        "pg_tid": "t",
        "amount": 1000,
        "reason": "r",
        "cancelled_at": 1,
        **changes,
    }


def read(**changes: object) -> Payment:
    found, faults = read_as(Payment, payment(**changes))
    assert found is not None, faults
    return found


@pytest.mark.parametrize("name", ["pg_tid", "pg_provider", "receipt_url"])
@pytest.mark.parametrize("value", ["홍길동", "Hong Gildong", "x\ny", "", "x" * 2_000_000])
def test_what_is_no_reference_is_not_read(name: str, value: str) -> None:
    """Events and the ledger repeat references: a name, or what neither can hold, is left out."""
    for said, kept in ((value, None), (_ADDRESS, _ADDRESS)):
        found = read(**{name: said}, cancel_history=[cancellation(**{name: said})])
        read_there = [one for one in (found, *found.history) if name in type(one).model_fields]
        assert read_there
        assert all(getattr(one, name) == kept for one in read_there)


@pytest.mark.parametrize("name", ["imp_uid", "merchant_uid"])
def test_an_id_has_an_end(name: str) -> None:
    """An answer whose ids no ledger item could hold is not usable."""
    assert read_as(Payment, payment(**{name: "x" * 257})) == (None, name)
    assert read_as(Payment, payment(**{name: "x" * 256}))[0] is not None


def test_amounts_are_exact() -> None:
    """Whole and fractional amounts are Decimal; what is left is their difference."""
    found = read(amount=Decimal("10000.50"), cancel_amount=3000)
    assert found.cancellable == Decimal("7000.50")


@pytest.mark.parametrize("name", ["imp_uid", "merchant_uid", "amount", "cancel_amount", "status"])
def test_without_what_money_depends_on_there_is_no_payment(name: str) -> None:
    """An answer that lacks it, or shows null instead, is not usable; the fault names the field."""
    shown = payment()
    del shown[name]
    for broken in (shown, payment(**{name: None})):
        assert read_as(Payment, broken) == (None, name)


@pytest.mark.parametrize(
    "amount",
    ["1000", True, -1, Decimal("NaN"), Decimal("Infinity"), MAX_AMOUNT, Decimal("1E+999999999"), [1]],
)
def test_an_amount_that_is_none_spoils_the_answer(amount: object) -> None:
    """Text, truth values, negative and absurd amounts are not taken for money."""
    assert read_as(Payment, payment(amount=amount)) == (None, "amount")
    assert read_as(Payment, payment(cancel_history=[cancellation(amount=amount)])) == (
        None,
        "cancel_history.0.amount",
    )


@pytest.mark.parametrize("history", [{}, "none", [1], [{"cancellation_id": "c-1"}], 0])
def test_a_history_that_cannot_be_read_is_not_an_empty_one(history: object) -> None:
    """The proof of a refund is not lost silently."""
    assert read_as(Payment, payment(cancel_history=history))[0] is None


def test_no_history_is_an_empty_one() -> None:
    """Null and absent both mean that nothing was cancelled."""
    assert read().history == ()
    assert read(cancel_history=None).history == ()


@pytest.mark.parametrize("shown", [{}, {"cancellation_id": None}, {"cancellation_id": ""}])
def test_a_cancellation_of_the_old_documents_has_no_id(shown: dict[str, object]) -> None:
    """The documents of 2023 know none; the cancellation counts all the same."""
    entry = cancellation()
    del entry["cancellation_id"]
    (found,) = read(cancel_history=[entry | shown]).history
    assert (found.cancellation_id, found.amount) == (None, Decimal(1000))


@pytest.mark.parametrize(
    ("status", "done"),
    [(None, True), ("SUCCEEDED", True), ("REQUESTED", False), ("FAILED", False), (7, False), ("취소", False)],
)
def test_an_entry_is_done_unless_it_says_otherwise(status: object, *, done: bool) -> None:
    """V2 gives an entry a status, and V1 may come to do so: one that nobody can read says nothing good."""
    (found,) = read(cancel_history=[cancellation(status=status)]).history
    assert found.is_done is done


def test_an_entry_without_an_id_is_told_from_others_by_what_else_it_shows() -> None:
    """The ledger holds it by its transaction, amount and time."""
    (found,) = read(cancel_history=[cancellation(cancellation_id=None)]).history
    assert found.name == "t/1000/1"


def test_an_id_of_another_type_spoils_the_answer() -> None:
    """Ids are compared with ids seen before: one that cannot be compared is no id."""
    assert read_as(Payment, payment(cancel_history=[cancellation(cancellation_id=7)]))[0] is None


def test_no_currency_is_assumed() -> None:
    """An answer without one does not say won."""
    shown = payment()
    del shown["currency"]
    found, _ = read_as(Payment, shown)
    assert found is not None
    assert found.currency is None


@pytest.mark.parametrize(
    ("value", "seconds"), [(1_700_000_000, 1_700_000_000), ("1700000000", 1_700_000_000), (0, 0)]
)
def test_times_may_be_text_or_numbers(value: object, seconds: int) -> None:
    """The documents say text, the specification says integer."""
    assert read(paid_at=value).paid_at == seconds


@given(st.sampled_from(sorted(set(Payment.model_fields) - CRITICAL)), ODD_VALUES)
def test_no_other_field_spoils_an_answer(name: str, value: object) -> None:
    """Whatever a gateway fills a field with, the payment's identity and amounts remain readable."""
    assert read(**{name: value}).amount == Decimal(10_000)


@given(st.dictionaries(st.text(max_size=8), ODD_VALUES, max_size=4))
def test_fields_that_appear_later_are_ignored(extra: dict[str, Any]) -> None:
    """PortOne may add fields at any time."""
    assert read_as(Payment, extra | payment())[0] is not None


def test_personal_data_is_not_shown() -> None:
    """What is kept of a payment prints neither the reasons in its history nor anything about the buyer."""
    found = read(**PERSONAL)
    assert found.history[0].reason == "이혼"
    assert len(found.deposit_history) == 1
    shown = f"{found!r} {found}"
    assert not [value for value in (*PERSONAL.values(), "이혼", "박입금") if str(value) in shown]


RECEIPT = {"merchant_uid": "ORD-1"}


@pytest.mark.parametrize(
    ("shown", "revoked"),
    [
        ({}, False),
        ({"cancelled_at": None}, False),
        ({"cancelled_at": 0}, False),
        ({"cancelled_at": 1_700_000_000}, True),
        ({"cancelled_at": "1700000000"}, True),
        ({"amount": "odd", "vat": None, "type": 7}, False),
    ],
)
def test_a_receipt_shows_whether_it_is_revoked(shown: dict[str, object], *, revoked: bool) -> None:
    """A time of revocation means revoked; null and 0 mean not."""
    found, _ = read_as(Receipt, RECEIPT | shown)
    assert found is not None
    assert found.revoked is revoked


@pytest.mark.parametrize("value", ["yesterday", -5, {}, True])
def test_a_revocation_that_cannot_be_read_is_not_taken_for_none(value: object) -> None:
    """It would be revoked again, or reported as still valid."""
    assert read_as(Receipt, RECEIPT | {"cancelled_at": value}) == (None, "cancelled_at")
