"""The PortOne V1 operations the refund handler uses, and what their answers mean.

Sources: API documents 000–003 and PortOne's V1 specification. A call that moves money or
revokes something is sent once; the only repetition is after a 401, which is documented as
"token missing or not valid" and so as not processed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import TypeVar

from pydantic import BaseModel

from refunds.deadline import Deadline
from refunds.errors import (
    CredentialsRejected,
    ErrorCode,
    InvalidRequest,
    LookupFailed,
    OutcomeUnknown,
    ProviderError,
)
from refunds.providers import wire
from refunds.providers.credentials import CredentialSource
from refunds.providers.exchange import Answer, Exchange
from refunds.providers.portone.answers import read_lookup, read_result
from refunds.providers.portone.models import Payment, PaymentPage, Receipt
from refunds.providers.portone.token import AccessTokens

M = TypeVar("M", bound=BaseModel)

_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_TIER = re.compile(r"[A-Z0-9]{3}")
_PERSONAL_FIELDS = ("refund_holder", "refund_account", "refund_tel")

_PAGE_SIZE = 100
_MAX_PAGES = 20
"""Payments of one ``merchant_uid`` are attempts at paying one order: 2,000 are no real order."""


@dataclass(frozen=True)
class _Call:
    """One request, and under which name error texts speak of it."""

    method: str
    template: str
    path: str
    read_timeout: float
    tier: str | None
    params: Mapping[str, str] | None = None
    content: bytes | None = None

    @property
    def operation(self) -> str:
        return f"{self.method} {self.template}"


class PortOneClient:
    """Safe for concurrent use.

    Errors of ``cancel`` and the revokes: ``NotSent``, ``CredentialsRejected``,
    ``OutcomeUnknown``, ``Refused``. The lookups raise ``LookupFailed`` alone. All raise
    ``InvalidRequest`` for an id that does not belong in a URL and ``ConfigurationError`` without
    credentials.

    Args:
        base_url: ``https://api.iamport.kr`` in production.
        clock: seconds, monotonic; measures the token's age.
    """

    def __init__(
        self,
        exchange: Exchange,
        base_url: str,
        credentials: CredentialSource,
        clock: Callable[[], float],
    ) -> None:
        self._exchange = exchange
        self._base_url = base_url.rstrip("/")
        self._credentials = credentials
        self._tokens = AccessTokens(exchange, base_url, credentials, clock)

    def cancel(
        self,
        body: Mapping[str, object],
        *,
        tier: str | None,
        deadline: Deadline,
        secrets: Iterable[str] = (),
    ) -> Payment:
        """``POST /payments/cancel`` (document 001): cancel a payment in full or in part.

        Args:
            body: the request's fields as PortOne names them; amounts are ``Decimal`` or ``int``.
            tier: the sub-merchant's three characters, for the ``Tier`` header.
            deadline: when the function is stopped.
            secrets: values masked in the provider's message, besides ``refund_*`` and the keys.
        """
        call = _Call(
            method="POST",
            template="/payments/cancel",
            path="/payments/cancel",
            read_timeout=self._exchange.timeouts.read,
            tier=tier,
            content=wire.encode(body),
        )
        personal = (str(body[name]) for name in _PERSONAL_FIELDS if body.get(name))
        return self._carry_out(call, Payment, deadline, (*secrets, *personal))

    def revoke_vbank(self, imp_uid: str, *, tier: str | None, deadline: Deadline) -> Payment:
        """``DELETE /vbanks/{imp_uid}`` (document 003): void a virtual account nobody has paid into.

        KG Inicis requires its own API key as a query parameter; it is sent when the secret has one.
        """
        pg_api_key = self._credentials.portone().pg_api_key
        call = _Call(
            method="DELETE",
            template="/vbanks/{imp_uid}",
            path=f"/vbanks/{_path_id('imp_uid', imp_uid)}",
            read_timeout=self._exchange.timeouts.read,
            tier=tier,
            params={"pg_api_key": pg_api_key} if pg_api_key else None,
        )
        return self._carry_out(call, Payment, deadline)

    def revoke_cvs(self, imp_uid: str, *, tier: str | None, deadline: Deadline) -> Payment:
        """``DELETE /cvs/{imp_uid}`` (document 000): void a convenience-store number not paid yet."""
        call = _Call(
            method="DELETE",
            template="/cvs/{imp_uid}",
            path=f"/cvs/{_path_id('imp_uid', imp_uid)}",
            read_timeout=self._exchange.timeouts.read,
            tier=tier,
        )
        return self._carry_out(call, Payment, deadline)

    def revoke_receipt(self, merchant_uid: str, *, tier: str | None, deadline: Deadline) -> Receipt:
        """``DELETE /receipts/external/{merchant_uid}`` (document 002): revoke a cash receipt.

        501 ("the PG is not supported", in the specification) is ``Refused`` with
        ``UNSUPPORTED_BY_PG``; 500 ("the revocation failed") is ``OutcomeUnknown``: ask first.
        """
        call = _Call(
            method="DELETE",
            template="/receipts/external/{merchant_uid}",
            path=f"/receipts/external/{_path_id('merchant_uid', merchant_uid)}",
            read_timeout=self._exchange.timeouts.read,
            tier=tier,
        )
        return self._carry_out(call, Receipt, deadline, unsupported_is_501=True)

    def payment(self, imp_uid: str, *, tier: str | None, deadline: Deadline) -> Payment | None:
        """``GET /payments/{imp_uid}``: the payment, test payments included; ``None`` if unknown."""
        call = self._question(
            "/payments/{imp_uid}",
            f"/payments/{_path_id('imp_uid', imp_uid)}",
            tier,
            # A test payment can be cancelled like any other, but is a 404 without this.
            {"include_sandbox": "true"},
        )
        return self._look_up(call, Payment, deadline)

    def payments_of(self, merchant_uid: str, *, tier: str | None, deadline: Deadline) -> tuple[Payment, ...]:
        """``GET /payments/findAll/{merchant_uid}``: every payment of an order; empty if there is none.

        Falls back to ``GET /payments/find/{merchant_uid}`` when ``findAll`` knows none. Neither
        documents ``include_sandbox``, so an empty result does not prove that there is none.
        """
        path_id = _path_id("merchant_uid", merchant_uid)
        found: dict[str, Payment] = {}
        page = 1
        while page:
            answer = self._page_of(path_id, page, tier, deadline)
            if answer is None and page == 1:
                return self._first_of(path_id, tier, deadline)
            if answer is None or not page < (answer.next or page + 1) <= _MAX_PAGES:
                raise LookupFailed(
                    "GET /payments/findAll/{merchant_uid} lost its thread after "
                    f"page {page}: the payments of the order are not known completely"
                )
            found |= {payment.imp_uid: payment for payment in answer.payments}
            page = answer.next
        return tuple(found.values())

    def receipt(self, merchant_uid: str, *, tier: str | None, deadline: Deadline) -> Receipt | None:
        """``GET /receipts/external/{merchant_uid}``: the receipt; ``None`` if none was issued."""
        call = self._question(
            "/receipts/external/{merchant_uid}",
            f"/receipts/external/{_path_id('merchant_uid', merchant_uid)}",
            tier,
        )
        return self._look_up(call, Receipt, deadline)

    def cancelled_between(
        self,
        start: int,
        end: int,
        *,
        deadline: Deadline,
        page: int,
        limit: int = 1000,
        tier: str | None = None,
    ) -> PaymentPage:
        """``GET /payments/status/cancelled``: payments by cancellation time, oldest first.

        Args:
            start: UNIX seconds, inclusive; at most 90 days before ``end``.
            end: UNIX seconds, inclusive.
            deadline: when the function is stopped.
            page: from 1; ask for ``PaymentPage.next`` until it is 0.
            limit: payments a page, at most 1,000.
            tier: the sub-merchant whose payments are listed.
        """
        call = self._question(
            "/payments/status/cancelled",
            "/payments/status/cancelled",
            tier,
            {
                "from": str(start),
                "to": str(end),
                "page": str(page),
                "limit": str(limit),
                "sorting": "started",
            },
        )
        found = self._look_up(call, PaymentPage, deadline)
        if found is None:
            raise LookupFailed(f"{call.operation} was answered with an undocumented 404", status=404)
        return found

    def _page_of(self, path_id: str, page: int, tier: str | None, deadline: Deadline) -> PaymentPage | None:
        call = self._question(
            "/payments/findAll/{merchant_uid}",
            f"/payments/findAll/{path_id}",
            tier,
            # Oldest first: a payment begun meanwhile does not move the pages.
            {"page": str(page), "limit": str(_PAGE_SIZE), "sorting": "started"},
        )
        return self._look_up(call, PaymentPage, deadline)

    def _first_of(self, path_id: str, tier: str | None, deadline: Deadline) -> tuple[Payment, ...]:
        call = self._question("/payments/find/{merchant_uid}", f"/payments/find/{path_id}", tier)
        payment = self._look_up(call, Payment, deadline)
        return () if payment is None else (payment,)

    def _question(
        self, template: str, path: str, tier: str | None, params: Mapping[str, str] | None = None
    ) -> _Call:
        return _Call("GET", template, path, self._exchange.timeouts.lookup, tier, params)

    def _carry_out(
        self,
        call: _Call,
        model: type[M],
        deadline: Deadline,
        secrets: Iterable[str] = (),
        *,
        unsupported_is_501: bool = False,
    ) -> M:
        answer, token = self._send(call, deadline)
        return read_result(
            call.operation,
            answer,
            model,
            self._masked(secrets, token),
            unsupported_is_501=unsupported_is_501,
        )

    def _look_up(self, call: _Call, model: type[M], deadline: Deadline) -> M | None:
        try:
            answer, token = self._send(call, deadline)
        except ProviderError as error:
            failure = _lookup_failed(call, error)
        else:
            return read_lookup(call.operation, answer, model, self._masked((), token))
        raise failure

    def _send(self, call: _Call, deadline: Deadline) -> tuple[Answer, str]:
        """Send, and once more with a new token after a 401; also returns the token to be masked."""
        for _ in range(2):
            token = self._tokens.get(deadline)
            answer = self._exchange.send(
                call.method,
                self._base_url + call.path,
                template=call.template,
                deadline=deadline,
                read_timeout=call.read_timeout,
                headers=_headers(call, token.value),
                params=call.params,
                content=call.content,
            )
            if answer.status != HTTPStatus.UNAUTHORIZED:
                return answer, token.value
            self._tokens.invalidate(token)
        # The next attempt uses the new secret, if there is one.
        self._credentials.refresh()
        raise CredentialsRejected(
            f"{call.operation}: PortOne rejects a token it has just handed out; check the keys in "
            "the provider secret and the Tier",
            status=HTTPStatus.UNAUTHORIZED,
        )

    def _masked(self, secrets: Iterable[str], token: str) -> tuple[str, ...]:
        return (*secrets, token, *self._credentials.portone().values())


def _headers(call: _Call, token: str) -> dict[str, str]:
    headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
    if call.content is not None:
        headers["Content-Type"] = "application/json"
    if call.tier is not None:
        if not _TIER.fullmatch(call.tier):
            raise InvalidRequest("tier is not three capital letters or digits")
        headers["Tier"] = call.tier
    return headers


def _path_id(name: str, value: str) -> str:
    """The contract has checked ids already; nothing else may ever reach a path either."""
    if not _ID.fullmatch(value) or ".." in value or value == ".":
        raise InvalidRequest(f"{name} has characters that do not belong in an id")
    return value


def _lookup_failed(call: _Call, error: ProviderError) -> LookupFailed:
    return LookupFailed(
        f"{call.operation} got no usable answer: {error}",
        code=ErrorCode.PROVIDER_UNAVAILABLE if isinstance(error, OutcomeUnknown) else error.code,
        status=error.status,
        retry_after=error.retry_after,
    )
