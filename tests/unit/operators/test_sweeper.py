from __future__ import annotations

import itertools
import random
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from refunds.cancel_types import MODULES
from refunds.domain.deadline import Deadline
from refunds.domain.entry import Key, State
from refunds.domain.operation import Rejected
from refunds.errors import ErrorCode, LookupFailed
from refunds.ledger.queries import LedgerQueries
from refunds.operators.asking_schedule import AskingSchedule
from refunds.operators.sweeper import Sweep, Sweeper, SweepRules
from tests.unit.aws.endpoint import AwsError
from tests.unit.operators.desk import DAY, SHOWN, START, Desk, accepted, applied, refused

ALWAYS = AskingSchedule(base=0.0, longest=1.0, every=DAY)
QUESTION_FAILS = LookupFailed("made up")


class Clock:
    """A monotonic clock that moves at every look."""

    def __init__(self, step: float) -> None:
        self.now, self.step = 0.0, step

    def __call__(self) -> float:
        """Seconds."""
        self.now += self.step
        return self.now


@pytest.fixture
def desk() -> Desk:
    return Desk()


def sweep(desk: Desk, *, seconds: float = 60.0, seed: int = 0, **options: Any) -> Sweep:
    run = {name: options.pop(name) for name in ("daily", "place") if name in options}
    rules = replace(SweepRules(min_age=0.0, asking=ALWAYS), **options)
    sweeper = Sweeper(
        desk.ledger,
        desk.queries,
        desk.resolver,
        rules,
        clock=lambda: desk.now,
        jitter=random.Random(seed),  # noqa: S311 - a fair draw, repeated exactly
    )
    return sweeper.run(Deadline(seconds, lambda: 0.0), **run)


def test_what_can_be_proven_is_recorded_and_told(desk: Desk) -> None:
    """Applied is succeeded, proven not applied is failed, and nothing is said of the rest."""
    for key in ("cr-1", "cr-2", "cr-3", "cr-4"):
        desk.park(key)
    desk.provider.answers = {
        "imp_cr-1": applied("cr-1"),
        "imp_cr-2": Rejected(refused()),
        "imp_cr-3": Rejected(refused(late=False)),
    }
    found = sweep(desk)
    assert (found.resolved["payment_cancel"], found.unresolved["payment_cancel"]) == (2, 2)
    assert sorted(desk.told()) == [("cr-1", "succeeded"), ("cr-2", "failed")]
    assert not desk.entry("cr-1").unpublished
    assert (desk.entry("cr-3").state, desk.entry("cr-4").state) == (State.PARKED, State.PARKED)


def test_a_statement_of_the_sweeper_has_the_items_version_as_revision(desk: Desk) -> None:
    """So that a consumer sees that it is the later one."""
    parked = desk.park("cr-1")
    desk.provider.answers = {"imp_cr-1": applied("cr-1")}
    sweep(desk)
    (detail,) = desk.bus.details()
    assert detail["revision"] == parked.revision + 1


def test_two_requests_are_never_proven_by_one_entry(desk: Desk) -> None:
    """An entry without a tag of ours is held by whoever is proven by it first."""
    desk.park("cr-1", baseline=replace(SHOWN, subject="imp_9"))
    desk.park("cr-2", baseline=replace(SHOWN, subject="imp_9"))
    desk.provider.answers = {"imp_9": applied("9", reference="c-1", held_as="c-1")}
    sweep(desk)
    sweep(desk, seed=1)
    assert [outcome for _key, outcome in desk.told()] == ["succeeded"]


def test_an_outcome_that_never_got_out_is_published_once(desk: Desk) -> None:
    """Whoever recorded it died before publishing; the mark goes with the publication."""
    desk.succeed("cr-1", unpublished=True)
    desk.park("cr-2", ErrorCode.LIMIT_EXCEEDED, in_doubt=False, unpublished=True)
    assert (sweep(desk).republished, sweep(desk).republished) == (2, 0)
    assert sorted(desk.told()) == [("cr-1", "succeeded"), ("cr-2", "parked")]


def test_what_eventbridge_does_not_take_stays_marked(desk: Desk) -> None:
    """The next run publishes it."""
    desk.succeed("cr-1", unpublished=True)
    desk.bus.fate.extend([AwsError("InternalException", status=500)] * 2)
    assert sweep(desk).republished == 0
    assert desk.entry("cr-1").unpublished
    assert sweep(desk).republished == 1


def test_a_pending_refund_is_asked_about_until_it_is_booked(desk: Desk) -> None:
    """It is no unresolved request, and nobody is told again while it waits."""
    desk.pend("cr-1")
    desk.provider.answers = {"imp_cr-1": accepted()}
    found = sweep(desk)
    assert (found.asked, found.pending["payment_cancel"], found.unresolved.total()) == (1, 1, 0)
    assert desk.told() == []
    desk.provider.answers = {"imp_cr-1": applied("cr-1")}
    sweep(desk)
    assert (desk.told(), desk.entry("cr-1").state) == ([("cr-1", "succeeded")], State.SUCCEEDED)


@pytest.mark.parametrize("answer", [accepted(), QUESTION_FAILS])
def test_a_pending_refund_that_is_not_booked_in_time_is_parked_and_asked_about(
    desk: Desk, answer: Any
) -> None:
    """Told once, as one that may have been carried out; the booking after it is told as well."""
    desk.pend("cr-1")
    desk.provider.answers = {"imp_cr-1": answer}
    desk.now += 15 * DAY
    assert sweep(desk).parked["payment_cancel"] == 1
    assert sweep(desk).parked.total() == 0
    (detail,) = desk.bus.details()
    assert (detail["error"]["code"], detail["error"]["may_have_been_applied"]) == ("OUTCOME_UNKNOWN", True)
    desk.provider.answers = {"imp_cr-1": applied("cr-1")}
    sweep(desk)
    assert [outcome for _key, outcome in desk.told()] == ["parked", "succeeded"]


def test_a_pending_refund_that_was_booked_at_last_is_not_parked(desk: Desk) -> None:
    """The provider is asked once more before accounting is told that there is no progress."""
    desk.pend("cr-1")
    desk.provider.answers = {"imp_cr-1": applied("cr-1")}
    desk.now += 15 * DAY
    sweep(desk)
    assert desk.told() == [("cr-1", "succeeded")]


def test_a_request_in_doubt_that_nobody_brings_again_is_parked(desk: Desk) -> None:
    """Not before its message is certainly gone, and then it is told and still asked about."""
    desk.claim("cr-1")
    desk.ledger.note_open(desk.entry("cr-1"))
    assert sweep(desk).parked.total() == 0
    desk.now += 6 * DAY
    assert sweep(desk).parked["payment_cancel"] == 1
    (detail,) = desk.bus.details()
    assert (detail["error"]["code"], detail["error"]["may_have_been_applied"]) == ("OUTCOME_UNKNOWN", True)
    assert sweep(desk).asked == 1


def test_a_request_with_nothing_sent_that_nobody_brings_again_is_parked(desk: Desk) -> None:
    """Accounting learns that no money moved; the provider is not asked."""
    entry = desk.claim("cr-1")
    desk.ledger.release(entry, in_doubt=False)
    desk.now += 6 * DAY
    sweep(desk)
    (detail,) = desk.bus.details()
    assert (detail["error"]["code"], detail["error"]["may_have_been_applied"]) == (
        "PROVIDER_UNAVAILABLE",
        False,
    )
    assert desk.provider.asked == []


def test_a_request_that_a_worker_has_is_left_alone(desk: Desk) -> None:
    """Its lease lives: neither asked about nor parked, however old it is."""
    desk.claim("cr-1", lease_until=desk.now + 30 * DAY)
    desk.ledger.note_open(desk.entry("cr-1"))
    desk.now += 20 * DAY
    found = sweep(desk)
    assert (found.asked, found.parked.total(), desk.told()) == (0, 0, [])


def test_messages_own_retries_come_first(desk: Desk) -> None:
    """What changed a moment ago is counted and not asked about."""
    desk.park("cr-1")
    found = sweep(desk, min_age=900)
    assert (found.asked, found.unresolved["payment_cancel"]) == (0, 1)


def test_questions_come_at_growing_intervals() -> None:
    """After 15 minutes, then twice as long each time, then daily; a run every ten minutes."""
    schedule = AskingSchedule(900, DAY, 600)
    asked = [run * 10 for run in range(8 * 144) if schedule.due(START, START + run * 600)]
    assert asked[:7] == [20, 50, 110, 230, 470, 950, 1910]
    assert {later - earlier for earlier, later in itertools.pairwise(asked[6:])} == {1440}


def test_a_question_that_is_not_due_is_not_asked(desk: Desk) -> None:
    """An hour after it was parked there was a turn an hour ago, and the next one is two hours away."""
    desk.park("cr-1")
    asking = AskingSchedule(900, DAY, 600)
    desk.now += 910
    assert sweep(desk, asking=asking).asked == 1
    desk.now += 900
    assert sweep(desk, asking=asking).asked == 0


def test_the_age_is_that_of_the_oldest_open_request(desk: Desk) -> None:
    """Counted from when it was first taken on; what is pending has an end of its own and does not count."""
    desk.pend("cr-0")
    desk.now += DAY
    desk.park("cr-1")
    desk.now += 60
    found = sweep(desk)
    assert found.oldest["payment_cancel"] == 60
    assert found.oldest["order_cancel"] == 0


def test_one_bad_item_never_stops_a_run(desk: Desk) -> None:
    """Unreadable, of a newer version, or one whose update fails: named and passed over, the rest is swept."""
    for number in range(5):
        desk.park(f"cr-{number}")
        desk.provider.answers[f"imp_cr-{number}"] = applied(f"cr-{number}")
    desk.spoil("payment_cancel#cr-0", version={"S": "not a number"})
    desk.spoil("payment_cancel#cr-1", state={"S": "REVERSED"})
    desk.provider.answers["imp_cr-2"] = RuntimeError("made up")

    def disturb(operation: str, key: str) -> None:
        if (operation, key) == ("UpdateItem", "payment_cancel#cr-3"):
            raise AwsError("ValidationException", "Item size has exceeded the maximum allowed size")

    desk.tables.disturb = disturb
    found = sweep(desk)
    assert desk.told() == [("cr-4", "succeeded")]
    assert found.passed_over.keys() == {Key("payment_cancel", f"cr-{number}") for number in range(4)}
    assert sorted(found.summary()["passed_over_keys"]) == [f"payment_cancel#cr-{n}" for n in range(4)]  # type: ignore[call-overload]


def test_a_code_of_a_newer_version_is_published_as_it_is(desk: Desk) -> None:
    """After a rollback: what is unpublished gets out, and the item is asked about as any other."""
    entry = desk.park("cr-1")
    assert entry.outcome is not None
    newer = entry.outcome.to_json().replace("OUTCOME_UNKNOWN", "HELD_BY_COURT")
    outcome = type(entry.outcome).from_json(newer)
    desk.ledger.record(entry, State.PARKED, outcome, in_doubt=True, proof="newer", unpublished=True)
    found = sweep(desk)
    assert (found.republished, found.asked, found.passed_over) == (1, 1, {})
    assert desk.bus.details()[0]["error"]["code"] == "HELD_BY_COURT"


def test_a_provider_that_is_out_is_left_in_peace(desk: Desk) -> None:
    """After a few questions without an answer no more are asked, and all is still counted."""
    for number in range(6):
        desk.park(f"cr-{number}")
        desk.provider.answers[f"imp_cr-{number}"] = QUESTION_FAILS
    found = sweep(desk)
    assert (found.asked, found.unanswered, found.unresolved["payment_cancel"]) == (3, 3, 6)


def test_those_that_are_never_answered_do_not_hide_the_others_for_ever(desk: Desk) -> None:
    """As many silent ones as end a run, and parked first: the last one is resolved within a few runs."""
    for number in range(3):
        desk.park(f"cr-{number}")
        desk.provider.answers[f"imp_cr-{number}"] = QUESTION_FAILS
    desk.park("cr-3")
    desk.provider.answers["imp_cr-3"] = applied("cr-3")
    assert sum(sweep(desk, seed=seed).resolved["payment_cancel"] for seed in range(10)) == 1


def test_too_much_to_ask_is_sampled_fairly(desk: Desk) -> None:
    """A limited run asks only so many; over several runs everything gets its turn."""
    for number in range(6):
        desk.park(f"cr-{number}")
    for seed in range(20):
        asked = len(desk.provider.asked)
        found = sweep(desk, most=2, seed=seed)
        assert (found.asked, found.unresolved["payment_cancel"]) == (2, 6)
        assert len(desk.provider.asked) == asked + 2
    assert len(set(desk.provider.asked)) == 6


def test_time_that_is_up_ends_the_questions(desk: Desk) -> None:
    """What was not asked about is counted as open."""
    desk.park("cr-1")
    rules = SweepRules(min_age=0.0, asking=ALWAYS)
    sweeper = Sweeper(desk.ledger, desk.queries, desk.resolver, rules, clock=lambda: desk.now)
    looks = iter([0.0, 11.0])
    found = sweeper.run(Deadline(10.0, lambda: next(looks)))
    assert (found.asked, found.unresolved["payment_cancel"]) == (0, 1)


def test_a_run_goes_on_where_the_last_one_stopped(desk: Desk) -> None:
    """More than fits into one invocation: every mark goes, each outcome is published once."""
    for number in range(450):
        desk.succeed(f"cr-{number:03}", unpublished=True)
    place = None
    pieces = 0
    while pieces < 20:
        pieces += 1
        clock = Clock(1.0)
        sweeper = Sweeper(desk.ledger, desk.queries, desk.resolver, SweepRules(), clock=lambda: desk.now)
        found = sweeper.run(Deadline(6.5, clock), place=place)
        if found.place is None:
            break
        place = type(found.place).of_json(found.place.to_json())
    assert 1 < pieces < 20
    assert sorted(desk.told()) == [(f"cr-{number:03}", "succeeded") for number in range(450)]


def test_a_claim_whose_message_is_gone_is_found_once_a_day(desk: Desk) -> None:
    """It crashed on its first claim and its message was purged: it is in no index of open requests."""
    desk.claim("cr-1")
    desk.succeed("cr-2")
    desk.now += DAY
    desk.provider.answers = {"imp_cr-1": applied("cr-1")}
    found = sweep(desk, daily=True)
    assert (found.found_again, found.resolved["payment_cancel"]) == (1, 1)
    assert desk.told() == [("cr-1", "succeeded")]


def test_a_claim_that_was_found_again_is_swept_from_then_on(desk: Desk) -> None:
    """The daily pass notes it as open; the ordinary ones ask about it and park it in the end."""
    desk.claim("cr-1")
    desk.now += DAY
    assert sweep(desk, daily=True).found_again == 1
    assert sweep(desk).asked == 1
    desk.now += 6 * DAY
    sweep(desk)
    assert desk.told() == [("cr-1", "parked")]


def test_a_request_in_a_currency_with_cents_is_asked_about(desk: Desk) -> None:
    """726.24 is a valid amount of the payment's own currency."""
    desk.park(
        "cr-1",
        baseline=replace(SHOWN, subject="imp_cr-1", currency="USD", cancellable=Decimal("800.00")),
        request={"imp_uid": "imp_cr-1", "amount": Decimal("726.24")},
    )
    desk.provider.answers = {"imp_cr-1": applied("cr-1", Decimal("726.24"), "USD")}
    sweep(desk)
    (detail,) = desk.bus.details()
    assert (detail["money"]["cancelled"], detail["money"]["currency"]) == (726.24, "USD")


def test_what_has_ended_leaves_the_index_of_open_requests(desk: Desk) -> None:
    """A worker of the previous version ended it, and did not know of its place there."""
    entry = desk.claim("cr-1")
    desk.ledger.note_open(entry)
    place = desk.tables.items["ledger"]["payment_cancel#cr-1"]["open"]
    desk.succeed("cr-2")
    desk.spoil("payment_cancel#cr-2", open=place)
    found = sweep(desk)
    assert (found.unresolved.total(), desk.told()) == (1, [])
    assert "open" not in desk.tables.items["ledger"]["payment_cancel#cr-2"]


def test_what_the_previous_version_left_open_is_noted_once_a_day(desk: Desk) -> None:
    """It stands in that version's own index until that one is removed."""
    desk.park("cr-1")
    item = desk.tables.items["ledger"]["payment_cancel#cr-1"]
    del item["open"]
    item["open_state"] = {"S": "PARKED"}
    desk.queries = LedgerQueries(desk.client, "ledger", MODULES, indexes="with-by-open")
    assert sweep(desk, daily=True).found_again == 1
    assert "open" in desk.tables.items["ledger"]["payment_cancel#cr-1"]
