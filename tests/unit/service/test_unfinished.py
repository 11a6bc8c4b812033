from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from refunds.cancel_types import cancel_type
from refunds.contracts.fingerprint import fingerprint
from refunds.contracts.inbound import identity_of, parse_cancellation
from refunds.contracts.outbound import ProviderRefs
from refunds.domain.disposition import DeadLetter, Publish, Reason, Source
from refunds.domain.entry import Entry, Key, State
from refunds.domain.operation import Effect
from refunds.domain.outcomes import Trouble
from refunds.errors import ErrorCode
from refunds.ledger.claims import Ledger
from refunds.service.parts import Parts, Timing
from refunds.service.refund_service import RefundService
from tests.fakes import dynamodb
from tests.fakes.endpoint import Aws
from tests.unit.contracts.details import detail

POLICY = cancel_type("payment_cancel").policy
KEY = Key("payment_cancel", "cr-20261121-0001")
CRASHED = Reason(ErrorCode.OUTCOME_UNKNOWN, "an unexpected error stopped this record")
NOON = 1_795_262_400.0


class Payments:
    """An operation that nobody may ask anything but whose payment is meant."""

    def subject(self, request: Any) -> str | None:
        """The payment."""
        subject: str | None = request.imp_uid
        return subject


class Account:
    """A service over a ledger in memory, and the request that it is about."""

    def __init__(self) -> None:
        self.now = NOON
        client = Aws({dynamodb.TARGET: dynamodb.Tables(ledger="pk")}).connect("dynamodb")
        self.ledger = Ledger(client, "ledger", clock=lambda: self.now, ttl_days=400)
        operation: Any = Payments()
        timing = Timing(clock=lambda: self.now, send_budget=67.0, lease_margin=10.0)
        self.service: RefundService[Any] = RefundService(
            POLICY, operation, self.ledger, timing=timing, new_owner=lambda: "somebody-new"
        )
        self.cancellation: Any = parse_cancellation(POLICY.contract, detail("payment_cancel"))
        self._parts = Parts(POLICY, operation, self.ledger, None, timing, lambda: "")  # type: ignore[arg-type]

    def begin(self, *, lease: float, in_doubt: bool) -> Entry:
        """Somebody claims the request."""
        asked = self.cancellation
        return self.ledger.claim(
            Entry(
                key=KEY,
                fingerprint=fingerprint("payment_cancel", asked),
                order_id=asked.order_id,
                requested_by=asked.requested_by,
                requested_at="2026-11-21T05:00:00Z",
                request=asked.request.public(),
                payment_ref="imp_1",
                owner="somebody",
                lease_until=self.now + lease,
                in_doubt=in_doubt,
            )
        )

    def end(self, state: State, *, unpublished: bool = False) -> Entry:
        """Somebody claims the request and ends it so."""
        entry = self.begin(lease=60, in_doubt=False)
        outcomes = self._parts.outcomes(identity_of(self.cancellation))
        trouble = Trouble(ErrorCode.PROVIDER_UNAVAILABLE, "down", may_have_been_applied=False)
        outcome = (
            outcomes.parked(trouble, 1, None)
            if state is State.PARKED
            else outcomes.succeeded(Effect(ProviderRefs(name="portone"), "seen"), 1)
        )
        return self.ledger.record(entry, state, outcome, in_doubt=False, proof="…", unpublished=unpublished)

    def other_payload(self) -> Any:
        """The same id with another amount."""
        request = self.cancellation.request.model_copy(update={"amount": Decimal(77)})
        return self.cancellation.model_copy(update={"request": request})

    def park(self) -> Any:
        """The message has no receive left."""
        return self.service.park_unfinished(self.cancellation, CRASHED)

    @property
    def item(self) -> Entry:
        """The item as it is."""
        found = self.ledger.get(KEY)
        assert found is not None
        return found


@pytest.fixture
def account() -> Account:
    return Account()


def test_what_nobody_began_was_not_sent(account: Account) -> None:
    """Without an item the request is claimed as parked, nothing sent, and marked until it is told."""
    parked = account.park()
    assert isinstance(parked, Publish)
    error = parked.outcome.error
    assert error is not None
    assert (error.code, error.may_have_been_applied) == ("PROVIDER_UNAVAILABLE", False)
    assert parked.outcome.revision == 1
    assert parked.outcome.provider.imp_uid == account.cancellation.request.imp_uid
    assert parked.dead_letter is not None
    assert parked.dead_letter.code is ErrorCode.PROVIDER_UNAVAILABLE
    assert (account.item.state, account.item.unpublished) == (State.PARKED, True)
    assert parked.mark == account.item


def test_the_mark_goes_with_the_publication(account: Account) -> None:
    """After the publication nothing is marked, and noting it twice does no harm."""
    mark = account.park().mark
    account.service.published(mark)
    account.service.published(mark)
    assert account.item.unpublished is False


@pytest.mark.parametrize("in_doubt", [False, True])
def test_what_somebody_began_and_left(account: Account, *, in_doubt: bool) -> None:
    """An item whose lease is over is parked as what it is: in doubt if anything may have been sent."""
    account.begin(lease=-1, in_doubt=in_doubt)
    parked = account.park()
    error = parked.outcome.error
    code = ErrorCode.OUTCOME_UNKNOWN if in_doubt else ErrorCode.PROVIDER_UNAVAILABLE
    assert (error.code, error.may_have_been_applied) == (code, in_doubt)
    assert parked.dead_letter.code == code
    item = account.item
    assert (item.state, item.in_doubt, item.unpublished) == (State.PARKED, in_doubt, True)
    assert parked.outcome == item.outcome
    assert parked.outcome.revision == item.revision


def test_a_worker_that_has_it_is_not_disturbed(account: Account) -> None:
    """While a lease lives the message leaves for the DLQ, and the worker's record is still accepted."""
    entry = account.begin(lease=60, in_doubt=True)
    assert account.park() == DeadLetter(CRASHED)
    assert account.item.owner == "somebody"
    assert account.ledger.get(KEY) == replace(entry, unpublished=True), "the sweeper tells"


@pytest.mark.parametrize("state", [State.SUCCEEDED, State.PENDING])
@pytest.mark.parametrize("unpublished", [False, True])
def test_what_has_ended_is_published_and_acknowledged(
    account: Account, state: State, *, unpublished: bool
) -> None:
    """A recorded outcome is said again to the letter, marked meanwhile, and its message is no dead letter."""
    recorded = account.end(state, unpublished=unpublished)
    found = account.park()
    assert (found.outcome, found.dead_letter, found.source) == (recorded.outcome, None, Source.LEDGER)
    assert account.item.unpublished
    assert found.mark == account.item


def test_what_was_parked_stays_parked(account: Account) -> None:
    """A parked request's statement is said again, and the message waits in the DLQ."""
    recorded = account.end(State.PARKED)
    found = account.park()
    assert (found.outcome, found.dead_letter) == (recorded.outcome, CRASHED)
    assert account.item.unpublished


def test_another_payload_says_nothing(account: Account) -> None:
    """A message of another payload is a dead letter, and the request stays what it is."""
    recorded = account.end(State.SUCCEEDED)
    found = account.service.park_unfinished(account.other_payload(), CRASHED)
    assert isinstance(found, DeadLetter)
    assert found.reason.code is ErrorCode.DUPLICATE_KEY_DIFFERENT_PAYLOAD
    assert account.item == recorded


def test_a_state_of_a_newer_version_is_left_alone(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """An item that this version does not understand is neither written nor spoken for."""
    entry = replace(account.end(State.SUCCEEDED), state=State.UNKNOWN)
    monkeypatch.setattr(account.ledger, "get", lambda _key: entry)
    assert account.park() == DeadLetter(CRASHED)


def test_somebody_who_was_faster(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """An item that appears between the read and the claim decides what is said."""
    account.end(State.SUCCEEDED)
    real, seen = account.ledger.get, iter([None])
    monkeypatch.setattr(account.ledger, "get", lambda key: next(seen, real(key)))
    assert account.park().source is Source.LEDGER


@pytest.mark.parametrize("unpublished", [False, True])
@pytest.mark.parametrize("state", [State.SUCCEEDED, State.PENDING])
def test_stored(account: Account, state: State, *, unpublished: bool) -> None:
    """What has ended or is pending is said without work; a mark on it is named."""
    recorded = account.end(state, unpublished=unpublished)
    assert account.service.stored(account.cancellation) == Publish(
        recorded.outcome,  # type: ignore[arg-type]
        source=Source.LEDGER,
        mark=recorded if unpublished else None,
    )
    assert account.item == recorded


def test_nothing_stored(account: Account) -> None:
    """What is unknown, under way or parked has still to be worked on."""
    assert account.service.stored(account.cancellation) is None
    account.begin(lease=60, in_doubt=True)
    assert account.service.stored(account.cancellation) is None


def test_parked_is_not_stored(account: Account) -> None:
    """A parked request is worked on again when its message comes back."""
    account.end(State.PARKED)
    assert account.service.stored(account.cancellation) is None


def test_another_payload_is_not_stored(account: Account) -> None:
    """A finished request's outcome is not another payload's."""
    account.end(State.SUCCEEDED)
    assert isinstance(account.service.stored(account.other_payload()), DeadLetter)
