from __future__ import annotations

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import httpx
import pytest

from refunds.domain.deadline import Deadline
from refunds.errors import ConfigurationError, CredentialsRejected, ErrorCode, NotSent
from refunds.providers.credentials import CredentialSource
from refunds.providers.portone.token import MARGIN, AccessToken, AccessTokens
from tests.unit.providers.provider_stub import (
    BASE_URL,
    SECRET,
    TOKEN_CALL,
    Clock,
    ProviderStub,
    Reply,
    credentials,
    envelope,
    plenty,
    reply,
    token_reply,
)

if TYPE_CHECKING:
    from collections.abc import Callable

LIFETIME = 1800


class Fixture:
    """The tokens of a provider stub, under a clock that a test moves."""

    def __init__(self, *replies: Reply, source: CredentialSource | None = None) -> None:
        self.clock = Clock()
        self.stub = ProviderStub()
        if replies:
            self.stub.on(TOKEN_CALL, *replies)
        self.tokens = AccessTokens(self.stub.provider_http(), BASE_URL, source or credentials(), self.clock)

    def get(self) -> AccessToken:
        """A token, with all the time in the world."""
        return self.tokens.get(plenty())

    @property
    def requests(self) -> int:
        """How many tokens were asked for."""
        return self.stub.count(TOKEN_CALL)


def in_parallel(count: int, work: Callable[[int], str]) -> list[str]:
    """Run `work` in threads that start together."""
    together = threading.Barrier(count)

    def start(number: int) -> str:
        together.wait()
        return work(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(start, range(count)))


def slowly(answer: Reply) -> Reply:
    """Answer after everybody who started together has had the time to ask as well."""

    def wait(request: httpx.Request) -> httpx.Response:
        time.sleep(0.5)
        return answer(request)

    return wait


def test_the_token_is_asked_for_with_both_keys_and_kept() -> None:
    """One request serves until the token is due for renewal."""
    fixture = Fixture(token_reply("first", left=LIFETIME), token_reply("second"))
    assert [fixture.get().value for _ in range(3)] == ["first"] * 3
    fixture.clock.now += LIFETIME - MARGIN - 1
    assert fixture.get().value == "first"
    assert fixture.requests == 1
    sent = fixture.stub.requests[0]
    assert json.loads(sent.content) == {"imp_key": "the-imp-key", "imp_secret": "the-imp-secret"}
    assert sent.url.query == b""


def test_the_token_is_renewed_before_it_expires() -> None:
    """In the last minute, in which PortOne prolongs it, a new one is asked for."""
    fixture = Fixture(token_reply("first", left=LIFETIME), token_reply("second", left=LIFETIME))
    fixture.get()
    fixture.clock.now += LIFETIME - MARGIN
    assert fixture.get().value == "second"


def test_clocks_that_differ_do_not_matter() -> None:
    """The lifetime is counted from the server's own `now`, however wrong either clock is."""
    fixture = Fixture(token_reply("first", left=LIFETIME, now=5), token_reply("second"))
    fixture.clock.now = 4e9
    fixture.get()
    fixture.clock.now += LIFETIME - MARGIN - 1
    assert fixture.get().value == "first"
    fixture.clock.now += 1
    assert fixture.get().value == "second"


def test_a_token_with_little_time_left_is_used_before_asking_again() -> None:
    """A token that is handed out again with less than the margin does not cost a request per call."""
    fixture = Fixture(token_reply("old", left=40), token_reply("prolonged", left=300))
    assert [fixture.get().value for _ in range(5)] == ["old"] * 5
    fixture.clock.now += 20
    assert fixture.get().value == "prolonged"
    assert fixture.requests == 2


def test_many_records_cause_one_request() -> None:
    """Ten records without a token share one request."""
    fixture = Fixture(slowly(token_reply("shared")))
    assert set(in_parallel(10, lambda _: fixture.get().value)) == {"shared"}
    assert fixture.requests == 1


def test_ten_401s_at_once_cause_one_renewal() -> None:
    """Each record invalidates the token it used; the renewed one survives, though its value be the same."""
    fixture = Fixture(token_reply("same"))
    rejected = fixture.get()

    def renew(_number: int) -> str:
        fixture.tokens.invalidate(rejected)
        return fixture.get().value

    assert in_parallel(10, renew) == ["same"] * 10
    assert fixture.requests == 2


def test_a_failed_request_fails_for_all_who_waited_for_it() -> None:
    """Nobody queues up to repeat it: ten records do not become ten slow requests in a row."""
    fixture = Fixture(slowly(reply(503, body=b"down")))

    def fail(_number: int) -> str:
        with pytest.raises(NotSent) as caught:
            fixture.get()
        return str(caught.value)

    assert len(set(in_parallel(10, fail))) == 1
    assert fixture.requests == 1


def test_after_a_failure_the_next_record_tries_again() -> None:
    """A failure is not kept."""
    fixture = Fixture(reply(503), token_reply("later"))
    with pytest.raises(NotSent):
        fixture.get()
    assert fixture.get().value == "later"


def test_a_record_waits_no_longer_than_its_own_deadline() -> None:
    """Another record's slow request does not hold it beyond the time it has."""
    release, asked = threading.Event(), threading.Event()

    def hang(request: httpx.Request) -> httpx.Response:
        asked.set()
        release.wait(30)
        return token_reply()(request)

    fixture = Fixture(hang)
    first = threading.Thread(target=fixture.get)
    first.start()
    asked.wait(30)
    clock = Clock()
    with pytest.raises(NotSent):
        fixture.tokens.get(Deadline(clock.now, clock))
    release.set()
    first.join()
    assert fixture.requests == 1


@pytest.mark.parametrize(
    "answer",
    [
        reply(200, body=b"<html>"),
        reply(500, envelope(code=-1, message="error")),
        reply(429, {}, headers={"Retry-After": "30"}),
        reply(403, envelope(code=-1, message="blocked")),
        reply(200, envelope(code=1, message="no")),
        reply(200, envelope()),
        reply(200, envelope({"access_token": "a", "now": 1})),
        reply(200, envelope({"access_token": "a\nb", "now": 1, "expired_at": 100})),
        reply(200, envelope({"access_token": "", "now": 1, "expired_at": 100})),
        reply(200, envelope({"access_token": 7, "now": 1, "expired_at": 100})),
        reply(200, envelope({"access_token": "a", "now": 100, "expired_at": 100})),
        reply(200, envelope({"access_token": "a", "now": 1, "expired_at": 10**30})),
        reply(302, body=b""),
    ],
)
def test_without_a_usable_token_nothing_was_sent(answer: Reply) -> None:
    """A token endpoint that is down or talks nonsense makes the call known not sent, and retryable."""
    with pytest.raises(NotSent) as caught:
        Fixture(answer).get()
    assert caught.value.code is ErrorCode.PROVIDER_UNAVAILABLE
    assert not isinstance(caught.value, CredentialsRejected)
    assert caught.value.retryable


def test_rejected_keys_are_named() -> None:
    """A 401 says that our keys are wrong, and that nothing was carried out."""
    with pytest.raises(CredentialsRejected) as caught:
        Fixture(reply(401, envelope(code=-1, message="the-imp-secret"))).get()
    assert caught.value.code is ErrorCode.PROVIDER_AUTH
    assert "the-imp-secret" not in str(caught.value)


def test_a_rotated_secret_is_used_without_a_deploy() -> None:
    """Keys that are rejected are read again, and new ones are tried at once."""
    secrets = [SECRET, {**SECRET, "portone": {"imp_key": "new-key", "imp_secret": "new-secret"}}]
    clock = Clock()
    source = CredentialSource(lambda _again: json.dumps(secrets.pop(0)), clock=clock)
    source.portone()
    clock.now += 3600
    fixture = Fixture(reply(401, envelope(code=-1)), token_reply("new"), source=source)
    assert fixture.get().value == "new"
    assert json.loads(fixture.stub.requests[-1].content)["imp_key"] == "new-key"


def test_a_token_of_old_keys_is_not_used_with_new_ones() -> None:
    """Once the secret has changed, a token issued for the old keys is not handed out."""
    secrets = [SECRET, {**SECRET, "portone": {"imp_key": "new-key", "imp_secret": "new-secret"}}]
    clock = Clock()
    source = CredentialSource(lambda _again: json.dumps(secrets.pop(0)), clock=clock)
    fixture = Fixture(token_reply("old"), token_reply("new"), source=source)
    assert fixture.get().value == "old"
    clock.now += 3600
    source.refresh()
    assert fixture.get().value == "new"


def test_without_keys_there_is_no_token() -> None:
    """A secret without PortOne's keys is a configuration error for every record, not a hang."""
    fixture = Fixture(source=credentials({}))
    for _ in range(2):
        with pytest.raises(ConfigurationError):
            fixture.get()
