"""What an answer of PortOne means: carried out, refused, or not known.

PortOne answers ``{code, message, response}``. HTTP 200 with ``code`` other than 0 is a failure
with the reason in ``message`` (docs/providers.md, "Answers"), so the HTTP status alone says nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from typing import TypeVar

from pydantic import BaseModel, StrictInt, StrictStr

from refunds.domain.redaction import redact
from refunds.errors import ErrorCode, LookupFailed, OutcomeUnknown, Refused
from refunds.providers.http.fields import ProviderModel, read_as
from refunds.providers.http.provider_http import Answer

M = TypeVar("M", bound=BaseModel)

_CLIENT_ERROR = 4  # of 4xx
_MAY_HAVE_ARRIVED = frozenset({408, 425, 429})
"""4xx statuses that speak of the transport and not of the request: no refusal by PortOne."""


class Envelope(ProviderModel):
    """The frame of every answer (``ResponseAnnotation``)."""

    code: StrictInt
    message: StrictStr | None = None
    response: dict[str, object] | None = None


def read_envelope(body: object) -> Envelope | None:
    """The documented frame, or ``None`` if ``body`` is anything else."""
    envelope, _ = read_as(Envelope, body)
    return envelope


def read_result(
    operation: str,
    answer: Answer,
    model: type[M],
    secrets: Iterable[str],
    *,
    unsupported_is_501: bool = False,
) -> M:
    """Read the answer to a call that moves money or revokes something.

    Args:
        operation: method and path template, for error texts.
        answer: what arrived.
        model: the type of ``response``.
        secrets: values masked in the provider's text.
        unsupported_is_501: this operation documents 501 as "the PG does not support it".

    Raises:
        Refused: HTTP 200 with another ``code`` than 0, or a well-formed 4xx.
        OutcomeUnknown: everything else that is not a usable success.
    """
    envelope = read_envelope(answer.body)
    if envelope is None:
        raise OutcomeUnknown(
            f"{operation} was answered with HTTP {answer.status} and no readable result: "
            "it may have been carried out",
            status=answer.status,
            retry_after=answer.retry_after,
        )
    code, text = str(envelope.code), redact(envelope.message or "", secrets) or None
    if envelope.code != 0 and answer.status == HTTPStatus.NOT_IMPLEMENTED and unsupported_is_501:
        raise Refused(
            f"{operation} is not supported by this payment gateway",
            code=ErrorCode.UNSUPPORTED_BY_PG,
            provider_code=code,
            provider_message=text,
            status=answer.status,
        )
    if envelope.code != 0 and _is_refusal(answer.status):
        raise Refused(
            f"{operation} was refused with HTTP {answer.status} and code {code}",
            provider_code=code,
            provider_message=text,
            status=answer.status,
        )
    problem = f"HTTP {answer.status}, code {code}"
    if envelope.code == 0 and answer.status == HTTPStatus.OK:
        result, faults = read_as(model, envelope.response)
        if result is not None:
            return result
        problem = f"code 0 without a usable response ({faults})"
    raise OutcomeUnknown(
        f"{operation} got no proper answer ({problem}): it may have been carried out",
        provider_code=code,
        provider_message=text,
        status=answer.status,
        retry_after=answer.retry_after,
    )


def read_lookup(operation: str, answer: Answer, model: type[M], secrets: Iterable[str]) -> M | None:
    """Read the answer to a question; ``None`` is PortOne's own, well-formed 404.

    Raises:
        LookupFailed: everything else that is not a usable answer.
    """
    envelope = read_envelope(answer.body)
    problem = f"HTTP {answer.status}"
    if envelope is not None:
        if answer.status == HTTPStatus.NOT_FOUND and envelope.code != 0:
            return None
        if answer.status == HTTPStatus.OK and envelope.code == 0:
            result, faults = read_as(model, envelope.response)
            if result is not None:
                return result
            problem = f"unusable response: {faults}"
    raise LookupFailed(
        f"{operation} got no usable answer ({problem})",
        provider_code=None if envelope is None else str(envelope.code),
        provider_message=redact(envelope.message, secrets)
        if envelope is not None and envelope.message
        else None,
        status=answer.status,
        retry_after=answer.retry_after,
    )


def _is_refusal(status: int) -> bool:
    if status == HTTPStatus.OK:
        return True
    return status // 100 == _CLIENT_ERROR and status not in _MAY_HAVE_ARRIVED
