"""The PortOne V1 operations the refund handler uses.

Source: docs/providers.md, "PortOne V1". A call that moves money or revokes something is sent once. The only
repetition is after a 401, documented as "token missing or not valid", and only where the provider prevents a
double.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import TypeVar

from pydantic import BaseModel

from refunds.contracts.fields import is_path_id, is_tier
from refunds.domain.deadline import Deadline
from refunds.errors import (
    CredentialsRejected,
    ErrorCode,
    InvalidRequest,
    LookupFailed,
    OutcomeUnknown,
    ProviderError,
)
from refunds.providers.credentials import CredentialSource
from refunds.providers.http import wire
from refunds.providers.http.provider_http import MAX_BODY, MAX_PAGE, Answer, ProviderHttp
from refunds.providers.portone.answers import read_lookup, read_result
from refunds.providers.portone.models import CancelledPage, Payment, PaymentPage, Receipt
from refunds.providers.portone.token import AccessToken, AccessTokens

M = TypeVar("M", bound=BaseModel)

_PLACEHOLDER = re.compile(r"\{(\w+)\}")
_PERSONAL_FIELDS = ("refund_holder", "refund_account", "refund_tel")

_PAGE_SIZE = 100
_MAX_PAGES = 20
"""Payments of one ``merchant_uid`` are attempts at paying one order: 2,000 are no real order."""


@dataclass(frozen=True)
class _Request:
    """One request; ``template`` is its path with at most one id, and its name in error texts."""

    method: str
    template: str
    subject: str | None = None
    tier: str | None = None
    params: Mapping[str, str] | None = None
    content: bytes | None = None
    max_body: int = MAX_BODY
    repeatable: bool = True

    @property
    def operation(self) -> str:
        return f"{self.method} {self.template}"

    def path(self) -> str:
        """Put the id in. The contract has checked it already; nothing else may ever get this far."""
        placeholder = _PLACEHOLDER.search(self.template)
        if placeholder is None or self.subject is None:
            return self.template
        if not is_path_id(self.subject):
            raise InvalidRequest(f"{placeholder[1]} has characters that do not belong in an id")
        return self.template.replace(placeholder[0], self.subject)

    def headers(self, token: str) -> dict[str, str]:
        headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
        if self.content is not None:
            headers["Content-Type"] = "application/json"
        if self.tier is not None:
            if not is_tier(self.tier):
                raise InvalidRequest("tier is not three letters or digits")
            headers["Tier"] = self.tier
        return headers


class PortOneClient:
    """Safe for concurrent use.

    ``cancel`` and the revokes raise ``NotSent``, ``CredentialsRejected``, ``OutcomeUnknown`` and
    ``Refused``; the lookups raise ``LookupFailed`` alone. All raise ``InvalidRequest`` for an id
    that does not belong in a URL and ``ConfigurationError`` without credentials, both before
    anything is sent.

    Args:
        provider_http: sends requests.
        base_url: ``https://api.iamport.kr`` in production.
        credentials: where the keys come from.
        clock: seconds, monotonic; measures the token's age.
    """

    def __init__(
        self,
        provider_http: ProviderHttp,
        base_url: str,
        credentials: CredentialSource,
        clock: Callable[[], float],
    ) -> None:
        self._provider_http = provider_http
        self._base_url = base_url.rstrip("/")
        self._credentials = credentials
        self._tokens = AccessTokens(provider_http, base_url, credentials, clock)

    def warm_up(self, deadline: Deadline) -> None:
        """Get an access token, for whoever calls next.

        Raises:
            ConfigurationError: there are no keys.
            NotSent: PortOne hands out none.
        """
        self._tokens.get(deadline)

    def check(self, *, tier: str | None, subject: str | None = None, body: object = None) -> None:
        """Build a request as it would be sent, without sending it.

        Raises:
            InvalidRequest: it cannot be written.
        """
        request = _Request("GET", "/payments/{imp_uid}" if subject else "", subject, tier)
        request.path()
        request.headers("")
        wire.encode(body)

    def cancel(
        self,
        body: Mapping[str, object],
        *,
        tier: str | None,
        deadline: Deadline,
        repeatable: bool = True,
        secrets: Iterable[str] = (),
    ) -> Payment:
        """``POST /payments/cancel``: cancel a payment in full or in part.

        Args:
            body: the request's fields as PortOne names them; amounts are ``Decimal`` or ``int``.
            tier: the sub-merchant's three characters, for the ``Tier`` header.
            deadline: when the function is stopped.
            repeatable: the provider prevents a double, so that a 401, which says that nothing was
                processed, may be believed and answered with a new token.
            secrets: values masked in the provider's message, besides ``refund_*`` and the keys.
        """
        call = _Request(
            "POST", "/payments/cancel", tier=tier, content=wire.encode(body), repeatable=repeatable
        )
        personal = (str(body[name]) for name in _PERSONAL_FIELDS if body.get(name))
        return self._carry_out(call, Payment, deadline, secrets=(*secrets, *personal))

    def revoke_vbank(self, imp_uid: str, *, tier: str | None, deadline: Deadline) -> Payment:
        """``DELETE /vbanks/{imp_uid}``: void a virtual account nobody has paid into.

        KG Inicis requires its own API key as a query parameter; it is sent when the secret has one.
        """
        key = self._credentials.portone().pg_api_key
        params = {"pg_api_key": key} if key else None
        call = _Request("DELETE", "/vbanks/{imp_uid}", imp_uid, tier, params)
        return self._carry_out(call, Payment, deadline)

    def revoke_cvs(self, imp_uid: str, *, tier: str | None, deadline: Deadline) -> Payment:
        """``DELETE /cvs/{imp_uid}``: void a convenience-store number not paid yet."""
        call = _Request("DELETE", "/cvs/{imp_uid}", imp_uid, tier)
        return self._carry_out(call, Payment, deadline)

    def revoke_receipt(self, merchant_uid: str, *, tier: str | None, deadline: Deadline) -> Receipt:
        """``DELETE /receipts/external/{merchant_uid}``: revoke a cash receipt.

        501 ("the PG is not supported", in the specification) is ``Refused`` with
        ``UNSUPPORTED_BY_PG``; 500 ("the revocation failed") is ``OutcomeUnknown``: ask first.
        """
        call = _Request("DELETE", "/receipts/external/{merchant_uid}", merchant_uid, tier)
        return self._carry_out(call, Receipt, deadline, unsupported_is_501=True)

    def payment(self, imp_uid: str, *, tier: str | None, deadline: Deadline) -> Payment | None:
        """``GET /payments/{imp_uid}``: the payment, test payments included; ``None`` if unknown."""
        # A test payment can be cancelled like any other, but is a 404 without this.
        params = {"include_sandbox": "true"}
        call = _Request("GET", "/payments/{imp_uid}", imp_uid, tier, params)
        payment = self._look_up(call, Payment, deadline)
        if payment is not None and payment.imp_uid != imp_uid:
            raise LookupFailed(f"{call.operation} was answered with another payment")
        return payment

    def payments_of(self, merchant_uid: str, *, tier: str | None, deadline: Deadline) -> tuple[Payment, ...]:
        """``GET /payments/findAll/{merchant_uid}``: every payment of an order; empty if there is none.

        Falls back to ``GET /payments/find/{merchant_uid}`` when ``findAll`` knows none. Neither
        documents ``include_sandbox``, so that nothing found does not prove that there is nothing.
        """
        found: dict[str, Payment] = {}
        for page in range(1, _MAX_PAGES + 1):
            # Oldest first: a payment begun meanwhile does not move the pages.
            params = {"page": str(page), "limit": str(_PAGE_SIZE), "sorting": "started"}
            call = _Request("GET", "/payments/findAll/{merchant_uid}", merchant_uid, tier, params)
            answer = self._page(call, deadline)
            if answer is None and page == 1:
                return self._first_payment_of(merchant_uid, tier, deadline)
            if answer is None or answer.next not in {0, page + 1}:
                break
            if answer.total and not answer.payments:
                break
            found |= {payment.imp_uid: payment for payment in answer.payments}
            if answer.next == 0:
                return _only_of(merchant_uid, tuple(found.values()))
        raise LookupFailed(
            f"GET /payments/findAll/{{merchant_uid}} breaks off after page {page}: "
            "the payments of the order are not all known"
        )

    def _page(self, call: _Request, deadline: Deadline) -> PaymentPage | None:
        """A page; ``None`` for any 404: who does not offer ``findAll`` is asked by ``find``."""
        try:
            return self._look_up(call, PaymentPage, deadline)
        except LookupFailed as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise
        return None

    def receipt(self, merchant_uid: str, *, tier: str | None, deadline: Deadline) -> Receipt | None:
        """``GET /receipts/external/{merchant_uid}``: the receipt; ``None`` if none was issued."""
        call = _Request("GET", "/receipts/external/{merchant_uid}", merchant_uid, tier)
        receipt = self._look_up(call, Receipt, deadline)
        if receipt is not None and receipt.merchant_uid != merchant_uid:
            raise LookupFailed(f"{call.operation} was answered with another receipt")
        return receipt

    def cancelled_between(
        self,
        start: int,
        end: int,
        *,
        deadline: Deadline,
        page: int,
        limit: int = 1000,
        tier: str | None = None,
    ) -> CancelledPage:
        """``GET /payments/status/cancelled``: one page of the payments cancelled in a period.

        Args:
            start: UNIX seconds, inclusive; at most 90 days before ``end``.
            end: UNIX seconds, inclusive.
            deadline: when the function is stopped.
            page: from 1; ask for ``CancelledPage.next`` until it is 0.
            limit: payments a page, at most 1,000.
            tier: the sub-merchant whose payments are listed.
        """
        params = {"from": start, "to": end, "page": page, "limit": limit, "sorting": "started"}
        call = _Request(
            "GET",
            "/payments/status/cancelled",
            tier=tier,
            params={name: str(value) for name, value in params.items()},
            max_body=MAX_PAGE,
        )
        found = self._look_up(call, CancelledPage, deadline)
        if found is None:
            raise LookupFailed(
                f"{call.operation} was answered with an undocumented 404", status=HTTPStatus.NOT_FOUND
            )
        return found

    def _first_payment_of(
        self, merchant_uid: str, tier: str | None, deadline: Deadline
    ) -> tuple[Payment, ...]:
        call = _Request("GET", "/payments/find/{merchant_uid}", merchant_uid, tier)
        payment = self._look_up(call, Payment, deadline)
        return () if payment is None else _only_of(merchant_uid, (payment,))

    def _carry_out(
        self,
        call: _Request,
        model: type[M],
        deadline: Deadline,
        *,
        secrets: Iterable[str] = (),
        unsupported_is_501: bool = False,
    ) -> M:
        answer, token = self._send(call, deadline, self._provider_http.timeouts.read)
        masked = (*secrets, *token.secrets())
        return read_result(call.operation, answer, model, masked, unsupported_is_501=unsupported_is_501)

    def _look_up(self, call: _Request, model: type[M], deadline: Deadline) -> M | None:
        try:
            answer, token = self._send(call, deadline, self._provider_http.timeouts.lookup)
        except ProviderError as error:
            failure = _lookup_failed(call, error)
        else:
            return read_lookup(call.operation, answer, model, token.secrets())
        raise failure

    def _send(self, call: _Request, deadline: Deadline, read_timeout: float) -> tuple[Answer, AccessToken]:
        """Send, and once more with a new token after a 401; also returns the token it was sent with."""
        url = self._base_url + call.path()
        for _ in range(2):
            token = self._tokens.get(deadline)
            answer = self._provider_http.send(
                call.method,
                url,
                template=call.template,
                deadline=deadline,
                read_timeout=read_timeout,
                headers=call.headers(token.value),
                params=call.params,
                content=call.content,
                max_body=call.max_body,
            )
            if answer.status != HTTPStatus.UNAUTHORIZED:
                return answer, token
            self._tokens.invalidate(token)
            if not call.repeatable:
                raise OutcomeUnknown(
                    f"{call.operation} was answered with HTTP 401: nothing shows whether it was carried out "
                    "before the token was rejected",
                    code=ErrorCode.PROVIDER_AUTH,
                    status=answer.status,
                )
        # The next attempt uses the new secret, if there is one.
        self._credentials.refresh()
        raise CredentialsRejected(
            f"{call.operation}: PortOne rejects the token it has just handed out; check the keys in "
            "the provider secret, and the tier if there is one",
            status=answer.status,
        )


def _only_of(merchant_uid: str, payments: tuple[Payment, ...]) -> tuple[Payment, ...]:
    if any(payment.merchant_uid != merchant_uid for payment in payments):
        raise LookupFailed("PortOne lists payments of another order under this merchant_uid")
    return payments


def _lookup_failed(call: _Request, error: ProviderError) -> LookupFailed:
    return LookupFailed(
        f"{call.operation} got no usable answer: {error}",
        # Whether a question arrived does not matter; that the keys are wrong does.
        code=ErrorCode.PROVIDER_UNAVAILABLE if isinstance(error, OutcomeUnknown) else error.code,
        status=error.status,
        retry_after=error.retry_after,
    )
