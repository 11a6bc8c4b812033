"""One HTTP request: a complete answer, or an error that says whether the request may have arrived.

Everything above this module relies on its distinction: ``NotSent`` means that not one byte of
the request left (it may be tried again), ``OutcomeUnknown`` that it may have been carried out.
"""

from __future__ import annotations

import logging
import re
import ssl
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from http.cookiejar import CookieJar, DefaultCookiePolicy

import httpx

from refunds.domain.deadline import Deadline
from refunds.domain.provider_call import Fault, ProviderCall
from refunds.errors import NotSent, OutcomeUnknown, ProviderError
from refunds.providers.http import wire
from refunds.providers.http.transport import (
    LOGGERS,
    BoundedTransport,
    TimeLimit,
    time_limit,
    tls_context,
)

MAX_BODY = 1024 * 1024
"""Bytes of an answer that are read; a payment with a thousand cancellations takes half of it."""

MAX_PAGE = 8 * MAX_BODY
"""Bytes of a list that is asked for page by page; a page of 1,000 payments takes about 2 MiB."""

RECORD_MARGIN = 2.0
"""Seconds left free after an answer: one ledger write and one ``PutEvents``."""

KEEPALIVE_EXPIRY = 2.0
"""Seconds an idle connection stays usable: well below the five after which common servers hang
up on one (Apache, Node.js), for a request that crosses with that is one whose outcome nobody
knows. Enough for the calls of one batch, which follow each other closely."""

_SECONDS = re.compile(r"[0-9]{1,6}")
_LONGEST_WAIT = 3_600.0  # seconds

_NEVER_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.UnsupportedProtocol,
    httpx.InvalidURL,
)

#: What a header's value may be: h11 finds anything else when the connection is made already.
_HEADER_VALUE = re.compile(r"(?:[!-~](?:[\t -~]*[!-~])?)?")


@dataclass(frozen=True)
class Timeouts:
    """Seconds. ``read`` bounds a call that moves money, ``lookup`` one that only asks.

    PortOne advises to read for at least 60 s and says that disconnecting does not stop the
    processing (docs/providers.md, "Time").
    """

    connect: float
    read: float
    lookup: float


@dataclass(frozen=True)
class Answer:
    """A complete HTTP response.

    Attributes:
        status: HTTP status.
        body: the JSON object in it (``int`` and ``Decimal``, never float), or ``None`` when
            there is none: empty, HTML, truncated JSON, duplicate keys.
        retry_after: seconds the provider asks to wait, if it says so in seconds.
    """

    status: int
    body: dict[str, object] | None
    retry_after: float | None


class ProviderHttp:
    """Sends requests without retrying, without following redirects, within a total time."""

    def __init__(
        self,
        http: httpx.Client,
        timeouts: Timeouts,
        *,
        record_margin: float = RECORD_MARGIN,
        observe: Callable[[ProviderCall], None] | None = None,
    ) -> None:
        self.timeouts = timeouts
        self._observe = observe
        self._http = http
        self._record_margin = record_margin

    def send(  # noqa: PLR0913 - a request has as many parts
        self,
        method: str,
        url: str,
        *,
        template: str,
        deadline: Deadline,
        read_timeout: float,
        headers: Mapping[str, str],
        params: Mapping[str, str] | None = None,
        content: bytes | None = None,
        max_body: int = MAX_BODY,
    ) -> Answer:
        """Send one request and read its answer to the end.

        Args:
            method: HTTP method.
            url: absolute URL without a query.
            template: the path without its values, for error texts: ``/vbanks/{imp_uid}``.
            deadline: when the function is stopped.
            read_timeout: seconds from the established connection to the end of the answer.
            headers: besides the client's own.
            params: the query, which no error text shows.
            content: the body as it is sent.
            max_body: bytes of the answer that are read; a longer one is none.

        Raises:
            NotSent: the connection was not made, the URL or a header is unusable, or the call
                could not end before ``deadline``.
            OutcomeUnknown: the request may have arrived, but no complete answer did.
        """
        operation = f"{method} {template}"
        limit = self._limit(operation, deadline, read_timeout)
        timeouts = self.timeouts
        failure: ProviderError
        try:
            _check(headers)
            request = self._http.build_request(
                method,
                url,
                params=params,
                headers=headers,
                content=content,
                timeout=httpx.Timeout(read_timeout, connect=timeouts.connect, pool=timeouts.connect),
            )
        except Exception as error:  # noqa: BLE001 - nothing was sent, whatever it is
            failure = _not_sent(operation, error)
        else:
            started = deadline.clock()
            try:
                with time_limit(limit):
                    answer = self._answer(request, limit.over, max_body)
            except _NEVER_SENT as error:
                failure = _not_sent(operation, error)
                self._tell(ProviderCall(operation, deadline.clock() - started, None, "not_sent"))
            except Exception as error:  # noqa: BLE001 - whatever it is, the outcome is unknown
                failure = _unknown(operation, error)
                self._tell(ProviderCall(operation, deadline.clock() - started, None, "no_answer"))
            else:
                elapsed = deadline.clock() - started
                self._tell(ProviderCall(operation, elapsed, answer.status, _fault(answer)))
                return answer
        # Raised out here, so that no original exception hangs on it: its request shows the
        # query string and the headers in a formatted traceback.
        raise failure

    def close(self) -> None:
        """Close the connections; functions keep them for the life of their process."""
        self._http.close()

    def _tell(self, call: ProviderCall) -> None:
        if self._observe is not None:
            with suppress(Exception):  # an observer that fails must not cost the provider's answer
                self._observe(call)

    def _limit(self, operation: str, deadline: Deadline, read_timeout: float) -> TimeLimit:
        """When the call must be connected and over; refuses one that would not leave time to record it."""
        to_connect = self.timeouts.connect
        needed = to_connect + read_timeout + self._record_margin
        if deadline.remaining() < needed:
            raise NotSent(
                f"{operation} was not started: it may take {needed:.0f} s and the function stops "
                "before that; the message is retried with a whole invocation's time"
            )
        now = deadline.clock()
        return TimeLimit(
            connected=Deadline(now + to_connect, deadline.clock),
            over=Deadline(now + to_connect + read_timeout, deadline.clock),
        )

    def _answer(self, request: httpx.Request, over: Deadline, max_body: int) -> Answer:
        response = self._http.send(request, stream=True)
        try:
            body = _read(response, over, max_body)
        finally:
            response.close()
        return Answer(response.status_code, wire.decode(body), _retry_after(response))


def _fault(answer: Answer) -> Fault | None:
    """Why an answer says nothing about the request; a refusal says something."""
    if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return "server_error"
    if answer.status == HTTPStatus.TOO_MANY_REQUESTS:
        return "throttled"
    return "unreadable" if answer.body is None else None


class _UnreadableError(Exception):
    """The body is encoded, is larger than an answer can be, or comes slower than it may."""


def _check(headers: Mapping[str, str]) -> None:
    """Find what cannot be sent before there is a connection; a name is not repeated with its value.

    Raises:
        ValueError: a line break or another control character, a space at an end, or no ASCII.
    """
    if not all(_HEADER_VALUE.fullmatch(value) for value in headers.values()):
        raise ValueError("a header cannot be sent")


def _is_plain(response: httpx.Response) -> bool:
    """Whether the bytes are the answer itself: an encoding nobody asked for could unfold to any size."""
    return response.headers.get("content-encoding", "identity").strip().lower() in {"identity", ""}


def _read(response: httpx.Response, over: Deadline, max_body: int) -> bytearray:
    if not _is_plain(response):
        raise _UnreadableError
    body = bytearray()
    for chunk in response.iter_bytes():
        body += chunk
        if len(body) > max_body or over.remaining() <= 0:
            raise _UnreadableError
    return body


def _not_sent(operation: str, error: Exception) -> NotSent:
    return NotSent(f"{operation} was not sent ({type(error).__name__}): no connection was made")


def _unknown(operation: str, error: Exception) -> OutcomeUnknown:
    return OutcomeUnknown(
        f"{operation} got no complete answer ({type(error).__name__}): it may have been carried out"
    )


def _retry_after(response: httpx.Response) -> float | None:
    """Read ``Retry-After`` in seconds; its date form would depend on two clocks agreeing.

    An hour at most: what may have been carried out is asked about sooner than a provider may wish.
    """
    text = response.headers.get("retry-after", "")
    return min(float(text), _LONGEST_WAIT) if _SECONDS.fullmatch(text) else None


def open_http(
    concurrency: int,
    *,
    tls: ssl.SSLContext | None = None,
    transport: httpx.BaseTransport | None = None,
) -> httpx.Client:
    """Make the HTTP client both providers share; call it once per process.

    The environment is not trusted: a proxy variable would reroute keys and money, and a
    ``.netrc`` file would replace the ``Authorization`` header. No redirect is followed. Cookies are not
    kept: requests of different records must not be tied to each other. Also stops httpx and what it works
    with from logging below ``WARNING``, because they log URLs, and one of ours carries ``pg_api_key``.

    Args:
        concurrency: records processed at once; no more connections are ever open.
        tls: whom to trust; the roots that certifi ships unless it is given.
        transport: replaces the network, for tests.
    """
    for name in LOGGERS:
        logging.getLogger(name).setLevel(logging.WARNING)
    return httpx.Client(
        transport=transport
        or BoundedTransport(
            ssl_context=tls or tls_context(),
            max_connections=concurrency,
            keepalive_expiry=KEEPALIVE_EXPIRY,
        ),
        trust_env=False,
        follow_redirects=False,
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        # No compression: an answer's size is known while it is read.
        headers={"Accept": "*/*", "Accept-Encoding": "identity", "User-Agent": "refund-handler"},
    )
