"""What nobody can know by asking a provider: the limits of any protocol, spelled out.

Everything else must be resolved once the faults have stopped; see
``everything_that_can_be_resolved_is``.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Final

from refunds.domain.entry import State
from refunds.domain.tag import is_tagged, reason_with, tag_of
from refunds.errors import ErrorCode
from refunds.providers.portone.gateways import books_late, gateway
from tests.simulation import faults
from tests.simulation.gate import Call

if TYPE_CHECKING:
    from local.simulator.movements import Movement
    from local.simulator.payments import Cancellation, Payment
    from refunds.domain.entry import Entry
    from tests.simulation.requests import Wanted
    from tests.simulation.simulation import Simulation

_CONTRADICTIONS: Final = frozenset({faults.WRONG_ID.name, faults.WRONG_AMOUNT.name, faults.NO_HISTORY.name})


def indistinguishable(s: Simulation, wanted: Wanted, movement: Movement) -> bool:
    """Whether somebody else's cancellation looks exactly like ours would: our amount, none or our words.

    Not if all we ever sent was refused, and nothing else went wrong that could make a worker forget it.
    """
    entry = _entry(s, movement)
    if entry is None or not _could_be(wanted, entry.reason) or _says_the_words_alone(s, wanted, entry):
        return False
    payment = s.world.portone_state.payments.current[wanted.subject]
    if gateway(payment.pg_provider).takes_tag and any(is_tagged(line.reason) for line in payment.history):
        return False  # this PG keeps tags
    only_refused = any(sent.key == wanted.key for sent in s.providers.correspondence.sent) and not (
        s.providers.correspondence.unaccounted(wanted.key)
    )
    forgotten = any(
        fault is not faults.STALE and not fault.effect.startswith("somebody")
        for _call, fault in s.gate.struck
    )
    return forgotten or not only_refused


def interchangeable(s: Simulation, wanted: Wanted, other: Wanted, movement: Movement) -> bool:
    """Whether a cancellation that ``other`` made proves ``wanted`` as well: nobody sees a difference.

    Two equal requests, a PG that keeps no reasons or is sent no tags, and an index that does not show the
    other one yet. Which of them is said to have made it moves no money, as long as only one of them is.
    """
    entry, rival = _entry(s, movement), s.table.entry(other.key)
    if entry is None or rival is None or s.table.shows(other.key):
        return False
    if is_tagged(entry.reason) or not _could_be(wanted, entry.reason):
        return False
    if not all(_asks_for(s, one, movement.amount) for one in (wanted, other)):
        return False
    terms = [tuple(map(one.request.get, ("tax_free", "vat_amount"))) for one in (wanted, other)]
    claimed = rival.outcome.provider.cancellation_id if rival.outcome else None
    return wanted.subject == other.subject and terms[0] == terms[1] and claimed != movement.cancellation_id


def _asks_for(s: Simulation, wanted: Wanted, amount: Decimal) -> bool:
    """By name, or as all that was left when it looked."""
    entry = s.table.entry(wanted.key)
    left = entry.baseline.cancellable if entry and entry.baseline else None
    return amount == (left if wanted.amount is None else wanted.amount)


def carries_its_mark(s: Simulation, wanted: Wanted) -> bool:
    """Whether PortOne shows a request's one cancellation with its tag, for whoever looks before sending."""
    payment = s.world.portone_state.payments.current.get(wanted.subject)
    if payment is None or s.table.entry(wanted.key) is None or "checksum" in wanted.request:
        return False
    tag = tag_of(wanted.cancel_type, wanted.cancel_request_id)
    made = s.books.of_request(wanted.key)
    return len(made) == 1 and [tag in line.reason for line in payment.history].count(True) == 1


def is_accepted_as_failure(s: Simulation, wanted: Wanted) -> bool:
    """ADR 7: nobody looked, the PG refuses what it has done *and* puts its own words where our reason was."""
    payment = s.world.portone_state.payments.current.get(wanted.subject)
    unlooked = "checksum" in wanted.request and "imp_uid" in wanted.request
    denied = any(fault is faults.DENIED for _call, fault in s.gate.struck)
    return payment is not None and unlooked and denied and payment.keeps_reason.startswith("replaced")


def may_stay_open(s: Simulation, wanted: Wanted) -> bool:
    """Whether a request may wait for a person though every fault is over."""
    entry = s.table.entry(wanted.key)
    if entry is None:
        return False
    if _contradicted(s) or _is_kept_back(entry):
        return True
    if wanted.cancel_type == "payment_cancel":
        return _refund_is_unclear(s, wanted, entry)
    if wanted.cancel_type == "order_cancel":
        contradicted = entry.baseline is not None and bool(entry.baseline.suspects)
        return entry.in_doubt and (contradicted or not _order_proves(s, wanted, entry))
    # An attempt of unknown fate at something PortOne does not know; its refusals are no 404.
    state = s.world.portone_state
    receipt = state.receipts.current.get(wanted.subject)
    if receipt is not None:
        return entry.in_doubt and (receipt.applied_at > entry.begun_at or _was_reissued(s))
    return entry.in_doubt and wanted.subject not in state.payments.current


def _is_kept_back(entry: Entry) -> bool:
    """By the guard rails, or because the event is in another currency: a person has to look."""
    error = entry.outcome.error if entry.outcome else None
    return error is not None and error.code in (ErrorCode.LIMIT_EXCEEDED, ErrorCode.CURRENCY_MISMATCH)


def _was_reissued(s: Simulation) -> bool:
    return any(fault is faults.REISSUED for _call, fault in s.gate.struck)


def _contradicted(s: Simulation) -> bool:
    """A lookup that contradicts itself or another one is no answer, and no yardstick either."""
    return any(
        call in (Call.LOOKUP, Call.DETAIL)
        and (fault.name in _CONTRADICTIONS or fault.name.startswith("the balance shown grew"))
        for call, fault in s.gate.struck
    )


def _refund_is_unclear(s: Simulation, wanted: Wanted, entry: Entry) -> bool:
    payment = s.world.portone_state.payments.current.get(wanted.subject)
    if payment is None:
        return entry.in_doubt
    if _waits_at_a_late_pg(s, wanted, entry) or _met_another_balance(s, wanted):
        return True
    checksum = wanted.request.get("checksum")
    if checksum is not None and payment.cancellable > Decimal(str(checksum)):
        return entry.in_doubt  # the attempt may still meet its balance
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
        or any(_says_the_words_alone(s, wanted, entry) for entry in suspects)
        or any(_is_cut_where_no_tag_belongs(payment, entry) for entry in suspects)
        or any(_made_by_nobody_of_ours(s, entry) for entry in suspects)
        or any(_is_rival(s, wanted, other) for other in s.wanted.values())
    )


def _waits_at_a_late_pg(s: Simulation, wanted: Wanted, entry: Entry) -> bool:
    """At a PG that books later nothing but a booked cancellation with our mark proves anything.

    And nothing else is begun at a payment while one of its cancellations is open.
    """
    payment = s.world.portone_state.payments.current[wanted.subject]
    accepted = entry.baseline is not None and entry.baseline.accepted
    late = bool(payment.booking) or accepted or books_late(payment.pg_provider, payment.pay_method)
    if not late:
        return False
    if wanted.amount is None:
        return True  # what was left when it was asked for is not what is left when it is booked
    ours = {movement.cancellation_id for movement in s.books.of_request(wanted.key)}
    return not any(line.cancellation_id in ours and is_tagged(line.reason) for line in payment.history)


def _met_another_balance(s: Simulation, wanted: Wanted) -> bool:
    """A slow gateway carries out all that is left by then, or what no longer meets the event's checksum."""
    dated = wanted.amount is None or "checksum" in wanted.request
    return dated and any(fault is faults.SLOW for _call, fault in s.gate.struck)


def _suspects(s: Simulation, wanted: Wanted) -> list[Cancellation]:
    """Untagged entries of the request's amount that no request has claimed."""
    claimed = _claimed_ids(s, State.SUCCEEDED)
    history = s.world.portone_state.payments.current[wanted.subject].history
    return [
        entry
        for entry in history
        if wanted.amount in (None, entry.amount)
        and not is_tagged(entry.reason)
        and entry.cancellation_id not in claimed
    ]


def _is_cut_where_no_tag_belongs(payment: Payment, entry: Cancellation) -> bool:
    """Sent with our tag, because nobody had looked which PG it is, and cut: it is no reason of ours."""
    return not gateway(payment.pg_provider).takes_tag and "[" in entry.reason


def _claimed_ids(s: Simulation, *states: State) -> set[str | None]:
    entries = (seen.entry for seen in s.table.requests.values())
    return {e.outcome.provider.cancellation_id for e in entries if e.outcome and e.state in states}


def _of_another_amount(s: Simulation, wanted: Wanted) -> bool:
    """An entry that a PG may have booked for this request, with a fee or a discount taken off."""
    claimed = _claimed_ids(s, *State)
    history = s.world.portone_state.payments.current[wanted.subject].history
    return any(
        not is_tagged(entry.reason)
        and _could_be(wanted, entry.reason)
        and entry.amount != wanted.amount
        and entry.cancellation_id not in claimed
        for entry in history
    )


def _is_rival(s: Simulation, wanted: Wanted, other: Wanted) -> bool:
    """Another request that may have made an entry of this amount: open, or nobody said which it made."""
    if other.key == wanted.key or other.subject != wanted.subject:
        return False
    entry = s.table.entry(other.key)
    open_still = entry is not None and not entry.state.terminal
    unnamed = other.key in s.resolved_by_hand
    return (open_still or unnamed) and (other.amount in (None, wanted.amount) or wanted.amount is None)


def _order_proves(s: Simulation, wanted: Wanted, entry: Entry) -> bool:
    """An order shown as cancelled proves the only request for all of it, if it was seen uncancelled."""
    order = s.world.ebp_state.orders.current.get(wanted.subject)
    alone = all(other.key == wanted.key or other.subject != wanted.subject for other in s.wanted.values())
    made_by_us = all(owner is not None for _movement, owner in s.books.owned)
    denied = any(fault in faults.EBP_DENIALS for _call, fault in s.gate.struck)
    return (
        order is not None
        and wanted.amount == order.total
        and order.left == 0
        and entry.baseline is not None
        and entry.baseline.status is not None
        and alone
        and made_by_us
        and not denied
    )


def _could_be(wanted: Wanted, reason: str) -> bool:
    tagged = reason_with(tag_of(wanted.cancel_type, wanted.cancel_request_id), wanted.reason)
    return any(sent.startswith(reason.strip()) for sent in (tagged, wanted.reason))


def _says_the_words_alone(s: Simulation, wanted: Wanted, entry: Cancellation) -> bool:
    """What somebody else may write too, where ours is sent with a tag."""
    payment = s.world.portone_state.payments.current[wanted.subject]
    return gateway(payment.pg_provider).takes_tag and entry.reason.strip() == wanted.reason


def _entry(s: Simulation, movement: Movement) -> Cancellation | None:
    payment = s.world.portone_state.payments.current.get(movement.subject)
    history = payment.history if payment else ()
    return next((e for e in history if e.cancellation_id == movement.cancellation_id), None)


def _made_by_nobody_of_ours(s: Simulation, entry: Cancellation) -> bool:
    return any(m.cancellation_id == entry.cancellation_id and owner is None for m, owner in s.books.owned)
