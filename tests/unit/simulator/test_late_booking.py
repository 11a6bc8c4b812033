"""PGs that accept first and book later, or never, or not at all."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from local.simulator import Fault, FaultKind, Lost
from local.simulator.pg_rules import MISSING_REFUND_ACCOUNT
from local.simulator.portone_cancel import CHECKSUM_MISMATCH, OVER_AMOUNT

if TYPE_CHECKING:
    from local.simulator import World
    from tests.unit.simulator.caller import Caller, ManualClock

ACCOUNT = {"refund_holder": "김환불", "refund_bank": "004", "refund_account": "1", "refund_tel": "010"}
PAYPAL = {"imp_uid": "imp_p", "merchant_uid": "P", "amount": 726.24, "pg_provider": "paypal_v2"}
PART = {"imp_uid": "imp_p", "amount": 181.56, "reason": "ours"}


def seed(world: World, booking: Any = None, **changes: Any) -> None:
    world.seed_payment({**PAYPAL, "booking": booking, **changes})


def shown(caller: Caller) -> tuple[float, int]:
    payment = caller.lookup("imp_p")
    return payment["cancel_amount"], len(payment["cancel_history"])


@pytest.mark.parametrize(
    ("pg_provider", "pay_method", "late"),
    [
        ("paypal_v2", "paypal", True),
        ("smartro_v2", "vbank", True),
        ("daou", "vbank", True),
        ("smartro_v2", "card", False),
        ("daou", "card", False),
        ("tosspayments", "card", False),
    ],
)
def test_which_pgs_book_later(
    caller: Caller, world: World, pg_provider: str, pay_method: str, *, late: bool
) -> None:
    """PayPal and two PGs' virtual accounts answer code 0 without an entry and book it after a lookup."""
    world.seed_payment(
        {
            "imp_uid": "imp_p",
            "merchant_uid": "P",
            "amount": 1000,
            "pg_provider": pg_provider,
            "pay_method": pay_method,
        }
    )
    payload = caller.cancel(imp_uid="imp_p", amount=100, **ACCOUNT)
    entries = 0 if late else 1
    assert (payload["code"], len(payload["response"]["cancel_history"])) == (0, entries)
    assert len(world.money.movements) == entries
    assert [shown(caller)[1], shown(caller)[1]] == [entries, 1]
    assert world.money.refunded("imp_p") == 100


@pytest.mark.parametrize("booking", [{"lookups": 2}, [{"lookups": 2}]])
def test_any_pg_can_book_later(caller: Caller, world: World, booking: Any) -> None:
    """A PG that nobody has on a list accepts, and books after two lookups have still seen nothing."""
    seed(world, booking, pg_provider="tosspayments", currency="KRW", amount=1000)
    response = caller.cancel(imp_uid="imp_p", amount=100)["response"]
    assert (response["status"], response["cancel_amount"], response["cancel_history"]) == ("paid", 0, [])
    assert [shown(caller) for _ in range(3)] == [(0, 0), (0, 0), (100, 1)]


def test_a_pg_that_is_late_sometimes(caller: Caller, world: World) -> None:
    """`at_once` books at once; zero lookups book with the acceptance."""
    seed(world, "at_once")
    assert caller.cancel(**PART)["response"]["cancel_history"][0]["amount"] == 181.56
    seed(world, {"lookups": 0})
    assert caller.cancel(**PART)["response"]["cancel_history"][0]["amount"] == 181.56


def test_booked_after_seconds(caller: Caller, world: World, clock: ManualClock) -> None:
    """Seconds pass without an entry, then it is there, dated when it was booked."""
    seed(world, {"seconds": 30})
    caller.cancel(**PART)
    clock.elapse(29)
    assert shown(caller) == (0, 0)
    clock.elapse(1)
    assert shown(caller) == (181.56, 1)
    assert world.money.movements[0].at == clock.now


@pytest.mark.parametrize(("balance", "meanwhile"), [("kept", 0), ("moved", 181.56)])
def test_the_balance_while_it_waits(caller: Caller, world: World, balance: str, meanwhile: float) -> None:
    """The balance moves at once or when it is booked, as the payment was told; the history waits in both."""
    seed(world, {"balance": balance})
    assert caller.cancel(**PART)["response"]["cancel_amount"] == meanwhile
    assert shown(caller) == (meanwhile, 0)
    assert world.end_bookings("imp_p") == 1
    assert shown(caller) == (181.56, 1)


@pytest.mark.parametrize("balance", ["kept", "moved"])
def test_refused_in_the_end(caller: Caller, world: World, balance: str) -> None:
    """An accepted cancellation can be refused: nothing moved, the balance is as it was."""
    seed(world, {"lookups": 1, "end": "refused", "balance": balance})
    caller.cancel(**PART)
    caller.lookup("imp_p")
    assert shown(caller) == (0, 0)
    assert world.money.movements == []
    assert [one.state for one in world.money.accepted("imp_p")] == ["refused"]


def test_never_booked(caller: Caller, world: World, clock: ManualClock) -> None:
    """It waits for ever, over lookups, time and the end of the run; only control ends it."""
    seed(world, {"end": "never", "lookups": 1})
    caller.cancel(**PART)
    clock.elapse(10**7)
    caller.fetch_token()
    caller.lookup("imp_p")
    world.settle()
    assert [one.state for one in world.money.accepted("imp_p")] == ["waiting"]
    assert world.end_bookings("imp_p", "booked") == 1
    assert world.money.refunded("imp_p") == Decimal("181.56")


def test_a_second_request_is_taken_while_one_waits(caller: Caller, world: World) -> None:
    """Whatever its checksum, a repeat that the shown balance has room for is accepted: money moves twice."""
    seed(world, {})
    caller.cancel(**PART, checksum=726.24)
    assert caller.cancel(**PART, checksum=1)["code"] == 0
    assert caller.cancel(imp_uid="imp_p", amount=726.25, checksum=726.24)["message"] == OVER_AMOUNT
    assert world.end_bookings("imp_p") == 2
    assert world.money.refunded("imp_p") == Decimal("363.12")
    assert caller.cancel(**PART, checksum=1)["message"] == CHECKSUM_MISMATCH


@pytest.mark.parametrize(("overbooks", "refunded"), [(False, "726.24"), (True, "1452.48")])
def test_more_than_was_paid(caller: Caller, world: World, *, overbooks: bool, refunded: str) -> None:
    """A second full cancellation no longer fits when it is booked, unless the PG books it all the same."""
    seed(world, {"overbooks": overbooks})
    assert [caller.cancel(imp_uid="imp_p")["code"] for _ in range(2)] == [0, 0]
    world.settle()
    assert world.money.refunded("imp_p") == Decimal(refunded)


def test_one_after_the_other(caller: Caller, world: World) -> None:
    """A list says what becomes of the first, the second and all later ones; one is ended by its own id."""
    seed(world, [{"end": "refused"}, {"end": "booked"}])
    for _ in range(3):
        caller.cancel(**PART)
    first = world.money.accepted("imp_p")[0]
    assert world.end_bookings(first.acceptance_id) == 1
    world.settle()
    assert [one.state for one in world.money.accepted("imp_p")] == ["refused", "booked", "booked"]


@pytest.mark.parametrize(
    ("kind", "parameters"),
    [("http_5xx_after_commit", {"status": 502}), ("drop_after_commit", {"loss": "hang"})],
)
def test_the_answer_is_lost_and_the_entry_appears(
    caller: Caller, world: World, kind: FaultKind, parameters: dict[str, Any]
) -> None:
    """The PG accepts, the answer is a 502 or a timeout, and lookups see nothing until it is booked."""
    seed(world, {"lookups": 1})
    world.add_fault(Fault(kind, "imp_p", "cancel", **parameters))
    answer = caller.send("POST", "/payments/cancel", PART)
    assert isinstance(answer, Lost) or answer.status == 502
    assert [shown(caller), shown(caller)] == [(0, 0), (181.56, 1)]


def test_a_movement_names_the_acceptance_it_came_from(caller: Caller, world: World) -> None:
    """Whoever counts can tell which of several accepted requests was booked."""
    seed(world, {})
    caller.cancel(**PART)
    (accepted,) = world.money.accepted("imp_p")
    world.end_bookings("imp_p")
    (movement,) = world.money.movements
    assert movement.acceptance_id == accepted.acceptance_id
    assert world.money.accepted("imp_p")[0].cancellation_id == movement.cancellation_id
    assert (movement.reason, movement.currency) == ("ours", "USD")


def test_smartro_wants_a_telephone_number(caller: Caller, world: World) -> None:
    """Its virtual accounts and bank transfers need the account with `refund_tel`."""
    for pay_method in ("vbank", "trans"):
        seed(world, pg_provider="smartro_v2", pay_method=pay_method, currency="KRW", amount=1000)
        incomplete = {name: value for name, value in ACCOUNT.items() if name != "refund_tel"}
        assert caller.cancel(imp_uid="imp_p", **incomplete)["message"] == MISSING_REFUND_ACCOUNT
        assert caller.cancel(imp_uid="imp_p", **ACCOUNT)["code"] == 0


@pytest.mark.parametrize(
    "booking",
    ["later", {"end": "lost"}, {"balance": "gone"}, {"lookups": 1, "seconds": 1}, {"wait": 1}, [1]],
)
def test_bookings_that_make_no_sense_are_rejected(world: World, booking: Any) -> None:
    """A booking that could never end as meant is an error, and so is an unknown end."""
    with pytest.raises(ValueError, match=r".+"):
        seed(world, booking)
    with pytest.raises(ValueError, match="end is one of"):
        world.end_bookings("imp_p", "lost")
