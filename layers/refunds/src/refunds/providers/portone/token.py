"""PortOne's access token: one for all records and invocations of a process."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotInTime
from dataclasses import dataclass, field
from http import HTTPStatus

from refunds.domain.deadline import Deadline
from refunds.errors import CredentialsRejected, NotSent, ProviderError, RefundsError
from refunds.providers.credentials import CredentialSource, PortOneCredentials
from refunds.providers.http import wire
from refunds.providers.http.fields import read_as
from refunds.providers.http.provider_http import ProviderHttp
from refunds.providers.portone.answers import read_envelope
from refunds.providers.portone.models import Token

MARGIN = 60.0
"""Seconds before its expiry at which a token is renewed. Asking earlier would be in vain:
until its last minute PortOne hands out the same token with the same expiry, and only then
prolongs it by five minutes (specification, ``POST /users/getToken``)."""

_TEMPLATE = "/users/getToken"


@dataclass(frozen=True, eq=False)
class AccessToken:
    """A token as it was handed out once: compared by identity, for the server may repeat its value."""

    value: str = field(repr=False)
    credentials: PortOneCredentials
    renew_at: float

    def secrets(self) -> tuple[str, ...]:
        """What must not appear in a text: the token, and the keys it was issued for."""
        return (self.value, *self.credentials.values())


class AccessTokens:
    """Hands out the current token; renews it in one request, however many records wait for it.

    No lock is held while a request runs: a record that waits gives up at its own deadline, and
    if the request fails, all who waited for it fail with it instead of queueing up to repeat it.
    """

    def __init__(
        self,
        provider_http: ProviderHttp,
        base_url: str,
        credentials: CredentialSource,
        clock: Callable[[], float],
    ) -> None:
        self._provider_http = provider_http
        self._url = base_url.rstrip("/") + _TEMPLATE
        self._credentials = credentials
        self._clock = clock
        self._lock = threading.Lock()
        self._token: AccessToken | None = None
        self._renewal: Future[AccessToken] | None = None

    def get(self, deadline: Deadline) -> AccessToken:
        """The current token, renewed if need be.

        Raises:
            NotSent: PortOne hands out no token at present, or not in time.
            CredentialsRejected: it rejects the keys, also after the secret was read again.
            ConfigurationError: there are no keys.
        """
        credentials = self._credentials.portone()
        with self._lock:
            if self._is_current(credentials) and self._token is not None:
                return self._token
            renewal, mine = self._renewal, self._renewal is None
            if renewal is None:
                renewal = self._renewal = Future()
        if mine:
            self._renew(renewal, deadline)
        return _outcome(renewal, self._patience(deadline))

    def invalidate(self, token: AccessToken) -> None:
        """Drop ``token`` after a 401, unless somebody else has renewed it already."""
        with self._lock:
            if self._token is token:
                self._token = None

    def _is_current(self, credentials: PortOneCredentials) -> bool:
        token = self._token
        return token is not None and token.credentials == credentials and self._clock() < token.renew_at

    def _patience(self, deadline: Deadline) -> float:
        """Seconds to wait for another record's renewal: no longer than one (tried twice) can take."""
        timeouts = self._provider_http.timeouts
        return min(2 * (timeouts.connect + timeouts.lookup), max(deadline.remaining(), 0.0))

    def _renew(self, renewal: Future[AccessToken], deadline: Deadline) -> None:
        token: AccessToken | None = None
        try:
            token = self._request_or_reread(deadline)
        except BaseException as error:  # noqa: BLE001 - those who wait must hear of it
            failure = error
        with self._lock:
            self._token, self._renewal = token, None
        if token is not None:
            renewal.set_result(token)
        else:
            renewal.set_exception(failure)

    def _request_or_reread(self, deadline: Deadline) -> AccessToken:
        """Ask; if the keys are rejected and the secret has changed since, ask with the new ones."""
        credentials = self._credentials.portone()
        try:
            return self._request(credentials, deadline)
        except CredentialsRejected:
            self._credentials.refresh()
            renewed = self._credentials.portone()
            if renewed == credentials:
                raise
        return self._request(renewed, deadline)

    def _request(self, credentials: PortOneCredentials, deadline: Deadline) -> AccessToken:
        asked_at = self._clock()
        try:
            answer = self._provider_http.send(
                "POST",
                self._url,
                template=_TEMPLATE,
                deadline=deadline,
                read_timeout=self._provider_http.timeouts.lookup,
                headers={"Content-Type": "application/json", "Accept": "application/json"},
                content=wire.encode({"imp_key": credentials.imp_key, "imp_secret": credentials.imp_secret}),
            )
        except ProviderError as error:
            problem, status, retry_after = str(error), None, None
        else:
            if answer.status == HTTPStatus.UNAUTHORIZED:
                raise CredentialsRejected(
                    "PortOne rejects imp_key and imp_secret: check the provider secret",
                    status=answer.status,
                )
            envelope = read_envelope(answer.body)
            if answer.status == HTTPStatus.OK and envelope is not None and envelope.code == 0:
                token, _ = read_as(Token, envelope.response)
                if token is not None and token.expired_at > token.now:
                    return _access_token(token, credentials, asked_at)
            problem, status, retry_after = "unusable answer", answer.status, answer.retry_after
        raise NotSent(
            f"PortOne hands out no access token ({problem}): nothing was sent",
            status=status,
            retry_after=retry_after,
        )


def _access_token(token: Token, credentials: PortOneCredentials, asked_at: float) -> AccessToken:
    """Count from the moment of asking and by the server's own clock, so that no skew matters.

    At least half of what is left is used before asking again: a token that comes with less
    than the margin would otherwise be asked for before every single call.
    """
    left = float(token.expired_at - token.now)
    return AccessToken(
        value=token.access_token,
        credentials=credentials,
        renew_at=asked_at + max(left - MARGIN, left / 2),
    )


def _outcome(renewal: Future[AccessToken], patience: float) -> AccessToken:
    try:
        return renewal.result(timeout=patience)
    except NotInTime:
        pass
    except RefundsError as error:
        # A copy: the same exception raised in several threads would mix up their tracebacks.
        raise copy.copy(error) from None
    raise NotSent("another record's request for an access token did not end in time")
