from __future__ import annotations

import pytest

from refunds.cancel_types import cancel_type
from refunds.operators.cancel_queues import CancelQueues
from refunds.operators.dead_letters import DeadLetterMessage, DeadLetters, Peek, Selection
from tests.fakes.sqs import Queue

QUEUES = CancelQueues(
    cancel_type("payment_cancel").policy, "https://sqs.invalid/queue", "https://sqs.invalid/dlq"
)
HOLD = 30


@pytest.fixture
def queue() -> Queue:
    """Twenty-five messages, the last one the oldest."""
    queue = Queue()
    for number in range(25):
        queue.put(f"m{number}", age=60.0 + number)
    return queue


def peek(queue: Queue, *, size: int = 10) -> Peek:
    return Peek(queue.client(), QUEUES, hold=HOLD, as_of=queue.now, clock=lambda: queue.now, size=size)


def test_each_message_is_shown_once_and_is_visible_afterwards(queue: Queue) -> None:
    """While it is looked at it is hidden, at the end everybody sees it again."""
    with peek(queue) as letters:
        shown = [dead_letter.message_id for receive in letters for dead_letter in receive]
        assert queue.hidden() == set(queue.messages)
    assert sorted(shown) == sorted(queue.messages)
    assert queue.hidden() == set()
    assert {message.receives for message in queue.messages.values()} == {1}


def test_whoever_stops_early_hides_nothing(queue: Queue) -> None:
    """An error or a Ctrl-C in the middle: also what was just received is visible again."""

    def stop(letters: Peek) -> None:
        with letters:
            next(iter(letters))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stop(peek(queue))
    assert queue.hidden() == set()


def test_a_look_that_takes_longer_than_the_hold_shows_nothing_twice(queue: Queue) -> None:
    """Messages come back into view meanwhile; they are recognised, and shown again at the end."""
    queue.tick = 12.0
    with peek(queue, size=4) as letters:
        shown = [dead_letter.message_id for receive in letters for dead_letter in receive]
    assert sorted(shown) == sorted(queue.messages)
    assert queue.hidden() == set()


def test_a_queue_that_never_empties_ends_a_look_that_learns_nothing_new(queue: Queue) -> None:
    """Somebody makes every message visible at once, again and again: the look still ends."""
    queue.tick = float(HOLD)
    with peek(queue) as letters:
        assert sum(len(receive) for receive in letters) >= 10
    assert queue.now < 1_000_000 + 100 * HOLD


def test_what_arrives_meanwhile_belongs_to_the_next_look(queue: Queue) -> None:
    """A replayed message that fails again does not feed the replay that sent it."""
    with peek(queue, size=1) as letters:
        for number, (dead_letter,) in enumerate(letters):
            letters.remove([dead_letter])
            queue.now += 1
            queue.put(f"again-{number}", age=0.0)
            assert number < 25
    assert {name for name in queue.messages if not name.startswith("again")} == set()
    assert len(queue.messages) == 25
    assert queue.hidden() == set()


def test_a_message_whose_deletion_failed_is_deleted_later_and_not_shown_again(queue: Queue) -> None:
    """It was sent already: showing it again would send it twice."""
    queue.stuck = {"m3"}
    queue.tick = 10.0
    shown: list[str] = []
    with peek(queue, size=5) as letters:
        for receive in letters:
            shown += [dead_letter.message_id for dead_letter in receive]
            letters.remove(receive)
    assert sorted(shown) == sorted(f"m{number}" for number in range(25))
    assert queue.messages == {}


def test_the_oldest_are_chosen_from_all(queue: Queue) -> None:
    """--limit means the oldest, wherever the queue has them."""
    dead_letters = DeadLetters(queue.client(), clock=lambda: queue.now, hold=HOLD)
    assert dead_letters.oldest([QUEUES], Selection(), 3) == {"m22", "m23", "m24"}
    assert dead_letters.oldest([QUEUES], Selection(ids=frozenset({"m1"})), 3) == {"m1"}
    assert queue.hidden() == set()


def test_a_replayed_message_keeps_its_body_and_loses_the_dead_letter_queues_attributes(queue: Queue) -> None:
    """Whatever the size of the batch, each message arrives as it was."""
    dead_letters = DeadLetters(queue.client(), clock=lambda: queue.now, hold=HOLD)
    bodies = ["x" * 200_000, "y" * 200_000, "짧다", "z"]
    assert dead_letters.send(QUEUES, bodies) == [None] * 4
    assert queue.sent == bodies


def test_attributes_that_anybody_may_have_written_are_cleaned() -> None:
    """Neither a phone number nor a sequence that steers a terminal comes out of them."""
    attributes = {"error_code": "CALL 01098765432", "error_message": "of kim@example.com \x1b[2J now"}
    one = DeadLetterMessage(QUEUES, "m", "r", "{}", 0.0, attributes)
    assert (one.error_code, one.error_message) == ("CALL ***", "of *** [2J now")


def test_a_message_is_meant_or_not_however_long_the_look_takes(queue: Queue) -> None:
    """Ages are those when the look began: nothing grows too old for --younger-than on the way."""
    queue.tick = 10.0
    with peek(queue, size=5) as letters:
        young = Selection(younger_than=70.0)
        found = [one.message_id for receive in letters for one in letters.meant(receive, young)]
    assert sorted(found) == sorted(f"m{number}" for number in range(11))


def test_a_look_that_sqs_cuts_short_says_so() -> None:
    """With too many messages in flight a receive shows nothing, without an error."""
    queue = Queue(most_in_flight=20)
    for number in range(30):
        queue.put(f"m-{number}")
    dead_letters = DeadLetters(queue.client(), clock=lambda: queue.now, hold=60)
    seen = [letter for letters in dead_letters.letters([QUEUES], Selection()) for letter in letters]
    assert (len(seen), dead_letters.unseen["payment_cancel"]) == (20, 10)


def test_a_look_that_sees_everything_leaves_nothing_unseen() -> None:
    """Messages that wait for somebody else are not counted as unseen."""
    queue = Queue()
    queue.put("m-1")
    dead_letters = DeadLetters(queue.client(), clock=lambda: queue.now, hold=60)
    assert len(list(dead_letters.letters([QUEUES], Selection()))) == 1
    assert not +dead_letters.unseen
