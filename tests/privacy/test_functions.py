"""Planted values in every personal and secret field; every output of a function is searched for them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from local.simulator import Fault, FaultKind, Operation
from local.trigger import envelope, record
from tests.fakes.answers import AwsError
from tests.privacy.planted import (
    CUSTOMER,
    EBP_ECHO,
    FORBIDDEN,
    PERSONAL,
    PORTONE_ECHO,
    PORTONE_KEYS_ECHO,
    REFUND,
    SECRET,
    Sighting,
    detail,
    order_request,
    payment,
    sightings,
)
from tests.unit.rig import MAX_RECEIVE_COUNT, Rig

PROJECT = Path(__file__).parents[2]
VERBOSE = {"LOG_LEVEL": "DEBUG", "STAGE": "local"}
IMP = "imp_p"


@dataclass(frozen=True)
class Output:
    """What a function left behind."""

    log: str
    answers: str

    def searched(self, rig: Rig) -> list[Sighting]:
        """Forbidden values in anything but the message bodies that wait for their replay."""
        return [
            *sightings("log", self.log),
            *sightings("answers", self.answers),
            *sightings("ledger", json.dumps(rig.items, ensure_ascii=False)),
            *sightings("events", json.dumps(rig.bus.calls, ensure_ascii=False)),
            *sightings("attributes", json.dumps(rig.queues.attributes(), ensure_ascii=False)),
        ]


def run(rig: Rig, tmp_path: Path, cancel_type: str, events: Sequence[object], **changed: str) -> Output:
    answers = tmp_path / "answers.json"
    environment = {**os.environ, **rig.environment, **VERBOSE, **changed}
    done = subprocess.run(
        [sys.executable, "-m", "tests.privacy.child", cancel_type, str(answers)],
        input=json.dumps(events),
        env=environment,
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    )
    return Output(done.stdout + done.stderr, answers.read_text(encoding="utf-8"))


def messages(*details: Mapping[str, Any], receives: int = 1) -> dict[str, Any]:
    return {"Records": [record(json.dumps(one), receives=receives) for one in details]}


def refund(key: str, /, **fields: Any) -> dict[str, Any]:
    return detail(key, {"imp_uid": IMP, "amount": 1_000, **REFUND, **fields})


def fault(kind: FaultKind, operation: Operation | None = None, **parameters: Any) -> Fault:
    return Fault(kind, operation=operation or Operation.CANCEL, **parameters)


FAULTS = {
    "none": (),
    "refused with everything it knows": (fault(FaultKind.REFUSE, message=PORTONE_ECHO, code=-1),),
    "500 with everything it knows": (fault(FaultKind.HTTP_5XX_BEFORE_COMMIT, message=PORTONE_ECHO),),
    "applied and refused": (fault(FaultKind.ERROR_ANSWER_AFTER_COMMIT, message=PORTONE_ECHO),),
    "answer lost": (fault(FaultKind.DROP_AFTER_COMMIT),),
    "answer lost, lookup fails": (
        fault(FaultKind.DROP_AFTER_COMMIT),
        fault(FaultKind.HTTP_5XX_BEFORE_COMMIT, Operation.LOOKUP, message=PORTONE_ECHO, skip=1),
    ),
    "connection refused": (fault(FaultKind.REFUSE_CONNECTION),),
    "HTML": (fault(FaultKind.HTML_BEFORE_COMMIT),),
    "truncated": (fault(FaultKind.TRUNCATED_BODY_AFTER_COMMIT),),
    "another payment in the answer": (fault(FaultKind.WRONG_ECHO),),
    "token expired": (fault(FaultKind.TOKEN_EXPIRED),),
    "no token": (fault(FaultKind.HTTP_5XX_BEFORE_COMMIT, Operation.TOKEN, message=PORTONE_ECHO, times=None),),
    "token refused": (fault(FaultKind.REFUSE, Operation.TOKEN, message=PORTONE_ECHO, times=None),),
}


@pytest.mark.parametrize("receives", [1, MAX_RECEIVE_COUNT])
@pytest.mark.parametrize("name", FAULTS)
def test_a_refund_shows_nothing(rig: Rig, tmp_path: Path, name: str, receives: int) -> None:
    """Whatever becomes of a refund to a bank account, no output shows whose account, or any key."""
    rig.world.reset(tokens=True)
    rig.world.seed_payment(payment(IMP, pay_method="vbank", pg_provider="smartro"))
    for one in FAULTS[name]:
        rig.world.add_fault(one)
    output = run(rig, tmp_path, "payment_cancel", [messages(refund("cr-p1"), receives=receives)])
    assert output.searched(rig) == []
    assert '"level":"DEBUG"' in output.log
    assert rig.world.requests


@pytest.mark.parametrize("receives", [1, MAX_RECEIVE_COUNT])
@pytest.mark.parametrize(
    "kind",
    [
        None,
        FaultKind.REFUSE,
        FaultKind.HTTP_5XX_AFTER_COMMIT,
        FaultKind.DROP_AFTER_COMMIT,
        FaultKind.WRONG_ECHO,
        FaultKind.ERROR_ANSWER_AFTER_COMMIT,
    ],
)
@pytest.mark.parametrize("style", ["errors", "errorDetails"])
def test_an_order_shows_nothing(
    rig: Rig, tmp_path: Path, kind: FaultKind | None, receives: int, style: str
) -> None:
    """Whatever becomes of an order's cancellation, no output shows the refund account, or any key."""
    request = order_request("ORD-P")
    rig.world.seed_order({"orderNo": "ORD-P", "items": request["items"], "error_style": style})
    if kind is not None:
        rig.world.add_fault(fault(kind, message=EBP_ECHO if kind in TEXTS else None))
    event = messages(detail("cr-p2", request), receives=receives)
    assert run(rig, tmp_path, "order_cancel", [event]).searched(rig) == []


TEXTS = (FaultKind.REFUSE, FaultKind.HTTP_5XX_AFTER_COMMIT, FaultKind.ERROR_ANSWER_AFTER_COMMIT)


@pytest.mark.parametrize("kind", [None, FaultKind.REFUSE, FaultKind.DROP_BEFORE_COMMIT])
def test_the_key_in_a_query_is_not_shown(rig: Rig, tmp_path: Path, kind: FaultKind | None) -> None:
    """KG Inicis wants its key in the query string of a URL, and no output shows it."""
    rig.world.seed_payment(payment(IMP, pay_method="vbank", status="ready", pg_provider="html5_inicis"))
    if kind is not None:
        text = PORTONE_KEYS_ECHO if kind is FaultKind.REFUSE else None
        rig.world.add_fault(fault(kind, Operation.REVOKE, message=text))
    output = run(rig, tmp_path, "vbank_revoke", [messages(detail("cr-p3", {"imp_uid": IMP}))])
    assert output.searched(rig) == []
    assert any(request.operation == Operation.REVOKE for request in rig.world.requests)


BROKEN: dict[str, dict[str, Any]] = {
    "account of a wrong type": {"refund_account": 77120394857610},
    "account too long": {"refund_account": PERSONAL["refund_account"] * 3},
    "holder too long": {"refund_holder": PERSONAL["refund_holder"] * 5},
    "account without its bank": {"refund_bank": None},
    "account as the payment": {"imp_uid": PERSONAL["refund_account"] + "/" + PERSONAL["refund_tel"]},
    "phone as amount": {"amount": PERSONAL["refund_tel"]},
    "holder as requester": {"extra": {"requester": PERSONAL["refund_holder"]}},
    "holder as a field's name": {PERSONAL["refund_holder"]: 1},
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_message_shows_nothing(rig: Rig, tmp_path: Path, name: str) -> None:
    """A message that breaks the contract is parked with the names of its fields and none of its values."""
    output = run(rig, tmp_path, "payment_cancel", [messages(refund("cr-p4", **BROKEN[name]))])
    assert output.searched(rig) == []


@pytest.mark.parametrize("field", ["order_id", "cancel_request_id", "requested_at", "requested_by", "reason"])
def test_personal_data_in_the_wrong_place_is_not_repeated(rig: Rig, tmp_path: Path, field: str) -> None:
    """Whatever stands where an id or a time belongs is not repeated when it is refused."""
    broken = {**refund("cr-p5"), field: {"holder": PERSONAL["refund_holder"], **CUSTOMER}}
    output = run(rig, tmp_path, "payment_cancel", [messages(broken), envelope(broken)])
    assert output.searched(rig) == []


@pytest.mark.parametrize("body", ["{", '{"a":', "[1, 2"])
def test_a_body_that_is_no_json_shows_nothing(rig: Rig, tmp_path: Path, body: str) -> None:
    """A damaged body is moved away without a word of what was in it."""
    damaged = json.dumps(refund("cr-p6"), ensure_ascii=False)[:-2] + body
    output = run(rig, tmp_path, "payment_cancel", [{"Records": [record(damaged)]}])
    assert output.searched(rig) == []


def test_errors_of_aws_show_nothing(rig: Rig, tmp_path: Path) -> None:
    """An AWS error that repeats what was sent is not repeated."""

    def disturb(_operation: str, _key: str) -> None:
        raise AwsError("ValidationException", PORTONE_ECHO)

    rig.world.seed_payment(payment(IMP))
    rig.tables.disturb = disturb
    event = messages(refund("cr-p7"), receives=MAX_RECEIVE_COUNT)
    output = run(rig, tmp_path, "payment_cancel", [event, envelope(refund("cr-p8"))])
    assert output.searched(rig) == []
    assert "unexpected error" in output.log


def test_an_unreadable_secret_shows_nothing(rig: Rig, tmp_path: Path) -> None:
    """A secret that is no JSON, or half of one, is complained about without being shown."""
    secrets: Any = rig.aws.services["secretsmanager"]
    whole = secrets.text
    try:
        for text in (whole[:-5], whole.replace("simulator-imp-key", "simulator-imp-key with a space")):
            secrets.text = text
            output = run(rig, tmp_path, "payment_cancel", [messages(refund("cr-p9"))])
            assert output.searched(rig) == []
            assert "provider secret" in output.log
    finally:
        secrets.text = whole


def test_a_single_event_shows_nothing(rig: Rig, tmp_path: Path) -> None:
    """An event that has to be invoked again fails with a text and a traceback that show nothing."""
    rig.world.seed_payment(payment(IMP))
    rig.world.add_fault(Fault(FaultKind.HTTP_5XX_BEFORE_COMMIT, message=PORTONE_ECHO, times=None))
    output = run(rig, tmp_path, "payment_cancel", [envelope(refund("cr-p10"))])
    assert output.searched(rig) == []
    assert "NotProcessed" in output.answers


def test_the_search_finds_what_it_looks_for() -> None:
    """Every planted value is found in each spelling that an output may have."""
    for value in FORBIDDEN:
        for text in (value, json.dumps({"a": value}), json.dumps({"a": json.dumps({"b": value})})):
            assert value in [one.value for one in sightings("here", text)]
    assert {value for section in SECRET.values() for value in section.values()} <= set(FORBIDDEN)


def test_what_an_operator_says_is_logged_without_numbers(rig: Rig, tmp_path: Path) -> None:
    """Why somebody replays is logged; the customer's phone number in it is not."""
    said = {"by": CUSTOMER["buyer_email"], "reason": f"called {PERSONAL['refund_tel']}, wants it today"}
    output = run(rig, tmp_path, "dlq_replay", [said])
    assert "wants it today" in output.log
    assert output.searched(rig) == []
