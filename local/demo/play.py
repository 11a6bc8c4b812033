"""Plays scenarios on a stack: seeds the providers, publishes the events, kills processes."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from local.demo.scenario import Request, Scenario
from local.simulator.control import SimulatorControl
from local.stack import OutcomeLog, Stack, kill_workers

_PUT_EVENTS_LIMIT = 10
_POLL_SECONDS = 0.05


def seed(simulator: SimulatorControl, scenarios: Iterable[Scenario]) -> None:
    """Put every scenario's records and faults into the provider simulator."""
    for scenario in scenarios:
        simulator.seed_payments(*_records(scenario, "payments"))
        simulator.seed_receipts(*_records(scenario, "receipts"))
        simulator.seed_orders(*_records(scenario, "orders"))
        if scenario.faults:
            simulator.add_faults(*scenario.faults)
        if scenario.console:
            simulator.somebody_else(scenario.subject, amount=scenario.console)


def _records(scenario: Scenario, kind: str) -> list[dict[str, Any]]:
    return [dict(record) for record in scenario.seeds.get(kind, ())]


def publish(stack: Stack, scenarios: Sequence[Scenario]) -> None:
    """Publish every event on the order bus, as the order service does; repetitions included."""
    send_events(stack, [request for s in scenarios for request in s.requests for _ in range(s.copies)])


def publish_with_kills(
    stack: Stack, simulator: SimulatorControl, scenarios: Sequence[Scenario], seconds: float
) -> int:
    """Publish every event, and kill the function's processes where a scenario says so.

    The kills hit whatever the processes are at. What may not be interrupted comes after them: a request
    whose first answer decides, and one at a gateway that books late, where a request of which it is not
    known whether it was sent is parked.

    Returns:
        How many processes died.

    Raises:
        TimeoutError: a process was to die after money moved, and none moved in so many seconds.
    """
    interrupted = [one for one in scenarios if not (one.books_late or one.answer_decides)]
    publish(stack, interrupted)
    killed = sum(kill_after_commit(stack, simulator, one, seconds) for one in interrupted if one.kill)
    publish(stack, [one for one in scenarios if one not in interrupted])
    return killed


def send_events(stack: Stack, requests: Sequence[Request]) -> None:
    """Publish one event per element on the order bus.

    Raises:
        RuntimeError: the bus did not take all of them.
    """
    for chunk in _chunks([_entry(stack, request) for request in requests]):
        answer = stack.aws.events.put_events(Entries=chunk)
        if answer["FailedEntryCount"]:
            raise RuntimeError(f"the order bus did not take {answer['FailedEntryCount']} events")


def _entry(stack: Stack, request: Request) -> Any:
    return {
        "Source": "order-service",
        "DetailType": request.detail_type,
        "Detail": request.body(),
        "EventBusName": stack.outputs["OrderBusName"],
    }


def _chunks(entries: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(entries), _PUT_EVENTS_LIMIT):
        yield entries[start : start + _PUT_EVENTS_LIMIT]


def kill_after_commit(stack: Stack, simulator: SimulatorControl, scenario: Scenario, seconds: float) -> int:
    """Kill the function's processes as soon as the oracle shows the money moved; returns how many died.

    Raises:
        TimeoutError: no money moved.
    """
    until = time.monotonic() + seconds
    while not simulator.ledger(scenario.subject):
        if time.monotonic() > until:
            raise TimeoutError(f"{scenario.title}: the provider moved nothing in {seconds} s")
        time.sleep(_POLL_SECONDS)
    return kill_workers(stack, stack.outputs[f"{pascal(scenario.requests[0].cancel_type)}FunctionName"])


def is_pending(scenario: Scenario, log: OutcomeLog) -> bool:
    """Whether accounting has heard of every request that it is booked later."""
    return all(
        "CancelPending" in map(detail_type, log.of(request.cancel_request_id))
        for request in scenario.requests
    )


def sweep(stack: Stack) -> bool:
    """Run the sweeper now, beside its schedule; whether it came to its end."""
    answer = stack.aws.functions.invoke(FunctionName=stack.outputs["SweeperFunctionName"], Payload=b"{}")
    return "FunctionError" not in answer


class LateBookings:
    """Books what providers have accepted as soon as accounting has heard of it; then lets the sweeper ask."""

    def __init__(self, scenarios: Iterable[Scenario]) -> None:
        self._accepted = [scenario for scenario in scenarios if scenario.books_late]
        self._asks = bool(self._accepted)

    def go_on(self, stack: Stack, simulator: SimulatorControl, log: OutcomeLog) -> list[Scenario]:
        """What is booked now; afterwards a run of the sweeper."""
        booked = [one for one in self._accepted if all(log.of(r.cancel_request_id) for r in one.requests)]
        for scenario in booked:
            self._accepted.remove(scenario)
            simulator.end_bookings(scenario.subject)
        if self._asks and not self._accepted:
            sweep(stack)
        return booked


def is_settled(scenario: Scenario, log: OutcomeLog) -> bool:
    """Whether every request has come to the outcome it must end with."""
    return all(
        expected in {detail_type(outcome) for outcome in log.of(request.cancel_request_id)}
        for request, expected in zip(scenario.requests, scenario.expected, strict=True)
    )


def detail_type(outcome: Mapping[str, Any]) -> str:
    """The detail-type an outcome was published under."""
    return f"Cancel{str(outcome['outcome']).capitalize()}"


def dead_letters(stack: Stack, cancel_types: Iterable[str]) -> list[dict[str, Any]]:
    """Every message in these DLQs with its attributes; they stay there, for the next call to see too."""
    return [dead_letter for cancel_type in cancel_types for dead_letter in _dead_letters(stack, cancel_type)]


def _dead_letters(stack: Stack, cancel_type: str) -> list[dict[str, Any]]:
    url = stack.outputs[f"{pascal(cancel_type)}DlqUrl"]
    found: dict[str, dict[str, Any]] = {}
    while messages := stack.aws.sqs.receive_message(
        QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"], VisibilityTimeout=5
    ).get("Messages", []):
        found.update({message["MessageId"]: dict(message) for message in messages})
    for message in found.values():
        stack.aws.sqs.change_message_visibility(
            QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0
        )
    return list(found.values())


def cancel_request_id(body: str) -> str | None:
    """The key in a message body, with or without an EventBridge envelope."""
    content = json.loads(body)
    detail = content.get("detail", content)
    key: str | None = detail.get("cancel_request_id")
    return key


def pascal(cancel_type: str) -> str:
    """``payment_cancel`` → ``PaymentCancel``, as the stack's outputs are named."""
    return "".join(part.capitalize() for part in cancel_type.split("_"))


def is_idle(stack: Stack, cancel_types: Iterable[str]) -> bool:
    """Whether no message of these types waits or is being worked on."""
    return all(_waiting(stack, cancel_type) == 0 for cancel_type in cancel_types)


def _waiting(stack: Stack, cancel_type: str) -> int:
    attributes = stack.aws.sqs.get_queue_attributes(
        QueueUrl=stack.outputs[f"{pascal(cancel_type)}QueueUrl"],
        AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
    )["Attributes"]
    return sum(int(count) for count in attributes.values())
