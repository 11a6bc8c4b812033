from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refunds.domain.redaction import MAX_LENGTH, holds, redact

WORDS = st.text("abcdefgh가나다라마", min_size=2, max_size=12)


@pytest.mark.parametrize(
    "text",
    [
        "[500626|기 취소 거래]",
        "결제취소에 실패하였습니다. (기취소성공)",
        "이미 전액취소된 주문입니다.",
        "[8178] 취소금액이 미정산 금액보다 큽니다",
        "requested cancel amount 3,000 is bigger than cancelable amount 1,000",
    ],
)
def test_a_reason_stays_readable(text: str) -> None:
    """Codes and reasons as payment gateways write them are not touched."""
    assert redact(text) == text


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("계좌 110123456789 오류", "계좌 *** 오류"),
        ("계좌 110-123-456789 오류", "계좌 *** 오류"),
        ("전화 010 1234 5678 로", "전화 *** 로"),
        ("계좌 110.123.456789 오류", "계좌 *** 오류"),
        ("계좌 110/123/456789 오류", "계좌 *** 오류"),
        ("계좌 110\u2013123\u2013456789 오류", "계좌 *** 오류"),
        ("전화 (010) 1234-5678 로", "전화 (*** 로"),
        ("1234567", "***"),
        ("123456", "123456"),
        ("전각 １２３４５６７ 숫자", "전각 *** 숫자"),
        ("메일 hong.gildong@example.co.kr 주소", "메일 *** 주소"),
        ("계좌 110\u200b1234\u200b567", "계좌 ***"),
    ],
)
def test_long_numbers_and_addresses_are_masked(text: str, kept: str) -> None:
    """Seven digits or more, however they are grouped, and e-mail addresses do not remain."""
    assert redact(text) == kept


@pytest.mark.parametrize(
    ("secret", "text"),
    [
        ("1234", "[1-2 34] 12-34 1234"),
        ("110-1234", "1101234 그리고 110-1234"),
        ("110-1234", "110.1234 그리고 110\u20141234"),
        ("1234", "12/34 그리고 (12)34"),
        ("홍길동", "예금주 홍길동, 홍 길동"),
        ("홍 길동", "예금주 홍길동"),
        ("John Doe", "holder JOHN DOE / johndoe"),
        ("John Doe", "holder John.Doe, John-Doe, JOHN_DOE"),
        (unicodedata.normalize("NFD", "홍길동"), "예금주 홍길동"),
        ("홍길동", unicodedata.normalize("NFD", "예금주 홍길동")),
        ("ab", "ab aB a\u00adb"),
        ("a.c(", "a.c("),
    ],
)
def test_given_values_are_masked_however_they_are_written(secret: str, text: str) -> None:
    """Spaces, hyphens, case and Unicode forms do not hide a value."""
    shown = redact(text, [secret])
    assert "***" in shown
    squeezed = re.sub(r"[\W_]", "", shown).casefold()
    assert re.sub(r"[\W_]", "", unicodedata.normalize("NFKC", secret)).casefold() not in squeezed


def test_a_longer_secret_is_masked_as_a_whole() -> None:
    """Of two values, one inside the other, nothing of the longer one remains."""
    assert redact("이름 남궁민수 끝", ["남궁", "남궁민수"]) == "이름 *** 끝"


def test_values_of_one_character_mask_nothing() -> None:
    """They would leave nothing to read."""
    assert redact("결제 실패", ["결", "", " "]) == "결제 실패"


@pytest.mark.parametrize("secret", ["-" * 64, "1" + "-" * 62 + "1", ". - " * 16, "a" + " " * 60 + "b"])
def test_no_value_makes_masking_slow(secret: str) -> None:
    """A value made of what may stand between letters is found or not in time that grows with the text."""
    text = ("1" + "-" * 60 + " . ") * 200
    assert len(redact(text, [secret])) <= MAX_LENGTH


def test_only_the_beginning_of_a_long_text_is_looked_at() -> None:
    """What is not looked at is not shown, nor what it cuts in half."""
    assert redact("a" * 8_000_000) == "a" * MAX_LENGTH
    for invisible in range(16_350, 16_420):
        assert "홍길" not in redact("\u200b" * invisible + "홍길동전", ["홍길동전"])


def test_control_characters_do_not_remain() -> None:
    """A line break, an escape sequence or half a surrogate pair cannot forge a log line."""
    assert redact("a\r\nb\x1b[31mc\x00d\u202ee\ud800f") == "a  b[31mcdef"


def test_a_long_text_is_cut_after_masking() -> None:
    """A value that the cut would halve is masked before it."""
    text = "x" * (MAX_LENGTH - 3) + "홍길동전"
    assert redact(text, ["홍길동전"]) == "x" * (MAX_LENGTH - 3) + "***"
    assert len(redact("가" * 10_000)) == MAX_LENGTH


@given(st.lists(WORDS, max_size=4), st.lists(WORDS, max_size=6), st.text(max_size=80))
def test_no_value_given_survives(secrets: list[str], words: list[str], noise: str) -> None:
    """Whatever surrounds them, the values do not occur in the result, nor do control characters."""
    shown = redact(noise.join([*words, *secrets]), secrets)
    assert len(shown) <= MAX_LENGTH
    assert all(secret not in shown for secret in secrets)
    assert not any(unicodedata.category(character).startswith("C") for character in shown)


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("https://receipts.invalid/r/11012345678", True),
        ("https://receipts.invalid/110-1234-5678/r", True),
        ("https://receipts.invalid/%ED%99%8D%EA%B8%B8%EB%8F%99", True),
        ("https://receipts.invalid/r/c-0004", False),
        ("https://receipts.invalid/r/99012345678", False),
    ],
)
def test_an_address_may_say_who_was_refunded(address: str, *, told: bool) -> None:
    """An account or a name, percent-encoded or not; a bank's code is in many addresses."""
    assert holds(address, ("11012345678", "홍길동", "04")) is told
