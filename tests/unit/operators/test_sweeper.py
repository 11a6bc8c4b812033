from __future__ import annotations

import itertools
import random
from copy import deepcopy
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
from tests.fakes.answers import AwsError
from tests.unit.operators.old_copies import OldCopies
from tests.unit.operators.rig import DAY, SHOWN, START, OperatorRig, accepted, applied, refused

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
def operators() -> OperatorRig:
    return OperatorRig()


def sweep(operators: OperatorRig, *, seconds: float = 60.0, seed: int = 0, **options: Any) -> Sweep:
    run = {name: options.pop(name) for name in ("daily", "place") if name in options}
    rules = replace(SweepRules(min_age=0.0, asking=ALWAYS), **options)
    sweeper = Sweeper(
        operators.ledger,
        operators.queries,
        operators.resolver,
        rules,
        clock=lambda: operators.now,
        jitter=random.Random(seed),  # noqa: S311 - a fair draw, repeated exactly
    )
    return sweeper.run(Deadline(seconds, lambda: 0.0), **run)


def test_what_can_be_proven_is_recorded_and_told(operators: OperatorRig) -> None:
    """Applied is succeeded, proven not applied is failed, and nothing is said of the rest."""
    for key in ("cr-1", "cr-2", "cr-3", "cr-4"):
        operators.park(key)
    operators.provider.answers = {
        "imp_cr-1": applied("cr-1"),
        "imp_cr-2": Rejected(refused()),
        "imp_cr-3": Rejected(refused(late=False)),
    }
    found = sweep(operators)
    assert (found.resolved["payment_cancel"], found.unresolved["payment_cancel"]) == (2, 2)
    assert sorted(operators.told()) == [("cr-1", "succeeded"), ("cr-2", "failed")]
    assert not operators.entry("cr-1").unpublished
    assert (operators.entry("cr-3").state, operators.entry("cr-4").state) == (State.PARKED, State.PARKED)


def test_a_statement_of_the_sweeper_has_the_items_version_as_revision(operators: OperatorRig) -> None:
    """So that a consumer sees that it is the later one."""
    parked = operators.park("cr-1")
    operators.provider.answers = {"imp_cr-1": applied("cr-1")}
    sweep(operators)
    (detail,) = operators.bus.details()
    assert detail["revision"] == parked.revision + 1


def test_two_requests_are_never_proven_by_one_entry(operators: OperatorRig) -> None:
    """An entry without a tag of ours is held by whoever is proven by it first."""
    operators.park("cr-1", baseline=replace(SHOWN, subject="imp_9"))
    operators.park("cr-2", baseline=replace(SHOWN, subject="imp_9"))
    operators.provider.answers = {"imp_9": applied("9", reference="c-1", held_as="c-1")}
    sweep(operators)
    sweep(operators, seed=1)
    assert [outcome for _key, outcome in operators.told()] == ["succeeded"]


def test_an_outcome_that_never_got_out_is_published_once(operators: OperatorRig) -> None:
    """Whoever recorded it died before publishing; the mark goes with the publication."""
    operators.succeed("cr-1", unpublished=True)
    operators.park("cr-2", ErrorCode.LIMIT_EXCEEDED, in_doubt=False, unpublished=True)
    assert (sweep(operators).republished, sweep(operators).republished) == (2, 0)
    assert sorted(operators.told()) == [("cr-1", "succeeded"), ("cr-2", "parked")]


def test_what_eventbridge_does_not_take_stays_marked(operators: OperatorRig) -> None:
    """The next run publishes it."""
    operators.succeed("cr-1", unpublished=True)
    operators.bus.fate.extend([AwsError("InternalException", status=500)] * 2)
    assert sweep(operators).republished == 0
    assert operators.entry("cr-1").unpublished
    assert sweep(operators).republished == 1


def test_a_pending_refund_is_asked_about_until_it_is_booked(operators: OperatorRig) -> None:
    """It is no unresolved request, and nobody is told again while it waits."""
    operators.pend("cr-1")
    operators.provider.answers = {"imp_cr-1": accepted()}
    found = sweep(operators)
    assert (found.asked, found.pending["payment_cancel"], found.unresolved.total()) == (1, 1, 0)
    assert operators.told() == []
    operators.provider.answers = {"imp_cr-1": applied("cr-1")}
    sweep(operators)
    assert (operators.told(), operators.entry("cr-1").state) == ([("cr-1", "succeeded")], State.SUCCEEDED)


@pytest.mark.parametrize("answer", [accepted(), QUESTION_FAILS])
def test_a_pending_refund_that_is_not_booked_in_time_is_parked_and_asked_about(
    operators: OperatorRig, answer: Any
) -> None:
    """Told once, as one that may have been carried out; the booking after it is told as well."""
    operators.pend("cr-1")
    operators.provider.answers = {"imp_cr-1": answer}
    operators.now += 15 * DAY
    assert sweep(operators).parked["payment_cancel"] == 1
    assert sweep(operators).parked.total() == 0
    (detail,) = operators.bus.details()
    assert (detail["error"]["code"], detail["error"]["may_have_been_applied"]) == ("OUTCOME_UNKNOWN", True)
    operators.provider.answers = {"imp_cr-1": applied("cr-1")}
    sweep(operators)
    assert [outcome for _key, outcome in operators.told()] == ["parked", "succeeded"]


def test_a_pending_refund_that_was_booked_at_last_is_not_parked(operators: OperatorRig) -> None:
    """The provider is asked once more before accounting is told that there is no progress."""
    operators.pend("cr-1")
    operators.provider.answers = {"imp_cr-1": applied("cr-1")}
    operators.now += 15 * DAY
    sweep(operators)
    assert operators.told() == [("cr-1", "succeeded")]


def test_a_request_in_doubt_that_nobody_brings_again_is_parked(operators: OperatorRig) -> None:
    """Not before its message is certainly gone, and then it is told and still asked about."""
    operators.claim("cr-1")
    operators.ledger.note_open(operators.entry("cr-1"))
    assert sweep(operators).parked.total() == 0
    operators.now += 6 * DAY
    assert sweep(operators).parked["payment_cancel"] == 1
    (detail,) = operators.bus.details()
    assert (detail["error"]["code"], detail["error"]["may_have_been_applied"]) == ("OUTCOME_UNKNOWN", True)
    assert sweep(operators).asked == 1


def test_a_request_whose_message_left_while_a_worker_had_it_is_told_soon(operators: OperatorRig) -> None:
    """The worker gave it back, and no message will bring it: nobody waits for days to tell of it."""
    operators.ledger.note_open(replace(operators.claim("cr-1"), unpublished=True))
    operators.now += 3_600
    assert sweep(operators, min_age=900).parked["payment_cancel"] == 1
    (detail,) = operators.bus.details()
    assert detail["error"]["may_have_been_applied"] is True
    assert "dead-letter queue" in detail["error"]["message"]
    assert sweep(operators).republished == 0


def test_a_request_with_nothing_sent_that_nobody_brings_again_is_parked(operators: OperatorRig) -> None:
    """Accounting learns that no money moved; the provider is not asked."""
    entry = operators.claim("cr-1")
    operators.ledger.release(entry, in_doubt=False)
    operators.now += 6 * DAY
    sweep(operators)
    (detail,) = operators.bus.details()
    assert (detail["error"]["code"], detail["error"]["may_have_been_applied"]) == (
        "PROVIDER_UNAVAILABLE",
        False,
    )
    assert operators.provider.asked == []


def test_a_request_that_a_worker_has_is_left_alone(operators: OperatorRig) -> None:
    """Its lease lives: neither asked about nor parked, however old it is."""
    operators.claim("cr-1", lease_until=operators.now + 30 * DAY)
    operators.ledger.note_open(operators.entry("cr-1"))
    operators.now += 20 * DAY
    found = sweep(operators)
    assert (found.asked, found.parked.total(), operators.told()) == (0, 0, [])


def test_messages_own_retries_come_first(operators: OperatorRig) -> None:
    """What changed a moment ago is counted and not asked about."""
    operators.park("cr-1")
    found = sweep(operators, min_age=900)
    assert (found.asked, found.unresolved["payment_cancel"]) == (0, 1)


def test_questions_come_at_growing_intervals() -> None:
    """After 15 minutes, then twice as long each time, then daily; a run every ten minutes."""
    schedule = AskingSchedule(900, DAY, 600)
    asked = [run * 10 for run in range(8 * 144) if schedule.due(START, START + run * 600)]
    assert asked[:7] == [20, 50, 110, 230, 470, 950, 1910]
    assert {later - earlier for earlier, later in itertools.pairwise(asked[6:])} == {1440}


def test_a_question_that_is_not_due_is_not_asked(operators: OperatorRig) -> None:
    """An hour after it was parked there was a turn an hour ago, and the next one is two hours away."""
    operators.park("cr-1")
    asking = AskingSchedule(900, DAY, 600)
    operators.now += 910
    assert sweep(operators, asking=asking).asked == 1
    operators.now += 900
    assert sweep(operators, asking=asking).asked == 0


def test_the_age_is_that_of_the_oldest_open_request(operators: OperatorRig) -> None:
    """Counted from when it was first taken on; what is pending has an end of its own and does not count."""
    operators.pend("cr-0")
    operators.now += DAY
    operators.park("cr-1")
    operators.now += 60
    found = sweep(operators)
    assert found.oldest["payment_cancel"] == 60
    assert found.oldest["order_cancel"] == 0


def test_one_bad_item_never_stops_a_run(operators: OperatorRig) -> None:
    """Unreadable, of a newer version, or one whose update fails: named and passed over, the rest is swept."""
    for number in range(5):
        operators.park(f"cr-{number}")
        operators.provider.answers[f"imp_cr-{number}"] = applied(f"cr-{number}")
    operators.spoil("payment_cancel#cr-0", version={"S": "not a number"})
    operators.spoil("payment_cancel#cr-1", state={"S": "REVERSED"})
    operators.provider.answers["imp_cr-2"] = RuntimeError("made up")

    def disturb(operation: str, key: str) -> None:
        if (operation, key) == ("UpdateItem", "payment_cancel#cr-3"):
            raise AwsError("ValidationException", "Item size has exceeded the maximum allowed size")

    operators.tables.disturb = disturb
    found = sweep(operators)
    assert operators.told() == [("cr-4", "succeeded")]
    assert found.passed_over.keys() == {Key("payment_cancel", f"cr-{number}") for number in range(4)}
    assert sorted(found.summary()["passed_over_keys"]) == [f"payment_cancel#cr-{n}" for n in range(4)]  # type: ignore[call-overload]


def test_a_code_of_a_newer_version_is_published_as_it_is(operators: OperatorRig) -> None:
    """After a rollback: what is unpublished gets out, and the item is asked about as any other."""
    entry = operators.park("cr-1")
    assert entry.outcome is not None
    newer = entry.outcome.to_json().replace("OUTCOME_UNKNOWN", "HELD_BY_COURT")
    outcome = type(entry.outcome).from_json(newer)
    operators.ledger.record(entry, State.PARKED, outcome, in_doubt=True, proof="newer", unpublished=True)
    found = sweep(operators)
    assert (found.republished, found.asked, found.passed_over) == (1, 1, {})
    assert operators.bus.details()[0]["error"]["code"] == "HELD_BY_COURT"


def test_a_provider_that_is_out_is_left_in_peace(operators: OperatorRig) -> None:
    """After a few questions without an answer no more are asked, and all is still counted."""
    for number in range(6):
        operators.park(f"cr-{number}")
        operators.provider.answers[f"imp_cr-{number}"] = QUESTION_FAILS
    found = sweep(operators)
    assert (found.asked, found.unanswered, found.unresolved["payment_cancel"]) == (3, 3, 6)


def test_those_that_are_never_answered_do_not_hide_the_others_for_ever(operators: OperatorRig) -> None:
    """As many silent ones as end a run, and parked first: the last one is resolved within a few runs."""
    for number in range(3):
        operators.park(f"cr-{number}")
        operators.provider.answers[f"imp_cr-{number}"] = QUESTION_FAILS
    operators.park("cr-3")
    operators.provider.answers["imp_cr-3"] = applied("cr-3")
    assert sum(sweep(operators, seed=seed).resolved["payment_cancel"] for seed in range(10)) == 1


def test_too_much_to_ask_is_sampled_fairly(operators: OperatorRig) -> None:
    """A limited run asks only so many; over several runs everything gets its turn."""
    for number in range(6):
        operators.park(f"cr-{number}")
    for seed in range(20):
        asked = len(operators.provider.asked)
        found = sweep(operators, most=2, seed=seed)
        assert (found.asked, found.unresolved["payment_cancel"]) == (2, 6)
        assert len(operators.provider.asked) == asked + 2
    assert len(set(operators.provider.asked)) == 6


def test_time_that_is_up_ends_the_questions(operators: OperatorRig) -> None:
    """What was not asked about is counted as open."""
    operators.park("cr-1")
    rules = SweepRules(min_age=0.0, asking=ALWAYS)
    sweeper = Sweeper(
        operators.ledger, operators.queries, operators.resolver, rules, clock=lambda: operators.now
    )
    looks = iter([0.0, 11.0])
    found = sweeper.run(Deadline(10.0, lambda: next(looks)))
    assert (found.asked, found.unresolved["payment_cancel"]) == (0, 1)


def test_a_run_goes_on_where_the_last_one_stopped(operators: OperatorRig) -> None:
    """More than fits into one invocation: every mark goes, each outcome is published once."""
    for number in range(450):
        operators.succeed(f"cr-{number:03}", unpublished=True)
    place = None
    pieces = 0
    while pieces < 20:
        pieces += 1
        clock = Clock(1.0)
        sweeper = Sweeper(
            operators.ledger, operators.queries, operators.resolver, SweepRules(), clock=lambda: operators.now
        )
        found = sweeper.run(Deadline(6.5, clock), place=place)
        if found.place is None:
            break
        place = type(found.place).of_json(found.place.to_json())
    assert 1 < pieces < 20
    assert sorted(operators.told()) == [(f"cr-{number:03}", "succeeded") for number in range(450)]


def test_a_claim_whose_message_is_gone_is_found_once_a_day(operators: OperatorRig) -> None:
    """It crashed on its first claim and its message was purged: it is in no index of open requests."""
    operators.claim("cr-1")
    operators.succeed("cr-2")
    operators.now += DAY
    operators.provider.answers = {"imp_cr-1": applied("cr-1")}
    found = sweep(operators, daily=True)
    assert (found.found_again, found.resolved["payment_cancel"]) == (1, 1)
    assert operators.told() == [("cr-1", "succeeded")]


def test_the_claims_of_a_day_are_read_at_half_the_price(operators: OperatorRig) -> None:
    """What looks left is read once more, strongly consistent: an old copy may show what has ended since."""
    for key in ("cr-1", "cr-2"):
        operators.claim(key)
    operators.succeed("cr-3")
    old = OldCopies(operators)
    del operators.tables.items["ledger"]["payment_cancel#cr-2"]
    operators.succeed("cr-2")
    operators.now += DAY
    assert sweep(operators, daily=True).found_again == 1
    of_day = [(key.partition("#")[2], consistent) for key, consistent in old.read]
    assert sorted(of_day) == [
        ("cr-1", False),
        ("cr-1", True),
        ("cr-2", False),
        ("cr-2", True),
        ("cr-3", False),
    ]


def test_a_claim_that_no_copy_can_show_readably_is_read_again(operators: OperatorRig) -> None:
    """It is passed over only if the item itself cannot be read."""
    operators.claim("cr-1")
    operators.claim("cr-2")
    readable = deepcopy(operators.tables.items["ledger"]["payment_cancel#cr-1"])
    for key in ("cr-1", "cr-2"):
        operators.spoil(f"payment_cancel#{key}", version={"S": "?"})
    OldCopies(operators)
    operators.tables.items["ledger"]["payment_cancel#cr-1"] = readable
    operators.now += DAY
    found = sweep(operators, daily=True)
    assert (found.found_again, [key.cancel_request_id for key in found.passed_over]) == (1, ["cr-2"])


def test_a_claim_that_was_found_again_is_swept_from_then_on(operators: OperatorRig) -> None:
    """The daily pass notes it as open; the ordinary ones ask about it and park it in the end."""
    operators.claim("cr-1")
    operators.now += DAY
    assert sweep(operators, daily=True).found_again == 1
    assert sweep(operators).asked == 1
    operators.now += 6 * DAY
    sweep(operators)
    assert operators.told() == [("cr-1", "parked")]


def test_a_request_in_a_currency_with_cents_is_asked_about(operators: OperatorRig) -> None:
    """726.24 is a valid amount of the payment's own currency."""
    operators.park(
        "cr-1",
        baseline=replace(SHOWN, subject="imp_cr-1", currency="USD", cancellable=Decimal("800.00")),
        request={"imp_uid": "imp_cr-1", "amount": Decimal("726.24")},
    )
    operators.provider.answers = {"imp_cr-1": applied("cr-1", Decimal("726.24"), "USD")}
    sweep(operators)
    (detail,) = operators.bus.details()
    assert (detail["money"]["cancelled"], detail["money"]["currency"]) == (726.24, "USD")


def test_what_has_ended_leaves_the_index_of_open_requests(operators: OperatorRig) -> None:
    """A worker of the previous version ended it, and did not know of its place there."""
    entry = operators.claim("cr-1")
    operators.ledger.note_open(entry)
    place = operators.tables.items["ledger"]["payment_cancel#cr-1"]["open"]
    operators.succeed("cr-2")
    operators.spoil("payment_cancel#cr-2", open=place)
    found = sweep(operators)
    assert (found.unresolved.total(), operators.told()) == (1, [])
    assert "open" not in operators.tables.items["ledger"]["payment_cancel#cr-2"]


def test_what_the_previous_version_left_open_is_noted_once_a_day(operators: OperatorRig) -> None:
    """It stands in that version's own index until that one is removed."""
    operators.park("cr-1")
    item = operators.tables.items["ledger"]["payment_cancel#cr-1"]
    del item["open"]
    item["open_state"] = {"S": "PARKED"}
    operators.queries = LedgerQueries(operators.client, "ledger", MODULES, indexes="with-by-open")
    assert sweep(operators, daily=True).found_again == 1
    assert "open" in operators.tables.items["ledger"]["payment_cancel#cr-1"]
