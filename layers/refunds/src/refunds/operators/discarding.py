"""Throws a dead letter away whose request never moved money.

The request ends first: it is recorded as failed in the ledger, so that no copy of the message is ever
carried out, and accounting is told. Then the audit trail notes it, and only then the message goes. A
request that may have been carried out is refused: it is resolved, not thrown away.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from refunds.contracts.fingerprint import fingerprint
from refunds.contracts.inbound import Identity, format_timestamp, identity_of
from refunds.contracts.outbound import MoneyMoved, ProviderRefs
from refunds.domain.entry import Entry, Key, State
from refunds.domain.operation import Failure
from refunds.domain.outcomes import OutcomeFactory, as_recorded
from refunds.domain.policy import Policy
from refunds.domain.redaction import redact
from refunds.errors import ErrorCode, RefundsError
from refunds.ledger.audit import Actor, AuditTrail
from refunds.ledger.claims import AlreadyClaimed, Ledger, repairable
from refunds.operators.dead_letters import DeadLetterMessage, DeadLetters, Selection
from refunds.operators.replay import audit_subject
from refunds.operators.resolution import Finding, Resolver

_FAILS: Final = "its request ends as failed, accounting is told, and its id is used up"


class DiscardRefused(RefundsError):
    """The message is not to be thrown away; the text says why and what to do instead."""


@dataclass(frozen=True)
class Discarded:
    """What became of a message, or would: in words, whether it is gone, and whether accounting was told."""

    what: str
    removed: bool = False
    told: bool = False


class Discarding:
    """Discards messages one by one.

    Args:
        clock: UNIX seconds, close to the functions' own clock: leases are judged by it.
    """

    def __init__(
        self,
        dead_letters: DeadLetters,
        ledger: Ledger,
        resolver: Resolver,
        audit: AuditTrail,
        *,
        clock: Callable[[], float],
    ) -> None:
        self._dead_letters = dead_letters
        self._ledger = ledger
        self._resolver = resolver
        self._audit = audit
        self._clock = clock

    def forecast(self, dead_letter: DeadLetterMessage) -> Discarded:
        """What discarding it would mean; nothing is changed.

        Raises:
            DiscardRefused: it may have moved money, or somebody is at it.
        """
        entry = self._entry(dead_letter)
        if entry is not None and _another_payload(dead_letter, entry):
            self._refuse_open(entry)
            return Discarded("the message goes; the request that its id stands for stays as it is")
        self._refuse(entry)
        if entry is not None and entry.state is State.FAILED:
            return Discarded("the message goes, and the stored outcome (failed) is published again")
        if entry is None and _identity(dead_letter) is None:
            return Discarded("the message goes; it does not say enough for accounting to be told")
        return Discarded(f"the message goes: {_FAILS}")

    def discard(self, dead_letter: DeadLetterMessage, actor: Actor) -> Discarded:
        """End its request as failed, tell accounting, note it and delete the message.

        Whatever dies in between, discarding it again goes on.

        Raises:
            DiscardRefused: as ``forecast``.
        """
        entry = self._entry(dead_letter)
        told = False
        if entry is not None and _another_payload(dead_letter, entry):
            self._refuse_open(entry)
        else:
            self._refuse(entry)
            if entry is None:
                entry = self._end(dead_letter, actor)
            elif entry.state is not State.FAILED:
                finding = Finding(
                    succeeded=False, evidence=f"discarded: {actor.reason}", code=_code(dead_letter)
                )
                report = self._resolver.by_hand(entry, finding, actor)
                entry, told = report.entry, report.published
            if entry is not None and not told:
                told = self._resolver.publish(entry).published
            if entry is not None and not told:
                return Discarded(
                    "its request has ended as failed, but EventBridge did not take the outcome: discard again"
                )
        return self._remove(dead_letter, actor, told=told)

    def _entry(self, dead_letter: DeadLetterMessage) -> Entry | None:
        request_id = dead_letter.cancel_request_id
        return self._ledger.get(Key(dead_letter.queues.cancel_type, request_id)) if request_id else None

    def _refuse_open(self, entry: Entry) -> None:
        """What its id stands for has to be ended first: nobody is to believe that it was thrown away."""
        if not entry.state.terminal:
            self._refuse(entry)

    def _refuse(self, entry: Entry | None) -> None:
        if entry is None or entry.state is State.FAILED:
            return
        request_id = entry.key.cancel_request_id
        if entry.state is State.SUCCEEDED:
            raise DiscardRefused(
                f"it was carried out: refundctl dlq replay --id {request_id} publishes that again and takes "
                "the message away"
            )
        if entry.leased(self._clock()):
            wait = int(entry.lease_until - self._clock()) + 1
            raise DiscardRefused(f"a worker has its request: try again in {wait} s")
        if entry.in_doubt or entry.state in {State.PENDING, State.UNKNOWN}:
            raise DiscardRefused(
                f"it is {entry.state} and may have moved money: refundctl resolve {request_id} asks the "
                "provider"
            )

    def _end(self, dead_letter: DeadLetterMessage, actor: Actor) -> Entry | None:
        """The item of a request that had none, ended; ``None`` where nobody can say which request it is."""
        identity = _identity(dead_letter)
        if identity is None:
            return None
        policy = dead_letter.queues.policy
        now = format_timestamp(datetime.fromtimestamp(self._clock(), UTC))
        failure = Failure(
            code=_code(dead_letter),
            message="an operator discarded the message; nothing was sent",
            provider=ProviderRefs(name=policy.provider),
            money=_nothing_moved(policy, identity),
        )
        entry = replace(_new_entry(dead_letter, identity), proof=f"discarded by {actor}", unpublished=True)
        outcome = as_recorded(OutcomeFactory(policy, identity, now).failed(failure, 0), entry)
        try:
            return self._ledger.claim(replace(entry, outcome=outcome))
        except AlreadyClaimed as error:
            raise DiscardRefused(f"{error.entry.key} was begun meanwhile: look again") from error

    def _remove(self, dead_letter: DeadLetterMessage, actor: Actor, *, told: bool) -> Discarded:
        selection = Selection(ids=frozenset({dead_letter.message_id}))
        with self._dead_letters.peek(dead_letter.queues) as peek:
            for messages in peek:
                for found in peek.meant(messages, selection):
                    what = f"discarded message {found.message_id} ({found.error_code})"
                    self._audit.append(audit_subject(found), actor, what)
                    peek.remove([found])
                    heard = "accounting was told" if told else "there was nothing to tell accounting"
                    return Discarded(f"discarded; {heard}", removed=True, told=told)
        return Discarded("it is no longer in the dead-letter queue", told=told)


def _another_payload(dead_letter: DeadLetterMessage, entry: Entry) -> bool:
    """Whether its id stands for another cancellation in the ledger: nothing is to be said of that one."""
    return entry.fingerprint != _fingerprint(dead_letter) and not repairable(entry)


def _fingerprint(dead_letter: DeadLetterMessage) -> str:
    """By which the message and an item of it recognise each other, also where the message is invalid."""
    cancellation = dead_letter.reading.cancellation
    if cancellation is None:
        return hashlib.sha256(dead_letter.body.encode()).hexdigest()
    return fingerprint(dead_letter.queues.cancel_type, cancellation)


def _nothing_moved(policy: Policy, identity: Identity) -> MoneyMoved | None:
    currency = identity.currency or policy.contract.default_currency
    if not policy.moves_money or currency is None:
        return None
    return MoneyMoved(currency=currency, cancelled=Decimal(0))


def _identity(dead_letter: DeadLetterMessage) -> Identity | None:
    """Whom accounting can be told about: a final outcome names the order, who asked and when."""
    reading = dead_letter.reading
    identity = identity_of(reading.cancellation) if reading.cancellation else reading.identity
    if identity is None or None in (identity.order_id, identity.requested_by, identity.requested_at):
        return None
    return identity


def _new_entry(dead_letter: DeadLetterMessage, identity: Identity) -> Entry:
    cancellation = dead_letter.reading.cancellation
    kind = dead_letter.queues.cancel_type
    return Entry(
        key=Key(kind, identity.cancel_request_id),
        fingerprint=_fingerprint(dead_letter),
        order_id=identity.order_id or "",
        requested_by=identity.requested_by or "",
        requested_at=identity.requested_at or "",
        request=cancellation.request.public() if cancellation else dict(identity.references),
        state=State.FAILED,
        owner=uuid.uuid4().hex,
        attempt=0,
        currency=identity.currency,
    )


def _code(dead_letter: DeadLetterMessage) -> ErrorCode:
    """Why it was there; of a message that no function of ours judged, what its body says."""
    text = redact(dead_letter.error_code)
    if text in set(ErrorCode) and text != ErrorCode.OUTCOME_UNKNOWN:
        return ErrorCode(text)
    return ErrorCode.PROVIDER_UNAVAILABLE if dead_letter.reading.cancellation else ErrorCode.INVALID_REQUEST
