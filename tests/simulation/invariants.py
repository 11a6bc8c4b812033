"""What must hold whatever happens, each as one named function that returns what is wrong, or ``None``.

``Watch`` asks them at every event they are about, so that the first step that breaks one is known.
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from typing_extensions import override

from local.simulator.movements import MovementKind
from tests.simulation.answers import AWS_ERRORS
from tests.simulation.gate import Call
from tests.simulation.knowledge import is_accepted_as_failure, may_stay_open
from tests.simulation.simulation import Observer
from tests.simulation.table import TERMINAL, outcome_of, state_of
from tests.simulation.truth import not_done

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from local.simulator.movements import Movement
    from tests.simulation.aws import Event, Message
    from tests.simulation.oracle import Sent
    from tests.simulation.simulation import Simulation
    from tests.simulation.table import Item

_VOIDS: Final = frozenset({"vbank_revoke", "cvs_revoke", "receipt_revoke"})


# --- when money moves


def a_request_moves_money_at_most_once(s: Simulation, movement: Movement, owner: str | None) -> str | None:
    """One ``cancel_request_id`` never causes two movements, however often it is delivered."""
    if owner is None or len(s.books.of_request(owner)) <= 1:
        return None
    return f"{owner} moved money twice at {movement.subject}"


def a_payment_is_never_refunded_beyond_what_was_paid(
    s: Simulation, movement: Movement, _owner: str | None
) -> str | None:
    """All refunds of a payment or an order together are at most what was paid for it."""
    refunded = s.books.refunded(movement.subject)
    payment = s.world.portone_state.payments.current.get(movement.subject)
    order = s.world.ebp_state.orders.current.get(movement.subject)
    paid = payment.amount if payment else order.total if order else 0
    if movement.kind is not MovementKind.REFUND or refunded <= paid:
        return None
    return f"{refunded} won of {paid} refunded for {movement.subject}"


def a_voided_number_never_becomes_a_refund(
    _s: Simulation, movement: Movement, owner: str | None
) -> str | None:
    """A revoke voids a number or a receipt and moves no money, also where the number was paid meanwhile."""
    if owner is None or owner.partition("#")[0] not in _VOIDS or movement.amount == 0:
        return None
    return f"{owner} refunded {movement.amount} won"


def the_amount_moved_is_the_amount_asked(s: Simulation, movement: Movement, owner: str | None) -> str | None:
    """A refund moves exactly the requested won; a full one leaves nothing."""
    wanted = s.wanted.get(owner or "")
    if wanted is None or movement.kind is not MovementKind.REFUND:
        return None
    if movement.subject != wanted.subject:
        return f"{owner} refunded {movement.subject} instead of {wanted.subject}"
    if wanted.amount is not None and wanted.amount != movement.amount:
        return f"{owner} refunded {movement.amount} won instead of {wanted.amount}"
    return None


# --- when the ledger is written


def a_terminal_state_is_final(_s: Simulation, old: Item | None, new: Item) -> str | None:
    """Nobody, however late, changes an item that has ended: its state, its outcome or its owner."""
    if old is None or state_of(old) not in TERMINAL:
        return None
    if all(old.get(name) == new.get(name) for name in ("state", "outcome", "owner", "fingerprint")):
        return None  # noted as published
    return f"{new['pk']['S']} was {state_of(old)} and is now {state_of(new)}"


def a_recorded_success_is_true(s: Simulation, _old: Item | None, new: Item) -> str | None:
    """``SUCCEEDED`` means that the provider's own books show this request's effect."""
    if state_of(new) != "SUCCEEDED":
        return None
    key = new["pk"]["S"]
    wanted = s.wanted.get(key)
    return f"{key} is not in the ledger of what was asked" if wanted is None else not_done(s, wanted, new)


def a_recorded_failure_is_true(s: Simulation, _old: Item | None, new: Item) -> str | None:
    """``FAILED`` means that this request moved nothing."""
    key = new["pk"]["S"]
    if state_of(new) != "FAILED" or not s.books.of_request(key) or is_accepted_as_failure(s, s.wanted[key]):
        return None
    return f"{key} is FAILED, but it was carried out"


def a_parked_request_says_whether_it_may_have_been_applied(
    s: Simulation, _old: Item | None, new: Item
) -> str | None:
    """``may_have_been_applied: false`` is only said when nothing moved and nothing is under way."""
    if state_of(new) != "PARKED" or outcome_of(new)["error"]["may_have_been_applied"]:
        return None
    key = new["pk"]["S"]
    if s.books.of_request(key):
        return f"{key} is parked as not applied, but it was carried out"
    if new["in_doubt"]["BOOL"]:
        return f"{key} is parked as not applied, but the ledger is in doubt"
    return None


def a_worker_is_not_replaced_while_it_lives(s: Simulation, old: Item | None, new: Item) -> str | None:
    """A lease outlives the invocation that holds it (unless a clock is wrong)."""
    if old is None or old["owner"] == new["owner"] or float(old["lease_until"]["N"]) == 0:
        return None
    baseline, after = s.process_of(old["owner"]["S"]), s.process_of(new["owner"]["S"])
    if baseline is None or after is None or baseline.skew != after.skew:
        return None
    if baseline.ended or s.clock.now > baseline.end:
        return None
    return f"{new['pk']['S']} was taken over from delivery {baseline.number}, which is still at work"


def the_ledger_holds_no_binary_fraction(_s: Simulation, old: Item | None, new: Item) -> str | None:
    """Amounts in the ledger are whole won."""
    for name in ("request", "before", "outcome"):
        unchanged = name not in new or (old is not None and old.get(name) == new[name])
        if not unchanged and _has_fraction(new[name]["S"]):
            return f"{new['pk']['S']} has a fraction in {name}"
    return None


# --- when something is published


def a_request_has_one_final_outcome(s: Simulation, event: Event) -> str | None:
    """``CancelSucceeded`` or ``CancelFailed``, never both, always with one ``outcome_id`` and one content."""
    if event.kind in ("parked", "pending"):
        return None
    item = s.table.items.get(event.key)
    if item is None or item.get("outcome", {}).get("S") != event.detail:
        return f"{event.key} is published as {event.kind}, which its ledger item does not say"
    return None


def published_money_is_whole_won(_s: Simulation, event: Event) -> str | None:
    """Amounts in events are JSON integers."""
    return f"{event.key} is published with a fraction" if _has_fraction(event.detail) else None


# --- when something is sent


def an_order_cancel_is_never_sent_twice_while_unproven(s: Simulation, sent: Sent) -> str | None:
    """EBP has no idempotency key: what may have been carried out is not sent again, by nobody."""
    if not sent.key.startswith("order_cancel#") or not s.providers.correspondence.unaccounted(sent.key):
        return None
    return f"{sent.key} is sent again, though an earlier send is unaccounted for"


def nothing_is_sent_again_without_asking(s: Simulation, sent: Sent) -> str | None:
    """After a send of unknown fate the next one waits for an answer to "what is true now?"."""
    process = s.processes[sent.process]
    for earlier in s.providers.correspondence.unaccounted(sent.key):
        if earlier.process != sent.process and earlier.at > process.started_at:
            continue  # at work at the same time: nobody could have known
        asked = any(
            a.process == sent.process and a.at > earlier.at and a.key == sent.key
            for a in s.providers.correspondence.asked
        )
        if not asked:
            return f"{sent.key} is sent again without asking what became of the send before"
    return None


def amounts_are_sent_as_integers(_s: Simulation, sent: Sent) -> str | None:
    """No amount goes through a binary fraction on its way to a provider."""
    if sent.call is not Call.CANCEL:
        return None
    return f"{sent.key} sends an amount with a fraction" if _has_fraction(sent.body.decode()) else None


# --- when a message is deleted


def a_message_is_acknowledged_only_after_its_outcome(s: Simulation, message: Message) -> str | None:
    """Acknowledged means: the final outcome is published, or a copy waits in the DLQ or in the queue."""
    if s.queues[message.kind].keeps(message.body, but=message.message_id):
        return None
    if _has_ended(s, message.key):
        return None
    return f"{message.key} was acknowledged without a published outcome"


# --- at rest


def nothing_is_lost(s: Simulation) -> str | None:
    """Every accepted request has ended and is published, or waits visibly in the DLQ."""
    for wanted in s.wanted.values():
        waits = any(letter.key == wanted.key for letter in s.queues[wanted.cancel_type].dlq)
        if not waits and not _has_ended(s, wanted.key):
            return f"{wanted.key} is lost"
    return None


def the_ledger_agrees_with_the_provider(s: Simulation) -> str | None:
    """Terminal states are still true when everything late has arrived."""
    for key, item in s.table.items.items():
        found = (
            a_recorded_success_is_true(s, None, item)
            or a_recorded_failure_is_true(s, None, item)
            or a_parked_request_says_whether_it_may_have_been_applied(s, None, item)
        )
        if found:
            return found
        if state_of(item) not in TERMINAL and key not in s.wanted:
            return f"{key} is open and nobody asked for it"
    return None


def no_cancellation_is_claimed_by_two_requests(s: Simulation) -> str | None:
    """One line of the provider's statement proves one request."""
    claimed: dict[str, str] = {}
    for key, item in s.table.items.items():
        found = outcome_of(item).get("provider", {}).get("cancellation_id")
        if found and claimed.setdefault(found, key) != key:
            return f"{key} and {claimed[found]} both claim {found}"
    return None


def a_batch_never_raises(s: Simulation) -> str | None:
    """A batch always answers, record by record; only AWS errors may end a single record unexpectedly."""
    for error in s.raised:
        return f"a batch raised {type(error).__name__}: {error}"
    for crash in s.crashes:
        if not isinstance(crash, AWS_ERRORS):
            return f"a record crashed with {type(crash).__name__}: {crash}"
    return None


def everything_that_can_be_resolved_is(s: Simulation) -> str | None:
    """Once the faults have stopped and the DLQs were redriven, only what nobody can know stays open."""
    for wanted in s.wanted.values():
        item = s.table.items.get(wanted.key)
        if item is not None and state_of(item) in TERMINAL:
            continue
        if not may_stay_open(s, wanted):
            return f"{wanted.key} stays open: {_why_open(item)}"
    return None


ON_MOVE: Final = (
    a_request_moves_money_at_most_once,
    a_payment_is_never_refunded_beyond_what_was_paid,
    a_voided_number_never_becomes_a_refund,
    the_amount_moved_is_the_amount_asked,
)
ON_WRITE: Final = (
    a_terminal_state_is_final,
    a_recorded_success_is_true,
    a_recorded_failure_is_true,
    a_parked_request_says_whether_it_may_have_been_applied,
    a_worker_is_not_replaced_while_it_lives,
    the_ledger_holds_no_binary_fraction,
)
ON_PUBLISH: Final = (a_request_has_one_final_outcome, published_money_is_whole_won)
ON_SEND: Final = (
    an_order_cancel_is_never_sent_twice_while_unproven,
    nothing_is_sent_again_without_asking,
    amounts_are_sent_as_integers,
)
ON_ACKNOWLEDGE: Final = (a_message_is_acknowledged_only_after_its_outcome,)
AT_REST: Final = (
    nothing_is_lost,
    the_ledger_agrees_with_the_provider,
    no_cancellation_is_claimed_by_two_requests,
    a_batch_never_raises,
    everything_that_can_be_resolved_is,
)


class Watch(Observer):
    """Asks every invariant when its event happens and keeps what was broken."""

    simulation: Simulation

    def at_rest(self) -> None:
        """Nothing is under way any more."""
        self._ask(AT_REST)

    @override
    def moved(self, movement: Movement, owner: str | None) -> None:
        self._ask(ON_MOVE, movement, owner)

    @override
    def wrote(self, old: Item | None, new: Item) -> None:
        self._ask(ON_WRITE, old, new)

    @override
    def published(self, event: Event) -> None:
        self._ask(ON_PUBLISH, event)

    @override
    def sending(self, sent: Sent) -> None:
        self._ask(ON_SEND, sent)

    @override
    def acknowledged(self, message: Message) -> None:
        self._ask(ON_ACKNOWLEDGE, message)

    def _ask(self, invariants: Iterable[Callable[..., str | None]], *event: object) -> None:
        for invariant in invariants:
            found = invariant(self.simulation, *event)
            if found is not None:
                self.broken.append((invariant.__name__, found))
                self.simulation.gate.note(f"!!! {invariant.__name__}: {found}")


def _why_open(item: Item | None) -> str:
    if item is None:
        return "it has no ledger item"
    return f"{state_of(item)}, {item.get('proof', {}).get('S', 'no proof')}"


def _has_ended(s: Simulation, key: str) -> bool:
    """Terminal, or pending, which the sweeper ends; and accounting has heard exactly that."""
    item = s.table.items.get(key)
    needs_nobody = item is not None and state_of(item) in {*TERMINAL, "PENDING"}
    return item is not None and needs_nobody and s.bus.has(item["outcome"]["S"])


def _refuse(number: str) -> None:
    raise ArithmeticError(number)


_WITHOUT_FRACTIONS: Final = json.JSONDecoder(parse_float=_refuse)


@lru_cache(maxsize=4096)
def _has_fraction(text: str) -> bool:
    """The same texts are written, published and written again."""
    try:
        _WITHOUT_FRACTIONS.decode(text)
    except ArithmeticError:
        return True
    return False
