from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refunds.domain.tag import carries, is_tagged, reason_with, tag_of

TAG = tag_of("payment_cancel", "cr-1")
OTHERS = tag_of("payment_cancel", "cr-2")


def test_tags_never_change() -> None:
    """The mark of a request is the same for ever: it stands in providers' histories."""
    assert TAG == "[rf:ehj45e533r]"
    assert len({tag_of(name, key) for name in ("a", "b") for key in ("1", "2")}) == 4


@given(st.text(max_size=600))
def test_reason_fits_and_ends_with_the_tag(words: str) -> None:
    """Whatever was given as a reason, what is sent fits into 256 characters and ends with the mark."""
    sent = reason_with(TAG, words)
    assert len(sent) <= 256
    assert sent.endswith(TAG)
    assert is_tagged(sent)
    assert not set(sent) & {chr(code) for code in [*range(32), 127]}


@pytest.mark.parametrize(
    ("words", "sent"),
    [
        ("고객 변심", f"고객 변심 {TAG}"),
        ("", TAG),
        (" \r\n\t ", TAG),
        ("두 줄\r\n사유", f"두 줄 사유 {TAG}"),
        ("가" * 300, "가" * 240 + f" {TAG}"),
        (f"고객 변심 {OTHERS}", f"고객 변심 ({OTHERS[1:]} {TAG}"),
        (f"[rf:{OTHERS}", f"(rf:({OTHERS[1:]} {TAG}"),
    ],
)
def test_words_come_first(words: str, sent: str) -> None:
    """The customer's words come first, on one line, cut where the mark needs the room."""
    assert reason_with(TAG, words) == sent


@pytest.mark.parametrize(
    ("reason", "tagged"),
    [
        (None, False),
        ("", False),
        ("고객 변심", False),
        ("[rf:short]", False),
        ("[RF:ABCDEFGHIJ]", False),
        (TAG, True),
    ],
)
def test_recognising_a_mark(reason: str | None, tagged: bool) -> None:  # noqa: FBT001
    """Only a mark in its whole form is one."""
    assert is_tagged(reason) is tagged


@given(st.text(alphabet="[rf:abcdefghij](\n ", max_size=60))
def test_no_words_carry_a_mark(words: str) -> None:
    """Whatever the event's reason holds, what is sent is recognised as one cancellation's: its own."""
    for copied in (words, f"{words}{OTHERS}{words}"):
        sent = reason_with(TAG, copied)
        assert carries(sent, TAG)
        assert not carries(sent, OTHERS)
        assert not is_tagged(reason_with("", copied))


def test_the_last_mark_counts() -> None:
    """What an earlier version sent may have another one's mark among the customer's words."""
    assert carries(f"고객 변심 {OTHERS} {TAG}", TAG)
    assert not carries(f"고객 변심 {OTHERS} {TAG}", OTHERS)
    assert not carries(None, TAG)
