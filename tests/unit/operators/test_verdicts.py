from __future__ import annotations

import json
from dataclasses import replace

import pytest

from local.simulator.faults import Fault, FaultKind, Operation
from refunds.contracts.fingerprint import fingerprint
from refunds.operators.operations import Operations
from refunds.operators.replay import USUAL
from refunds.operators.replay_verdicts import Judge, Judgement, ReplayVerdict
from tests.unit.operators.requests import PAID, dead_letter, order_cancel, park_in_doubt, pay, settle
from tests.unit.operators.rig import SHOWN, OperatorRig
from tests.unit.rig import MAX_RECEIVE_COUNT, Rig, Wanted


def verdict(
    operations: Operations, body: str, name: str = "payment_cancel", *, asks: bool = True
) -> Judgement:
    """The verdict, which must not change anything."""
    (judgement,) = operations.judge(asks=asks).judge([dead_letter(body, name)])
    return judgement


def number(rig: Rig, **fields: object) -> str:
    rig.world.seed_payment(
        {"imp_uid": "imp_v", "merchant_uid": "M-v", "amount": PAID, "status": "ready", "pay_method": "vbank"}
        | fields
    )
    return json.dumps(Wanted().detail | {"request": {"imp_uid": "imp_v"}})


def test_a_request_nobody_began_is_safe(rig: Rig, operations: Operations) -> None:
    """Not in the ledger and possible at the provider: it would be sent."""
    pay(rig)
    assert verdict(operations, Wanted().body).verdict is ReplayVerdict.SAFE
    assert rig.items == {}


def test_a_finished_request_is_done(rig: Rig, operations: Operations) -> None:
    """Succeeded or failed, only its outcome would be published again, and nobody is asked."""
    pay(rig)
    succeeded, failed = Wanted().body, Wanted(imp_uid="imp_nobody").body
    settle(rig, succeeded)
    settle(rig, failed)
    asked = len(rig.world.requests)
    assert [verdict(operations, body).verdict for body in (succeeded, failed)] == [
        ReplayVerdict.DONE,
        ReplayVerdict.DONE,
    ]
    assert len(rig.world.requests) == asked


def test_a_request_of_unknown_fate_is_resolved_first(rig: Rig, operations: Operations) -> None:
    """The reason says what the provider shows now: that it was carried out, or that it was not."""
    pay(rig, "imp_1")
    pay(rig, "imp_2")
    applied = park_in_doubt(rig, FaultKind.DROP_AFTER_COMMIT, body=Wanted("imp_1").body)
    lost = park_in_doubt(rig, FaultKind.DROP_BEFORE_COMMIT, body=Wanted("imp_2").body)
    baseline = json.dumps(rig.items, sort_keys=True)
    found, missing = verdict(operations, applied), verdict(operations, lost)
    assert (found.verdict, missing.verdict) == (ReplayVerdict.UNKNOWN, ReplayVerdict.UNKNOWN)
    assert "shows it was carried out" in found.why
    assert "does not show it" in missing.why
    assert json.dumps(rig.items, sort_keys=True) == baseline


def test_a_request_that_a_worker_has_is_told_with_its_lease(rig: Rig, operations: Operations) -> None:
    """While the lease is live nobody is asked."""
    pay(rig)
    body = park_in_doubt(rig, FaultKind.DROP_AFTER_COMMIT)
    for item in rig.items.values():
        item["lease_until"] = {"N": "99999999999"}
    asked = len(rig.world.requests)
    judgement = verdict(operations, body)
    assert judgement.verdict is ReplayVerdict.UNKNOWN
    assert "A worker has it" in judgement.why
    assert len(rig.world.requests) == asked


@pytest.mark.parametrize("with_checksum", [False, True])
def test_a_refund_of_a_payment_that_changed_since_is_stale(
    rig: Rig, operations: Operations, *, with_checksum: bool
) -> None:
    """Whether or not the function would look first, the verdict says how it would fail."""
    pay(rig)
    detail = Wanted().detail
    if with_checksum:
        detail["request"]["checksum"] = PAID
    rig.world.somebody_else("imp_1", "cancel", PAID, "관리자 취소")
    judgement = verdict(operations, json.dumps(detail))
    assert judgement.verdict is ReplayVerdict.STALE
    assert "ALREADY_CANCELLED" in judgement.why


def test_a_number_that_was_paid_meanwhile_is_stale(rig: Rig, operations: Operations) -> None:
    """It would end as ALREADY_PAID; a number still waiting is safe."""
    body = number(rig)
    assert verdict(operations, body, "vbank_revoke").verdict is ReplayVerdict.SAFE
    rig.world.somebody_else("imp_v", "deposit")
    judgement = verdict(operations, body, "vbank_revoke")
    assert judgement.verdict is ReplayVerdict.STALE
    assert "ALREADY_PAID" in judgement.why


def test_a_doubt_that_facts_have_ended_is_stale(rig: Rig, operations: Operations) -> None:
    """An attempt that can no longer arrive, because the balance has moved away from it, would fail."""
    pay(rig)
    body = park_in_doubt(rig, FaultKind.DROP_BEFORE_COMMIT)
    rig.world.somebody_else("imp_1", "cancel", PAID, "관리자 취소")
    assert verdict(operations, body).verdict is ReplayVerdict.STALE


def test_what_the_ledger_forgot_and_the_provider_remembers_is_stale(rig: Rig, operations: Operations) -> None:
    """Our own mark in the history, and no ledger item: replaying could refund it again."""
    pay(rig)
    wanted = Wanted()
    wanted.detail["request"]["checksum"] = PAID
    settle(rig, wanted.body)
    rig.items.clear()
    judgement = verdict(operations, wanted.body)
    assert judgement.verdict is ReplayVerdict.STALE


@pytest.mark.parametrize("body", ["no json", "[]", "{}", json.dumps(Wanted().detail | {"order_id": "a/b"})])
def test_what_breaks_the_contract_is_invalid(operations: Operations, body: str) -> None:
    """With the reason that the function gave, or would give."""
    judgement = verdict(operations, body)
    assert judgement.verdict is ReplayVerdict.INVALID
    assert judgement.why


def test_a_key_with_another_payload_is_invalid(rig: Rig, operations: Operations) -> None:
    """Replaying it could only be refused."""
    pay(rig)
    wanted = Wanted()
    settle(rig, wanted.body)
    other = Wanted(amount=2_000, key=wanted.key)
    assert verdict(operations, other.body).verdict is ReplayVerdict.INVALID


def test_without_an_answer_the_ledger_alone_decides(rig: Rig, operations: Operations) -> None:
    """An outage leaves the verdicts of the ledger, and says that nobody could be asked."""
    pay(rig)
    doubtful = park_in_doubt(rig, FaultKind.DROP_AFTER_COMMIT)
    rig.world.start_outage()
    fresh, open_ = verdict(operations, Wanted().body), verdict(operations, doubtful)
    assert (fresh.verdict, open_.verdict) == (ReplayVerdict.SAFE, ReplayVerdict.UNKNOWN)
    assert "could not be asked now" in fresh.why
    assert "could not be asked now" in open_.why


def test_without_asking_the_provider_hears_nothing(rig: Rig, operations: Operations) -> None:
    """--no-ask goes by the ledger alone."""
    assert verdict(operations, Wanted().body, asks=False).verdict is ReplayVerdict.SAFE
    assert rig.world.requests == []


def test_verdict_and_replay_agree(rig: Rig, operations: Operations) -> None:
    """What was called safe is sent, what was called unknown is proven, what was called stale fails."""
    pay(rig, "imp_1")
    pay(rig, "imp_2")
    pay(rig, "imp_3")
    unknown = park_in_doubt(rig, FaultKind.DROP_AFTER_COMMIT, body=Wanted("imp_1").body)
    safe, stale = Wanted("imp_2").body, Wanted("imp_3").body
    rig.world.somebody_else("imp_3", "cancel", PAID)
    told = {body: verdict(operations, body).verdict for body in (unknown, safe, stale)}
    assert list(told.values()) == [ReplayVerdict.UNKNOWN, ReplayVerdict.SAFE, ReplayVerdict.STALE]
    for body in told:
        settle(rig, body)
    ended = rig.outcomes()
    assert [ended[json.loads(body)["cancel_request_id"]] for body in told] == [
        "succeeded",
        "succeeded",
        "failed",
    ]
    assert [len(rig.world.money.of(f"imp_{n}")) for n in (1, 2, 3)] == [1, 1, 1]


def test_a_part_of_an_order_stays_unknown(rig: Rig, operations: Operations) -> None:
    """EBP cannot tell: the verdict sends the operator to its console."""
    body = order_cancel(rig, part=True)
    rig.world.add_fault(Fault(FaultKind.DROP_AFTER_COMMIT, operation=Operation.CANCEL))
    settle(rig, body, "order_cancel", receives=MAX_RECEIVE_COUNT)
    rig.end_leases()
    judgement = verdict(operations, body, "order_cancel")
    assert judgement.verdict is ReplayVerdict.UNKNOWN
    assert "resolve it by hand" in judgement.why


def test_a_pending_refund_waits() -> None:
    """Replaying its message would publish again that it is pending, and send nothing."""
    operators = OperatorRig()
    operators.pend("cr-1", fingerprint=_fingerprint("cr-1"))
    assert _judged(operators, "cr-1").verdict is ReplayVerdict.WAIT
    assert ReplayVerdict.WAIT not in USUAL


def test_a_doubt_at_a_gateway_that_books_later_says_that_nothing_is_sent() -> None:
    """A replay only asks, whatever the payment shows."""
    operators = OperatorRig()
    late = replace(SHOWN, shown={"pg_provider": "paypal_v2", "pay_method": "card"})
    operators.park("cr-1", fingerprint=_fingerprint("cr-1"), baseline=late)
    judgement = _judged(operators, "cr-1")
    assert judgement.verdict is ReplayVerdict.UNKNOWN
    assert "nothing is sent again" in judgement.why


def test_one_dead_letter_that_cannot_be_judged_does_not_keep_the_others_from_it() -> None:
    """Neither an unreadable item nor one of a newer version, nor an operation that breaks."""
    operators = OperatorRig()
    for number in range(4):
        operators.park(f"cr-{number}", fingerprint=_fingerprint(f"cr-{number}"))
    operators.spoil("payment_cancel#cr-0", version={"S": "?"})
    operators.spoil("payment_cancel#cr-1", state={"S": "REVERSED"})
    operators.provider.answers = {"imp_cr-2": ValueError("made up")}
    operators.now += 1
    messages = [dead_letter(Wanted("imp_1", key=f"cr-{number}").body) for number in range(4)]
    judge = Judge(operators.queries, operators.inquiry, clock=lambda: operators.now)
    found = [one.verdict for one in judge.judge(messages)]
    assert found == [*[ReplayVerdict.UNREADABLE] * 3, ReplayVerdict.UNKNOWN]


def _fingerprint(key: str) -> str:
    cancellation = dead_letter(Wanted("imp_1", key=key).body).reading.cancellation
    assert cancellation is not None
    return fingerprint("payment_cancel", cancellation)


def _judged(operators: OperatorRig, key: str) -> Judgement:
    operators.now += 1
    judge = Judge(operators.queries, operators.inquiry, clock=lambda: operators.now)
    (judgement,) = judge.judge([dead_letter(Wanted("imp_1", key=key).body)])
    return judgement
