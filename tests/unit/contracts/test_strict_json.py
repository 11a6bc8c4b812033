from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refunds.contracts import strict_json

AMOUNTS = st.integers(0, 10**12).map(Decimal)
CONTENT = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.text() | AMOUNTS,
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


def test_numbers_keep_their_kind() -> None:
    """Whole numbers are int, others Decimal to the last digit, none float."""
    found = strict_json.loads("[1, 1.0, 0.1, 1e2, 9007199254740993.5]")
    assert found == [1, Decimal("1.0"), Decimal("0.1"), Decimal(100), Decimal("9007199254740993.5")]
    assert isinstance(found, list)
    assert [type(number) for number in found] == [int, *[Decimal] * 4]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "not JSON"),
        ("{", "not JSON"),
        ("{'a': 1}", "not JSON"),
        ('{"a": 01}', "not JSON"),
        ('{"a": 1,}', "not JSON"),
        ("\ufeff{}", "not JSON"),
        ('{"a": NaN}', "NaN and Infinity"),
        ('{"a": -Infinity}', "NaN and Infinity"),
        ('{"amount": 1, "amount": 2}', "same key appears twice"),
        ('{"request": {"amount": 1, "am\\u006funt": 2}}', "same key appears twice"),
        ("[" * 100_000, "nested too deeply"),
        ("9" * 5_000, "too many digits"),
        ("1e400", "too many digits"),
        (b"\xff\xfe\xfa", "UTF-8"),
        (b'{"a": "\xe0\x80"}', "UTF-8"),
    ],
    ids=lambda value: repr(value[:20]),
)
def test_what_two_readers_could_understand_differently(text: str | bytes, complaint: str) -> None:
    """Text that is no JSON, or is JSON with two meanings, is refused for a reason that can be read."""
    with pytest.raises(strict_json.NotStrictJson, match=complaint):
        strict_json.loads(text)


def test_reasons_hold_no_text() -> None:
    """The reason says where the text breaks and repeats nothing of it."""
    with pytest.raises(strict_json.NotStrictJson) as refused:
        strict_json.loads('{"refund_account": "00123456789", ')
    assert str(refused.value) == "not JSON (line 1, column 35)"
    assert refused.value.__suppress_context__


@given(CONTENT)
def test_canonical_form_is_stable(content: object) -> None:
    """What is written canonically is read back the same and written the same again."""
    text = strict_json.dumps(content)
    assert strict_json.loads(text) == content
    assert strict_json.dumps(strict_json.loads(text)) == text


def test_canonical_form() -> None:
    """Keys are sorted, whole amounts are integers, and Korean stays Korean."""
    content = {"나": Decimal("1000.0"), "가": (1, None, True)}
    assert strict_json.dumps(content) == '{"가":[1,null,true],"나":1000}'


@pytest.mark.parametrize("amount", [Decimal("0.5"), Decimal("NaN"), float("nan")])
def test_what_is_no_amount_is_not_written(amount: object) -> None:
    """An amount that is not whole or not finite is never written."""
    with pytest.raises(ValueError, match=r"whole|NaN|JSON compliant"):
        strict_json.dumps({"amount": amount})


@given(st.dictionaries(st.text(), st.integers(), min_size=1))
def test_reads_what_everybody_reads(content: dict[str, int]) -> None:
    """Ordinary JSON means here what it means to everybody else."""
    assert strict_json.loads(json.dumps(content)) == content
