from __future__ import annotations

import math
import threading
from concurrent.futures import ThreadPoolExecutor

from local.trigger import record
from refunds.domain.disposition import DeadLetter, Disposition, Publish
from refunds.service.parts import Delivery
from tests.unit.messaging.parts import MINUTE, Asked, Bench, Gate, Service, bench, entry, outcome
from tests.unit.rig import DLQ_URL, MAX_RECEIVE_COUNT, Wanted

LATE = MINUTE - 1.0  # less is left than what is kept back for publishing


class Story:
    """One record hangs until after the response; with the last of the others the time is up."""

    def __init__(self, hangs: Wanted, others: int) -> None:
        self.begun: list[str] = []
        self.remaining_after_response = 0.0
        self.republished: dict[str, bool] = {}
        self.response, self.hanging, self.thawed = Gate(), Gate(), Gate()
        self._hangs = hangs
        self._others = others
        self._lock = threading.Lock()
        self.bench: Bench | None = None

    def process(self, asked: Asked, delivery: Delivery) -> Disposition:
        """In a worker's thread."""
        key = asked.cancel_request_id
        with self._lock:
            self.begun.append(key)
        self.republished[key] = delivery.republished
        if key == self._hangs.key:
            self.hanging.open()
            self.response.wait()
            self.remaining_after_response = delivery.deadline.remaining()
            self.thawed.open()
        else:
            self.hanging.wait()
            self._one_less()
        mark = None if delivery.republished else entry(key)
        return Publish(outcome(key), mark=mark)

    def _one_less(self) -> None:
        assert self.bench is not None
        with self._lock:
            self._others -= 1
            if self._others == 0:
                self.bench.clock.now += LATE


def test_a_record_that_hangs_until_after_the_response() -> None:
    """Neighbours are acknowledged; of the hanging one's payment no other record begins, then or later."""
    hangs, same_payment = Wanted("imp_1"), Wanted("imp_1", 2000)
    others = [Wanted(f"imp_{number}") for number in range(2, 6)]
    story = Story(hangs, len(others))
    with ThreadPoolExecutor(10) as workers, bench(Service(process=story.process), workers=workers) as one:
        story.bench = one
        records = [record(wanted.body) for wanted in (hangs, same_payment, *others)]
        assert one.batch(*records) == [message["messageId"] for message in records[:2]]
        assert one.told == {wanted.key: "succeeded" for wanted in others}
        story.response.open()
        story.thawed.wait()
        workers.shutdown(wait=True)
        assert sorted(story.begun) == sorted(wanted.key for wanted in (hangs, *others))
        assert story.remaining_after_response == -math.inf
        assert one.told == {wanted.key: "succeeded" for wanted in others}


def test_a_record_that_hangs_on_its_last_receive() -> None:
    """It records as unpublished, and its message is moved once the ledger knows of it."""
    hangs, other = Wanted("imp_1"), Wanted("imp_2")
    story = Story(hangs, 1)
    service = Service(process=story.process, parks=lambda _asked, reason: DeadLetter(reason))
    with ThreadPoolExecutor(10) as workers, bench(service, workers=workers) as one:
        story.bench = one
        message = record(hangs.body, receives=MAX_RECEIVE_COUNT)
        assert one.batch(message, record(other.body)) == []
        story.response.open()
        workers.shutdown(wait=True)
    assert story.republished == {hangs.key: False, other.key: True}
    assert [key for key, _ in service.parked] == [hangs.key]
    assert [message["QueueUrl"] for message in one.queues.sent] == [DLQ_URL]


def test_no_record_is_begun_after_the_deadline() -> None:
    """What had no turn while there was time is parked on its last receive without having been begun."""
    first, second = Wanted("imp_1"), Wanted("imp_1", 2000)
    begun: list[str] = []
    with bench() as one:

        def process(asked: Asked, _delivery: Delivery) -> Disposition:
            begun.append(asked.cancel_request_id)
            one.clock.now += LATE
            return Publish(outcome(asked.cancel_request_id))

        one.service.process = process
        messages = [record(first.body), record(second.body, receives=MAX_RECEIVE_COUNT)]
        assert one.batch(*messages) == []
    assert begun == [first.key]
    assert one.told == {first.key: "succeeded", second.key: "parked"}


def test_nothing_is_parked_when_no_time_is_left() -> None:
    """With the time used up, what is finished is told to Lambda, and the rest is left to SQS."""
    first, second = Wanted("imp_1"), Wanted("imp_1", 2000)
    with bench() as one:

        def process(asked: Asked, _delivery: Delivery) -> Disposition:
            one.clock.now += MINUTE
            return Publish(outcome(asked.cancel_request_id))

        one.service.process = process
        messages = [record(first.body), record(second.body, receives=MAX_RECEIVE_COUNT)]
        assert one.batch(*messages) == [messages[1]["messageId"]]
    assert (one.service.parked, one.queues.sent) == ([], [])


def test_more_records_than_threads() -> None:
    """A record that gets a thread only when the time is up is not begun."""
    hangs, quick, waits = Wanted("imp_1"), Wanted("imp_2"), Wanted("imp_3")
    story = Story(hangs, 1)
    with ThreadPoolExecutor(2) as workers, bench(Service(process=story.process), workers=workers) as one:
        story.bench = one
        messages = [record(wanted.body) for wanted in (hangs, quick, waits)]
        assert one.batch(*messages) == [messages[0]["messageId"], messages[2]["messageId"]]
        story.response.open()
        workers.shutdown(wait=True)
    assert sorted(story.begun) == sorted([hangs.key, quick.key])
