"""One account of each AWS that the project is tried on, with what the contract needs of it."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from tests.fakes import dynamodb, messaging, sqs
from tests.fakes.endpoint import Aws

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_events import EventBridgeClient
    from types_boto3_sqs import SQSClient

#: The ledger's indexes, each with its key; `test_the_table_is_the_templates` compares them.
INDEXES: Final = {"by_payment": "payment_ref", "by_order": "order_id", "by_day": "day", "by_open": "open"}
_RECEIVE_SECONDS: Final = 20.0


@dataclass
class Account:
    """An AWS account; every table, queue and bus is new.

    Attributes:
        name: which AWS it is.
        clock: UNIX seconds as this AWS tells them.
    """

    name: str
    dynamodb: DynamoDBClient
    sqs: SQSClient
    events: EventBridgeClient
    clock: Callable[[], float] = time.time

    def table(self) -> str:
        """A ledger table, with keys and indexes as the template's."""
        name = f"ledger-{uuid.uuid4().hex[:8]}"
        self.dynamodb.create_table(
            TableName=name,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[
                {"AttributeName": key, "AttributeType": "S"} for key in ("pk", *INDEXES.values())
            ],
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            GlobalSecondaryIndexes=[
                {
                    "IndexName": index,
                    "KeySchema": [
                        {"AttributeName": key, "KeyType": "HASH"},
                        {"AttributeName": "pk", "KeyType": "RANGE"},
                    ],
                    "Projection": {"ProjectionType": "KEYS_ONLY"},
                }
                for index, key in INDEXES.items()
            ],
        )
        return name

    def queue(self) -> str:
        """The URL of a queue."""
        return self.sqs.create_queue(QueueName=f"queue-{uuid.uuid4().hex[:8]}")["QueueUrl"]

    def bus(self) -> tuple[str, str]:
        """A bus, and the URL of a queue that gets everything that is put on it."""
        name = f"bus-{uuid.uuid4().hex[:8]}"
        self.events.create_event_bus(Name=name)
        url = self.queue()
        answer = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        self.events.put_rule(
            Name="everything", EventBusName=name, EventPattern='{"source": ["refund-handler"]}'
        )
        self.events.put_targets(
            Rule="everything",
            EventBusName=name,
            Targets=[{"Id": "queue", "Arn": answer["Attributes"]["QueueArn"]}],
        )
        return name, url

    def received(self, url: str, count: int) -> list[dict[str, Any]]:
        """The next messages of a queue: ``count`` of them, and fewer only if no more come."""
        found: list[dict[str, Any]] = []
        until = time.monotonic() + _RECEIVE_SECONDS
        while len(found) < count and time.monotonic() < until:
            answer = self.sqs.receive_message(
                QueueUrl=url,
                MaxNumberOfMessages=10,
                WaitTimeSeconds=1,
                VisibilityTimeout=600,
                MessageSystemAttributeNames=["SentTimestamp"],
                MessageAttributeNames=["All"],
            )
            found += [dict(message) for message in answer.get("Messages", [])]
        return found

    def on_bus(self, url: str, count: int) -> list[dict[str, Any]]:
        """The details of the events that came from a bus to its queue."""
        return [json.loads(message["Body"])["detail"] for message in self.received(url, count)]


@dataclass
class OwnBus:
    """The bus in memory; its only target gets what it takes."""

    queues: sqs.Queues
    bus: messaging.Bus = field(default_factory=messaging.Bus)
    targets: dict[str, str] = field(default_factory=dict)

    def carry_out(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """PutEvents, and what sets a bus up."""
        if operation == "PutTargets":
            self.targets[request["EventBusName"]] = request["Targets"][0]["Arn"]
        if operation != "PutEvents":
            return {}
        answer = self.bus.carry_out(operation, request)
        for entry, result in zip(request["Entries"], answer["Entries"], strict=True):
            if "EventId" in result:
                body = json.dumps({"detail": json.loads(entry["Detail"])})
                self.queues[self.targets[entry["EventBusName"]]].put(result["EventId"], body)
        return answer


class OwnTables(dynamodb.Tables):
    """The tables in memory, made as they are asked for."""

    def carry_out(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """One DynamoDB operation."""
        if operation == "CreateTable":
            self.add(request["TableName"], request["KeySchema"][0]["AttributeName"])
            return {}
        if operation == "Query" and request["IndexName"] not in INDEXES:
            self.missing_indexes.add(request["IndexName"])
        return super().carry_out(operation, request)


def own_account() -> Account:
    """What the unit tests are run against."""
    now = time.time()
    queues = sqs.Queues(now)
    aws = Aws(
        {
            dynamodb.TARGET: OwnTables(),
            sqs.TARGET: queues,
            messaging.EVENTS_TARGET: OwnBus(queues),
        }
    )
    return Account("own", aws.connect("dynamodb"), aws.connect("sqs"), aws.connect("events"), lambda: now)
