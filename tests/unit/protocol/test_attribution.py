from __future__ import annotations

from decimal import Decimal
from typing import Any

from refunds.errors import Refused
from refunds.operation import Before, Doubt, Siblings
from refunds.providers.portone.attribution import Own, Search, Unclear, confirm_own, find_own
from refunds.providers.portone.models import Payment

TAG = "[rf:aaaaaaaaaa]"
OTHERS_TAG = "[rf:bbbbbbbbbb]"
PAID = 10_000
ASKED = 3_000
SEARCH = Search(Decimal(ASKED), TAG, f"고객 변심 {TAG}")
UNASKED = Before(subject="imp_1", cancellable=Decimal(PAID))
"""Nobody looked: the event brought its own checksum."""


def looked(*seen: str, cancellable: int = PAID) -> Before:
    return Before(subject="imp_1", cancellable=Decimal(cancellable), cancellation_ids=seen)


def entry(name: str | None, amount: int = ASKED, *, reason: str = "", at: int = 100) -> dict[str, Any]:
    return {"cancellation_id": name, "amount": Decimal(amount), "reason": reason, "cancelled_at": at}


def payment(*history: dict[str, Any], paid: int = PAID, cancelled: int | None = None) -> Payment:
    total = sum(int(entry["amount"]) for entry in history)
    return Payment.model_validate(
        {
            "imp_uid": "imp_1",
            "merchant_uid": "ORD1",
            "amount": paid,
            "cancel_amount": total if cancelled is None else cancelled,
            "status": "paid",
            "cancel_history": history,
        }
    )


def after_silence(held: tuple[str, ...] = (), open_amounts: tuple[int | None, ...] = ()) -> Doubt:
    """Our attempt got no answer."""
    return Doubt(None, sole=False, siblings=lambda: siblings(held, open_amounts))


def after_refusal(held: tuple[str, ...] = ()) -> Doubt:
    """Our only attempt was refused."""
    return Doubt(Refused("refused"), sole=True, siblings=lambda: siblings(held, ()))


def siblings(held: tuple[str, ...], open_amounts: tuple[int | None, ...]) -> Siblings:
    amounts = (None if amount is None else Decimal(amount) for amount in open_amounts)
    return Siblings(frozenset(held), frozenset(amounts))


def found(result: Own | Unclear | None) -> str | None:
    """The id of the entry found."""
    assert isinstance(result, Own), result
    return result.entry.cancellation_id


# --- the answer to our own success


def test_of_two_equal_cancellations_in_one_second_the_later_listed_is_ours() -> None:
    """Two requests must never both claim the first of two equal cancellations made in one second."""
    before = looked(cancellable=PAID - ASKED)
    answer = payment(entry("theirs"), entry("ours"))
    own = confirm_own(answer, Before(subject="imp_1", cancellable=before.cancellable), SEARCH)
    assert found(own) == "ours"
