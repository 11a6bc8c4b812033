from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refunds.cancel_types import cancel_type
from refunds.messaging.message import read_body
from refunds.operators.masking import mask_body
from tests.unit.operators.requests import order_cancel
from tests.unit.rig import EVENTS, Rig, Wanted

SECRET = "110-987-654321"
NAMES = (
    "refund_account",
    "accountNumber",
    "buyer_tel",
    "mobilePhone",
    "계좌 account",
    "card_number",
    "e-mail",
)
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.sampled_from(NAMES), st.lists(st.sampled_from(["request", "items", "phone", "x"]), max_size=4), JSON
)
def test_a_personal_field_is_masked_wherever_it_stands(name: str, path: list[str], beside: Any) -> None:
    """At any depth, in objects and lists, whatever stands beside it."""
    value: Any = {name: SECRET, "beside": beside}
    for step in path:
        value = [{step: value}] if step == "items" else {step: value}
    masked = mask_body(json.dumps(value))
    assert SECRET not in masked
    assert "654321" not in masked
    json.loads(masked)


@given(st.text())
def test_any_text_is_shown_without_its_long_numbers(text: str) -> None:
    """A body that is no JSON is masked too, and never fails."""
    assert "1109876543" not in mask_body(f"{text} 1109876543 {text}")


@given(JSON)
def test_masking_keeps_the_shape(value: Any) -> None:
    """What was JSON still is, with the same kinds of values in the same places."""

    def shape(part: Any) -> Any:
        if isinstance(part, dict):
            return sorted(map(str, (shape(item) for item in part.values())))
        return [shape(item) for item in part] if isinstance(part, list) else type(part).__name__

    try:
        masked = json.loads(mask_body(json.dumps(value)))
    except ValueError:
        pytest.fail("it is no JSON any more")
    assert shape(masked) == shape(value)


def test_a_masked_message_still_fits_its_contract(rig: Rig) -> None:
    """So that an exported message can be tried out: every sample event and an order's bank account."""
    samples = [(path.parent.name, path.read_text("utf-8")) for path in EVENTS.glob("*/eventbridge*.json")]
    bodies = [("order_cancel", order_cancel(rig)), ("payment_cancel", Wanted().body), *samples]
    for name, body in bodies:
        policy = cancel_type(name).policy
        reading = read_body(policy, mask_body(body))
        assert reading.cancellation is not None, (name, reading.error)
        assert reading.cancel_request_id == read_body(policy, body).cancel_request_id
        assert reading.cancellation.request.public() == read_body(policy, body).cancellation.request.public()  # type: ignore[union-attr]


def test_what_identifies_a_request_can_be_read() -> None:
    """Ids, amounts and times are shown, however long their numbers are."""
    detail = Wanted("imp_123456789012", 10_000_000, "cr-20261121000001").detail
    shown = mask_body(json.dumps({"detail-type": "x", "account": "123456789012", "detail": detail}))
    for part in ("imp_123456789012", "10000000", "cr-20261121000001", "2026-11-21T05:00:00Z", "123456789012"):
        assert part in shown


@pytest.mark.parametrize("body", ["[" * 100_000, '{"a": "\\ud800"}', '{"name": NaN}', ""])
def test_odd_bodies_are_shown_somehow(body: str) -> None:
    """Nested without end, half a character, no number: nothing fails."""
    assert len(mask_body(body)) <= 600


@pytest.mark.parametrize(
    "body",
    [
        '{"request": {"refund_holder": "남궁비밀", "amount": 1}, "amount": 1, "amount": 2}',
        '{"request": {"refund_holder": "남궁비밀", "amount": NaN}}',
        '\ufeff{"request": {"refund_holder": "남궁비밀"',
        "{'refund_holder': '남궁비밀'}",
        "refund_holder=남궁비밀&refund_account=110-987",
        '{"refund_holder": "\\ub0a8\\uad81" x',
        '{"a": 1}{"refund_holder": "남궁비밀"}',
        "refund_holder: 남궁비밀\n",
    ],
)
def test_what_is_no_json_shows_no_word_but_the_contracts_names(body: str) -> None:
    """A key twice, a cut end, another notation: a name of a person is not told from another word."""
    shown = mask_body(body)
    assert not [part for part in ("남궁", "비밀", "ub0a8", "987") if part in shown]
    assert "refund_holder" in shown
