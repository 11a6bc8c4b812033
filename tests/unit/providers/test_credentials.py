from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from refunds.errors import ConfigurationError
from refunds.providers.clients import secret_reader
from refunds.providers.credentials import CredentialSource, parse
from tests.fakes import messaging
from tests.fakes.answers import AwsError
from tests.fakes.endpoint import Aws
from tests.unit.providers.provider_stub import SECRET, Clock


def changed(section: str, **fields: object) -> str:
    secret: dict[str, Any] = json.loads(json.dumps(SECRET))
    secret[section].update(fields)
    return json.dumps(secret)


def test_the_secret_is_read() -> None:
    """Every field arrives where it belongs."""
    found = parse(json.dumps(SECRET))
    assert found.portone is not None
    assert found.ebp is not None
    assert found.portone.values() == ("the-imp-key", "the-imp-secret", "the-pg-key")
    assert found.ebp.values() == ("the-access-key", "the-hash-key")


@pytest.mark.parametrize("absent", [None, ""])
def test_the_key_of_kg_inicis_is_optional(absent: str | None) -> None:
    """Most shops have none."""
    found = parse(changed("portone", pg_api_key=absent)).portone
    assert found is not None
    assert found.pg_api_key is None


@pytest.mark.parametrize(
    ("secret", "named"),
    [
        ("not JSON: the-imp-secret", "JSON object"),
        ('["the-imp-secret"]', "JSON object"),
        ('{"portone": "the-imp-secret"}', "portone"),
        (changed("portone", imp_key=None), "portone.imp_key"),
        (changed("portone", imp_secret=""), "portone.imp_secret"),
        (changed("portone", imp_secret=["the-imp-secret"]), "portone.imp_secret"),
        (changed("portone", pg_api_key=7), "portone.pg_api_key"),
        (changed("ebp", access_key="the-imp-secret\n"), "ebp.access_key"),
        (changed("ebp", access_key=" the-imp-secret"), "ebp.access_key"),
        (changed("ebp", hash_key="the-imp-secret-열쇠"), "ebp.hash_key"),
        (changed("ebp", hash_key=None), "ebp.hash_key"),
    ],
)
def test_a_mistake_is_named_without_showing_a_value(secret: str, named: str) -> None:
    """The error says which field to mend; the text and what hangs on it hold no part of the secret."""
    with pytest.raises(ConfigurationError, match=named) as caught:
        parse(secret)
    assert "the-imp-secret" not in str(caught.value)
    assert caught.value.__context__ is None


def test_a_provider_that_is_not_used_needs_no_keys() -> None:
    """Its section may be absent; whoever asks for it is told so."""
    source = CredentialSource(lambda _again: json.dumps({"ebp": SECRET["ebp"]}))
    assert source.ebp().access_key == "the-access-key"
    with pytest.raises(ConfigurationError, match="portone"):
        source.portone()


def test_no_value_is_shown() -> None:
    """Neither credentials nor their source show a value when printed."""
    source = CredentialSource(lambda _again: json.dumps(SECRET))
    source.ebp()
    shown = repr(parse(json.dumps(SECRET))) + repr(source) + repr(source.portone())
    assert "the-" not in shown


def test_the_secret_is_fetched_once_for_all_threads() -> None:
    """Ten records that start at once read it once."""
    fetched: list[int] = []
    together = threading.Barrier(10)

    def fetch(_again: bool) -> str:  # noqa: FBT001 - as a source calls it
        fetched.append(1)
        return json.dumps(SECRET)

    source = CredentialSource(fetch)

    def use(_number: int) -> str:
        together.wait()
        return source.portone().imp_key

    with ThreadPoolExecutor(10) as pool:
        assert set(pool.map(use, range(10))) == {"the-imp-key"}
    assert fetched == [1]


def test_a_rotated_secret_is_read_again_when_it_is_rejected() -> None:
    """A refresh brings the new keys, at most once in the interval."""
    clock = Clock()
    texts = [changed("ebp", access_key=f"key-{number}") for number in range(5)]
    source = CredentialSource(lambda _again: texts.pop(0), clock=clock, refresh_interval=60.0)
    assert source.ebp().access_key == "key-0"
    source.refresh()
    assert source.ebp().access_key == "key-0"
    clock.now += 60.0
    source.refresh()
    source.refresh()
    assert source.ebp().access_key == "key-1"


@pytest.mark.parametrize("text", [None, "no JSON", json.dumps({"ebp": {}})])
def test_a_refresh_that_fails_keeps_what_is_known(text: str | None) -> None:
    """A secret that cannot be read now does not take away the keys there are."""
    clock = Clock()
    texts = [json.dumps(SECRET), text]

    def fetch(_again: bool) -> str:  # noqa: FBT001 - as a source calls it
        text = texts.pop(0)
        if text is None:
            raise OSError("no network")
        return text

    source = CredentialSource(fetch, clock=clock)
    assert source.ebp().access_key == "the-access-key"
    clock.now += 3600
    source.refresh()
    assert source.ebp().access_key == "the-access-key"


def test_a_secret_that_cannot_be_fetched_is_a_configuration_error_and_is_tried_again() -> None:
    """The error names what to check and shows nothing of the failure; the next record tries anew."""
    failures: list[Exception] = [RuntimeError("AccessDenied for the-imp-secret")]

    def fetch(_again: bool) -> str:  # noqa: FBT001 - as a source calls it
        if failures:
            raise failures.pop()
        return json.dumps(SECRET)

    source = CredentialSource(fetch)
    with pytest.raises(ConfigurationError, match="PROVIDER_SECRET_ID") as caught:
        source.portone()
    assert "the-imp-secret" not in str(caught.value)
    assert source.portone().imp_key == "the-imp-key"


def test_powertools_reads_the_secret_and_keeps_it() -> None:
    """The secret is read from Secrets Manager once, and anew when a provider rejects what is known of it."""
    secrets = messaging.Secrets(json.dumps(SECRET))
    aws = Aws({messaging.SECRETS_TARGET: secrets})
    source = CredentialSource(secret_reader(aws.connect, "providers"), refresh_interval=0)
    for _ in range(3):
        assert source.ebp().access_key == "the-access-key"
    assert aws.calls == ["GetSecretValue"]
    secrets.text = changed("ebp", access_key="new")
    assert source.ebp().access_key == "the-access-key"
    source.refresh()
    assert source.ebp().access_key == "new"
    assert aws.calls == ["GetSecretValue"] * 2


def test_what_powertools_could_not_read_is_named() -> None:
    """AWS's error is told by its name, without the text that Powertools gives it."""

    def refuse(_service: str) -> Any:
        return Aws({messaging.SECRETS_TARGET: Refusing()}).connect("secretsmanager")

    with pytest.raises(ConfigurationError, match=r"\(AccessDeniedException\)") as caught:
        CredentialSource(secret_reader(refuse, "providers")).ebp()
    assert "110-123-456789" not in str(caught.value)


class Refusing:
    """Secrets Manager that lets nobody read."""

    def carry_out(self, _operation: str, _request: dict[str, Any]) -> dict[str, Any]:
        """Refuse."""
        raise AwsError("AccessDeniedException", "110-123-456789 must not read this")
