from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refunds.contracts.money import (
    MAX_AMOUNT,
    MAX_DECIMALS,
    WHOLE_CURRENCIES,
    decimals,
    fits,
    plain_number,
    read_amount,
)


@pytest.mark.parametrize(
    ("code", "places"),
    [("KRW", 0), ("JPY", 0), ("VND", 0), ("USD", 2), ("EUR", 2), ("TWD", 2), ("KWD", 3), ("QQQ", 2)],
)
def test_decimals(code: str, places: int) -> None:
    """A currency has the decimals of ISO 4217, and one that is not known has two."""
    assert decimals(code) == places
    assert (code in WHOLE_CURRENCIES) is (places == 0)


@pytest.mark.parametrize(
    ("amount", "code", "expected"),
    [
        ("726.24", "USD", True),
        ("726.240", "USD", True),
        ("726.245", "USD", False),
        ("1000.0", "KRW", True),
        ("1000.5", "KRW", False),
        ("1E+3", "KRW", True),
        ("0.00", "KRW", True),
        ("0.001", "KWD", True),
    ],
)
def test_fits(amount: str, code: str, expected: bool) -> None:  # noqa: FBT001 - a column of the table
    """Zeros at the end are no decimals."""
    assert fits(Decimal(amount), code) is expected


@given(st.decimals(0, MAX_AMOUNT, places=MAX_DECIMALS))
def test_amounts_stay_exact(amount: Decimal) -> None:
    """Whether JSON was read by us or by Lambda's runtime, an amount is what was written."""
    assert read_amount(amount) == amount
    assert read_amount(float(amount)) == amount
    assert plain_number(read_amount(amount)) == amount


@given(st.decimals(0, MAX_AMOUNT, places=2), st.integers(0, 6))
def test_equal_amounts_are_written_alike(amount: Decimal, zeros: int) -> None:
    """However many zeros it was written with, an amount has one form."""
    padded = amount.quantize(Decimal(1).scaleb(-2 - zeros))
    assert str(read_amount(padded)) == str(read_amount(amount))


def test_whole_amounts_are_integers() -> None:
    """A whole amount is an int, so that it is stored and compared as before there were currencies."""
    assert [type(plain_number(Decimal(text))) for text in ("1000.0", "0", "1E+2", "0.5")] == [
        int,
        int,
        int,
        Decimal,
    ]
