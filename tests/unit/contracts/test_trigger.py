from __future__ import annotations

import json
from typing import Any

import pytest

from refunds.contracts.trigger import detail_of_event, event_of_body, is_quiet_replay, is_sqs_batch
from refunds.errors import InvalidRequest

DETAIL = {"cancel_request_id": "cr-1"}
ENVELOPE = {
    "version": "0",
    "detail-type": "PaymentCancelRequested",
    "source": "order-service",
    "detail": DETAIL,
}
WANTED = "PaymentCancelRequested"


@pytest.mark.parametrize("content", [ENVELOPE, DETAIL], ids=["envelope", "bare detail"])
def test_body_with_and_without_an_envelope(content: dict[str, Any]) -> None:
    """A message body is an EventBridge envelope or the detail itself."""
    assert detail_of_event(event_of_body(json.dumps(content)), WANTED) == DETAIL


def test_destination_wrapping_is_taken_off() -> None:
    """An event that Lambda wrapped when its invocation failed for good replays as it is."""
    wrapped = {
        "version": "1.0",
        "requestContext": {"condition": "RetriesExhausted"},
        "requestPayload": ENVELOPE,
        "responsePayload": {"errorMessage": "…"},
    }
    assert detail_of_event(wrapped, WANTED) == DETAIL


def test_another_cancel_type() -> None:
    """An envelope of another cancel type does not belong into this queue."""
    with pytest.raises(InvalidRequest, match="this queue takes VbankRevokeRequested events"):
        detail_of_event(ENVELOPE, "VbankRevokeRequested")


@pytest.mark.parametrize("text", ["", "not json", '{"detail": ', '{"a": 1, "a": 1}', '{"amount": NaN}'])
def test_body_that_is_no_json(text: str) -> None:
    """A body that cannot be read is an invalid request, and says so as a sentence."""
    with pytest.raises(InvalidRequest, match="the message body cannot be read: "):
        event_of_body(text)


@pytest.mark.parametrize("text", ["[]", "null", "1", '"text"'])
def test_body_without_an_object(text: str) -> None:
    """What is JSON and no object is left to the contract to refuse."""
    assert detail_of_event(event_of_body(text), WANTED) == json.loads(text)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({**ENVELOPE, "replay-name": "quiet-november"}, True),
        ({**ENVELOPE, "replay-name": "november"}, False),
        ({**ENVELOPE, "replay-name": None}, False),
        (ENVELOPE, False),
        ("quiet-", False),
    ],
)
def test_replays_that_are_quiet(content: Any, expected: bool) -> None:  # noqa: FBT001
    """Only a replay whose name begins with quiet- is silent about finished requests."""
    assert is_quiet_replay(content) is expected


@pytest.mark.parametrize(
    ("event", "expected"),
    [({"Records": []}, True), ({"Records": {}}, False), (ENVELOPE, False), ([], False), (None, False)],
)
def test_recognising_a_batch(event: Any, expected: bool) -> None:  # noqa: FBT001
    """Only an object with a list of records is an SQS batch."""
    assert is_sqs_batch(event) is expected
