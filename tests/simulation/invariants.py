"""What must hold whatever happens, each as one named function that returns what is wrong, or ``None``.

``Watch`` asks them at every event they are about, so that the first step that breaks one is known.
"""

from __future__ import annotations

import json
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from typing_extensions import override

from local.simulator.currencies import fits
from local.simulator.movements import MovementKind
from refunds.domain.entry import State
from refunds.providers.portone.gateways import gateway
from tests.fakes.answers import AWS_ERRORS
from tests.simulation.accounting import listen, wrongly_believed
from tests.simulation.gate import Call
from tests.simulation.knowledge import is_accepted_as_failure, may_stay_open
from tests.simulation.simulation import Observer
from tests.simulation.table import TERMINAL
from tests.simulation.truth import not_done

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from local.simulator.late_booking import Acceptance
    from local.simulator.movements import Movement
    from refunds.domain.entry import Entry
    from tests.simulation.aws import Event, Message
    from tests.simulation.oracle import Sent
    from tests.simulation.simulation import Simulation
    from tests.simulation.table import Seen

_VOIDS: Final = frozenset({"vbank_revoke", "cvs_revoke", "receipt_revoke"})
_ORDERS_OF_EVENTS: Final = 3
_AMOUNTS: Final = ("cancelled", "tax_free", "vat", "cancellable_before", "cancellable_after")


# --- when money moves


def a_request_moves_money_at_most_once(s: Simulation, movement: Movement, owner: str | None) -> str | None:
    """One ``cancel_request_id`` never causes two movements, however often it is delivered."""
    if owner is None or movement.kind is MovementKind.REFUND_REVERSAL or len(s.books.of_request(owner)) <= 1:
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
    return f"{refunded} {movement.currency} of {paid} refunded for {movement.subject}"


def a_voided_number_never_becomes_a_refund(
    _s: Simulation, movement: Movement, owner: str | None
) -> str | None:
    """A revoke voids a number or a receipt and moves no money, also where the number was paid meanwhile."""
    if owner is None or owner.partition("#")[0] not in _VOIDS or movement.amount == 0:
        return None
    return f"{owner} refunded {movement.amount}"


def the_amount_moved_is_the_amount_asked(s: Simulation, movement: Movement, owner: str | None) -> str | None:
    """A refund moves exactly what was asked, of the payment that was meant, in its own currency."""
    wanted = s.wanted.get(owner or "")
    if wanted is None or movement.kind is not MovementKind.REFUND:
        return None
    if movement.subject != wanted.subject:
        return f"{owner} refunded {movement.subject} instead of {wanted.subject}"
    if wanted.currency != movement.currency:
        return f"{owner} refunded {movement.currency} instead of {wanted.currency}"
    if wanted.amount is not None and wanted.amount != movement.amount:
        return f"{owner} refunded {movement.amount} {movement.currency} instead of {wanted.amount}"
    return None


# --- when a PG accepts something that it books later


def nothing_is_accepted_twice(s: Simulation, acceptance: Acceptance, owner: str | None) -> str | None:
    """At a PG that books later, no request is accepted while an earlier attempt of it may still be booked."""
    if owner is None:
        return None
    others = [
        one
        for one in s.books.acceptances_of(owner)
        if one.acceptance_id != acceptance.acceptance_id and one.state != "refused"
    ]
    if others or s.books.of_request(owner):
        return f"{owner} was accepted twice at {acceptance.subject}"
    return None


# --- when the ledger is written


def a_terminal_state_is_final(_s: Simulation, old: Seen | None, new: Seen) -> str | None:
    """Nobody, however late, changes an item that has ended: its state, its outcome or its owner."""
    if old is None or old.entry.state not in TERMINAL:
        return None
    was, now = old.entry, new.entry
    if (was.state, was.owner, was.fingerprint) == (now.state, now.owner, now.fingerprint) and (
        old.detail == new.detail
    ):
        return None  # noted as published
    return f"{new.key} was {was.state} and is now {now.state}"


def a_recorded_success_is_true(s: Simulation, _old: Seen | None, new: Seen) -> str | None:
    """``SUCCEEDED`` means that the provider's own books show this request's effect, in this currency."""
    outcome = new.entry.outcome
    if new.entry.state is not State.SUCCEEDED or outcome is None:
        return None
    wanted = s.wanted.get(new.key)
    return f"{new.key} is not in what was asked for" if wanted is None else not_done(s, wanted, outcome)


def a_recorded_failure_is_true(s: Simulation, _old: Seen | None, new: Seen) -> str | None:
    """``FAILED`` means that this request moved nothing, and that no PG is about to."""
    if new.entry.state is not State.FAILED or not s.books.may_move(new.key):
        return None
    if is_accepted_as_failure(s, s.wanted[new.key]):
        return None
    return f"{new.key} is FAILED, but it was carried out"


def a_parked_request_says_whether_it_may_have_been_applied(
    s: Simulation, _old: Seen | None, new: Seen
) -> str | None:
    """``may_have_been_applied: false`` is only said when nothing moved and nothing is under way."""
    entry = new.entry
    error = entry.outcome.error if entry.outcome else None
    if entry.state is not State.PARKED or error is None or error.may_have_been_applied:
        return None
    if s.books.may_move(new.key):
        return f"{new.key} is parked as not applied, but it was carried out"
    if entry.in_doubt:
        return f"{new.key} is parked as not applied, but the ledger is in doubt"
    return None


def a_worker_is_not_replaced_while_it_lives(s: Simulation, old: Seen | None, new: Seen) -> str | None:
    """A lease outlives the invocation that holds it (unless a clock is wrong)."""
    if old is None or old.entry.owner == new.entry.owner or old.entry.lease_until == 0:
        return None
    baseline, after = s.process_of(old.entry.owner), s.process_of(new.entry.owner)
    if baseline is None or after is None or baseline.skew != after.skew:
        return None
    if baseline.ended or s.clock.now > baseline.end:
        return None
    return f"{new.key} was taken over from delivery {baseline.number}, which is still at work"


def the_ledger_holds_exact_amounts(_s: Simulation, _old: Seen | None, new: Seen) -> str | None:
    """Amounts in the ledger are numbers of their currency: whole won, whole cents."""
    for name in ("request", "before", "outcome"):
        value = new.item.get(name)
        if value is not None and _has_noise(value["S"]):
            return f"{new.key} has an amount in {name} that is none"
    return None


# --- when something is published


def a_request_has_one_final_outcome(s: Simulation, event: Event) -> str | None:
    """``CancelSucceeded`` or ``CancelFailed``, never both, always with one ``outcome_id`` and one content."""
    if event.kind in ("parked", "pending"):
        return None
    seen = s.table.requests.get(event.key)
    if seen is None or seen.detail != event.detail:
        return f"{event.key} is published as {event.kind}, which its ledger item does not say"
    return None


def what_is_published_was_recorded_so(s: Simulation, event: Event) -> str | None:
    """An outcome is rebuilt from its item byte for byte; only what breaks the contract has no item."""
    if event.detail in s.table.rebuilt.get(event.key, ()):
        return None
    if event.said["revision"] == 0 and event.said["error"]["code"] == "INVALID_REQUEST":
        return None
    return f"{event.key} is published with what no version of its item says"


def a_statement_has_one_content(s: Simulation, event: Event) -> str | None:
    """Two statements with one ``outcome_id`` are one; of what has no item, the time may differ."""
    known = s.statements.setdefault(event.said["outcome_id"], event.detail)
    if known == event.detail or event.said["revision"] == 0 or event.key in s.forgotten:
        return None
    return f"{event.key}: one outcome_id, two statements"


def published_money_is_exact(_s: Simulation, event: Event) -> str | None:
    """Amounts in events are exact numbers with no more decimals than their currency has."""
    money = event.said["money"] or {}
    amounts = [money[name] for name in _AMOUNTS if money.get(name) is not None]
    if _has_noise(event.detail) or not all(fits(Decimal(one), money["currency"]) for one in amounts):
        return f"{event.key} is published with an amount that is none"
    return None


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


def amounts_are_sent_exactly(s: Simulation, sent: Sent) -> str | None:
    """No amount goes through a binary fraction on its way to a provider, and none is cut."""
    wanted = s.wanted.get(sent.key)
    if sent.call is not Call.CANCEL or wanted is None:
        return None
    body = sent.body.decode()
    amount = json.loads(body, parse_float=Decimal).get("amount")
    if _has_noise(body) or (wanted.cancel_type == "payment_cancel" and amount not in (None, wanted.amount)):
        return f"{sent.key} sends an amount that is none"
    return None


def nothing_is_sent_twice_at_a_pg_that_books_later(s: Simulation, sent: Sent) -> str | None:
    """There, nothing that is missing proves anything: what may have been accepted is not sent again."""
    wanted = s.wanted.get(sent.key)
    payment = s.world.portone_state.payments.current.get(wanted.subject) if wanted else None
    if (
        payment is None
        or sent.call is not Call.CANCEL
        or not s.providers.correspondence.unaccounted(sent.key)
    ):
        return None
    if gateway(payment.pg_provider).is_late(payment.pay_method) or s.books.acceptances_of(sent.key):
        return f"{sent.key} is sent again to a PG that books later"
    return None


def nothing_is_sent_beyond_the_guard_rails(s: Simulation, sent: Sent) -> str | None:
    """What exceeds a limit is not sent unless a person let it pass."""
    wanted = s.wanted.get(sent.key)
    if wanted is None or not s.limits.largest or wanted.amount is None or sent.key in s.let_pass:
        return None
    if sent.key in s.sent_before_limits:
        return None
    largest = s.limits.largest.get(wanted.currency)
    if largest is not None and wanted.amount <= largest:
        return None
    return f"{sent.key} is sent, beyond what the guard rails let pass"


# --- when a message is deleted


def a_message_is_acknowledged_only_after_its_outcome(s: Simulation, message: Message) -> str | None:
    """Acknowledged means: the final outcome is published, or a copy waits in the DLQ or in the queue."""
    if s.queues[message.queue].keeps(
        message, quietly=message.key in s.wanted and '"replay-name"' in message.body
    ):
        return None
    if _has_ended(s, message.key):
        return None
    return f"{message.key} was acknowledged without a published outcome"


# --- when a message comes into its DLQ


def what_a_function_buries_is_told(s: Simulation, letter: Message) -> str | None:
    """A message that leaves with a reason: accounting was told of its request, or the ledger has it open."""
    wanted = s.wanted.get(letter.key)
    code = letter.said.get("error_code")
    if wanted is None or code in (None, "DUPLICATE_KEY_DIFFERENT_PAYLOAD"):
        return None
    if code == "INVALID_REQUEST" and letter.key in s.table.requests:
        return None  # what is known of the request stays true, and its own message is elsewhere
    others = [m for m in s.queues[wanted.cancel_type].messages.values() if m.key == letter.key]
    return None if len(others) > 1 else _untold(s, letter.key)


# --- at rest


def nothing_is_lost(s: Simulation) -> str | None:
    """Every request has ended and is published, waits in the DLQ, or stands told among the open ones."""
    for wanted in s.wanted.values():
        waits = any(letter.key == wanted.key for letter in s.queues[wanted.cancel_type].dlq)
        if not waits and not _has_ended(s, wanted.key) and not _stands_open(s, wanted.key):
            return f"{wanted.key} is lost"
    return None


def every_dead_letter_is_told(s: Simulation) -> str | None:
    """Once the sweeper has run, accounting has heard of every request with a message in a DLQ."""
    for queue in s.queues.values():
        for letter in queue.dlq:
            if letter.key in s.wanted and not _was_told(s, letter.key):
                return f"{letter.key} is in the DLQ, and accounting was told nothing"
    return None


def the_ledger_agrees_with_the_provider(s: Simulation) -> str | None:
    """Terminal states are still true when everything late has arrived."""
    for key, seen in s.table.requests.items():
        if key in s.planted:
            continue
        found = (
            a_recorded_success_is_true(s, None, seen)
            or a_recorded_failure_is_true(s, None, seen)
            or a_parked_request_says_whether_it_may_have_been_applied(s, None, seen)
        )
        if found:
            return found
        if seen.entry.state not in TERMINAL and key not in s.wanted:
            return f"{key} is open and nobody asked for it"
    return None


def accounting_believes_what_the_books_say(s: Simulation) -> str | None:
    """Whoever follows docs/contracts.md, in whatever order, believes what the provider's books say."""
    for order in range(_ORDERS_OF_EVENTS):
        believed = listen(s.bus.events, order).believed
        for key in s.wanted:
            found = wrongly_believed(s, key, believed.get(key))
            if found and not is_accepted_as_failure(s, s.wanted[key]):
                return found
    return None


def no_cancellation_is_claimed_by_two_requests(s: Simulation) -> str | None:
    """One line of the provider's statement proves one request."""
    claimed: dict[str, str] = {}
    for key, seen in s.table.requests.items():
        outcome = seen.entry.outcome
        found = outcome.provider.cancellation_id if outcome else None
        if found and key not in s.planted and claimed.setdefault(found, key) != key:
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


def a_run_is_stopped_by_nothing(s: Simulation) -> str | None:
    """No item and no message, whatever is wrong with it, stops the sweeper or an operator's command."""
    for error in s.stopped_runs:
        return f"a run was stopped by {type(error).__name__}: {error}"
    return None


def what_comes_back_is_noticed(s: Simulation) -> str | None:
    """A refund that a bank rejects after it was booked is among what the reconciliation finds."""
    found = {difference.imp_uid for difference in s.differences}
    for movement, _owner in s.books.owned:
        came_back = movement.kind is MovementKind.REFUND_REVERSAL
        if s.reconciled and came_back and movement.subject not in found:
            return (
                f"{movement.amount} {movement.currency} of {movement.subject} came back, and nobody noticed"
            )
    return None


def everything_that_can_be_resolved_is(s: Simulation) -> str | None:
    """Once the faults have stopped and the DLQs were redriven, only what nobody can know stays open."""
    if s.left_alone:
        return None
    for wanted in s.wanted.values():
        entry = s.table.entry(wanted.key)
        if entry is not None and entry.state in TERMINAL:
            continue
        if not may_stay_open(s, wanted):
            return f"{wanted.key} stays open: {_why_open(entry)}"
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
    the_ledger_holds_exact_amounts,
)
ON_ACCEPT: Final = (nothing_is_accepted_twice,)
ON_PUBLISH: Final = (
    a_request_has_one_final_outcome,
    what_is_published_was_recorded_so,
    a_statement_has_one_content,
    published_money_is_exact,
)
ON_SEND: Final = (
    an_order_cancel_is_never_sent_twice_while_unproven,
    nothing_is_sent_again_without_asking,
    amounts_are_sent_exactly,
    nothing_is_sent_twice_at_a_pg_that_books_later,
    nothing_is_sent_beyond_the_guard_rails,
)
ON_BURY: Final = (what_a_function_buries_is_told,)
ON_ACKNOWLEDGE: Final = (a_message_is_acknowledged_only_after_its_outcome,)
AT_REST: Final = (
    nothing_is_lost,
    every_dead_letter_is_told,
    the_ledger_agrees_with_the_provider,
    accounting_believes_what_the_books_say,
    no_cancellation_is_claimed_by_two_requests,
    a_batch_never_raises,
    a_run_is_stopped_by_nothing,
    what_comes_back_is_noticed,
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
    def accepted(self, acceptance: Acceptance, owner: str | None) -> None:
        self._ask(ON_ACCEPT, acceptance, owner)

    @override
    def dead_lettered(self, letter: Message) -> None:
        self._ask(ON_BURY, letter)

    @override
    def wrote(self, old: Seen | None, new: Seen) -> None:
        if new.key not in self.simulation.planted:
            self._ask(ON_WRITE, old, new)

    @override
    def published(self, event: Event) -> None:
        if event.key not in self.simulation.planted:
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


def _why_open(entry: Entry | None) -> str:
    if entry is None:
        return "it has no ledger item"
    return f"{entry.state}, {entry.proof or 'no proof'}"


def _has_ended(s: Simulation, key: str) -> bool:
    """Terminal, or pending, which the sweeper ends; and accounting has heard exactly that."""
    seen = s.table.requests.get(key)
    if seen is None or seen.detail is None:
        return False
    return seen.entry.state in {*TERMINAL, State.PENDING} and s.bus.has(seen.detail)


def _stands_open(s: Simulation, key: str) -> bool:
    """Without a message, as what a PG does not book: told, and in the index that the sweeper goes through."""
    seen = s.table.requests.get(key)
    return seen is not None and seen.detail is not None and s.bus.has(seen.detail) and "open" in seen.item


def _was_told(s: Simulation, key: str) -> bool:
    return any(event.key == key for event in s.bus.events)


def _untold(s: Simulation, key: str) -> str | None:
    """Why nobody would ever hear of a request whose message has left."""
    if _was_told(s, key):
        return None
    seen = s.table.requests.get(key)
    if seen is None:
        return f"{key} leaves for the DLQ, and nobody knows of it"
    at_work = seen.entry.state is State.STARTED and not {"open", "open_state"}.isdisjoint(seen.item)
    if at_work or seen.entry.unpublished:
        return None
    return f"{key} leaves for the DLQ untold, and stands nowhere among the open ones"


class _Noise(ArithmeticError):
    """A number that no amount is written as."""


def _exact(number: str) -> Decimal:
    """A fraction as amounts are written: at most two decimals, and never a whole number with a point."""
    found = Decimal(number)
    if "e" in number.lower() or number.endswith("0") or found % Decimal("0.01"):
        raise _Noise(number)
    return found


_EXACT: Final = json.JSONDecoder(parse_float=_exact)


@lru_cache(maxsize=4096)
def _has_noise(text: str) -> bool:
    """The same texts are written, published and written again."""
    try:
        _EXACT.decode(text)
    except _Noise:
        return True
    return False
