"""What nobody can know by asking a provider: the limits of any protocol, spelled out.

Everything else must be resolved once the faults have stopped; see
``everything_that_can_be_resolved_is``.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Final

from refunds.domain.tag import is_tagged, reason_with, tag_of
from tests.simulation import faults
from tests.simulation.gate import Call
from tests.simulation.requests import REASON
from tests.simulation.table import outcome_of

if TYPE_CHECKING:
    from local.simulator.movements import Movement
    from local.simulator.payments import Cancellation
    from tests.simulation.requests import Wanted
    from tests.simulation.simulation import Simulation
    from tests.simulation.table import Item

_CONTRADICTIONS: Final = frozenset({faults.WRONG_ID.name, faults.WRONG_AMOUNT.name, faults.NO_HISTORY.name})


def indistinguishable(s: Simulation, wanted: Wanted, movement: Movement) -> bool:
    """Whether somebody else's cancellation looks exactly like ours would: our amount, none or our words.

    Not if all we ever sent was refused, and nothing else went wrong that could make a worker forget it.
    """
    entry = _entry(s, movement)
    if entry is None or not _could_be(wanted, entry.reason):
        return False
    only_refused = any(sent.key == wanted.key for sent in s.providers.correspondence.sent) and not (
        s.providers.correspondence.unaccounted(wanted.key)
    )
    forgotten = any(
        fault is not faults.STALE and not fault.effect.startswith("somebody")
        for _call, fault in s.gate.struck
    )
    return forgotten or not only_refused


def is_accepted_as_failure(s: Simulation, wanted: Wanted) -> bool:
    """ADR 7: nobody looked, the PG refuses what it has done *and* puts its own words where our reason was."""
    payment = s.world.portone_state.payments.current.get(wanted.subject)
    unlooked = "checksum" in wanted.request and "imp_uid" in wanted.request
    denied = any(fault is faults.DENIED for _call, fault in s.gate.struck)
    return payment is not None and unlooked and denied and payment.keeps_reason.startswith("replaced")


def may_stay_open(s: Simulation, wanted: Wanted) -> bool:
    """Whether a request may wait for a person though every fault is over."""
    item = s.table.items.get(wanted.key)
    if item is None or _contradicted(s) or item["state"]["S"] == "PENDING":
        return item is not None  # an acceptance that is never booked stays pending until it is parked by age
    if wanted.cancel_type == "payment_cancel":
        return _refund_is_unclear(s, wanted, item)
    if wanted.cancel_type == "order_cancel":
        return item["in_doubt"]["BOOL"] and not _order_proves(s, wanted, item)
    # An attempt of unknown fate at something PortOne does not know; its refusals are no 404.
    state = s.world.portone_state
    receipt = state.receipts.current.get(wanted.subject)
    if receipt is not None:
        return item["in_doubt"]["BOOL"] and receipt.applied_at > _claimed_at(item)
    return item["in_doubt"]["BOOL"] and wanted.subject not in state.payments.current


def _claimed_at(item: Item) -> float:
    """UNIX seconds by the clock of the process that claimed it, which may be wrong."""
    return datetime.fromisoformat(item["timeline"]["L"][0]["S"].partition(" ")[0]).timestamp()


def _contradicted(s: Simulation) -> bool:
    """A lookup that contradicts itself or another one is no answer, and no yardstick either."""
    return any(
        call in (Call.LOOKUP, Call.DETAIL)
        and (fault.name in _CONTRADICTIONS or fault.name.startswith("the balance shown grew"))
        for call, fault in s.gate.struck
    )


def _refund_is_unclear(s: Simulation, wanted: Wanted, item: Item) -> bool:
    payment = s.world.portone_state.payments.current.get(wanted.subject)
    if payment is None:
        return bool(item["in_doubt"]["BOOL"])
    checksum = wanted.request.get("checksum")
    if checksum is not None and payment.cancellable > checksum:
        return bool(item["in_doubt"]["BOOL"])  # the attempt may still meet its balance
    if _of_another_amount(s, wanted):
        return True
    suspects = _suspects(s, wanted)
    if not suspects:
        return False
    denied = any(fault is faults.DENIED for _call, fault in s.gate.struck)
    return (
        denied
        or len(suspects) > 1
        or any(not _could_be(wanted, entry.reason) for entry in suspects)
        or any(_made_by_nobody_of_ours(s, entry) for entry in suspects)
        or any(_is_rival(s, wanted, other) for other in s.wanted.values())
    )


def _suspects(s: Simulation, wanted: Wanted) -> list[Cancellation]:
    """Untagged entries of the request's amount that no request has claimed."""
    claimed = {
        outcome_of(item)["provider"]["cancellation_id"]
        for item in s.table.items.values()
        if item["state"]["S"] == "SUCCEEDED"
    }
    history = s.world.portone_state.payments.current[wanted.subject].history
    return [
        entry
        for entry in history
        if wanted.amount in (None, entry.amount)
        and not is_tagged(entry.reason)
        and entry.cancellation_id not in claimed
    ]


def _of_another_amount(s: Simulation, wanted: Wanted) -> bool:
    """An entry that a PG may have booked for this request, with a fee or a discount taken off."""
    claimed = {outcome_of(item).get("provider", {}).get("cancellation_id") for item in s.table.items.values()}
    history = s.world.portone_state.payments.current[wanted.subject].history
    return any(
        not is_tagged(entry.reason)
        and _could_be(wanted, entry.reason)
        and entry.amount != wanted.amount
        and entry.cancellation_id not in claimed
        for entry in history
    )


def _is_rival(s: Simulation, wanted: Wanted, other: Wanted) -> bool:
    """Another open request that may have made an entry of this amount."""
    if other.key == wanted.key or other.subject != wanted.subject:
        return False
    item = s.table.items.get(other.key)
    open_still = item is not None and item["state"]["S"] in ("STARTED", "PARKED")
    return open_still and (other.amount in (None, wanted.amount) or wanted.amount is None)


def _order_proves(s: Simulation, wanted: Wanted, item: Item) -> bool:
    """An order shown as cancelled proves the only request for all of it, if it was seen uncancelled."""
    order = s.world.ebp_state.orders.current.get(wanted.subject)
    baseline = json.loads(item["before"]["S"]) if "before" in item else {}
    alone = all(other.key == wanted.key or other.subject != wanted.subject for other in s.wanted.values())
    made_by_us = all(owner is not None for _movement, owner in s.books.owned)
    return (
        order is not None
        and wanted.amount == order.total
        and order.left == 0
        and baseline.get("status") is not None
        and alone
        and made_by_us
    )


def _could_be(wanted: Wanted, reason: str) -> bool:
    sent = reason_with(tag_of(wanted.cancel_type, wanted.cancel_request_id), REASON)
    return sent.startswith(reason.strip())


def _entry(s: Simulation, movement: Movement) -> Cancellation | None:
    payment = s.world.portone_state.payments.current.get(movement.subject)
    history = payment.history if payment else ()
    return next((e for e in history if e.cancellation_id == movement.cancellation_id), None)


def _made_by_nobody_of_ours(s: Simulation, entry: Cancellation) -> bool:
    return any(m.cancellation_id == entry.cancellation_id and owner is None for m, owner in s.books.owned)
