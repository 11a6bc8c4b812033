"""An eventful day on the local stack in a few minutes, and everything that was measured meanwhile."""

from __future__ import annotations

import json
import random
import re
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any, Final

from local.chaos.plan import Plan, draw
from local.dashboard.series import Measured, ages, key
from local.demo.cast import Cast
from local.demo.play import pascal, send_events
from local.demo.scenario import Request
from local.simulator.control import SimulatorControl
from local.stack import Stack, kill_workers
from refunds.cancel_types import MODULES

TYPES: Final = tuple(MODULES)
#: How much faster the run is than production: a minute of the dashboard is drawn from five seconds.
SPEED: Final = 12.0
_SWEEP_SECONDS: Final = 600 / SPEED
#: With this line a message leaves its queue; one that is held back comes again as another message.
_LEFT: Final = ("cancellation ", "moved to the dead-letter queue", "held back")
_DURATION: Final = re.compile(r"^REPORT .*\tDuration: ")


@dataclass
class Day:
    """What happened: when each request was published, and what the queues held."""

    begun: float = 0.0
    ended: float = 0.0
    published: dict[str, float] = field(default_factory=dict)
    dead: list[tuple[float, str, int]] = field(default_factory=list)


def play(stack: Stack, simulator: SimulatorControl, *, rate: float, seconds: float, seed: int) -> Day:
    """Publish ``rate`` cancellations a second; the providers are down for a while, then processes die."""
    requests = _requests(simulator, seed, int(rate * seconds))
    day = Day(begun=time.time())
    _invoke(stack, "Reconcile", {"date": "2026-01-01"})
    events = {0.25: lambda: simulator.start_outage("unavailable", seconds=seconds * 0.3)}
    events |= {0.62 + step / 50: lambda: _kill(stack) for step in range(5)}
    with _looking(stack, day):
        swept = 0.0
        while (passed := time.time() - day.begun) < seconds:
            now = datetime.now(UTC).isoformat(timespec="milliseconds")
            due = [
                replace(one, requested_at=now) for one in requests[len(day.published) : int(passed * rate)]
            ]
            send_events(stack, due)
            day.published |= {request.cancel_request_id: time.time() for request in due}
            for moment in [moment for moment in events if passed >= moment * seconds]:
                events.pop(moment)()
            if passed >= swept:
                _invoke(stack, "Sweeper", {})
                swept += _SWEEP_SECONDS
            time.sleep(0.25)
        day.ended = time.time()
    return day


def measured(stack: Stack, day: Day) -> Measured:
    """What CloudWatch would know of the day."""
    found = Measured()
    left: dict[str, dict[str, list[float]]] = {name: {} for name in TYPES}
    for function, invocations in _log(stack, day):
        for lines in invocations:
            _add_invocation(found, function, lines)
            for at, line in _objects(lines):
                if str(line.get("message", "")).startswith(_LEFT) and line.get("cancel_request_id"):
                    left[line["cancel_type"]].setdefault(line["cancel_request_id"], []).append(at)
    _add_queues(found, stack, day, left)
    return found


def _add_invocation(found: Measured, function: str, lines: Sequence[tuple[float, str]]) -> None:
    """The function's own metrics, and Lambda's: one that died wrote none, and every other writes some."""
    embedded = [line for _, line in _objects(lines) if "_aws" in line]
    for line in embedded:
        found.add_embedded(line)
    at = lines[-1][0]
    for text in (text for _, text in lines if _DURATION.search(text)):
        duration = float(text.partition("\tDuration: ")[2].partition(" ms")[0])
        values = {
            "Duration": duration,
            "Invocations": 1.0,
            "Errors": 0.0 if embedded else 1.0,
            "Throttles": 0.0,
        }
        for name, value in values.items():
            found.add(key("AWS/Lambda", name, {"FunctionName": function}), at, value)


def _objects(lines: Sequence[tuple[float, str]]) -> Iterator[tuple[float, dict[str, Any]]]:
    return ((at, json.loads(text)) for at, text in lines if text.startswith("{"))


def _requests(simulator: SimulatorControl, seed: int, count: int) -> list[Request]:
    """Chaos's mixture, with some that are refused and some that break the contract."""
    run = str(int(time.time()))[-8:]
    plan: Plan = draw(run, seed, count)
    cast = Cast(f"{run}x")
    simulator.seed_payments(*(dict(s.seed) for s in plan.subjects if s.kind == "payments"))
    simulator.seed_payments(*(cast.paid(number) for number in range(count // 20)))
    simulator.seed_receipts(*(dict(s.seed) for s in plan.subjects if s.kind == "receipts"))
    simulator.seed_orders(*(dict(s.seed) for s in plan.subjects if s.kind == "orders"))
    simulator.add_faults(*(s.fault for s in plan.subjects if s.fault is not None))
    odd = [
        cast.request("payment_cancel", number, {"imp_uid": cast.payment(number), "amount": amount})
        for number in range(count // 20)
        for amount in [0 if number % 4 == 0 else 99_000]
    ]
    requests = [*plan.requests, *odd]
    random.Random(seed).shuffle(requests)
    return requests[:count]


def _kill(stack: Stack) -> None:
    kill_workers(stack, stack.outputs["PaymentCancelFunctionName"])


def _invoke(stack: Stack, function: str, event: Mapping[str, Any]) -> None:
    name = stack.outputs[f"{function}FunctionName"]
    stack.aws.functions.invoke(FunctionName=name, Payload=json.dumps(event).encode())


@contextmanager
def _looking(stack: Stack, day: Day) -> Iterator[None]:
    """Count the messages in the DLQs every second."""
    stop = threading.Event()

    def look() -> None:
        while not stop.wait(1.0):
            for name in TYPES:
                attributes = stack.aws.sqs.get_queue_attributes(
                    QueueUrl=stack.outputs[f"{pascal(name)}DlqUrl"],
                    AttributeNames=["ApproximateNumberOfMessages"],
                )["Attributes"]
                day.dead.append((time.time(), name, int(attributes["ApproximateNumberOfMessages"])))

    thread = threading.Thread(target=look, name="looking")
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _log(stack: Stack, day: Day) -> Iterator[tuple[str, list[list[tuple[float, str]]]]]:
    """Function by function, the lines of each of its invocations with their times in UNIX seconds."""
    for name in (*map(pascal, TYPES), "Sweeper", "Reconcile"):
        function = stack.outputs[f"{name}FunctionName"]
        group = stack.aws.functions.get_function_configuration(FunctionName=function)["LoggingConfig"][
            "LogGroup"
        ]
        pages = stack.aws.logs.get_paginator("filter_log_events").paginate(
            logGroupName=group, startTime=int(day.begun * 1000), endTime=int(day.ended * 1000)
        )
        streams: dict[str, list[tuple[float, str]]] = {}
        for event in (event for page in pages for event in page["events"]):
            lines = streams.setdefault(event["logStreamName"], [])
            lines.append((event["timestamp"] / 1000, event["message"].strip()))
        yield function, list(streams.values())


def _add_queues(
    found: Measured, stack: Stack, day: Day, left: Mapping[str, Mapping[str, Sequence[float]]]
) -> None:
    """The DLQs as they were seen; the oldest message from when it was sent until it left."""
    for at, name, count in day.dead:
        dimensions = {"QueueName": _queue_name(stack.outputs[f"{pascal(name)}DlqUrl"])}
        found.add(key("AWS/SQS", "ApproximateNumberOfMessagesVisible", dimensions), at, count)
    moments = [day.begun + second for second in range(int(day.ended - day.begun))]
    for name, times in left.items():
        dimensions = {"QueueName": _queue_name(stack.outputs[f"{pascal(name)}QueueUrl"])}
        sent = ([day.published[one], *sorted(ends)] for one, ends in times.items() if one in day.published)
        spans = [span for moved in sent for span in pairwise(moved)]
        for moment, age in ages(spans, moments):
            found.add(key("AWS/SQS", "ApproximateAgeOfOldestMessage", dimensions), moment, age)


def _queue_name(url: str) -> str:
    return url.rpartition("/")[2]
