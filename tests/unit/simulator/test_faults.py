from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

import pytest

from local.simulator import Actor, Answer, Fault, FaultKind, LossKind, Lost, MovementKind, Operation
from local.simulator.portone_cancel import CHECKSUM_MISMATCH

if TYPE_CHECKING:
    from local.simulator import World
    from tests.unit.simulator.caller import Caller, ManualClock

CANCEL = {"imp_uid": "imp_1", "amount": 100, "reason": "ours"}
ORDER = {
    "orderNo": "ORD-E",
    "items": [{"seq": 1, "itemType": "PHYSICAL", "itemId": "P1", "quantity": 1, "amount": 900}],
}
ORDER_CANCEL = {**ORDER, "totalCancelAmount": 900}


@pytest.fixture(autouse=True)
def records(world: World) -> None:
    world.seed_payment({"imp_uid": "imp_1", "merchant_uid": "ORD-1", "amount": 1000})
    world.seed_payment({"imp_uid": "imp_2", "merchant_uid": "ORD-2", "amount": 1000})
    world.seed_order(ORDER)


def send_cancel(caller: Caller) -> Answer | Lost:
    return caller.send("POST", "/payments/cancel", CANCEL)


def loss(answer: Answer | Lost) -> LossKind | None:
    return answer.kind if isinstance(answer, Lost) else None


def body(answer: Answer | Lost) -> Any:
    assert isinstance(answer, Answer)
    return json.loads(answer.body)


BEFORE_AND_AFTER = ["drop", "hang", "http_5xx", "html", "truncated_body", "empty_body", "not_json"]


@pytest.mark.parametrize("name", BEFORE_AND_AFTER)
def test_an_answer_breaks_alike_whether_money_moved_or_not(caller: Caller, world: World, name: str) -> None:
    """Before or after the commit, what the client sees is of the same kind; only the oracle differs."""
    world.add_fault(Fault(FaultKind(f"{name}_before_commit"), "imp_1"))
    before = send_cancel(caller)
    assert world.money.movements == []
    world.add_fault(Fault(FaultKind(f"{name}_after_commit"), "imp_1"))
    after = send_cancel(caller)
    assert world.money.refunded("imp_1") == 100
    assert loss(before) == loss(after)
    assert getattr(before, "status", None) == getattr(after, "status", None)
    assert [logged.committed for logged in world.requests] == [False, True]


@pytest.mark.parametrize("kind", [k for k in FaultKind if k.endswith("_commit") and "error" not in k])
def test_a_broken_answer_proves_nothing(caller: Caller, world: World, kind: FaultKind) -> None:
    """No answer broken before or after the commit is a readable success."""
    world.add_fault(Fault(kind))
    answer = send_cancel(caller)
    if isinstance(answer, Lost):
        return
    try:
        payload = json.loads(answer.body)
    except ValueError:
        return
    assert (answer.status, payload["code"]) == (503, -1)


@pytest.mark.parametrize("wanted", ["reset", "closed", "hang"])
def test_a_drop_dies_the_way_it_was_told(caller: Caller, world: World, wanted: str) -> None:
    """A dropped answer ends in RST, FIN or silence."""
    world.add_fault(Fault(FaultKind.DROP_AFTER_COMMIT, loss=wanted))
    assert loss(send_cancel(caller)) == LossKind(wanted)


def test_a_truncated_body_keeps_its_promised_length(caller: Caller, world: World) -> None:
    """A truncated answer promises more bytes than it sends."""
    world.add_fault(Fault(FaultKind.TRUNCATED_BODY_AFTER_COMMIT))
    answer = send_cancel(caller)
    assert isinstance(answer, Lost)
    assert answer.answer is not None
    assert 0 < answer.sent_bytes < len(answer.answer.body)


def test_a_refused_connection_is_not_looked_at(caller: Caller, world: World) -> None:
    """A refused connection reads nothing, checks nothing and moves nothing."""
    world.add_fault(Fault(FaultKind.REFUSE_CONNECTION))
    assert loss(send_cancel(caller)) is LossKind.REFUSED
    assert world.money.movements == []


def test_late_application_after_seconds(caller: Caller, world: World, clock: ManualClock) -> None:
    """The answer is lost, nothing has happened, and after D seconds it has."""
    world.add_fault(Fault(FaultKind.LATE_APPLY, "imp_1", seconds=30))
    assert loss(send_cancel(caller)) is LossKind.RESET
    clock.elapse(29)
    assert caller.lookup("imp_1")["cancel_amount"] == 0
    clock.elapse(1)
    assert caller.lookup("imp_1")["cancel_amount"] == 100


def test_late_application_after_lookups(caller: Caller, world: World) -> None:
    """K lookups still see the old state, the next one the new; others' and failed ones do not count."""
    world.add_fault(Fault(FaultKind.LATE_APPLY, "imp_1", lookups=2))
    send_cancel(caller)
    caller.lookup("imp_2")
    world.add_fault(Fault(FaultKind.DROP_AFTER_COMMIT, "imp_1", "lookup"))
    caller.send("GET", "/payments/imp_1")
    assert [caller.lookup("imp_1")["cancel_amount"] for _ in range(3)] == [0, 0, 100]


def test_late_application_is_refused_by_a_checksum_that_no_longer_fits(caller: Caller, world: World) -> None:
    """A late first attempt with a checksum cannot apply after a second attempt did."""
    world.add_fault(Fault(FaultKind.LATE_APPLY, "imp_1", lookups=1))
    guarded = {**CANCEL, "checksum": 1000}
    caller.send("POST", "/payments/cancel", guarded)
    assert caller.cancel(**guarded)["code"] == 0
    caller.lookup("imp_1")
    assert world.late == []
    assert world.money.refunded("imp_1") == 100


def test_settling_applies_whatever_is_late(caller: Caller, world: World) -> None:
    """At quiescence everything accepted late has been carried out."""
    world.add_fault(Fault(FaultKind.LATE_APPLY, lookups=99, times=None))
    send_cancel(caller)
    caller.send_ebp("cancel", ORDER_CANCEL)
    world.settle()
    assert (int(world.money.refunded("imp_1")), int(world.money.refunded("ORD-E")), world.late) == (
        100,
        900,
        [],
    )


def test_an_error_answer_may_have_been_applied(caller: Caller, world: World) -> None:
    """Both providers can answer an error for what they have carried out."""
    world.add_fault(Fault(FaultKind.ERROR_ANSWER_AFTER_COMMIT, times=2))
    payload = caller.cancel(**CANCEL)
    assert payload["code"] == -1
    assert "기 취소" in payload["message"]
    status, refused = caller.ebp("cancel", ORDER_CANCEL)
    assert (status, refused["resultCode"]) == (500, "EBP-C-0010")
    assert (int(world.money.refunded("imp_1")), int(world.money.refunded("ORD-E"))) == (100, 900)


def test_a_refusal_says_what_it_was_told_and_moves_nothing(caller: Caller, world: World) -> None:
    """Code, message and status of a refusal are the fault's."""
    world.add_fault(Fault(FaultKind.REFUSE, "imp_1", code=1, message="취소금액이 미정산 금액보다 큽니다"))
    world.add_fault(Fault(FaultKind.REFUSE, "ORD-E", status=500, code="EBP-C-0011"))
    payload = caller.cancel(**CANCEL)
    assert (payload["code"], payload["message"]) == (1, "취소금액이 미정산 금액보다 큽니다")
    status, refused = caller.ebp("cancel", ORDER_CANCEL)
    assert (status, refused["resultCode"]) == (500, "EBP-C-0011")
    assert world.money.movements == []


def test_a_false_success_claims_code_0_and_moves_nothing(caller: Caller, world: World) -> None:
    """Code 0 is a claim: the answer can show a payment nothing was cancelled of."""
    world.add_fault(Fault(FaultKind.FALSE_SUCCESS))
    payload = caller.cancel(**CANCEL)
    assert (payload["code"], payload["response"]["cancel_amount"]) == (0, 0)
    assert world.money.movements == []


@pytest.mark.parametrize(
    ("variant", "name"),
    [("identity", "imp_uid"), ("amount", "cancel_amount"), ("history", "cancel_history")],
)
def test_portone_echoes_something_else(caller: Caller, world: World, variant: str, name: str) -> None:
    """A wrong echo differs from the truth in exactly the field of its variant."""
    world.add_fault(Fault(FaultKind.WRONG_ECHO, variant=variant))
    echoed = caller.cancel(**CANCEL)["response"]
    truth = caller.lookup("imp_1")
    assert {field for field in truth if truth[field] != echoed[field]} == {name}


@pytest.mark.parametrize(
    ("variant", "name"), [("identity", "orderNo"), ("amount", "totalProductAmount"), ("items", "items")]
)
def test_ebp_echoes_something_else(caller: Caller, world: World, variant: str, name: str) -> None:
    """A wrong echo of EBP differs in order number, total or items."""
    expected = {"orderNo": "ORD-E", "totalProductAmount": 900.0, "items": 1}
    world.add_fault(Fault(FaultKind.WRONG_ECHO, variant=variant))
    data = caller.ebp("cancel", ORDER_CANCEL)[1]["data"]
    data["items"] = len(data["items"])
    assert {field for field in expected if data[field] != expected[field]} == {name}


def test_an_expired_token_is_refused_until_another_is_fetched(caller: Caller, world: World) -> None:
    """After the 401 the old token stays invalid; asking again gives another one that works."""
    first = caller.fetch_token()["access_token"]
    world.add_fault(Fault(FaultKind.TOKEN_EXPIRED, operation="cancel"))
    assert caller.ask("POST", "/payments/cancel", CANCEL)[0] == 401
    assert caller.ask("POST", "/payments/cancel", CANCEL)[0] == 401
    assert caller.fetch_token()["access_token"] != first
    assert caller.cancel(**CANCEL)["code"] == 0


def test_slowness_is_told_not_slept(caller: Caller, world: World) -> None:
    """In process a slow answer carries its delay, on top of another fault too."""
    world.add_fault(Fault(FaultKind.SLOW, seconds=7.5, times=None))
    assert send_cancel(caller).delay_seconds == 7.5
    world.add_fault(Fault(FaultKind.DROP_AFTER_COMMIT))
    lost = send_cancel(caller)
    assert (loss(lost), lost.delay_seconds) == (LossKind.RESET, 7.5)


def test_too_many_requests_say_when_to_come_back(caller: Caller, world: World) -> None:
    """HTTP 429 carries Retry-After and moves nothing."""
    world.add_fault(Fault(FaultKind.HTTP_429, seconds=3))
    answer = send_cancel(caller)
    assert isinstance(answer, Answer)
    assert (answer.status, answer.headers["retry-after"]) == (429, "3")
    assert world.money.movements == []


def test_somebody_else_comes_right_before_us(caller: Caller, world: World) -> None:
    """Another cancellation is applied first, so that our checksum no longer fits."""
    world.add_fault(Fault(FaultKind.SOMEBODY_ELSE, "imp_1", "cancel", amount=300))
    assert caller.cancel(**CANCEL, checksum=1000)["message"] == CHECKSUM_MISMATCH
    assert [(int(m.amount), m.who) for m in world.money.movements] == [(300, Actor.SOMEBODY_ELSE)]


def test_somebody_else_voids_before_a_revocation(caller: Caller, world: World) -> None:
    """On a revocation somebody else voids the number or the receipt first."""
    world.seed_payment(
        {"imp_uid": "imp_v", "merchant_uid": "V", "amount": 5, "status": "ready", "pay_method": "vbank"}
    )
    world.seed_receipt({"merchant_uid": "R", "amount": 5})
    world.add_fault(Fault(FaultKind.SOMEBODY_ELSE, times=2))
    assert caller.ask("DELETE", "/vbanks/imp_v")[0] == 400
    assert caller.ask("DELETE", "/receipts/external/R")[0] == 500
    assert [(m.kind, m.who) for m in world.money.movements] == [
        (MovementKind.VBANK_VOID, Actor.SOMEBODY_ELSE),
        (MovementKind.RECEIPT_VOID, Actor.SOMEBODY_ELSE),
    ]


def test_a_deposit_comes_right_before_the_revocation(caller: Caller, world: World) -> None:
    """The customer pays in the moment before the number is voided."""
    world.seed_payment(
        {"imp_uid": "imp_v", "merchant_uid": "V", "amount": 5, "status": "ready", "pay_method": "vbank"}
    )
    world.add_fault(Fault(FaultKind.DEPOSIT, "imp_v"))
    assert caller.ask("DELETE", "/vbanks/imp_v")[0] == 400
    assert caller.lookup("imp_v")["status"] == "paid"


def test_stale_lookups_show_the_state_before_the_last_change(caller: Caller, world: World) -> None:
    """K lookups show the past, one change back, at both providers."""
    caller.cancel(**CANCEL)
    caller.cancel(**CANCEL)
    caller.ebp("cancel", ORDER_CANCEL)
    world.add_fault(Fault(FaultKind.STALE_LOOKUP, "imp_1", times=2))
    world.add_fault(Fault(FaultKind.STALE_LOOKUP, "ORD-E"))
    assert [caller.lookup("imp_1")["cancel_amount"] for _ in range(3)] == [100, 100, 200]
    seen = [caller.ebp("detail", {"orderNo": "ORD-E"})[1]["data"]["paymentStatus"] for _ in range(2)]
    assert seen == ["APPROVED", "CANCELLED"]


def test_a_balance_can_grow_and_a_known_payment_vanish(caller: Caller, world: World) -> None:
    """A lookup may contradict what was seen before: more money than paid, or 404."""
    world.add_fault(Fault(FaultKind.BALANCE_GREW, "imp_1", amount=50))
    assert caller.lookup("imp_1")["amount"] == 1050
    world.add_fault(Fault(FaultKind.LOOKUP_404, "imp_1"))
    world.add_fault(Fault(FaultKind.LOOKUP_404, "ORD-E"))
    assert caller.ask("GET", "/payments/imp_1")[0] == 404
    assert caller.ebp("detail", {"orderNo": "ORD-E"})[0] == 400


def test_faults_strike_only_whom_and_what_they_name(caller: Caller, world: World) -> None:
    """A fault of one payment and operation leaves other payments and operations alone."""
    world.add_fault(Fault(FaultKind.DROP_BEFORE_COMMIT, "imp_1", "cancel"))
    caller.lookup("imp_1")
    assert caller.cancel(imp_uid="imp_2", amount=1)["code"] == 0
    assert loss(send_cancel(caller)) is LossKind.RESET


def test_a_payment_can_be_named_by_its_merchant_uid(caller: Caller, world: World) -> None:
    """A fault on a merchant_uid strikes requests that carry the imp_uid."""
    world.add_fault(Fault(FaultKind.DROP_BEFORE_COMMIT, "ORD-1"))
    assert loss(send_cancel(caller)) is LossKind.RESET


def test_faults_take_turns_in_the_order_they_were_posted(caller: Caller, world: World) -> None:
    """One deciding fault a request, the oldest first; `skip` lets requests pass, `times` ends it."""
    world.add_fault(Fault(FaultKind.HTTP_5XX_BEFORE_COMMIT, times=2, skip=1))
    world.add_fault(Fault(FaultKind.HTML_BEFORE_COMMIT, times=None))
    for _ in range(5):
        send_cancel(caller)
    kinds = [logged.faults for logged in world.requests]
    html, error = ("html_before_commit",), ("http_5xx_before_commit",)
    assert kinds == [html, error, error, html, html]


def test_a_fault_after_the_commit_waits_for_a_commit(caller: Caller, world: World) -> None:
    """A refused request does not use up a fault that strikes after the commit."""
    world.add_fault(Fault(FaultKind.DROP_AFTER_COMMIT, "imp_1"))
    assert caller.cancel(**{**CANCEL, "amount": 9999})["code"] == -1
    assert loss(send_cancel(caller)) is LossKind.RESET


def test_wrong_credentials_are_refused_before_anything_happens(caller: Caller, world: World) -> None:
    """A request without a token triggers neither a late application nor somebody else."""
    world.add_fault(Fault(FaultKind.LATE_APPLY, seconds=0))
    world.add_fault(Fault(FaultKind.SOMEBODY_ELSE))
    del caller.headers["authorization"]
    assert caller.ask("POST", "/payments/cancel", CANCEL)[0] == 401
    world.settle()
    assert world.money.movements == []


@pytest.mark.parametrize(
    "data",
    [
        {"subject": "imp_1"},
        {"kind": "no_such_kind"},
        {"kind": "slow"},
        {"kind": "slow", "seconds": 1, "speed": 2},
        {"kind": "refuse", "seconds": 1},
        {"kind": "late_apply"},
        {"kind": "late_apply", "seconds": 1, "lookups": 1},
        {"kind": "late_apply", "seconds": 1, "operation": "lookup"},
        {"kind": "lookup_404", "operation": "cancel"},
        {"kind": "refuse", "operation": "no_such_operation"},
        {"kind": "refuse", "times": 0},
        {"kind": "drop_after_commit", "loss": "sideways"},
        {"kind": "wrong_echo", "variant": "sideways"},
    ],
)
def test_faults_that_make_no_sense_are_rejected(data: dict[str, Any]) -> None:
    """A fault that could never strike as meant is an error, not silence."""
    with pytest.raises(ValueError, match=r".+"):
        Fault.from_mapping(data)


def test_faults_survive_their_json_form() -> None:
    """A fault read back from its JSON form is the same fault."""
    fault = Fault(FaultKind.LATE_APPLY, "imp_1", "cancel", times=None, skip=2, lookups=3, loss="hang")
    assert Fault.from_mapping(json.loads(json.dumps(fault.as_mapping(state=False)))) == fault


@pytest.mark.parametrize(
    ("mode", "expected"), [("unavailable", 503), ("close", LossKind.CLOSED), ("refuse", LossKind.REFUSED)]
)
def test_an_outage_fails_everything_until_it_ends(
    caller: Caller, world: World, clock: ManualClock, mode: str, expected: Any
) -> None:
    """Nothing is carried out during an outage; after its seconds everything is."""
    world.start_outage(mode, seconds=60)
    answer = send_cancel(caller)
    assert (loss(answer) or getattr(answer, "status", None)) == expected
    clock.elapse(60)
    assert body(send_cancel(caller))["code"] == 0
    assert world.money.refunded("imp_1") == 100


def test_an_outage_can_be_one_providers(caller: Caller, world: World) -> None:
    """EBP works on while PortOne is out, until the outage is ended."""
    world.start_outage(provider="portone")
    assert caller.ebp("detail", {"orderNo": "ORD-E"})[0] == 200
    assert caller.ask("GET", "/payments/imp_1")[0] == 503
    world.end_outage()
    assert caller.ask("GET", "/payments/imp_1")[0] == 200


def test_a_reset_forgets_everything_but_ids_and_tokens(caller: Caller, world: World) -> None:
    """After a reset tokens still work and no cancellation id comes back."""
    caller.cancel(**CANCEL)
    first = world.money.movements[0].cancellation_id
    world.add_fault(Fault(FaultKind.REFUSE, times=None))
    world.reset()
    world.seed_payment({"imp_uid": "imp_1", "merchant_uid": "ORD-1", "amount": 1000})
    assert caller.cancel(**CANCEL)["code"] == 0
    assert world.money.movements[0].cancellation_id != first
    world.reset(tokens=True)
    assert caller.ask("GET", "/payments/imp_1")[0] == 401


def test_a_copied_world_goes_its_own_way(caller: Caller, world: World) -> None:
    """A deep copy carries late applications and faults with it, and neither world sees the other's money."""
    world.add_fault(Fault(FaultKind.LATE_APPLY, "imp_1", lookups=1))
    send_cancel(caller)
    branch = copy.deepcopy(world)
    branch.settle()
    assert (int(branch.money.refunded("imp_1")), int(world.money.refunded("imp_1"))) == (100, 0)
    world.settle()
    assert world.money.refunded("imp_1") == 100


def test_every_kind_can_strike(caller: Caller, world: World) -> None:
    """No kind of fault is without effect on the log of the operations it is made for."""
    world.seed_payment(
        {"imp_uid": "imp_v", "merchant_uid": "V", "amount": 5, "status": "ready", "pay_method": "vbank"}
    )
    parameters: dict[str, dict[str, Any]] = {
        "slow": {"seconds": 1},
        "balance_grew": {"amount": 1},
        "late_apply": {"seconds": 1},
    }
    struck = set()
    for kind in FaultKind:
        fault = Fault(kind, **parameters.get(kind, {}))
        operation = Operation.CANCEL if Operation.CANCEL in fault.rule.operations else Operation.LOOKUP
        world.add_fault(fault)
        if operation is Operation.CANCEL:
            send_cancel(caller)
        else:
            caller.send("GET", "/payments/imp_v")
        struck |= set(world.requests[-1].faults)
        world.faults.clear()
        caller.fetch_token()
    assert struck == set(FaultKind)


def test_operations_are_told_apart(caller: Caller, world: World) -> None:
    """Every route counts as the operation faults and logs name it by."""
    caller.fetch_token()
    caller.cancel(**CANCEL)
    for method, path in [
        ("GET", "/payments/imp_1"),
        ("GET", "/payments/status/paid"),
        ("DELETE", "/vbanks/imp_1"),
        ("DELETE", "/cvs/imp_1"),
        ("DELETE", "/receipts/external/R"),
        ("GET", "/receipts/external/R"),
    ]:
        caller.send(method, path)
    caller.send_ebp("cancel", ORDER_CANCEL)
    caller.send_ebp("detail", ORDER_CANCEL)
    operations = [logged.operation for logged in world.requests]
    assert operations == [
        *("token", "cancel", "lookup", "lookup", "revoke", "revoke", "receipt", "lookup", "cancel", "detail")
    ]
