from __future__ import annotations

from decimal import Decimal
from itertools import permutations
from typing import Any

import pytest

from local.stack.statements import believed, by_currency, cancelled, in_words
from local.stack.tail import lines


def _statement(outcome: str, revision: int, **more: Any) -> dict[str, Any]:
    return {"outcome": outcome, "revision": revision, "money": None, "error": None, **more}


PARKED, PENDING, SUCCEEDED, STALE = (
    _statement("parked", 0),
    _statement("pending", 2),
    _statement("succeeded", 3),
    _statement("parked", 9),
)


@pytest.mark.parametrize("told", list(permutations((PARKED, PENDING, SUCCEEDED, STALE))))
def test_a_final_statement_is_believed_whatever_comes(told: tuple[dict[str, Any], ...]) -> None:
    """A final statement counts in any order, and above any revision."""
    assert believed(told) == SUCCEEDED


@pytest.mark.parametrize("told", list(permutations((PARKED, PENDING))))
def test_before_that_the_highest_revision_is_believed(told: tuple[dict[str, Any], ...]) -> None:
    """Without a final statement the one with the highest revision counts."""
    assert believed(told) == PENDING
    assert believed([]) is None


def test_only_what_succeeded_is_summed_up() -> None:
    """What is about to move, or may have moved, is in no sum."""
    money = {"currency": "USD", "cancelled": Decimal("181.56")}
    assert cancelled({"outcome": "succeeded", "money": money}) == ("USD", Decimal("181.56"))
    assert cancelled({"outcome": "pending", "money": money})[1] == 0
    assert cancelled({"outcome": "succeeded", "money": None})[1] == 0


def test_money_is_told_by_currency() -> None:
    """Won come first, every amount has its currency's decimals, and what is nothing is left out."""
    sums = by_currency(
        [("USD", Decimal("181.56")), ("KRW", Decimal(124_000)), ("EUR", Decimal(0)), ("USD", Decimal("0.04"))]
    )
    assert in_words(sums) == "124,000 won, USD 181.60"
    assert in_words({}) == "nothing"


def test_an_outcome_is_shown_in_a_line_or_two() -> None:
    """What became of which request, how much of which money, and why not."""
    ids = {"cancel_request_id": "cr-1", "cancel_type": "payment_cancel"}
    money = {"currency": "USD", "cancelled": None}
    error = {"code": "OUTCOME_UNKNOWN", "message": "no answer", "may_have_been_applied": True}
    (pending,) = lines(
        {
            "detail-type": "CancelPending",
            "detail": _statement("pending", 2, **ids) | {"money": {**money, "cancelled": Decimal("181.56")}},
        }
    )
    assert pending == "CancelPending    cr-1  payment_cancel  revision 2  USD 181.56"
    parked = _statement("parked", 3, **ids) | {"money": money, "error": error}
    first, second = lines({"detail-type": "CancelParked", "detail": parked})
    assert first.endswith("revision 3  USD unknown")
    assert second.strip() == "OUTCOME_UNKNOWN, it may have been applied: no answer"
