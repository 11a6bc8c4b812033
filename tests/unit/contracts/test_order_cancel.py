from __future__ import annotations

from typing import Any

import pytest

from refunds.errors import InvalidRequest
from tests.unit.contracts.details import asking, ordering, parse


@pytest.mark.parametrize("number", ["0012345678", "000", "0", "110-123-456789"])
def test_leading_zeros_stay(number: str) -> None:
    """An account number keeps its leading zeros."""
    parsed = parse("order_cancel", ordering({"amount": 1}, total=1, refundAccount={"accountNumber": number}))
    assert parsed.request.personal() == {"refundAccount": {"accountNumber": number}}


def test_account_number_as_a_number() -> None:
    """EBP types the account as a number, so an integer is taken as its digits."""
    parsed = parse(
        "order_cancel", ordering({"amount": 1}, total=1, refundAccount={"accountNumber": 1234567890})
    )
    assert parsed.request.refund_account.account_number == "1234567890"


@pytest.mark.parametrize(
    "number", ["", "-", "12a4", "1" * 33, "１２３", "123\n", -123, 10**32, 1234567890.0, True]
)
def test_account_numbers_that_are_none(number: Any) -> None:
    """What is no account number is refused, a float included: it may have lost digits."""
    with pytest.raises(InvalidRequest, match="accountNumber"):
        parse("order_cancel", ordering({"amount": 1}, total=1, refundAccount={"accountNumber": number}))


@pytest.mark.parametrize("kind", ["PHYSICAL", "DIGITAL", "DELIVERY", "SERVICE", "SUBSCRIPTION"])
def test_item_types(kind: str) -> None:
    """The five item types of EBP are accepted."""
    parsed = parse("order_cancel", ordering({"amount": 1, "itemType": kind}, total=1))
    assert parsed.request.items[0].item_type == kind


@pytest.mark.parametrize(
    ("line", "field"),
    [
        ({"itemType": "VOUCHER"}, "itemType"),
        ({"itemType": "physical"}, "itemType"),
        ({"itemType": None}, "itemType"),
        ({"itemId": ""}, "itemId"),
        ({"itemId": "x" * 65}, "itemId"),
        ({"itemId": 7}, "itemId"),
    ],
)
def test_items_that_are_none(line: dict[str, Any], field: str) -> None:
    """An unknown item type or an unusable item id is refused by its place and name."""
    with pytest.raises(InvalidRequest, match=rf"items\.0\.{field}"):
        parse("order_cancel", ordering({"amount": 1, **line}, total=1))


@pytest.mark.parametrize("items", [[], None, {}, "P001", [1]], ids=repr)
def test_items_are_needed(items: Any) -> None:
    """An order is cancelled by its lines: at least one, each an object."""
    with pytest.raises(InvalidRequest, match="items"):
        parse("order_cancel", asking("order_cancel", items=items))


def test_number_of_items() -> None:
    """Five hundred lines are accepted and one more is not."""
    lines = [{"amount": 1}] * 501
    assert len(parse("order_cancel", ordering(*lines[:500], total=500)).request.items) == 500
    with pytest.raises(InvalidRequest, match="at most 500 items"):
        parse("order_cancel", ordering(*lines, total=501))


def test_lines_are_distinct() -> None:
    """Two lines with one serial number contradict each other."""
    with pytest.raises(InvalidRequest, match="two items have the same seq"):
        parse("order_cancel", ordering({"amount": 1}, {"amount": 1, "seq": 1}, total=2))


@pytest.mark.parametrize(("field", "other"), [("itemType", "item_type"), ("itemId", "item_id")])
def test_fields_have_one_name(field: str, other: str) -> None:
    """A field is known by the name the API gives it and by no other."""
    content = asking("order_cancel")
    line = content["request"]["items"][0]
    line[other] = line.pop(field)
    with pytest.raises(InvalidRequest, match=rf"items\.0\.{field}: Field required"):
        parse("order_cancel", content)


def test_personal_data_is_apart() -> None:
    """The refund account is in the personal part of a request and nowhere else."""
    request = parse("order_cancel", asking("order_cancel")).request
    assert "refundAccount" not in request.public()
    assert set(request.personal_values()) == {"0012345678", "001", "홍길동"}
    assert "홍길동" not in repr(request)
    assert "0012345678" not in repr(request)
