"""What the providers' own books say about a request that claims to have succeeded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.simulation.knowledge import indistinguishable, interchangeable

if TYPE_CHECKING:
    from local.simulator.movements import Movement
    from refunds.contracts.outbound import Outcome
    from tests.simulation.requests import Wanted
    from tests.simulation.simulation import Simulation


def not_done(s: Simulation, wanted: Wanted, outcome: Outcome) -> str | None:
    """Why the success that ``outcome`` tells of is not true; ``None`` if it is."""
    if wanted.cancel_type == "payment_cancel":
        return _not_refunded(s, wanted, outcome)
    if wanted.cancel_type == "order_cancel":
        return _not_cancelled(s, wanted)
    return _not_voided(s, wanted)


def _not_refunded(s: Simulation, wanted: Wanted, outcome: Outcome) -> str | None:
    money, cancellation_id = outcome.money, outcome.provider.cancellation_id
    if money is None:
        return f"{wanted.key} is SUCCEEDED without an amount"
    if cancellation_id is None and wanted.key in s.resolved_by_hand:  # nobody said which it was
        moved = [movement.amount for movement in s.books.of_request(wanted.key)]
        return None if moved == [money.cancelled] else f"{wanted.key} was resolved by hand as another amount"
    movement, owner = _claimed(s, wanted, cancellation_id or "")
    if movement is None:
        return f"{wanted.key} is SUCCEEDED with a cancellation PortOne does not have"
    if (movement.amount, movement.currency) != (money.cancelled, money.currency):
        moved_as = f"{movement.amount} {movement.currency}"
        return f"{wanted.key} reports {money.cancelled} {money.currency}, {moved_as} moved"
    if owner == wanted.key or _may_stand_for_ours(s, wanted, movement, owner):
        return None
    return f"{wanted.key} is SUCCEEDED with a cancellation made by {owner or 'somebody else'}"


def _may_stand_for_ours(s: Simulation, wanted: Wanted, movement: Movement, owner: str | None) -> bool:
    if owner is None:
        taken = (movement.cancellation_id, wanted.key)
        if indistinguishable(s, wanted, movement):
            s.books.looked_alike.add(taken)
        return taken in s.books.looked_alike
    if not interchangeable(s, wanted, s.wanted[owner], movement):
        return False
    s.books.exchange(movement, wanted.key)
    return True


def _claimed(s: Simulation, wanted: Wanted, cancellation_id: str) -> tuple[Movement | None, str | None]:
    for movement, owner in s.books.owned:
        if (movement.cancellation_id, movement.subject) == (cancellation_id, wanted.subject):
            return movement, owner
    return None, None


def _not_cancelled(s: Simulation, wanted: Wanted) -> str | None:
    """EBP shows no ids: a whole order that is cancelled is all that can be seen of somebody else's doing."""
    order = s.world.ebp_state.orders.current.get(wanted.subject)
    shown = order is not None and order.left == 0 and order.total == wanted.amount
    if shown or s.books.of_request(wanted.key):
        return None
    return f"{wanted.key} is SUCCEEDED, but EBP cancelled nothing for it"


def _not_voided(s: Simulation, wanted: Wanted) -> str | None:
    if s.books.of_request(wanted.key):
        return None  # whatever was issued under its name since
    state = s.world.portone_state
    if wanted.cancel_type == "receipt_revoke":
        receipt = state.receipts.current.get(wanted.subject)
        voided = receipt is not None and bool(receipt.cancelled_at)
    else:
        payment = state.payments.current.get(wanted.subject)
        voided = payment is not None and payment.status not in ("ready", "paid") and not payment.paid_at
    return None if voided else f"{wanted.key} is SUCCEEDED, but nothing is voided"
