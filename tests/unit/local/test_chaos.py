"""What a chaos run is drawn from, and that its verdict finds what is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, cast

import pytest

from local.chaos.consumer import Belief
from local.chaos.plan import Plan, Subject, draw
from local.chaos.verdict import judge
from local.demo.scenario import Request
from local.simulator.movements import Actor, Movement, MovementKind
from local.stack import OutcomeLog

_DOLLARS = Decimal("181.56")
_REQUEST = Request("payment_cancel", "PaymentCancelRequested", "cr-1", "ORD-1", {}, currency="USD")
_BELIEF = Belief("succeeded", "USD", _DOLLARS)
_MOVED = Movement(0.0, "portone", MovementKind.REFUND, "imp_1", _DOLLARS, "c-1", "", Actor.API, "USD")


class _Log:
    """What the accounting bus carried, as ``OutcomeLog`` keeps it."""

    def __init__(self, *outcomes: str) -> None:
        self.events = [
            {
                "detail": {
                    "cancel_request_id": "cr-1",
                    "outcome": outcome,
                    "outcome_id": f"{number} {outcome}",
                    "revision": number,
                }
            }
            for number, outcome in enumerate(outcomes)
        ]


def _problems(
    *movements: Movement, told: tuple[str, ...] = ("succeeded",), late: bool = False, **believed: Any
) -> tuple[str, ...]:
    subject = Subject("imp_1", "payments", {}, (_REQUEST,), _DOLLARS, "USD", late=late)
    books: Mapping[str, Belief] = {"payment_cancel#cr-1": believed.get("belief", _BELIEF)}
    log = cast("OutcomeLog", _Log(*told))
    return judge(Plan([subject]), log, books, movements).problems


def test_a_run_has_dollars_and_pgs_that_book_later() -> None:
    """Among a hundred and fifty there are USD payments and late PGs, booked, refused and never booked."""
    subjects = draw("1", 4711, 150).subjects
    assert {subject.currency for subject in subjects} == {"KRW", "USD"}
    late = [subject for subject in subjects if subject.late]
    assert len(late) >= 5
    ends = {one.seed["booking"].get("end", "booked") for one in draw("1", 1, 1000).subjects if one.late}
    assert ends == {"booked", "refused", "never"}


def test_a_run_is_drawn_from_its_seed() -> None:
    """The same seed gives the same run."""
    assert draw("1", 7, 60) == draw("1", 7, 60)


def test_books_that_agree_have_no_problem() -> None:
    """What moved once and is believed once is right."""
    assert _problems(_MOVED) == ()


@pytest.mark.parametrize(
    ("problems", "found"),
    [
        (_problems(_MOVED, _MOVED), "more than once"),
        (_problems(), "accounting believes"),
        (_problems(_MOVED, told=()), "no outcome"),
        (_problems(_MOVED, told=("succeeded", "failed")), "two final outcomes"),
        (_problems(_MOVED, belief=Belief("succeeded", "KRW", _DOLLARS)), "not in USD alone"),
        (_problems(_MOVED, belief=Belief("nothing", None, None)), "has not kept"),
        (_problems(_MOVED, belief=Belief("parked", "USD", None)), "could be carried out"),
        (_problems(_MOVED, late=True, belief=Belief("pending", "USD", _DOLLARS)), "accounting believes"),
        (_problems(late=True, belief=Belief("failed", "USD", Decimal(0))), "could be carried out"),
    ],
)
def test_what_is_wrong_is_found(problems: tuple[str, ...], found: str) -> None:
    """Each way in which provider and accounting disagree is a problem of its own."""
    assert any(found in problem for problem in problems)


def test_a_late_pg_may_leave_a_request_open() -> None:
    """What was never booked moves nothing and stays open: that is no problem."""
    assert _problems(late=True, told=("pending",), belief=Belief("pending", "USD", _DOLLARS)) == ()
