from __future__ import annotations

import json
import socket
from decimal import Decimal
from typing import Any

import pytest
from botocore.config import Config
from botocore.session import get_session

from refunds.contracts.outbound import CancelledItem, Outcome, OutcomeKind, ProviderRefs, outcome_id
from refunds.messaging.publisher import Publisher
from tests.fakes import messaging
from tests.fakes.answers import AwsError
from tests.fakes.endpoint import REGION, Aws

LIMIT = 256 * 1024


@pytest.fixture
def bus() -> messaging.Bus:
    return messaging.Bus()


def outcome(number: int, item_id: str = "", lines: int = 0) -> Outcome:
    kind = OutcomeKind.SUCCEEDED
    line = CancelledItem(seq=1, itemType="PHYSICAL", itemId=item_id, quantity=1, amount=Decimal(1000))
    return Outcome(
        outcome_id=outcome_id("order_cancel", f"cr-{number}", kind),
        outcome=kind,
        cancel_type="order_cancel",
        cancel_request_id=f"cr-{number}",
        order_id="ORD-1",
        requested_by="customer",
        requested_at="2026-11-21T05:00:00Z",
        occurred_at="2026-11-21T05:00:01Z",
        attempts=1,
        provider=ProviderRefs(name="ebp"),
        items=(line,) * lines,
    )


def publish(bus: messaging.Bus, *outcomes: Outcome) -> frozenset[str]:
    client = Aws({messaging.EVENTS_TARGET: bus}).connect("events")
    return Publisher(client, "accounting").publish(outcomes)


def test_entry(bus: messaging.Bus) -> None:
    """An outcome is one entry with source, detail-type and bus, and its detail says all of it."""
    assert publish(bus, outcome(1)) == frozenset()
    (entry,) = bus.taken
    assert (entry["Source"], entry["DetailType"]) == ("refund-handler", "CancelSucceeded")
    assert entry["EventBusName"] == "accounting"
    assert Outcome.model_validate_json(entry["Detail"]) == outcome(1)


def test_nothing_to_publish(bus: messaging.Bus) -> None:
    """Without outcomes EventBridge is not called."""
    assert publish(bus) == frozenset()
    assert bus.calls == []


@pytest.mark.parametrize(("count", "calls"), [(1, [1]), (10, [10]), (11, [10, 1]), (25, [10, 10, 5])])
def test_ten_entries_a_call(bus: messaging.Bus, count: int, calls: list[int]) -> None:
    """A call takes ten entries at most, and as many as that."""
    assert publish(bus, *(outcome(number) for number in range(count))) == frozenset()
    assert [len(entries) for entries in bus.calls] == calls


def test_256_kilobytes_a_call(bus: messaging.Bus) -> None:
    """The entries of a call stay within 256 KB of UTF-8, which Korean fills three bytes at a time."""
    outcomes = [outcome(number, "가" * 60, lines=230) for number in range(9)]
    assert publish(bus, *outcomes) == frozenset()
    sizes = [sum(_bytes(entry) for entry in entries) for entries in bus.calls]
    assert len(bus.taken) == 9
    assert max(sizes) <= LIMIT
    assert all(len(entries) > 1 for entries in bus.calls[:-1])


def test_a_larger_outcome_goes_alone(bus: messaging.Bus) -> None:
    """An outcome beyond what is put together goes in a call of its own: EventBridge decides about it."""
    large = outcome(2, "가" * 60, lines=1500)
    assert publish(bus, outcome(1), large, outcome(3)) == frozenset()
    assert [len(entries) for entries in bus.calls] == [1, 1, 1]
    assert max(_bytes(entry) for entry in bus.taken) > LIMIT


def _bytes(entry: dict[str, Any]) -> int:
    """The size EventBridge counts (EventBridge user guide, "Calculating PutEvents event entry size")."""
    return sum(len(entry[part].encode()) for part in ("Source", "DetailType", "Detail"))


def test_only_failed_entries_are_offered_again(bus: messaging.Bus) -> None:
    """EventBridge fails entry by entry: what it took is not sent again, what it refused is, once."""
    bus.fate.extend([{1, 2}, {1}])
    assert publish(bus, *(outcome(number) for number in range(4))) == {outcome(2).outcome_id}
    assert [[json.loads(e["Detail"])["cancel_request_id"] for e in call] for call in bus.calls] == [
        ["cr-0", "cr-1", "cr-2", "cr-3"],
        ["cr-1", "cr-2"],
    ]


@pytest.mark.parametrize(
    "error", [AwsError("AccessDeniedException"), AwsError("InternalFailure", status=500)]
)
def test_a_whole_call_that_fails(bus: messaging.Bus, error: AwsError) -> None:
    """An error of a call fails its ten entries and not the entries of the next call."""
    bus.fate.extend([error, set(), error])
    unpublished = publish(bus, *(outcome(number) for number in range(12)))
    assert unpublished == {outcome(number).outcome_id for number in range(10)}
    assert len(bus.taken) == 2


def test_no_connection() -> None:
    """Where nobody listens, nothing is published and nothing is raised."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        client: Any = get_session().create_client(
            "events",
            region_name=REGION,
            endpoint_url=endpoint,
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(retries={"mode": "standard", "total_max_attempts": 1}),
        )
        assert Publisher(client, "accounting").publish([outcome(1)]) == {outcome(1).outcome_id}
        client.close()


def test_one_outcome_of_two_messages(bus: messaging.Bus) -> None:
    """Two copies of one message publish their outcome once."""
    assert publish(bus, outcome(1), outcome(1)) == frozenset()
    assert len(bus.taken) == 1
