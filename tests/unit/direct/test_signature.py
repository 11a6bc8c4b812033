from __future__ import annotations

import datetime as dt

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from refunds.aws.signature import Keys, Signer

KEYS = Keys("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
MOMENT = dt.datetime(2015, 8, 30, 12, 36, tzinfo=dt.UTC)


def test_published_example() -> None:
    """``post-vanilla`` of AWS's Signature Version 4 test suite is signed as published there."""
    signer = Signer(KEYS, "us-east-1", "service")
    signed = signer.signed({"host": "example.amazonaws.com"}, b"", MOMENT.timestamp())
    assert signed == {
        "host": "example.amazonaws.com",
        "x-amz-date": "20150830T123600Z",
        "authorization": (
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
            "SignedHeaders=host;x-amz-date, "
            "Signature=5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"
        ),
    }


@given(
    body=st.binary(max_size=200),
    target=st.from_regex(r"[A-Za-z0-9_]{1,20}\.[A-Za-z]{1,20}", fullmatch=True),
    token=st.none() | st.from_regex(r"[A-Za-z0-9+/=]{1,80}", fullmatch=True),
    service=st.sampled_from(["dynamodb", "events", "sqs", "secretsmanager"]),
    days=st.integers(min_value=0, max_value=20_000),
)
def test_same_as_botocore(body: bytes, target: str, token: str | None, service: str, days: int) -> None:
    """Every request gets the signature that botocore would give it."""
    keys = Keys("AKIDEXAMPLE", "secret/key+", token)
    now = MOMENT.timestamp() + days * 86_400
    headers = {
        "content-type": "application/x-amz-json-1.0",
        "host": "sqs.ap-northeast-2.amazonaws.com",
        "x-amz-target": target,
    }
    ours = Signer(keys, "ap-northeast-2", service).signed(headers, body, now)

    request = AWSRequest("POST", f"https://{headers['host']}/", headers=headers, data=body)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("botocore.auth.get_current_datetime", lambda: dt.datetime.fromtimestamp(now, dt.UTC))
        credentials = Credentials(keys.access_key, keys.secret_key, keys.session_token)
        SigV4Auth(credentials, service, "ap-northeast-2").add_auth(request)
    theirs = {name.lower(): value for name, value in request.headers.items()}
    assert ours == {name: theirs[name] for name in ours}


def test_one_signer_over_midnight() -> None:
    """A signer that lives on signs with the new day's key."""
    signer = Signer(KEYS, "us-east-1", "service")
    evening, morning = MOMENT.timestamp(), MOMENT.timestamp() + 86_400
    kept = [signer.signed({"host": "h"}, b"", now) for now in (evening, morning, evening)]
    fresh = [
        Signer(KEYS, "us-east-1", "service").signed({"host": "h"}, b"", now) for now in (evening, morning)
    ]
    assert kept == [*fresh, fresh[0]]


@pytest.mark.parametrize(
    "environment", [{}, {"AWS_ACCESS_KEY_ID": "a"}, {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": ""}]
)
def test_no_keys(environment: dict[str, str]) -> None:
    """Half a key in the environment is none."""
    assert Keys.from_environment(environment) is None


def test_keys_are_not_shown() -> None:
    """Neither the secret nor the session token is in a key's text."""
    keys = Keys.from_environment(
        {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "secret-1", "AWS_SESSION_TOKEN": "secret-2"}
    )
    assert keys is not None
    assert keys.session_token == "secret-2"
    assert "secret" not in repr(keys).replace("secret_key", "")
