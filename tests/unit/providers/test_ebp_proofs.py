"""What proves that an EBP cancellation was carried out, and which request it proves."""

from __future__ import annotations

import hashlib
import json
from decimal import Decimal
from typing import Any

import pytest

from refunds.domain.entry import State
from tests.unit.providers.ebp_orders import (
    ITEMS,
    PARKED,
    SUCCEEDED,
    TOTAL,
    Order,
    Refuse,
    Shop,
    part,
    wanted,
)

MISMATCH = ("parked", "RESPONSE_MISMATCH", True)
FIRST, SECOND, _ = ITEMS


def shop(*plans: object, **order: Any) -> Shop:
    return Shop(Order(plans=list(plans), **order))


def test_a_process_that_dies_after_the_send_never_sends_again() -> None:
    """The whole order: what EBP shows proves it, once."""
    tried = shop("die")
    tried.dies(wanted())
    tried.deliver(wanted())
    tried.deliver(wanted())
    assert tried.told() == [SUCCEEDED, SUCCEEDED]
    assert (len(tried.order.bodies), tried.order.refunded) == (1, Decimal(TOTAL))
    assert tried.published[0].outcome_id == tried.published[1].outcome_id


def test_a_process_that_dies_after_sending_a_part_never_sends_again() -> None:
    """Nothing at EBP proves a part: a person looks."""
    tried = shop("die")
    tried.dies(wanted(**part()))
    for final in (False, True, False):
        tried.deliver(wanted(**part()), final=final)
    assert set(tried.told()) == {PARKED}
    assert (len(tried.order.bodies), tried.order.refunded) == (1, Decimal(2000))


def test_a_process_that_dies_before_the_send_counts_as_one_that_sent() -> None:
    """Nobody can tell the two apart; asked again, the order may still become cancelled."""
    tried = shop("die before")
    tried.dies(wanted())
    tried.deliver(wanted())
    assert not tried.published
    tried.deliver(wanted(), final=True)
    assert tried.told() == [PARKED]
    assert len(tried.order.bodies) == 1


def test_a_process_that_dies_before_it_records_a_refusal_is_not_believed() -> None:
    """The refusal is lost: the unchanged order proves nothing about what is still under way."""
    tried = shop(Refuse())
    tried.ledger.dies_before = "record"
    tried.dies(wanted())
    tried.deliver(wanted(), final=True)
    assert tried.told() == [PARKED]


def test_a_process_that_dies_before_it_records_a_success_finds_it_again() -> None:
    """It holds the proof already, and may use it."""
    tried = shop()
    tried.ledger.dies_before = "record"
    tried.dies(wanted())
    tried.deliver(wanted())
    assert tried.told() == [SUCCEEDED]
    assert tried.order.refunded == TOTAL


def test_a_lost_answer_is_asked_about() -> None:
    """One delivery is enough where the order is shown as cancelled."""
    tried = shop("lose")
    tried.deliver(wanted())
    assert tried.told() == [SUCCEEDED]
    money = tried.published[0].money
    assert money is not None
    assert (money.cancelled, money.vat, money.settles) == (Decimal(TOTAL), None, "later")


@pytest.mark.parametrize(
    "word",
    [
        *("CANCEL_REQUESTED", "CANCEL_FAILED", "CANCELLING", "CAPTURED", "COMPLETED", "CONFIRMED"),
        *("CHARGEBACK", "cancelled", "Canceled", "PARTIAL_CANCELLED", "C", "CANCELLED_"),
    ],
)
def test_only_exact_words_say_cancelled(word: str) -> None:
    """The list of statuses is not public."""
    tried = shop("lose", cancelled_status=word)
    tried.deliver(wanted(), final=True)
    assert tried.told() == [PARKED]


@pytest.mark.parametrize("word", ["CANCELLED", "CANCELED"])
def test_both_spellings_say_cancelled(word: str) -> None:
    """After the send it is a proof, before it there is nothing to do."""
    tried = shop("lose", cancelled_status=word)
    tried.deliver(wanted())
    assert tried.told() == [SUCCEEDED]
    late = shop(status=word)
    late.deliver(wanted())
    assert late.told() == [("failed", "ALREADY_CANCELLED", False)]
    assert not late.order.bodies


def test_a_status_of_nobodys_order_ends_nothing() -> None:
    """Without the order's number "cancelled" proves as little before the send as after it."""
    tried = shop(status="CANCELLED", shown={"orderNo": None})
    tried.deliver(wanted())
    assert tried.order.bodies


@pytest.mark.parametrize("fate", ["lose", "lose before"])
def test_an_answer_that_is_lost_under_nobodys_status_is_never_sent_again(fate: str) -> None:
    """The status was "cancelled" before the send, so afterwards it proves nothing either."""
    tried = shop(fate, status="CANCELLED", shown={"orderNo": None}, shown_after={"orderNo": None})
    for final in (False, False, True, True):
        tried.deliver(wanted(), final=final)
    assert len(tried.order.bodies) == 1
    assert set(tried.told()) == {PARKED}


@pytest.mark.parametrize(
    "before",
    [
        None,
        {"paymentStatus": None},
        {"paymentStatus": "REQUESTED"},
        {"totalAmount": None},
        {"pgCancelTransactionId": "pgc-1"},
        {"totalAmount": 56_000.0},
    ],
)
def test_a_cancelled_order_proves_nothing_without_a_yardstick(before: Any) -> None:
    """Nothing seen before, nothing paid, something cancelled already, or another total."""
    tried = shop("lose", shown=before, shown_after={})
    for _ in range(3):
        tried.deliver(wanted(), final=True)
    assert set(tried.told()) == {PARKED}


@pytest.mark.parametrize(
    "after", [{"pgCancelTransactionId": None}, {"orderNo": None}, {"totalAmount": 3000.0}, None, 404]
)
def test_a_cancelled_order_that_does_not_agree_proves_nothing(after: Any) -> None:
    """Without the PG's number, without its own, or with another total."""
    tried = shop("lose", shown_after=after)
    tried.deliver(wanted(), final=True)
    assert tried.told() == [PARKED]


def test_one_cancelled_order_proves_one_request() -> None:
    """Also where the index does not yet show the other one."""
    tried = shop("lose before", "lose")
    tried.ledger.index_lags = True
    tried.deliver(wanted("cr-1"))
    tried.deliver(wanted("cr-2"))
    tried.deliver(wanted("cr-1"))
    tried.deliver(wanted("cr-1"), final=True)
    assert tried.told() == [SUCCEEDED, PARKED]
    assert tried.published[-1].cancel_request_id == "cr-1"


def test_an_order_that_an_answer_proves_cancelled_proves_no_other_request() -> None:
    """The answer of one and the order of another are the same money."""
    tried = shop("lose before")
    tried.ledger.index_lags = True
    tried.deliver(wanted("cr-1"))
    tried.deliver(wanted("cr-2"))
    tried.deliver(wanted("cr-1"), final=True)
    assert tried.told() == [SUCCEEDED, PARKED]
    assert tried.order.refunded == TOTAL


def test_a_sibling_makes_a_cancelled_order_uncertain() -> None:
    """An open request of the same order may have cancelled it."""
    tried = shop("lose before", "lose before")
    tried.deliver(wanted("cr-1"))
    tried.deliver(wanted("cr-2"))
    tried.order.cancel()
    tried.deliver(wanted("cr-1"), final=True)
    assert tried.told() == [PARKED]


def test_a_number_that_answered_another_request_is_no_success() -> None:
    """EBP may answer an equal request with its first answer: that is one refund."""
    same = {"returnRequestId": "RETREQ-1"}
    tried = shop(same, same)
    tried.deliver(wanted("cr-1", **part()))
    tried.deliver(wanted("cr-2", **part()))
    assert tried.told() == [SUCCEEDED, MISMATCH]
    assert ("ebp", "ORD-1", "RETREQ-1") in tried.ledger.held
    tried.deliver(wanted("cr-2", **part()), final=True)
    assert tried.told() == [SUCCEEDED, MISMATCH, MISMATCH]
    assert len(tried.order.bodies) == 2


def test_a_number_held_is_no_obstacle_to_the_next_one() -> None:
    """Two equal parts of an order are two refunds."""
    tried = shop()
    tried.deliver(wanted("cr-1", **part("1000")))
    tried.deliver(wanted("cr-2", **part("1000")))
    assert tried.told() == [SUCCEEDED, SUCCEEDED]


@pytest.mark.parametrize(
    ("changed", "numbers"),
    [
        ({"processedCount": 2}, ("2", "3")),
        ({"totalProductAmount": 3000.0}, ("6000", "106000")),
        ({"totalProductAmount": 106_000.0}, ("109000", "106000")),
        ({"items": [FIRST, SECOND], "processedCount": 2, "totalDeliveryAmount": 0.0}, ("2 of 3", "103000")),
        ({"items": [FIRST, SECOND, SECOND]}, ()),
        ({"items": [*ITEMS, SECOND]}, ("4 of 3",)),
        ({"items": [FIRST, {**SECOND, "seq": 9}, ITEMS[2]]}, ()),
        ({"items": [FIRST, {**SECOND, "itemId": "P009"}, ITEMS[2]]}, ("2",)),
        ({"items": [FIRST, {**SECOND, "itemType": "DIGITAL"}, ITEMS[2]]}, ("2",)),
        ({"items": [{**FIRST, "quantity": 1}, SECOND, ITEMS[2]]}, ()),
        ({"items": [FIRST, {**SECOND, "amount": 2999}, ITEMS[2]]}, ()),
        ({"items": [{**FIRST, "taxAmount": 10_000}, SECOND, ITEMS[2]]}, ("10000", "5000")),
        ({"totalProductTaxAmount": 5000.0}, ("5000", "10000")),
        ({"orderNo": "ORD-2"}, ()),
    ],
)
def test_a_success_of_another_size_is_parked(changed: dict[str, Any], numbers: tuple[str, ...]) -> None:
    """What EBP answered is in the text, in numbers only."""
    tried = shop(changed)
    tried.deliver(wanted())
    assert tried.told() == [MISMATCH]
    assert tried.published[0].money is not None
    assert tried.published[0].money.cancelled is None
    for number in numbers:
        assert number in tried.said()
    tried.deliver(wanted())
    assert set(tried.told()) == {MISMATCH}
    assert len(tried.order.bodies) == 1


@pytest.mark.parametrize("text", ["John Doe", "001234"])
def test_no_personal_data_is_in_a_mismatch(text: str) -> None:
    """An answer may repeat it in any field."""
    account = {"accountNumber": "001234", "bankCode": "001", "accountHolderName": "John Doe"}
    tried = shop({"items": [{**FIRST, "itemId": text}, *ITEMS[1:]]})
    tried.deliver(wanted(refundAccount=account))
    assert tried.told() == [MISMATCH]
    assert text not in tried.published[0].to_json()


def test_taxes_are_told_to_the_last_decimal() -> None:
    """They are per unit; nothing is cut."""
    item = {**FIRST, "amount": Decimal("33.33"), "quantity": 3, "taxAmount": Decimal("3.03")}
    tried = Shop(Order(total=Decimal("99.99")), currency="USD")
    tried.deliver(wanted(items=(item,)))
    assert tried.told() == [SUCCEEDED]
    money, (line,) = tried.published[0].money, tried.published[0].items
    assert money is not None
    assert (money.currency, money.cancelled, money.vat) == ("USD", Decimal("99.99"), Decimal("9.09"))
    assert (line.amount, line.tax_amount) == (Decimal("33.33"), Decimal("3.03"))
    assert '"vat":9.09' in tried.published[0].to_json()


@pytest.mark.parametrize("missing", ["totalProductTaxAmount", "totalDeliveryTaxAmount"])
def test_taxes_that_are_not_all_there_are_not_told(missing: str) -> None:
    """Half a sum is none."""
    tried = shop({missing: None})
    tried.deliver(wanted())
    assert tried.told() == [SUCCEEDED]
    assert tried.published[0].money is not None
    assert tried.published[0].money.vat is None


def test_taxes_that_the_currency_cannot_have_are_not_told() -> None:
    """A tax of KRW 0.5 breaks the schema of outcomes, and the money has moved all the same."""
    tried = shop({"totalProductTaxAmount": "0.5", "totalDeliveryTaxAmount": "0"})
    tried.deliver(wanted())
    assert tried.told() == [SUCCEEDED]
    assert tried.published[0].money is not None
    assert tried.published[0].money.vat is None


@pytest.mark.parametrize(
    ("account", "settles"),
    [(None, "later"), ({"accountNumber": "001234", "bankCode": "001"}, "next_business_day")],
)
def test_an_accepted_application_settles_later(account: dict[str, str] | None, settles: str) -> None:
    """Paid to the account on the next business day, else whenever the PG does."""
    tried = shop()
    request: dict[str, Any] = {} if account is None else {"refundAccount": account}
    tried.deliver(wanted(**request))
    assert tried.published[0].money is not None
    assert tried.published[0].money.settles == settles
    assert tried.published[0].provider.return_request_id == "RETREQ-1"


def test_the_body_is_written_in_plain_notation_and_keeps_zeros() -> None:
    """Amounts without exponent, the account as text, and the signature over those very bytes."""
    account = {"accountNumber": "0012340", "bankCode": "004", "accountHolderName": "홍길동"}
    tried = shop(total=Decimal(100_000))
    item = {**SECOND, "amount": Decimal("1E+5"), "taxAmount": Decimal("1.00E+2")}
    detail = wanted(items=(item,), refundAccount=account)
    detail["request"]["totalCancelAmount"] = Decimal("1E+5")
    tried.deliver(detail)
    (body,) = tried.order.bodies
    assert tried.told() == [SUCCEEDED]
    assert b'"totalCancelAmount":100000,' in body
    assert b'"amount":100000,"taxAmount":100' in body
    assert b'"accountNumber":"0012340"' in body
    assert json.loads(body)["refundAccount"] == account
    signed = hashlib.sha256(body + b"the-hash-key").hexdigest()
    assert tried.order.signatures == [signed]


def test_the_same_doubt_is_said_under_the_same_id() -> None:
    """Statements do not multiply with the deliveries."""
    tried = shop("lose")
    tried.deliver(wanted(**part()))
    tried.deliver(wanted(**part()))
    assert tried.told() == [PARKED, PARKED]
    assert len({outcome.outcome_id for outcome in tried.published}) == 1
    assert tried.item().state is State.PARKED
