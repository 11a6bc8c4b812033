"""Keys and roles, where an emulator checks them: moto verifies signatures and the actions of policies.

MiniStack's check of the template's own roles, conditions included, is tests/integration/test_permissions.py.
"""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from local.stack.deployment import REGION
from refunds.aws import AwsClients
from refunds.ledger.claims import Ledger
from tests.emulators import servers
from tests.template.expanded import Expanded
from tests.unit.ledger.conftest import NOON, new_entry

UNCHECKED = "inf"


@contextmanager
def checked(url: str) -> Iterator[None]:
    """From here on every request is checked."""
    _check_after(url, "0")
    try:
        yield
    finally:
        _check_after(url, UNCHECKED)


def _check_after(url: str, requests: str) -> None:
    request = urllib.request.Request(  # noqa: S310 - an emulator of this test
        f"{url}/moto-api/reset-auth",
        data=requests.encode(),
        headers={"Content-Type": "text/plain"},
        method="POST",
    )
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - likewise
        answer.read()


@pytest.fixture
def function_keys(moto_url: str, expanded: Expanded) -> dict[str, str]:
    """Keys for the role of `payment_cancel`, with the actions that its policies allow in the template."""
    session: Any = boto3.Session(**servers.KEYS, region_name=REGION)  # type: ignore[arg-type]
    iam = session.client("iam", endpoint_url=moto_url)
    role = expanded.properties("PaymentCancelRole")
    statements = [
        {"Effect": "Allow", "Action": statement["Action"], "Resource": "*"}
        for policy in role["Policies"]
        for statement in policy["PolicyDocument"]["Statement"]
    ]
    trust = json.dumps(role["AssumeRolePolicyDocument"])
    arn = iam.create_role(RoleName="payment-cancel", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    document = json.dumps({"Version": "2012-10-17", "Statement": statements})
    iam.put_role_policy(RoleName="payment-cancel", PolicyName="allowed", PolicyDocument=document)
    found = session.client("sts", endpoint_url=moto_url).assume_role(RoleArn=arn, RoleSessionName="function")
    keys = found["Credentials"]
    return {
        "aws_access_key_id": keys["AccessKeyId"],
        "aws_secret_access_key": keys["SecretAccessKey"],
        "aws_session_token": keys["SessionToken"],
    }


def test_a_function_may_do_what_its_role_allows_and_no_more(
    moto_url: str, function_keys: dict[str, str]
) -> None:
    """Signed with a session token, the ledger's writes pass, deleting and a wrong key do not."""
    table = servers.account("moto", moto_url).table()
    known = {**function_keys, "region_name": REGION}
    forged = {**known, "aws_secret_access_key": "x" * 40}
    with (
        checked(moto_url),
        AwsClients(connections=1, session=known, endpoint_url=moto_url) as aws,
        AwsClients(connections=1, session=forged, endpoint_url=moto_url) as others,
    ):
        ledger = Ledger(aws.client("dynamodb"), table, clock=lambda: NOON, ttl_days=400)
        entry = ledger.claim(new_entry())
        assert ledger.get(entry.key) == entry
        with pytest.raises(ClientError) as denied:
            aws.client("dynamodb").delete_item(TableName=table, Key={"pk": {"S": str(entry.key)}})
        with pytest.raises(ClientError) as unsigned:
            others.client("dynamodb").get_item(TableName=table, Key={"pk": {"S": str(entry.key)}})
    for error in (denied, unsigned):  # moto gives DynamoDB's refusals no code of their own
        assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    assert "payment_cancel" not in str(denied.value)
