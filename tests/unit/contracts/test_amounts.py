from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from refunds.contracts import strict_json
from refunds.contracts.inbound import misfit
from refunds.contracts.money import MAX_AMOUNT
from refunds.contracts.strict_json import NotStrictJson
from refunds.errors import InvalidRequest
from tests.unit.contracts.details import detail, ordering, parse, parse_text, refunding, with_literal


@pytest.mark.parametrize("literal", ["1500", "1500.0", "1500.000", "15e2", "1.5E+3", "15000e-1"])
def test_spellings_of_one_amount(literal: str) -> None:
    """However a whole amount is spelled, it is the same Decimal."""
    parsed = parse_text("payment_cancel", with_literal("payment_cancel", "amount", literal))
    assert parsed.request.amount == Decimal(1500)


@pytest.mark.parametrize(
    "literal",
    [
        "0",
        "-0",
        "-0.0",
        "0E-999999999",
        "0E+99999999",
        "-1",
        "0.1",
        "1000.5",
        "1000.00000000000000000000001",
        "1000000000000",
        "1" * 4000,
        "true",
        "false",
        "null",
        '"1000"',
        "[1000]",
        "{}",
    ],
    ids=lambda literal: literal[:30],
)
def test_amounts_that_are_none(literal: str) -> None:
    """Zero, negative, fractional, huge and mistyped amounts are refused by the name of their field."""
    with pytest.raises(InvalidRequest, match="amount"):
        parse_text("payment_cancel", with_literal("payment_cancel", "amount", literal))


@pytest.mark.parametrize(
    "literal",
    ["NaN", "Infinity", "-Infinity", "1e400", "-1e400", "1e-999999", "1e999999999999999999999", "1" * 5000],
    ids=lambda literal: literal[:30],
)
def test_numbers_that_json_does_not_have(literal: str) -> None:
    """What is no JSON number, or has more digits than can be read, never gets as far as a model."""
    with pytest.raises(NotStrictJson):
        parse_text("payment_cancel", with_literal("payment_cancel", "amount", literal))


def test_largest_amount() -> None:
    """The largest amount is accepted to its last digit."""
    parsed = parse("payment_cancel", refunding(imp_uid="imp_1", amount=int(MAX_AMOUNT)))
    assert parsed.request.amount == MAX_AMOUNT


@pytest.mark.parametrize("value", [1000, 1000.0, Decimal("1000.00")])
def test_amounts_are_decimal(value: Any) -> None:
    """An amount is a Decimal whatever parsed the event before us, Lambda's runtime with floats included."""
    amount = parse("payment_cancel", refunding(imp_uid="imp_1", amount=value)).request.amount
    assert type(amount) is Decimal
    assert amount == Decimal(1000)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf"), 0.1 + 0.2, 1e300])
def test_floats_that_are_no_amounts(value: float) -> None:
    """Floats that are not finite, not whole or huge are refused like their JSON counterparts."""
    with pytest.raises(InvalidRequest, match="amount"):
        parse("payment_cancel", refunding(imp_uid="imp_1", amount=value))


def test_no_float_leaves_the_model() -> None:
    """Every number of a parsed request is Decimal or int, and a whole one is written as an integer."""
    request = parse("order_cancel", ordering({"amount": 3000.0, "taxAmount": 273.0}, total=3000.0)).request
    line = request.items[0]
    amounts = (request.total_cancel_amount, line.amount, line.tax_amount)
    assert [type(amount) for amount in amounts] == [Decimal] * 3
    public = request.public()
    assert (public["totalCancelAmount"], public["items"][0]["amount"]) == (3000, 3000)
    assert type(public["totalCancelAmount"]) is int


def test_absent_amount_cancels_in_full() -> None:
    """Only an absent amount means everything that is left."""
    assert parse("payment_cancel", refunding(imp_uid="imp_1")).request.amount is None


def test_null_amount_is_not_absent() -> None:
    """A serialiser that writes null for unset must not turn a partial refund into a full one."""
    with pytest.raises(InvalidRequest, match="leave it out to cancel all"):
        parse("payment_cancel", refunding(imp_uid="imp_1", amount=None))


@pytest.mark.parametrize("field", ["tax_free", "vat_amount", "checksum"])
def test_null_is_absent_elsewhere(field: str) -> None:
    """Null in the other amounts is the same as leaving them out."""
    parsed = parse("payment_cancel", refunding(imp_uid="imp_1", amount=1000, **{field: None}))
    assert field not in parsed.request.public()


@pytest.mark.parametrize("field", ["tax_free", "vat_amount"])
def test_zero_is_a_part(field: str) -> None:
    """A part of an amount may be zero."""
    parsed = parse("payment_cancel", refunding(imp_uid="imp_1", amount=1000, **{field: 0}))
    assert getattr(parsed.request, field) == 0


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"amount": 10001, "checksum": 10000}, "amount is greater than checksum"),
        ({"amount": 1000, "tax_free": 1001}, "greater than the amount"),
        ({"amount": 1000, "tax_free": 600, "vat_amount": 401}, "greater than the amount"),
        ({"checksum": 1000, "tax_free": 1001}, "greater than the amount"),
        ({"amount": 0}, "greater than zero"),
        ({"checksum": 0}, "greater than zero"),
    ],
)
def test_amounts_that_contradict(fields: dict[str, Any], complaint: str) -> None:
    """Parts larger than their whole are refused in words an operator understands."""
    with pytest.raises(InvalidRequest, match=complaint):
        parse("payment_cancel", refunding(imp_uid="imp_1", **fields))


def test_total_is_the_sum_per_unit() -> None:
    """Amounts are per unit: the total is the sum of quantity times amount."""
    parsed = parse("order_cancel", ordering({"quantity": 2, "amount": 50000}, {"amount": 3000}, total=103000))
    assert parsed.request.total_cancel_amount == 103000


@pytest.mark.parametrize("total", [53000, 102999, 103001, 103000.5])
def test_total_that_is_not_the_sum(total: float) -> None:
    """A total that is off by the smallest part is refused."""
    with pytest.raises(InvalidRequest, match="totalCancelAmount"):
        parse("order_cancel", ordering({"quantity": 2, "amount": 50000}, {"amount": 3000}, total=total))


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ({"amount": -1}, "amount: must not be negative"),
        ({"amount": 1000.0005}, "amount: must have at most 3 decimals"),
        ({"amount": True}, "amount: must be a JSON number"),
        ({"amount": 1000, "taxAmount": 1001}, "taxAmount is greater"),
        ({"amount": 1000, "taxAmount": -1}, "taxAmount: must not be negative"),
        ({"amount": 1000, "quantity": 0}, "quantity: must be greater than zero"),
        ({"amount": 1000, "quantity": 1.5}, "quantity: must be a whole number"),
        ({"amount": 1000, "quantity": "1"}, "quantity: must be a JSON number"),
        ({"amount": 1000, "seq": 0}, "seq: must be greater than zero"),
        ({"amount": 1000, "seq": None}, "seq: must be a JSON number"),
    ],
)
def test_numbers_of_a_line(line: dict[str, Any], complaint: str) -> None:
    """A line's bad number is refused by its place and name."""
    with pytest.raises(InvalidRequest, match=r"items\.0") as refused:
        parse("order_cancel", ordering(line, total=1000))
    assert complaint in str(refused.value)


def in_currency(code: Any, name: str = "payment_cancel", **fields: Any) -> dict[str, Any]:
    request = fields or {"imp_uid": "imp_1", "amount": 726.24, "checksum": 907.8}
    return detail(name, currency=code, request=request)


def test_dollars_with_cents() -> None:
    """An amount has the decimals of its currency, exactly, whoever parsed the event."""
    by_lambda = parse("payment_cancel", in_currency("USD")).request
    by_us = parse_text("payment_cancel", json.dumps(in_currency("USD"))).request
    assert by_lambda == by_us
    assert (by_us.amount, by_us.checksum) == (Decimal("726.24"), Decimal("907.8"))
    assert by_us.public() == {"imp_uid": "imp_1", "amount": Decimal("726.24"), "checksum": Decimal("907.8")}
    assert strict_json.dumps(by_us.public()) == '{"amount":726.24,"checksum":907.8,"imp_uid":"imp_1"}'


@pytest.mark.parametrize("code", ["KRW", "JPY", "VND", None])
@pytest.mark.parametrize(
    ("field", "value"), [("amount", 900.5), ("tax_free", 0.5), ("vat_amount", 0.5), ("checksum", 1000.5)]
)
def test_whole_currencies(code: str | None, field: str, value: float) -> None:
    """Won, yen and dong have no decimals, and PortOne's amounts are won where the event does not say."""
    request = {"imp_uid": "imp_1", "amount": 900, "checksum": 10000, field: value}
    content = detail(currency=code, request=request)
    with pytest.raises(InvalidRequest, match=rf"request\.{field}: must have at most 0 decimals"):
        parse("payment_cancel", content)


@pytest.mark.parametrize(
    ("code", "amount", "places"), [("USD", 181.565, 2), ("XYZ", 0.125, 2), ("KWD", 1.2345, 3)]
)
def test_more_decimals_than_the_currency(code: str, amount: float, places: int) -> None:
    """A fraction that the currency does not have is no amount; a code that is not known has two decimals."""
    with pytest.raises(InvalidRequest, match=f"at most {places} decimals"):
        parse("payment_cancel", in_currency(code, imp_uid="imp_1", amount=amount))


@pytest.mark.parametrize("code", ["usd", "US", "USDT", "", "U$D", "USD\n", 840, ["USD"]])
def test_what_is_no_currency(code: Any) -> None:
    """A currency is three capital letters."""
    with pytest.raises(InvalidRequest, match="currency"):
        parse("payment_cancel", in_currency(code))


def test_whose_currency() -> None:
    """The event's currency counts; where it names none, the given one does."""
    assert parse("payment_cancel", in_currency("USD")).effective_currency("KRW") == "USD"
    assert parse("payment_cancel", detail()).effective_currency("KRW") == "KRW"
    assert parse("order_cancel", ordering({"amount": 1}, total=1)).effective_currency("EUR") == "EUR"


def test_fractions_of_an_order() -> None:
    """Totals and taxes with a fraction are added up exactly: ten times ten cents is one."""
    lines = [{"quantity": 10, "amount": 0.1, "taxAmount": 0.01}, {"quantity": 3, "amount": 1.15}]
    request = parse("order_cancel", ordering(*lines, total=4.45)).request
    assert request.total_cancel_amount == Decimal("4.45")
    assert request.items[0].tax_amount == Decimal("0.01")
    assert strict_json.dumps(request.model_dump(exclude_none=True)).count("0.01") == 1
    with pytest.raises(InvalidRequest, match="is not the sum"):
        parse("order_cancel", ordering(*lines, total=4.44))


def test_fractions_of_an_order_in_won() -> None:
    """An order that names its currency has the decimals of it; one that does not, those of the deployment."""
    content = ordering({"amount": 0.5}, total=0.5)
    request = parse("order_cancel", content).request
    with pytest.raises(
        InvalidRequest, match=r"request\.totalCancelAmount, request\.items\.0\.amount: must have"
    ):
        parse("order_cancel", {**content, "currency": "KRW"})
    assert misfit(request, "USD") is None
    assert misfit(request, "KRW") == (
        "request.totalCancelAmount, request.items.0.amount: must have at most 0 decimals in KRW"
    )
