"""Typed AWS clients of a local stack."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

if TYPE_CHECKING:
    from types_boto3_cloudformation import CloudFormationClient
    from types_boto3_cloudwatch import CloudWatchClient
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_events import EventBridgeClient
    from types_boto3_lambda import LambdaClient
    from types_boto3_logs import CloudWatchLogsClient
    from types_boto3_secretsmanager import SecretsManagerClient
    from types_boto3_sqs import SQSClient

# MiniStack takes any credentials. These belong to the account it uses by default.
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
_CONFIG = Config(max_pool_connections=50, retries={"mode": "standard", "total_max_attempts": 3})


@dataclass(frozen=True)
class Clients:
    """One client per service, made on first use. Clients may be shared between threads."""

    endpoint_url: str
    region: str
    ca_bundle: Path | None = None

    @cached_property
    def _session(self) -> boto3.Session:
        return boto3.Session(
            aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
            region_name=self.region,
        )

    def _client(self, service: Any) -> Any:
        trusted = None if self.ca_bundle is None else str(self.ca_bundle)
        return self._session.client(service, endpoint_url=self.endpoint_url, verify=trusted, config=_CONFIG)

    @cached_property
    def cloudformation(self) -> CloudFormationClient:
        """CloudFormation, with the deployed stack."""
        client: CloudFormationClient = self._client("cloudformation")
        return client

    @cached_property
    def cloudwatch(self) -> CloudWatchClient:
        """CloudWatch metrics."""
        client: CloudWatchClient = self._client("cloudwatch")
        return client

    @cached_property
    def dynamodb(self) -> DynamoDBClient:
        """DynamoDB, with the ledger."""
        client: DynamoDBClient = self._client("dynamodb")
        return client

    @cached_property
    def events(self) -> EventBridgeClient:
        """EventBridge, with both buses."""
        client: EventBridgeClient = self._client("events")
        return client

    @cached_property
    def functions(self) -> LambdaClient:
        """Lambda, with the functions."""
        client: LambdaClient = self._client("lambda")
        return client

    @cached_property
    def logs(self) -> CloudWatchLogsClient:
        """CloudWatch Logs: a function's lines appear when its invocation has ended."""
        client: CloudWatchLogsClient = self._client("logs")
        return client

    @cached_property
    def secrets(self) -> SecretsManagerClient:
        """Secrets Manager, with the provider credentials."""
        client: SecretsManagerClient = self._client("secretsmanager")
        return client

    @cached_property
    def sqs(self) -> SQSClient:
        """SQS, with the queues and dead-letter queues."""
        client: SQSClient = self._client("sqs")
        return client
