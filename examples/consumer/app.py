"""Keeps what became of every cancellation: one item each, with the statement that counts."""

from __future__ import annotations

import os
from typing import Any

import boto3
from aws_lambda_powertools.utilities.idempotency import (
    DynamoDBPersistenceLayer,
    IdempotencyConfig,
    idempotent,
)
from boto3.dynamodb.conditions import Attr
from botocore.exceptions import ClientError

from refunds.contracts.outbound import Outcome

# Recording a statement twice does no harm: the condition below refuses the second. What has to happen once (a
# booking, a mail) is what this decorator is for, and it forgets a failed attempt, so that it comes again.
ONCE = IdempotencyConfig(
    event_key_jmespath="detail.[outcome_id, revision]",
    raise_on_no_idempotency_key=True,
    expires_after_seconds=14 * 24 * 60 * 60,
)
SEEN = DynamoDBPersistenceLayer(table_name=os.environ["SEEN_TABLE"])
STATEMENTS = boto3.resource("dynamodb").Table(os.environ["STATEMENTS_TABLE"])


@idempotent(config=ONCE, persistence_store=SEEN)
def handler(event: dict[str, Any], _context: Any) -> dict[str, bool]:
    """Take one outcome; whether it is the one that counts now."""
    outcome = Outcome.model_validate(event["detail"])
    item = {
        "pk": f"{outcome.cancel_type}#{outcome.cancel_request_id}",
        "revision": outcome.revision,
        "is_final": outcome.outcome.final,
        "outcome": outcome.outcome.value,
        "statement": outcome.to_json(),
    }
    if outcome.money is not None:
        item |= {"currency": outcome.money.currency, "cancelled": outcome.money.cancelled}
    # The highest revision counts, and a final statement counts for ever.
    open_ones, older = Attr("is_final").eq(False), Attr("revision").lt(outcome.revision)
    replaced = open_ones | older if outcome.outcome.final else open_ones & older
    try:
        STATEMENTS.put_item(Item=item, ConditionExpression=Attr("pk").not_exists() | replaced)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
            raise
        return {"counts": False}
    return {"counts": True}
