from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from local.trigger import envelope
from refunds.operators.repair import NotRepairable, changes, check, patched
from tests.unit.operators.requests import dead_letter
from tests.unit.rig import Wanted


def broken(**fields: object) -> dict[str, object]:
    detail = Wanted(key="cr-1").detail
    detail["request"] |= {"amount": "1000", **fields}
    return detail


PATCH = {"request": {"amount": 1000}}


@pytest.mark.parametrize(
    "wrap", [lambda d: d, envelope, lambda d: {"requestContext": {}, "requestPayload": envelope(d)}]
)
def test_a_patch_changes_the_detail_however_it_is_wrapped(
    wrap: Callable[[Any], object],
) -> None:
    """Bare, in an envelope, or as a Lambda destination left it: the correction is valid and complete."""
    sick = dead_letter(json.dumps(wrap(broken())))
    body = patched(sick, PATCH)
    check(sick, body)
    assert "requestContext" not in body


def test_a_patch_removes_with_null_and_keeps_the_rest_exactly() -> None:
    """As RFC 7386 says; amounts with fractions survive."""
    sick = dead_letter('{"a": {"b": 1, "c": 2}, "fraction": 0.10, "big": 12345678901234567890}')
    assert json.loads(patched(sick, {"a": {"b": None, "d": 3}})) == {
        "a": {"c": 2, "d": 3},
        "fraction": 0.1,
        "big": 12345678901234567890,
    }


def test_a_body_that_is_no_json_cannot_be_patched() -> None:
    """The operator is told what can be done instead."""
    with pytest.raises(NotRepairable, match="--edit"):
        patched(dead_letter("{"), PATCH)


def test_a_valid_message_is_not_edited() -> None:
    """Another payload under a key that was used would be refused; a new key is the way."""
    with pytest.raises(NotRepairable, match="new cancel_request_id"):
        check(dead_letter(Wanted().body), Wanted().body)


def test_the_request_stays_the_same_one() -> None:
    """Its id cannot be changed by the correction; a missing one can be supplied."""
    sick = dead_letter(json.dumps(broken()))
    with pytest.raises(NotRepairable, match="must stay so"):
        check(sick, Wanted(key="cr-2").body)
    nameless = dead_letter(json.dumps(broken() | {"cancel_request_id": None}))
    assert "cancel_request_id" in check(nameless, Wanted(key="cr-9").body)


def test_a_correction_that_corrects_nothing_is_refused() -> None:
    """With the reason it is still invalid."""
    sick = dead_letter(json.dumps(broken()))
    with pytest.raises(NotRepairable, match=r"request\.amount"):
        check(sick, patched(sick, {"request": {"amount": 0}}))


def test_changes_are_named_without_their_values() -> None:
    """Paths only: what was corrected may be an account number."""
    old = '{"request": {"refund_account": "110-1", "amount": 1}, "x": 1}'
    new = '{"request": {"refund_account": "110-2", "amount": 1}, "y": 1}'
    assert changes(old, new) == ["request.refund_account", "x", "y"]
    assert changes("{", new) == ["the whole body"]
