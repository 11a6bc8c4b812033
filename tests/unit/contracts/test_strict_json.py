from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refunds.contracts import strict_json

AMOUNTS = st.decimals(0, 10**12, places=2)
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


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (Decimal("726.24"), "726.24"),
        (Decimal("181.560"), "181.56"),
        (Decimal("0.10"), "0.1"),
        (Decimal("1E+3"), "1000"),
        (Decimal("-0.0"), "0"),
        (Decimal("1E-7"), "0.0000001"),
        (Decimal("9007199254740993.5"), "9007199254740993.5"),
    ],
)
def test_numbers_are_exact(number: Decimal, text: str) -> None:
    """A number is written as it is: no float, no exponent, no zeros at the end."""
    assert strict_json.dumps([number]) == f"[{text}]"


@pytest.mark.parametrize("number", [Decimal("NaN"), Decimal("-Infinity"), Decimal("1E+999999")])
def test_what_is_no_number_is_not_written(number: Decimal) -> None:
    """What is not finite, or is longer than any number that is read, is never written."""
    with pytest.raises(ValueError, match=r"not finite|too many digits"):
        strict_json.dumps({"amount": number})


@pytest.mark.parametrize("value", [0.1, float("nan"), b"bytes", {1}, {1: 2}])
def test_what_has_no_exact_json(value: object) -> None:
    """A float, a key that is no text, or a type JSON does not know, is a mistake of the caller."""
    with pytest.raises(TypeError):
        strict_json.dumps({"amount": value})


def test_keys_in_their_order() -> None:
    """What people read keeps the order of its keys."""
    assert strict_json.dumps({"b": 1, "a": {"d": 1, "c": 2}}, sort_keys=False) == '{"b":1,"a":{"d":1,"c":2}}'


@pytest.mark.parametrize("number", ["1e400", "-1e400", "1e-999999", "1" * 5000, "NaN", "-Infinity"])
def test_what_is_left_of_a_text_with_an_impossible_number(number: str) -> None:
    """Read leniently, an impossible number is NaN, and everything beside it is what it was."""
    found = strict_json.loads_leniently(f'{{"a": {number}, "b": [1, 0.5]}}')
    assert isinstance(found, dict)
    assert found.pop("a").is_nan()
    assert found == {"b": [1, Decimal("0.5")]}


@pytest.mark.parametrize("text", ["{", '{"a": 1, "a": 1e400}', "[" * 100_000, b"\xff\xfe\xfa"])
def test_lenient_about_numbers_only(text: str | bytes) -> None:
    """Whatever else two readers could understand differently is refused all the same."""
    with pytest.raises(strict_json.NotStrictJson):
        strict_json.loads_leniently(text)


@given(st.dictionaries(st.text(), st.integers(), min_size=1))
def test_reads_what_everybody_reads(content: dict[str, int]) -> None:
    """Ordinary JSON means here what it means to everybody else."""
    assert strict_json.loads(json.dumps(content)) == content
