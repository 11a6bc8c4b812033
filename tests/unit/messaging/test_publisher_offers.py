from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import (
    ClientError,
    EndpointConnectionError,
    ParamValidationError,
    ReadTimeoutError,
)

from refunds.contracts.outbound import Outcome, OutcomeKind, ProviderRefs, outcome_id
from refunds.messaging.publisher import Publisher

NO_ANSWER = ReadTimeoutError(endpoint_url="https://events.invalid")
NO_CONNECTION = EndpointConnectionError(endpoint_url="https://events.invalid")
THROTTLED = ClientError({"Error": {"Code": "ThrottlingException", "Message": "slow down"}}, "PutEvents")


def outcome(number: int) -> Outcome:
    request = f"cr-{number}"
    return Outcome(
        outcome_id=outcome_id("payment_cancel", request, OutcomeKind.SUCCEEDED),
        outcome=OutcomeKind.SUCCEEDED,
        cancel_type="payment_cancel",
        cancel_request_id=request,
        order_id="ORD1",
        requested_by="customer",
        requested_at="2026-11-21T05:00:00Z",
        occurred_at="2026-11-21T05:00:01Z",
        attempts=1,
        provider=ProviderRefs(name="portone"),
    )


class Bus:
    """EventBridge that answers call after call as told: an error, or the numbers of the entries refused."""

    def __init__(self, *answers: Exception | set[int]) -> None:
        self.calls: list[list[dict[str, Any]]] = []
        self._answers = list(answers)

    def put_events(self, *, Entries: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803
        """Answer as told; in the end everything is taken."""
        self.calls.append(Entries)
        answer = self._answers.pop(0) if self._answers else set()
        if isinstance(answer, Exception):
            raise answer
        return {"Entries": [{} if n in answer else {"EventId": "e"} for n in range(len(Entries))]}


def publish(bus: Any, *outcomes: Outcome) -> frozenset[str]:
    return Publisher(bus, "accounting").publish(outcomes)


@pytest.mark.parametrize("error", [NO_ANSWER, NO_CONNECTION, THROTTLED])
def test_a_call_that_fails_is_repeated_and_then_reported(error: Exception) -> None:
    """Every way in which PutEvents fails leaves its outcomes unpublished, and never escapes."""
    assert publish(Bus(error), outcome(1)) == frozenset()
    assert publish(Bus(error, error), outcome(1)) == {outcome(1).outcome_id}


def test_only_refused_entries_are_offered_again() -> None:
    """An outcome EventBridge has taken is not published twice because of its neighbour."""
    bus = Bus({1})
    assert publish(bus, outcome(1), outcome(2), outcome(3)) == frozenset()
    assert [len(call) for call in bus.calls] == [3, 1]
    assert "cr-2" in bus.calls[1][0]["Detail"]


def test_a_failed_call_does_not_take_another_call_with_it() -> None:
    """Outcomes of the calls that worked count, however another call of the same batch ended."""
    bus = Bus(NO_ANSWER, set(), NO_ANSWER)
    unpublished = publish(bus, *(outcome(number) for number in range(12)))
    assert unpublished == {outcome(number).outcome_id for number in range(10)}


MALFORMED = ClientError({"Error": {"Code": "ValidationException", "Message": "…"}}, "PutEvents")
UNSENDABLE = ParamValidationError(report="Detail is no text")


@pytest.mark.parametrize("error", [MALFORMED, UNSENDABLE])
def test_a_malformed_entry_in_the_middle(error: Exception) -> None:
    """Where one entry makes the whole call invalid, each goes on its own, and only that one is left."""

    class Particular(Bus):
        def put_events(self, *, Entries: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803
            if any("cr-2" in entry["Detail"] for entry in Entries):
                raise error
            return super().put_events(Entries=Entries)

    bus = Particular()
    unpublished = publish(bus, *(outcome(number) for number in range(1, 6)))
    assert unpublished == {outcome(2).outcome_id}
    assert sorted(len(call) for call in bus.calls) == [1, 1, 1, 1]


def test_an_entry_that_eventbridge_calls_malformed_comes_alone() -> None:
    """An entry that fails within a call that succeeds keeps nobody else back."""
    bus = Bus({1}, {0})
    unpublished = publish(bus, *(outcome(number) for number in range(1, 4)))
    assert unpublished == {outcome(2).outcome_id}
    assert [len(call) for call in bus.calls] == [3, 1]


def test_an_outcome_that_cannot_be_written_keeps_nobody_back() -> None:
    """An outcome of which no entry can be made counts as not taken, and the others are published."""
    bus = Bus()
    broken: Any = SimpleNamespace(outcome_id="broken")
    assert publish(bus, outcome(1), broken, outcome(2)) == {"broken"}
    assert [len(call) for call in bus.calls] == [2]


@pytest.mark.parametrize("answer", [{}, {"Entries": []}, {"Entries": [{"EventId": ""}]}])
def test_an_answer_that_says_too_little(answer: dict[str, Any]) -> None:
    """What EventBridge does not say it has taken counts as not taken."""

    class Terse(Bus):
        def put_events(self, *, Entries: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803
            self.calls.append(Entries)
            return answer

    assert publish(Terse(), outcome(1)) == {outcome(1).outcome_id}


def test_one_outcome_of_two_messages_is_one_entry() -> None:
    """Two copies of one message in a batch publish their outcome once."""
    bus = Bus()
    assert publish(bus, outcome(1), outcome(1)) == frozenset()
    assert [len(call) for call in bus.calls] == [1]
