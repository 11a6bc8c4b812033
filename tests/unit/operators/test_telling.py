from __future__ import annotations

import json
from typing import Any

import pytest

from local.trigger import detail
from refunds.cancel_types import cancel_type
from refunds.domain.deadline import Deadline
from refunds.domain.entry import State
from refunds.errors import ErrorCode
from refunds.operators.cancel_queues import CancelQueues
from refunds.operators.dead_letters import DeadLetters
from refunds.operators.telling import DeadLetterTelling, Telling
from refunds.service.parts import Timing
from refunds.service.refund_service import RefundService
from tests.fakes.answers import AwsError
from tests.fakes.direct import Direct
from tests.fakes.sqs import Queue
from tests.unit.operators.rig import OperatorRig, applied

QUEUES = CancelQueues(
    cancel_type("payment_cancel").policy, "https://sqs.invalid/q", "https://sqs.invalid/dlq"
)


class Station:
    """A DLQ beside a operators."""

    def __init__(self) -> None:
        self.operators = OperatorRig()
        self.queue = Queue(now=self.operators.now)
        client: Any = Direct(self.queue)
        operation: Any = _Operation()
        service: RefundService[Any] = RefundService(
            QUEUES.policy,
            operation,
            self.operators.ledger,
            timing=Timing(lambda: self.operators.now, 0.0, 0.0),
            new_owner=lambda: "teller",
        )
        self.telling = DeadLetterTelling(
            DeadLetters(client, clock=lambda: self.queue.now, hold=60),
            {"payment_cancel": service},
            self.operators.publisher,
            client,
            clock=lambda: self.operators.now,
        )

    def run(self, seconds: float = 60.0) -> Telling:
        """One pass."""
        return self.telling.run([QUEUES], Deadline(seconds, lambda: 0.0))

    def waiting(self) -> list[str | None]:
        """The error code of every message in the DLQ."""
        codes = [one.attributes.get("error_code") for one in self.queue.messages.values()]
        return [code["StringValue"] if code else None for code in codes]


class _Operation:
    def subject(self, request: Any) -> str:
        return str(request.imp_uid)


@pytest.fixture
def station() -> Station:
    return Station()


def body(key: str = "cr-1", **changes: Any) -> str:
    return json.dumps(detail(key, {"imp_uid": "imp_1", "amount": 1000}) | changes)


def test_a_dead_letter_that_no_function_touched_is_told_once(station: Station) -> None:
    """Nothing was sent: parked, with an item, and the message stays for a replay."""
    station.queue.put("m-1", body())
    assert station.run().told == {"payment_cancel": 1}
    assert station.run().told == {}
    (detail,) = station.operators.bus.details()
    assert (detail["outcome"], detail["error"]["code"]) == ("parked", "PROVIDER_UNAVAILABLE")
    assert detail["error"]["may_have_been_applied"] is False
    assert station.waiting() == ["PROVIDER_UNAVAILABLE"]
    assert station.queue.sent == [body()]
    assert not station.operators.entry().unpublished


def test_a_dead_letter_of_a_request_in_doubt_may_have_moved_money(station: Station) -> None:
    """The ledger is asked before accounting is told."""
    station.queue.put("m-1", body())
    station.run()
    entry = station.operators.entry()
    taken = station.operators.ledger.take_over(entry, owner="w", lease_until=station.operators.now)
    assert taken.baseline is None
    station.operators.spoil("payment_cancel#cr-1", in_doubt={"BOOL": True})
    assert station.operators.entry().in_doubt
    station.queue.messages.clear()
    station.queue.put("m-2", body())
    station.run()
    last = station.operators.bus.details()[-1]
    assert (last["error"]["code"], last["error"]["may_have_been_applied"]) == ("OUTCOME_UNKNOWN", True)


def test_a_dead_letter_whose_request_has_ended_is_told_its_end(station: Station) -> None:
    """Every receive crashed between the record and the publication."""
    station.queue.put("m-1", body())
    station.run()
    station.queue.messages.clear()
    entry = station.operators.entry()
    outcome = station.operators.outcomes(entry).succeeded(applied("cr-1").effect, 1)
    station.operators.ledger.record(entry, State.SUCCEEDED, outcome, in_doubt=False, proof="shown")
    station.queue.put("m-2", body())
    station.run()
    assert station.operators.told()[-1] == ("cr-1", "succeeded")
    assert station.run().told == {}


def test_an_invalid_dead_letter_is_told_as_such(station: Station) -> None:
    """Nothing is written to the ledger, so that a repaired message keeps its id."""
    station.queue.put("m-1", body(request={"imp_uid": "imp_1", "amount": -1}))
    station.run()
    (detail,) = station.operators.bus.details()
    assert (detail["error"]["code"], detail["revision"]) == ("INVALID_REQUEST", 0)
    assert station.operators.tables.items["ledger"] == {}
    assert station.waiting() == ["INVALID_REQUEST"]


def test_another_payload_under_a_known_id_is_not_told(station: Station) -> None:
    """What accounting knows of that id stays true."""
    station.queue.put("m-1", body())
    station.run()
    station.queue.put("m-2", body(request={"imp_uid": "imp_1", "amount": 2000}))
    station.run()
    assert len(station.operators.told()) == 1
    assert sorted(map(str, station.waiting())) == [
        "DUPLICATE_KEY_DIFFERENT_PAYLOAD",
        "PROVIDER_UNAVAILABLE",
    ]


def test_a_dead_letter_with_our_reason_is_left_alone(station: Station) -> None:
    """A function put it there and told of it."""
    station.queue.put("m-1", body())
    code = {"DataType": "String", "StringValue": str(ErrorCode.LIMIT_EXCEEDED)}
    station.queue.messages["m-1"].attributes = {"error_code": code}
    assert station.run().told == {}
    assert (station.operators.told(), station.queue.hidden()) == ([], set())


def test_one_bad_dead_letter_does_not_keep_the_others_from_being_told(station: Station) -> None:
    """Neither one that says nothing, nor one whose item cannot be written."""
    station.queue.put("m-1", "no json")
    station.queue.put("m-2", body("cr-2"))
    station.queue.put("m-3", body("cr-3"))

    def disturb(_operation: str, key: str) -> None:
        if key == "payment_cancel#cr-2":
            raise AwsError("InternalServerError", status=500)

    station.operators.tables.disturb = disturb
    found = station.run()
    assert (found.told["payment_cancel"], list(found.passed_over)) == (2, ["m-2"])
    assert station.operators.told() == [("cr-3", "parked")]


def test_a_dead_letter_that_eventbridge_did_not_take_is_told_by_the_next_run(station: Station) -> None:
    """It stays as it is until then."""
    station.queue.put("m-1", body())
    station.operators.bus.fate.extend([AwsError("InternalException", status=500)] * 2)
    assert station.run().unpublished == 1
    assert station.waiting() == [None]
    assert station.run().told == {"payment_cancel": 1}
