"""The publisher on EventBridge, as AWS documents it, on every AWS there is.

Where an emulator differs, AWS's documentation decides: `API_PutEvents` and `API_PutEventsResultEntry` of the
EventBridge API Reference.
"""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError
from typing_extensions import override

from refunds.contracts.outbound import Outcome
from refunds.messaging.publisher import Publisher
from tests.emulators.account import Account
from tests.emulators.everywhere import everywhere
from tests.unit.messaging.test_publisher import outcome


class Malformed(Outcome):
    """An outcome whose detail breaks off in the middle."""

    @override
    def to_json(self) -> str:
        return super().to_json()[:-5]


def malformed(number: int) -> Outcome:
    return Malformed(**dict(outcome(number)))


@everywhere()
def test_every_outcome_arrives(account: Account) -> None:
    """More than one call's worth of them, each as it was written."""
    bus, url = account.bus()
    said = [outcome(number, item_id="고객") for number in range(12)]
    assert Publisher(account.events, bus).publish(said) == frozenset()
    arrived = {detail["outcome_id"] for detail in account.on_bus(url, 12)}
    assert arrived == {one.outcome_id for one in said}


@everywhere(ministack="takes what is no JSON")
def test_a_malformed_entry_keeps_nobody_else_back(account: Account) -> None:
    """In the middle of ten: it alone is not taken, and its neighbours arrive once (`MalformedDetail`)."""
    bus, url = account.bus()
    bad = malformed(4)
    said: list[Outcome] = [bad if number == 4 else outcome(number) for number in range(10)]
    assert Publisher(account.events, bus).publish(said) == {bad.outcome_id}
    arrived = [detail["outcome_id"] for detail in account.on_bus(url, 9)]
    assert sorted(arrived) == sorted(one.outcome_id for one in said if one is not bad)


@everywhere()
def test_a_large_outcome_arrives(account: Account) -> None:
    """Beyond 256 KB, which was the limit until January 2026."""
    bus, url = account.bus()
    large = outcome(1, item_id="x" * 400, lines=600)
    assert len(large.to_json()) > 256 * 1024
    assert Publisher(account.events, bus).publish([outcome(0), large]) == frozenset()
    assert len(account.on_bus(url, 2)) == 2


@everywhere()
def test_more_than_ten_entries_are_refused_together(account: Account) -> None:
    """Which is why a call has ten at most."""
    bus, _ = account.bus()
    entry: Any = {"Source": "refund-handler", "DetailType": "x", "Detail": "{}", "EventBusName": bus}
    with pytest.raises(ClientError) as refused:
        account.events.put_events(Entries=[entry] * 11)
    assert refused.value.response["Error"]["Code"] == "ValidationException"


@everywhere(moto="takes entries of any size", ministack="takes entries of any size")
def test_more_than_a_megabyte_is_refused(account: Account) -> None:
    """All entries of the call: why the publisher lets a large one go alone."""
    bus, _ = account.bus()
    entry: Any = {"Source": "nobody", "DetailType": "x", "EventBusName": bus}
    entries: Any = [entry | {"Detail": '{"a": "' + "x" * 600_000 + '"}'}] * 2
    with pytest.raises(ClientError) as refused:
        account.events.put_events(Entries=entries)
    assert refused.value.response["Error"]["Code"] == "ValidationException"


@everywhere(ministack="asks for no source")
def test_an_entry_without_a_source_is_refused_alone(account: Account) -> None:
    """`InvalidArgument`, in its place."""
    bus, _ = account.bus()
    entry: Any = {"Source": "refund-handler", "DetailType": "x", "Detail": "{}", "EventBusName": bus}
    answer = account.events.put_events(Entries=[entry, entry | {"Source": ""}])
    assert answer["FailedEntryCount"] == 1
    assert [result.get("ErrorCode") for result in answer["Entries"]] == [None, "InvalidArgument"]
