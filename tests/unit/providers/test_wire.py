from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refunds.errors import InvalidRequest
from refunds.providers.http import wire

_NUMBERS = st.one_of(
    st.integers(min_value=-(10**15), max_value=10**15),
    st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**12), max_value=10**12, places=4),
)
_TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
_VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), _NUMBERS, _TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(_TEXTS, inner, max_size=4)),
    max_leaves=12,
)


@given(st.dictionaries(_TEXTS, _VALUES, max_size=5))
def test_what_is_written_reads_the_same(body: dict[str, object]) -> None:
    """No value changes on the way out and back in, to the last digit, with our reader or another."""
    written = wire.encode(body)
    assert wire.decode(written) == body
    assert json.loads(written, parse_float=Decimal) == body


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (Decimal(1000), b"1000"),
        (Decimal("1000.0"), b"1000"),
        (Decimal("1E+3"), b"1000"),
        (Decimal("10.50"), b"10.5"),
        (Decimal("0.1"), b"0.1"),
        (Decimal("0.00"), b"0"),
        (Decimal("1E-7"), b"0.0000001"),
        (106000, b"106000"),
        (True, b"true"),
    ],
)
def test_amounts_are_plain_numbers(amount: object, text: bytes) -> None:
    """No exponent, no trailing zeros, no ``.0`` behind a whole amount."""
    assert wire.encode({"amount": amount}) == b'{"amount":' + text + b"}"


def test_text_is_sent_as_it_is() -> None:
    """Korean text is UTF-8, not escapes."""
    assert wire.encode({"reason": "고객 변심"}) == '{"reason":"고객 변심"}'.encode()


@pytest.mark.parametrize("value", [0.1, b"bytes", {1, 2}, object()])
def test_a_float_never_gets_out(value: object) -> None:
    """A float, or a type JSON does not know, is a mistake of the caller."""
    with pytest.raises(TypeError):
        wire.encode({"nested": [{"amount": value}]})


@pytest.mark.parametrize("value", [Decimal("NaN"), Decimal("-Infinity"), "half a pair: \ud800"])
def test_what_json_cannot_say_is_an_invalid_request(value: object) -> None:
    """A number or a text that no provider could read is refused, without showing it."""
    with pytest.raises(InvalidRequest) as caught:
        wire.encode({"reason": value})
    assert caught.value.__context__ is None
    assert "pair:" not in str(caught.value)
