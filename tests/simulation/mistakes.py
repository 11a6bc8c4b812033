"""The product's parts with one mistake each; ``tests.simulation.breakages`` puts them in."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from refunds.contracts.outbound import MoneyMoved, Outcome, ProviderRefs
from refunds.domain.entry import Entry, State
from refunds.domain.operation import (
    Accepted,
    Applied,
    Attempt,
    Baseline,
    Effect,
    Failure,
    Money,
    Operation,
    Rejected,
    Resolution,
    ResolveContext,
    SentBefore,
    Siblings,
    Unapplied,
    Unproven,
)
from refunds.errors import ErrorCode, Fenced, OutcomeUnknown, Refused, ResponseMismatch
from refunds.ledger.claims import AlreadyClaimed, Ledger
from refunds.messaging.publisher import Publisher
from refunds.messaging.queue import MessageQueue
from refunds.operators.sweeper import Sweep, Sweeper
from refunds.operators.telling import DeadLetterTelling, Telling
from refunds.providers.http.provider_http import Answer, ProviderHttp
from refunds.providers.portone.number_revoke import NumberRevoke
from refunds.providers.portone.receipt_revoke import ReceiptRevoke
from tests.fakes.answers import no_answer
from tests.fakes.expressions import used_in
from tests.simulation.process import record_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from refunds.domain.deadline import Deadline
    from refunds.domain.disposition import Reason
    from refunds.operators.cancel_queues import CancelQueues
    from tests.simulation.aws import Message
    from tests.simulation.simulation import Simulation
    from tests.simulation.table import Table


# --- the way to the provider


class _Exchange(ProviderHttp):
    """An exchange that is about to be broken; ``again`` is what it really does."""

    def again(self, method: str, url: str, parts: dict[str, Any]) -> Answer:
        return super().send(method, url, **parts)


class WithoutAmount(_Exchange):
    """Leaves the amount out, which PortOne reads as "all that is left"."""

    @override
    def send(self, method: str, url: str, **parts: Any) -> Answer:
        return self.again(method, url, _edited(parts, lambda body: body.pop("amount", None)))


class WithoutChecksum(_Exchange):
    """Sends cancellations without the balance they are meant for."""

    @override
    def send(self, method: str, url: str, **parts: Any) -> Answer:
        return self.again(method, url, _edited(parts, lambda body: body.pop("checksum", None)))


class SendsTheWordsAsTheyCome(_Exchange):
    """Sends another cancellation's mark among the customer's words, and behind its own."""

    @override
    def send(self, method: str, url: str, **parts: Any) -> Answer:
        def copy(body: dict[str, Any]) -> None:
            words, bracket, copied = body.get("reason", "").partition("(rf:")
            mark, closing, own = copied.partition("]")
            if bracket:
                body["reason"] = f"{words}{own.strip()} [rf:{mark}{closing}"

        return self.again(method, url, _edited(parts, copy))


class CutsCents(_Exchange):
    """Writes amounts as whole numbers, as if every currency were won."""

    @override
    def send(self, method: str, url: str, **parts: Any) -> Answer:
        def cut(body: dict[str, Any]) -> None:
            body.update({k: int(v) for k, v in body.items() if isinstance(v, float)})

        return self.again(method, url, _edited(parts, cut))


class FloatMoney(_Exchange):
    """Writes amounts as binary fractions."""

    @override
    def send(self, method: str, url: str, **parts: Any) -> Answer:
        def as_float(body: dict[str, Any]) -> None:
            body.update({k: float(v) for k, v in body.items() if isinstance(v, int)})

        return self.again(method, url, _edited(parts, as_float))


class RepeatsOrders(_Exchange):
    """Repeats a ``POST`` that got no answer, as an HTTP client with retries does."""

    method = "POST"

    @override
    def send(self, method: str, url: str, **parts: Any) -> Answer:
        try:
            return self.again(method, url, parts)
        except OutcomeUnknown:
            if method != self.method:
                raise
            return self.again(method, url, parts)


class RepeatsDeletes(RepeatsOrders):
    """Repeats a ``DELETE`` that got no answer: retrying clients count it as idempotent."""

    method = "DELETE"


def _edited(parts: dict[str, Any], edit: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    if parts.get("content") is None:
        return parts
    body = json.loads(parts["content"])
    edit(body)
    return {**parts, "content": json.dumps(body).encode()}


# --- what a provider says


class _Around:
    """An operation with one of its answers changed."""

    def __init__(self, operation: Operation[Any]) -> None:
        self.operation = operation

    def subject(self, request: Any) -> str | None:
        """As the operation says."""
        return self.operation.subject(request)

    def amount(self, cancellation: Any, baseline: Baseline) -> Money:
        """As the operation says."""
        return self.operation.amount(cancellation, baseline)

    def warm_up(self, deadline: Deadline) -> None:
        """As the operation does."""
        self.operation.warm_up(deadline)

    def needs_precheck(self, request: Any) -> bool:
        """As the operation says."""
        return self.operation.needs_precheck(request)

    def precheck(self, attempt: Attempt[Any], chosen: str | None) -> Baseline | SentBefore | Failure:
        """As the operation does."""
        return self.operation.precheck(attempt, chosen)

    def sends_alone(self, baseline: Baseline) -> bool:
        """As the operation says."""
        return self.operation.sends_alone(baseline)

    def send(self, attempt: Attempt[Any], baseline: Baseline) -> Effect | Accepted:
        """As the operation does."""
        return self.operation.send(attempt, baseline)

    def resolve(self, attempt: Attempt[Any], baseline: Baseline, context: ResolveContext) -> Resolution:
        """As the operation does."""
        return self.operation.resolve(attempt, baseline, context)

    def believed(self, attempt: Attempt[Any], baseline: Baseline) -> Effect:
        """A success nobody has verified."""
        amount = self.amount(attempt.cancellation, baseline).amount
        provider = ProviderRefs(name="portone", imp_uid=baseline.subject, cancellation_id="believed")
        return Effect(provider=provider, proof="believed", money=MoneyMoved(currency="KRW", cancelled=amount))


class TrustsCodeZero(_Around):
    """Takes HTTP 200 with ``code: 0`` for the proof."""

    @override
    def send(self, attempt: Attempt[Any], baseline: Baseline) -> Effect | Accepted:
        try:
            return super().send(attempt, baseline)
        except ResponseMismatch:
            return self.believed(attempt, baseline)


class TrustsTexts(_Around):
    """Takes "cancelled already" for "our earlier attempt has worked"."""

    @override
    def send(self, attempt: Attempt[Any], baseline: Baseline) -> Effect | Accepted:
        try:
            return super().send(attempt, baseline)
        except Refused as refusal:
            if "취소된" in (refusal.provider_message or ""):
                return self.believed(attempt, baseline)
            raise


class OverlooksItsMark(_Around):
    """Does not look for its own mark before it sends."""

    @override
    def precheck(self, attempt: Attempt[Any], chosen: str | None) -> Baseline | SentBefore | Failure:
        return super().precheck(replace(attempt, tag="[nobody's]"), chosen)


class TrustsRefusals(_Around):
    """Takes a refusal for "not carried out" without asking."""

    @override
    def resolve(self, attempt: Attempt[Any], baseline: Baseline, context: ResolveContext) -> Resolution:
        if context.refusal is None or not context.only_attempt:
            return super().resolve(attempt, baseline, context)
        return Rejected(Failure(ErrorCode.PROVIDER_REFUSED, "refused", ProviderRefs(name="portone")))


class BooksAtOnce(_Around):
    """Takes what a PG does not show for what it has not got, wherever it is."""

    @override
    def resolve(self, attempt: Attempt[Any], baseline: Baseline, context: ResolveContext) -> Resolution:
        resolution = super().resolve(attempt, baseline, context)
        if isinstance(resolution, Unproven) and "book later" in resolution.message:
            return Unapplied(baseline)
        return resolution


class ChoosesAnew(_Around):
    """Asks at every beginning which payment a ``merchant_uid`` means."""

    @override
    def precheck(self, attempt: Attempt[Any], chosen: str | None) -> Baseline | SentBefore | Failure:
        return super().precheck(attempt, None)


class MeansYoungerPayments(_Around):
    """Takes a payment that was made after the event for the one that it means."""

    @override
    def precheck(self, attempt: Attempt[Any], chosen: str | None) -> Baseline | SentBefore | Failure:
        made = attempt.cancellation.requested_at + timedelta(days=365)
        later = attempt.cancellation.model_copy(update={"requested_at": made})
        return super().precheck(replace(attempt, cancellation=later), chosen)


class TellsWon(_Around):
    """Tells every amount as won."""

    @override
    def send(self, attempt: Attempt[Any], baseline: Baseline) -> Effect | Accepted:
        effect = super().send(attempt, baseline)
        if effect.money is None:
            return effect
        whole = effect.money.model_copy(update={"currency": "KRW"})
        return replace(effect, money=whole)


class TrustsAnyCode(_Around):
    """Takes every answer of EBP that is no success for a refusal, and a refusal for the truth."""

    @override
    def send(self, attempt: Attempt[Any], baseline: Baseline) -> Effect | Accepted:
        try:
            return super().send(attempt, baseline)
        except OutcomeUnknown as unknown:
            if unknown.status is None:
                raise
            raise Refused(str(unknown), provider_code=unknown.provider_code) from None

    @override
    def resolve(self, attempt: Attempt[Any], baseline: Baseline, context: ResolveContext) -> Resolution:
        if context.refusal is None or not context.only_attempt:
            return super().resolve(attempt, baseline, context)
        return Rejected(Failure(ErrorCode.PROVIDER_REFUSED, "refused", ProviderRefs(name="ebp")))


class MovesNothing(_Around):
    """Tells the guard rails that no request moves anything."""

    @override
    def amount(self, cancellation: Any, baseline: Baseline) -> Money:
        return replace(super().amount(cancellation, baseline), amount=Decimal(0))


class RefundsPaidNumbers(_Around):
    """Helpfully refunds a number that was paid before it could be voided."""

    @override
    def resolve(self, attempt: Attempt[Any], baseline: Baseline, context: ResolveContext) -> Resolution:
        resolution = super().resolve(attempt, baseline, context)
        if isinstance(resolution, Rejected) and resolution.failure.code is ErrorCode.ALREADY_PAID:
            assert isinstance(self.operation, NumberRevoke)
            body = {
                "imp_uid": baseline.subject,
                "refund_holder": "a",
                "refund_bank": "04",
                "refund_account": "1",
            }
            self.operation.client.cancel(body, tier=None, deadline=attempt.deadline)
            return Applied(Effect(provider=resolution.failure.provider, proof="refunded instead"))
        return resolution


class BelievesFormerEnds(_Around):
    """Takes every ``cancelled_at`` of a receipt for its revocation, one of its forerunner's too."""

    @override
    def resolve(self, attempt: Attempt[Any], baseline: Baseline, context: ResolveContext) -> Resolution:
        assert isinstance(self.operation, ReceiptRevoke)
        receipt = self.operation.client.receipt(baseline.subject, tier=None, deadline=attempt.deadline)
        if receipt is not None and receipt.cancelled_at:
            return Applied(Effect(provider=ProviderRefs(name="portone"), proof="it shows a time"))
        return super().resolve(attempt, baseline, context)


# --- the ledger


class SendsAfterTakeover(Ledger):
    """Forgets the doubt of whoever is taken over from, and sends at once."""

    @override
    def take_over(self, old: Entry, **how: Any) -> Entry:
        return replace(super().take_over(old, **how), in_doubt=False)


class GivesUpOnParked(Ledger):
    """Takes a parked request for one that has ended."""

    @override
    def take_over(self, old: Entry, **how: Any) -> Entry:
        if old.state is State.PARKED:
            raise AlreadyClaimed(old)
        return super().take_over(old, **how)


class IgnoresTheFence(Ledger):
    """Goes on to publish what it was not allowed to record."""

    @override
    def record(self, entry: Entry, state: State, outcome: Outcome, **how: Any) -> Entry:
        try:
            return super().record(entry, state, outcome, **how)
        except Fenced:
            return entry


class KnowsNoSiblings(Ledger):
    """Does not look at what other requests have claimed."""

    @override
    def siblings(self, entry: Entry) -> Siblings:
        return Siblings()

    @override
    def hold_entry(self, entry: Entry, provider: str, subject: str, name: str) -> bool:
        return True


class HoldsNothing(Ledger):
    """Lets every request be proven by any entry: the index of a payment will tell."""

    @override
    def hold_entry(self, entry: Entry, provider: str, subject: str, name: str) -> bool:
        return True


class MarksNothing(Ledger):
    """Relies on a later delivery to publish what could not be published."""

    @override
    def record(self, entry: Entry, state: State, outcome: Outcome, **how: Any) -> Entry:
        return super().record(entry, state, outcome, **{**how, "unpublished": False})


class ParksAsNotApplied(Ledger):
    """Tells accounting that nothing happened whenever it gives up."""

    @override
    def record(self, entry: Entry, state: State, outcome: Outcome, **how: Any) -> Entry:
        if outcome.error is not None:
            error = outcome.error.model_copy(update={"may_have_been_applied": False})
            outcome = outcome.model_copy(update={"error": error})
        return super().record(entry, state, outcome, **how)


class _Client:
    """A DynamoDB client with one condition weakened."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def __getattr__(self, name: str) -> Any:
        return getattr(self._table, name)

    def write(self, request: dict[str, Any], condition: str) -> dict[str, Any]:
        """Write under this condition, without the names and values that nothing uses then."""
        request["ConditionExpression"] = condition
        used = used_in(request)
        for given in ("ExpressionAttributeNames", "ExpressionAttributeValues"):
            request[given] = {name: value for name, value in request[given].items() if name in used}
        return self._table.update_item(**request)


class Unfenced(_Client):
    """Writes how it ended whoever owns the item by now."""

    def update_item(self, **request: Any) -> dict[str, Any]:
        """Write."""
        state = request["ExpressionAttributeValues"].get(":new_state", {}).get("S")
        ends = state in ("SUCCEEDED", "FAILED", "PARKED")
        return self.write(request, "" if ends else request["ConditionExpression"])


class FencedByOwnerOnly(_Client):
    """Does not notice what the owner did since the item was read."""

    def update_item(self, **request: Any) -> dict[str, Any]:
        """Write."""
        return self.write(request, request["ConditionExpression"].partition(" AND #version")[0])


# --- messages


class PublishesLater(Publisher):
    """Has messages acknowledged whether their outcomes are published or not."""

    @override
    def publish(self, outcomes: Iterable[Outcome]) -> frozenset[str]:
        super().publish(outcomes)
        return frozenset()


class FailsTheBatch(Publisher):
    """Lets one failed publication fail the whole batch."""

    @override
    def publish(self, outcomes: Iterable[Outcome]) -> frozenset[str]:
        unpublished = super().publish(outcomes)
        if unpublished:
            raise no_answer()
        return unpublished


class NamesByKindAlone(Publisher):
    """Gives everything that is told of a request while it is parked one id."""

    @override
    def publish(self, outcomes: Iterable[Outcome]) -> frozenset[str]:
        named = [
            outcome.model_copy(update={"outcome_id": f"{outcome.cancel_request_id}#{outcome.outcome}"})
            for outcome in outcomes
        ]
        super().publish(named)
        return frozenset()


class TellsWhatItHasAtHand(Publisher):
    """Publishes outcomes without what only the first worker knew."""

    @override
    def publish(self, outcomes: Iterable[Outcome]) -> frozenset[str]:
        return super().publish(one.model_copy(update={"occurred_at": one.requested_at}) for one in outcomes)


class KeepsQuietAboutParked(Publisher):
    """Tells accounting of ends only."""

    @override
    def publish(self, outcomes: Iterable[Outcome]) -> frozenset[str]:
        return super().publish(one for one in outcomes if one.outcome.final)


class StopsAtOneItem(Sweeper):
    """Lets whatever is wrong with one request end the run."""

    @override
    def _guarded(self, entry: Entry, sweep: Sweep, act: Callable[[Entry], None]) -> None:
        act(entry)


class TellsOfNoDeadLetter(DeadLetterTelling):
    """Leaves the dead letters to the operators."""

    @override
    def run(self, all_queues: Iterable[CancelQueues], deadline: Deadline) -> Telling:
        return Telling()


class ForgetsTheDeadLetter(MessageQueue):
    """Has messages acknowledged that are not in the DLQ yet."""

    @override
    def dead_letter(self, body: str, reason: Reason, **about: Any) -> bool:
        return True


def unreadable(simulation: Simulation, message: Message) -> dict[str, Any]:
    """Reads nothing at all of a body with a number that cannot be represented."""
    record = record_of(simulation, message)
    return {**record, "body": "{"} if "1e400" in message.body else record


def keyed_by_message(simulation: Simulation, message: Message) -> dict[str, Any]:
    """Takes the SQS message id for the idempotency key."""
    record = record_of(simulation, message)
    event = json.loads(message.body)
    simulation.aliases[message.message_id] = event["detail"]["cancel_request_id"]
    event["detail"]["cancel_request_id"] = message.message_id
    return {**record, "body": json.dumps(event)}
