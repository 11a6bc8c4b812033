"""The two EBP operations the refund handler uses, and what their answers mean.

Sources: docs/providers.md, section EBP. A cancellation is sent once and
never again from here: EBP documents no idempotency key for it, not even for ``EBP-C-0011``
("retry recommended").
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from http import HTTPStatus

from refunds.contracts.money import CURRENCY_PATTERN
from refunds.domain.deadline import Deadline
from refunds.domain.redaction import redact
from refunds.errors import (
    ConfigurationError,
    ErrorCode,
    LookupFailed,
    OutcomeUnknown,
    ProviderError,
    Refused,
)
from refunds.providers.credentials import CredentialSource, EbpCredentials
from refunds.providers.ebp.headers import EbpHeaders
from refunds.providers.ebp.models import CancelData, Envelope, OrderDetail
from refunds.providers.ebp.refusals import SUCCESS, is_authentication, is_refusal, is_success, worst_code
from refunds.providers.ebp.signature import signature
from refunds.providers.http import wire
from refunds.providers.http.fields import read_as
from refunds.providers.http.provider_http import Answer, ProviderHttp

_CANCEL = "/api/v2/payment/cancel"
_DETAIL = "/api/v2/payment/detail"

_UNANSWERED = re.compile(r"EBP-(C-(0008|0009|0010|0011|0012)|Z-.*)")
"""Codes of a question that EBP could not answer; under another status they say no more."""

_NOT_SHOWN = frozenset({400, 403, 404, 422})

_CURRENCY = re.compile(CURRENCY_PATTERN)
_HEADER_VALUE = re.compile(r"[!-~]+(?: [!-~]+)*")


class EbpClient:
    """Safe for concurrent use.

    Args:
        base_url: the region's host, without ``/api/v2``.
        headers: the store's routing headers.
    """

    def __init__(
        self,
        provider_http: ProviderHttp,
        base_url: str,
        headers: EbpHeaders,
        credentials: CredentialSource,
    ) -> None:
        self._provider_http = provider_http
        self._base_url = base_url.rstrip("/")
        self._headers = headers
        self._credentials = credentials

    @property
    def currency(self) -> str:
        """What the amounts are in: the deployment's, which every call names."""
        return self._headers.currency_code

    def check(self, body: Mapping[str, object]) -> None:
        """Build a request as it would be sent, without sending it.

        Raises:
            InvalidRequest: it cannot be written.
            ConfigurationError: a routing header cannot be, or the currency is none.
        """
        wire.encode(body)
        for name, value in asdict(self._headers).items():
            if not _HEADER_VALUE.fullmatch(value):
                raise ConfigurationError(f"the EBP header {name} is not printable ASCII")
        if not _CURRENCY.fullmatch(self.currency):
            raise ConfigurationError("the EBP header currency_code is no ISO 4217 code")

    def warm_up(self, _deadline: Deadline) -> None:
        """Read the keys, for whoever calls next.

        Raises:
            ConfigurationError: there are none.
        """
        self._credentials.ebp()

    def cancel(
        self, body: Mapping[str, object], *, deadline: Deadline, secrets: Iterable[str] = ()
    ) -> CancelData:
        """``POST /api/v2/payment/cancel`` (EBP_API_232): cancel an order, items of it, or an amount.

        Args:
            body: the request as docs/providers.md has it; amounts are ``Decimal`` or ``int``.
            deadline: when the function is stopped.
            secrets: values masked in EBP's texts, besides ``refundAccount`` and the keys.

        Raises:
            NotSent: it did not reach EBP.
            OutcomeUnknown: no complete answer, one that is not EBP's, or a code that does not prove that
                nothing was done.
            Refused: one of the codes that prove it; ``PROVIDER_AUTH`` when it rejects our keys.
            InvalidRequest: the body cannot be written; nothing was sent.
            ConfigurationError: there are no keys.
        """
        credentials = self._credentials.ebp()
        answer = self._post(_CANCEL, body, credentials, deadline, self._provider_http.timeouts.read)
        envelope, _ = read_as(Envelope, answer.body)
        masked = (*secrets, *_personal(body), *credentials.values())
        if answer.status == HTTPStatus.UNAUTHORIZED or _rejects_keys(envelope):
            self._credentials.refresh()
        problem = "no readable result"
        if envelope is not None:
            if is_refusal(answer.status, envelope):
                raise _refused(answer, envelope, masked)
            problem = f"resultCode {redact(worst_code(envelope), masked)}"
            if is_success(answer.status, envelope):
                data, faults = read_as(CancelData, envelope.data)
                if data is not None:
                    return data
                problem = f"success without usable data: {faults}"
        raise OutcomeUnknown(
            f"POST {_CANCEL} got no proper answer (HTTP {answer.status}, {problem}): "
            "it may have been carried out",
            code=ErrorCode.PROVIDER_AUTH if answer.status == HTTPStatus.UNAUTHORIZED else None,
            provider_code=None if envelope is None else redact(worst_code(envelope), masked),
            provider_message=None if envelope is None else _message(envelope, masked),
            status=answer.status,
            retry_after=answer.retry_after,
        )

    def detail(self, order_no: str, *, deadline: Deadline) -> OrderDetail | None:
        """``POST /api/v2/payment/detail`` (EBP_API_237): what EBP shows of an order.

        Returns:
            ``None`` when EBP itself answers with a 4xx: it does not know the order, or does not
            offer this call. Neither proves anything.

        Raises:
            LookupFailed: no usable answer, or EBP rejects our keys.
            ConfigurationError: there are no keys.
        """
        credentials = self._credentials.ebp()
        try:
            answer = self._post(
                _DETAIL,
                {"orderNo": order_no},
                credentials,
                deadline,
                self._provider_http.timeouts.lookup,
            )
        except ProviderError as error:
            failure = LookupFailed(f"POST {_DETAIL} got no usable answer: {error}")
        else:
            return self._read_detail(answer, order_no, credentials)
        raise failure

    def _read_detail(self, answer: Answer, order_no: str, credentials: EbpCredentials) -> OrderDetail | None:
        envelope, _ = read_as(Envelope, answer.body)
        code, problem = ErrorCode.PROVIDER_UNAVAILABLE, f"HTTP {answer.status}"
        if envelope is not None:
            if is_success(answer.status, envelope):
                detail, faults = read_as(OrderDetail, envelope.data)
                if detail is not None and detail.order_no in (None, order_no):
                    return detail
                problem = f"unusable data: {faults or 'another order'}"
            elif answer.status == HTTPStatus.UNAUTHORIZED or _rejects_keys(envelope):
                code = ErrorCode.PROVIDER_AUTH
                self._credentials.refresh()
            elif _does_not_show(answer.status, envelope):
                return None
        raise LookupFailed(
            f"POST {_DETAIL} got no usable answer ({problem})",
            code=code,
            provider_code=None if envelope is None else redact(envelope.result_code),
            provider_message=None if envelope is None else _message(envelope, credentials.values()),
            status=answer.status,
            retry_after=answer.retry_after,
        )

    def _post(
        self,
        path: str,
        body: Mapping[str, object],
        credentials: EbpCredentials,
        deadline: Deadline,
        read_timeout: float,
    ) -> Answer:
        content = wire.encode(body)
        return self._provider_http.send(
            "POST",
            self._base_url + path,
            template=path,
            deadline=deadline,
            read_timeout=read_timeout,
            headers={
                "Content-Type": "application/json; charset=utf-8",
                "Accept": "application/json",
                "X-Access-Key": credentials.access_key,
                "X-EBP-Signature": signature(content, credentials.hash_key),
                "X-Division-Code": self._headers.division_code,
                "X-Store-Id": self._headers.store_id,
                "X-Channel-Code": self._headers.channel_code,
                "X-Ric-Code": self._headers.ric_code,
                "X-Country-Code": self._headers.country_code,
                "X-Currency-Code": self._headers.currency_code,
            },
            content=content,
        )


def _refused(answer: Answer, envelope: Envelope, masked: Iterable[str]) -> Refused:
    result_code = envelope.result_code
    return Refused(
        f"POST {_CANCEL} was refused with HTTP {answer.status} and resultCode {result_code}",
        code=ErrorCode.PROVIDER_AUTH if is_authentication(result_code) else ErrorCode.PROVIDER_REFUSED,
        provider_code=result_code,
        provider_message=_message(envelope, masked),
        status=answer.status,
    )


def _rejects_keys(envelope: Envelope | None) -> bool:
    return envelope is not None and is_authentication(envelope.result_code)


def _does_not_show(status: int, envelope: Envelope) -> bool:
    """Which proves nothing, so that any well-formed "no" to the question will do."""
    code = envelope.result_code
    return status in _NOT_SHOWN and code != SUCCESS and not _UNANSWERED.fullmatch(code)


def _message(envelope: Envelope, masked: Iterable[str]) -> str | None:
    """The message and its details; their place moved from ``error.errorDetails`` to ``errors``."""
    nested = envelope.error.get("errorDetails") if isinstance(envelope.error, dict) else None
    texts = [envelope.message or "", *_texts(nested), *_texts(envelope.errors)]
    return redact("; ".join(text for text in texts if text), masked) or None


def _texts(details: object) -> Iterator[str]:
    """Each detail's texts in one piece; the names of its fields are not documented."""
    for detail in details if isinstance(details, list) else ():
        values = detail.values() if isinstance(detail, dict) else (detail,)
        yield " ".join(value for value in values if isinstance(value, str))


def _personal(body: Mapping[str, object]) -> Iterator[str]:
    account = body.get("refundAccount")
    if isinstance(account, Mapping):
        for name in ("accountNumber", "accountHolderName"):
            if account.get(name):
                yield str(account[name])
