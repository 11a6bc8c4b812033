"""Everything published on the accounting bus of a local stack."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Self

from local.stack.stack import Stack

OUTCOME_SOURCE = "refund-handler"
_BATCH = 10
_LONG_POLL_SECONDS = 1


@dataclass
class OutcomeLog:
    """Listens on the accounting bus through a queue of its own, as accounting would.

    Attributes:
        events: the EventBridge envelopes in order of arrival, repetitions included; amounts are exact.
    """

    stack: Stack
    queue_url: str
    rule: str
    events: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def attach(cls, stack: Stack) -> OutcomeLog:
        """Start listening; what was published before is not in it."""
        name = f"outcomes-{uuid.uuid4().hex[:12]}"
        aws, bus = stack.aws, stack.outputs["AccountingBusName"]
        queue_url = aws.sqs.create_queue(QueueName=name)["QueueUrl"]
        attributes = aws.sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["QueueArn"])[
            "Attributes"
        ]
        pattern = json.dumps({"source": [OUTCOME_SOURCE]})
        aws.events.put_rule(Name=name, EventBusName=bus, EventPattern=pattern)
        aws.events.put_targets(
            Rule=name, EventBusName=bus, Targets=[{"Id": "queue", "Arn": attributes["QueueArn"]}]
        )
        return cls(stack, queue_url, name)

    def detach(self) -> None:
        """Stop listening and remove rule and queue."""
        bus = self.stack.outputs["AccountingBusName"]
        self.stack.aws.events.remove_targets(Rule=self.rule, EventBusName=bus, Ids=["queue"])
        self.stack.aws.events.delete_rule(Name=self.rule, EventBusName=bus)
        self.stack.aws.sqs.delete_queue(QueueUrl=self.queue_url)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.detach()

    def of(self, cancel_request_id: str) -> list[dict[str, Any]]:
        """The outcomes (event details) read so far for one cancel request, repetitions included."""
        details = (event["detail"] for event in self.events)
        return [detail for detail in details if detail["cancel_request_id"] == cancel_request_id]

    def read(self, wait_seconds: int = 0) -> list[dict[str, Any]]:
        """Take what has arrived since, waiting at most ``wait_seconds`` for the first."""
        arrived: list[dict[str, Any]] = []
        while batch := self._receive(0 if arrived else wait_seconds):
            arrived += batch
        self.events += arrived
        return arrived

    def wait_for(self, complete: Callable[[OutcomeLog], bool], seconds: float) -> None:
        """Read until ``complete`` holds.

        Raises:
            TimeoutError: it does not hold after ``seconds``; with what did arrive.
        """
        until = time.monotonic() + seconds
        while not complete(self):
            if time.monotonic() > until:
                seen = [(event["detail-type"], event["detail"]["cancel_request_id"]) for event in self.events]
                raise TimeoutError(f"after {seconds} s the accounting bus had carried {seen}")
            self.read(_LONG_POLL_SECONDS)

    def wait_for_requests(self, cancel_request_ids: list[str], seconds: float) -> None:
        """Read until each of these requests has an outcome.

        Raises:
            TimeoutError: one has none after ``seconds``.
        """
        self.wait_for(lambda log: all(log.of(request) for request in cancel_request_ids), seconds)

    def _receive(self, wait_seconds: int) -> list[dict[str, Any]]:
        sqs = self.stack.aws.sqs
        messages = sqs.receive_message(
            QueueUrl=self.queue_url, MaxNumberOfMessages=_BATCH, WaitTimeSeconds=wait_seconds
        ).get("Messages", [])
        for message in messages:
            sqs.delete_message(QueueUrl=self.queue_url, ReceiptHandle=message["ReceiptHandle"])
        return [json.loads(message["Body"], parse_float=Decimal) for message in messages]
