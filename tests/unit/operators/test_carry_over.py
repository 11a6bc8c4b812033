from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from refunds.cancel_types import cancel_type
from refunds.operators.cancel_queues import CancelQueues
from refunds.operators.carry_over import CarryOver, NotPaused
from refunds.operators.pause import Sending, Switched
from tests.fakes.direct import Direct
from tests.fakes.sqs import Queue

DAY = 86_400.0
QUEUES = CancelQueues(
    cancel_type("payment_cancel").policy, "https://sqs.invalid/q", "https://sqs.invalid/dlq"
)


class Switch:
    """A pause switch that stands as it is told."""

    def __init__(self, state: Sending) -> None:
        self._state = state

    def state(self, _queues: Any) -> list[Switched]:
        """Of the one queues."""
        return [Switched("payment_cancel", self._state)]


def carry_over(queue: Queue, state: Sending = Sending.PAUSED) -> CarryOver:
    client: Any = Direct(queue)
    switch: Any = Switch(state)
    return CarryOver(client, switch, clock=lambda: queue.now, hold=60)


def test_a_waiting_message_gets_a_fresh_copy_and_keeps_its_attributes() -> None:
    """Its retention begins anew; what was noted on it is still there."""
    queue = Queue()
    queue.put("m-1", "first", age=3.9 * DAY)
    held = {"held_since": {"DataType": "Number", "StringValue": "17"}}
    queue.messages["m-1"].attributes = held
    (done,) = carry_over(queue).run([QUEUES])
    (left,) = queue.messages.values()
    assert (done.messages, done.unseen) == (1, 0)
    assert (left.body, left.sent_at, left.attributes) == ("first", queue.now, held)
    assert left.hidden_until <= queue.now


def test_what_is_young_enough_stays() -> None:
    """Only what is older than asked for is carried over."""
    queue = Queue()
    queue.put("old", age=3 * DAY)
    queue.put("young", age=DAY)
    (done,) = carry_over(queue).run([QUEUES], older_than=2 * DAY)
    assert (done.messages, "young" in queue.messages) == (1, True)


def test_a_copy_is_not_copied_again() -> None:
    """However SQS's clock stands to ours."""
    queue = Queue()
    for number in range(25):
        queue.put(f"m-{number}", str(number), age=3 * DAY)
    (done,) = carry_over(queue).run([QUEUES])
    assert (done.messages, len(queue.messages)) == (25, 25)
    assert sorted(queue.sent, key=int) == [str(number) for number in range(25)]


def test_a_queue_that_is_received_is_left_to_its_function() -> None:
    """Its messages are on their way."""
    queue = Queue()
    queue.put("m-1", age=3 * DAY)
    with pytest.raises(NotPaused, match="payment_cancel"):
        carry_over(queue, Sending.ENABLED).run([QUEUES])
    assert queue.sent == []


def test_a_death_between_copy_and_deletion_loses_nothing() -> None:
    """The copy is sent first: whoever goes on finds both, of which one is carried out."""
    queue = Queue()
    queue.put("m-1", "first", age=3 * DAY)
    dying: Any = Dying(queue)
    switch: Any = Switch(Sending.PAUSED)
    with pytest.raises(KeyboardInterrupt):
        CarryOver(dying, switch, clock=lambda: queue.now, hold=60).run([QUEUES])
    assert [one.body for one in queue.messages.values()] == ["first", "first"]
    assert queue.hidden() == set()
    (done,) = carry_over(queue).run([QUEUES], older_than=DAY)
    assert done.messages == 1
    assert {one.sent_at for one in queue.messages.values()} == {queue.now}


def test_a_copy_that_is_not_taken_leaves_its_original() -> None:
    """It waits where it was."""
    queue = Queue()
    queue.put("m-1", "x" * 2_000_000, age=3 * DAY)
    with pytest.raises(ClientError):
        carry_over(queue).run([QUEUES])
    assert list(queue.messages) == ["m-1"]


class Dying(Direct):
    """A client of a process that is ended before it deletes anything."""

    def delete_message_batch(self, **_: Any) -> Any:
        """Ctrl-C."""
        raise KeyboardInterrupt
