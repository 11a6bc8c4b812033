from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from refunds.contracts.fingerprint import fingerprint
from tests.unit.contracts.details import CANCEL_TYPES, asking, detail, ordering, parse, refunding

RECORDED = Path(__file__).parents[1] / "ledger" / "items_of_version_1.json"


def of(content: dict[str, Any], name: str = "payment_cancel") -> str:
    return fingerprint(name, parse(name, content))


@pytest.mark.parametrize("name", CANCEL_TYPES)
def test_unchanged_by_what_moves_no_money(name: str) -> None:
    """When, by whom and why may be told differently the second time."""
    repeated = detail(
        name, requested_at="2026-11-22T00:00:00Z", requested_by="system", reason="다시", schema_version="1.1"
    )
    assert of(repeated, name) == of(detail(name), name)


def test_amounts_are_compared_by_value() -> None:
    """1000 and 1000.0 are one amount."""
    assert of(refunding(imp_uid="imp_1", amount=1000)) == of(refunding(imp_uid="imp_1", amount=1000.0))


def test_null_and_absent_are_the_same() -> None:
    """A publisher that writes null for unset asks for the same thing."""
    assert of(refunding(imp_uid="imp_1", tax_free=None)) == of(refunding(imp_uid="imp_1"))


@pytest.mark.parametrize(
    "changed",
    [
        {"imp_uid": "imp_2"},
        {"merchant_uid": "ORD-2"},
        {"amount": 3001},
        {"tax_free": 999},
        {"vat_amount": 201},
        {"checksum": 9999},
        {"tier": "A02"},
        {"retain_promotion": False},
        {"extra": {"requester": "admin"}},
        {"refund_account": "00123456780"},
        {"refund_holder": "홍길순"},
        {"refund_bank": "020"},
        {"refund_tel": "01012345679"},
    ],
)
def test_every_provider_field_counts(changed: dict[str, Any]) -> None:
    """Any other provider field makes another payload."""
    assert of(asking("payment_cancel", **changed)) != of(detail())


def test_a_currency_counts_where_it_is_named() -> None:
    """The same number of dollars is another payload; without a currency nothing is added."""
    plain = detail(request={"imp_uid": "imp_1", "amount": 1000})
    assert len({of({**plain, "currency": code}) for code in ("USD", "KRW", None)}) == 3
    assert of({**plain, "currency": None}) == of(plain)


def test_recorded_fingerprints_stay_valid() -> None:
    """A redelivery of a message of the first version is recognised by its ledger item."""
    for recorded in json.loads(RECORDED.read_text(encoding="utf-8")).values():
        cancel_type = recorded["item"]["cancel_type"]["S"]
        assert of(recorded["detail"], cancel_type) == recorded["item"]["fingerprint"]["S"]


def test_the_order_counts() -> None:
    """The same provider fields for another order are another payload."""
    assert of(detail(order_id="ORD-2")) != of(detail())


def test_the_cancel_type_counts() -> None:
    """The same fields ask for something else in another cancel type."""
    assert of(detail("vbank_revoke"), "vbank_revoke") != of(detail("cvs_revoke"), "cvs_revoke")


def test_the_account_of_an_order_counts() -> None:
    """The same order to another account is another payload."""
    to_one, to_other = (
        ordering({"amount": 1}, total=1, refundAccount={"accountNumber": number}) for number in ("01", "001")
    )
    assert of(to_one, "order_cancel") != of(to_other, "order_cancel")


def test_personal_data_cannot_be_found_again() -> None:
    """Personal data adds 24 bits, which thousands of account numbers share, and other bits per request."""
    version, money, personal = of(detail()).split(":")
    assert (version, len(money), len(personal)) == ("1", 64, 6)
    other_money, other_personal = of(detail(cancel_request_id="cr-2")).split(":")[1:]
    assert other_money == money
    assert other_personal != personal
