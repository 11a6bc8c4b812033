from __future__ import annotations

from refunds.providers.ebp.models import Envelope, OrderDetail
from refunds.providers.http.fields import read_as
from refunds.providers.portone.models import Payment

PAYMENT = {"imp_uid": "imp_1", "merchant_uid": "ORD1", "amount": 10_000, "cancel_amount": 0}


def test_a_payment_whose_status_is_no_word_is_not_read() -> None:
    """Events and the ledger repeat the status: an account number in its place must not get there."""
    assert read_as(Payment, {**PAYMENT, "status": "paid"})[0]
    assert read_as(Payment, {**PAYMENT, "status": "11012345678901"})[0] is None
    assert read_as(Payment, {**PAYMENT, "status": "paid to 11012345678901"})[0] is None


def test_an_order_whose_status_is_no_word_shows_none() -> None:
    """Of an order's detail little is certain; what cannot be a status is not taken for one."""
    assert status_shown("APPROVED") == "APPROVED"
    assert status_shown("김 11012345678901") is None


def status_shown(text: str) -> str | None:
    detail, _ = read_as(OrderDetail, {"paymentStatus": text})
    assert detail
    return detail.payment_status


def test_a_result_code_that_is_no_code_is_not_read() -> None:
    """It is repeated as the provider's code: a name in its place must not get there."""
    assert read_as(Envelope, {"resultCode": "EBP-C-0010"})[0]
    assert read_as(Envelope, {"resultCode": " 김개인정보 "})[0] is None
