"""A refund the documented way: one record after another, idempotent by Powertools' decorator.

Written from Powertools' public documentation: "Batch Processing" (with its Pydantic integration),
"Idempotency" (with its section on the batch utility), "Parameters", "Logger" and "Metrics". Clients are
made outside the handler and the secret is cached, as those pages advise. What it does for a refund is
what this project's function does when nothing goes wrong: check the message, claim, cancel at
PortOne, check the answer, record, publish, log and count.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

import boto3
import httpx
from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities import parameters
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.idempotency import (
    DynamoDBPersistenceLayer,
    IdempotencyConfig,
    idempotent_function,
)
from aws_lambda_powertools.utilities.parser.models import EventBridgeModel, SqsRecordModel
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel, Field, Json

Post = Callable[..., httpx.Response]
"""``httpx.post``, which opens a connection for each call, or the same of a client that keeps them."""

Handler = Callable[[dict[str, Any], LambdaContext], PartialItemFailureResponse]

_SECRET_CACHE_SECONDS = 300
_TIMEOUT_SECONDS = 60.0

logger = Logger(service="payment_cancel")
tracer = Tracer(service="payment_cancel")
metrics = Metrics(namespace="Refunds", service="payment_cancel")
persistence = DynamoDBPersistenceLayer(table_name=os.environ["LEDGER_TABLE_NAME"])
config = IdempotencyConfig(event_key_jmespath="cancel_request_id")
events = boto3.client("events")


class Request(BaseModel):
    """PortOne's own fields."""

    imp_uid: str
    amount: Decimal | None = Field(default=None, gt=0)
    tax_free: Decimal | None = Field(default=None, ge=0)
    checksum: Decimal | None = Field(default=None, gt=0)


class Cancellation(BaseModel):
    """The event's detail."""

    schema_version: str
    cancel_request_id: str = Field(min_length=1, max_length=64)
    order_id: str
    requested_at: datetime
    requested_by: Literal["customer", "admin", "system"]
    reason: str
    request: Request


class CancellationEvent(EventBridgeModel):
    """The envelope in the message's body."""

    detail: Cancellation


class CancellationRecord(SqsRecordModel):
    """The message."""

    body: Json[CancellationEvent]


processor = BatchProcessor(event_type=EventType.SQS, model=CancellationRecord)


class RefusedError(Exception):
    """PortOne said no, or something else than what was asked for."""


class Refunds:
    """Cancels payments at PortOne.

    Args:
        post: sends a request.
    """

    def __init__(self, post: Post) -> None:
        self._post = post
        self._base_url = os.environ["PORTONE_BASE_URL"]
        self._token = ""
        self._token_expires = 0.0

    def cancel(self, cancellation: dict[str, Any]) -> dict[str, Any]:
        """Cancel and check the answer; returns the outbound detail."""
        request = {name: value for name, value in cancellation["request"].items() if value is not None}
        amounts = {name: int(value) for name, value in request.items() if name != "imp_uid"}
        response = self._post(
            f"{self._base_url}/payments/cancel",
            json={**request, **amounts, "reason": cancellation["reason"]},
            headers={"Authorization": f"Bearer {self._access_token()}"},
            timeout=_TIMEOUT_SECONDS,
        )
        response.raise_for_status()
        answer = response.json()
        if answer["code"] != 0:
            raise RefusedError(answer["message"])
        payment = answer["response"]
        if payment["imp_uid"] != request["imp_uid"]:
            raise RefusedError("PortOne answered for another payment")
        return {
            "cancel_request_id": cancellation["cancel_request_id"],
            "order_id": cancellation["order_id"],
            "outcome": "succeeded",
            "cancelled": amounts.get("amount"),
            "cancellation_id": payment["cancel_history"][-1]["cancellation_id"],
        }

    def _access_token(self) -> str:
        """PortOne's token, kept until a minute before its end."""
        if time.time() > self._token_expires:
            secret: Any = parameters.get_secret(
                os.environ["PROVIDER_SECRET_ID"], transform="json", max_age=_SECRET_CACHE_SECONDS
            )
            response = self._post(
                f"{self._base_url}/users/getToken", json=secret["portone"], timeout=_TIMEOUT_SECONDS
            )
            response.raise_for_status()
            token = response.json()["response"]
            self._token, self._token_expires = token["access_token"], token["expired_at"] - 60
        return self._token


@idempotent_function(  # type: ignore[untyped-decorator]
    data_keyword_argument="cancellation", persistence_store=persistence, config=config
)
def _cancel_once(*, cancellation: dict[str, Any], refunds: Refunds) -> dict[str, Any]:
    outcome = refunds.cancel(cancellation)
    events.put_events(
        Entries=[
            {
                "Source": "refund-handler",
                "DetailType": "CancelSucceeded",
                "Detail": json.dumps(outcome),
                "EventBusName": os.environ["ACCOUNTING_BUS_NAME"],
            }
        ]
    )
    logger.info("cancellation succeeded", extra={"cancel_request_id": cancellation["cancel_request_id"]})
    metrics.add_metric(name="CancelSucceeded", unit=MetricUnit.Count, value=1)
    return outcome


def handler_with(post: Post) -> Handler:
    """The Lambda handler.

    Args:
        post: sends a request to PortOne.
    """
    refunds = Refunds(post)

    @tracer.capture_method
    def record_handler(record: CancellationRecord) -> None:
        _cancel_once(cancellation=record.body.detail.model_dump(mode="json"), refunds=refunds)

    @logger.inject_lambda_context
    @tracer.capture_lambda_handler
    @metrics.log_metrics
    def handler(event: dict[str, Any], context: LambdaContext) -> PartialItemFailureResponse:
        config.register_lambda_context(context)
        return process_partial_response(
            event=event, record_handler=record_handler, processor=processor, context=context
        )

    return handler
