"""The inbound contract, version 1: one cancellation, as the order service publishes it (DESIGN section 3)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, ClassVar, Final, Generic, Literal, TypeVar

from pydantic import (
    AwareDatetime,
    BeforeValidator,
    Field,
    StringConstraints,
    ValidationError,
    WithJsonSchema,
)

from refunds.contracts.fields import CancelRequestId, ContractModel, OrderId, Tier
from refunds.errors import InvalidRequest

_SHOWN_PROBLEMS: Final = 8

RequestedBy = Literal["customer", "admin", "system"]

_ISO_8601: Final = (
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ]"
    r"[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,9})?)?([Zz]|[+-][0-9]{2}:?[0-9]{2})$"
)


def _iso_8601(value: object) -> object:
    """Pydantic would also read digits as seconds since 1970; the contract has timestamps only as text."""
    if not isinstance(value, str) or not re.fullmatch(_ISO_8601, value):
        raise ValueError("must be an ISO 8601 timestamp with a time zone")
    return value


Timestamp = Annotated[
    AwareDatetime,
    BeforeValidator(_iso_8601),
    WithJsonSchema({"type": "string", "format": "date-time", "pattern": _ISO_8601}),
]


class ProviderRequest(ContractModel):
    """The provider's own request fields, named as its API names them."""

    personal_fields: ClassVar[frozenset[str]] = frozenset()
    """Fields that are passed through to the provider and stored nowhere."""

    def public(self) -> dict[str, object]:
        """The request without personal data and without unset fields, named as the API names them."""
        return self.model_dump(exclude=set(self.personal_fields), exclude_none=True)

    def personal(self) -> dict[str, object]:
        """Only the personal data."""
        given = self.personal_fields & self.model_fields_set
        return self.model_dump(include=set(given), exclude_none=True) if given else {}

    def personal_values(self) -> tuple[str, ...]:
        """Every personal text, for redacting what a provider's message may repeat."""
        return tuple(_texts(self.personal()))


def _texts(value: object) -> list[str]:
    if isinstance(value, dict):
        return [text for item in value.values() for text in _texts(item)]
    return [value] if isinstance(value, str) else []


class PortOneRequest(ProviderRequest):
    """What every PortOne request may carry."""

    tier: Tier | None = None
    """Sub-merchant code; becomes the ``Tier`` header."""


RequestT = TypeVar("RequestT", bound=ProviderRequest)
RequestT_co = TypeVar("RequestT_co", bound=ProviderRequest, covariant=True)


class Cancellation(ContractModel, Generic[RequestT_co]):
    """One cancellation to carry out at most once; ``cancel_request_id`` is its only idempotency key."""

    schema_version: Annotated[str, StringConstraints(strict=True, pattern=r"^1\.[0-9]{1,3}$")]
    cancel_request_id: CancelRequestId
    order_id: OrderId
    requested_at: Timestamp
    requested_by: RequestedBy
    reason: Annotated[str, StringConstraints(strict=True, max_length=4096)]
    request: RequestT_co = Field(repr=False)


class _Identity(ContractModel):
    cancel_request_id: CancelRequestId


class _Order(ContractModel):
    order_id: OrderId


class _Requester(ContractModel):
    requested_by: RequestedBy


class _Time(ContractModel):
    requested_at: Timestamp


@dataclass(frozen=True)
class Identity:
    """What can still be said of a message that breaks the contract; ``None`` where it says nothing usable."""

    cancel_request_id: str
    order_id: str | None
    requested_by: RequestedBy | None
    requested_at: str | None


def parse_cancellation(model: type[Cancellation[RequestT]], detail: object) -> Cancellation[RequestT]:
    """Check an event's ``detail`` against the contract of one cancel type.

    Raises:
        InvalidRequest: naming every broken field and rule, and no value.
    """
    if not isinstance(detail, dict):
        raise InvalidRequest("the event detail is not a JSON object")
    try:
        return model.model_validate(detail)
    except ValidationError as error:
        problem = _explain(error)
    except RecursionError:
        problem = "the event detail is nested too deeply"
    # Raised out here, so that pydantic's error does not hang on it: what that one holds, a validator's
    # error with its frames and so the message, is hidden from the garbage collector and never freed.
    raise InvalidRequest(problem)


def identify(detail: object) -> Identity | None:
    """Who is meant by a detail that may otherwise be invalid; ``None`` without a usable key."""
    identity = _readable(_Identity, detail)
    if identity is None:
        return None
    order = _readable(_Order, detail)
    requester = _readable(_Requester, detail)
    time = _readable(_Time, detail)
    return Identity(
        cancel_request_id=identity.cancel_request_id,
        order_id=order.order_id if order else None,
        requested_by=requester.requested_by if requester else None,
        requested_at=format_timestamp(time.requested_at) if time else None,
    )


def format_timestamp(moment: AwareDatetime) -> str:
    """ISO 8601 with ``Z`` for UTC, as both contracts write it."""
    return moment.isoformat().replace("+00:00", "Z")


ModelT = TypeVar("ModelT", bound=ContractModel)


def _readable(model: type[ModelT], detail: object) -> ModelT | None:
    try:
        return model.model_validate(detail)
    except ValidationError:
        return None


def _explain(error: ValidationError) -> str:
    problems = error.errors(include_input=False, include_url=False, include_context=False)
    shown = [
        f"{'.'.join(map(str, p['loc'])) or 'request'}: {p['msg'].removeprefix('Value error, ')}"
        for p in problems[:_SHOWN_PROBLEMS]
    ]
    if len(problems) > len(shown):
        shown.append(f"and {len(problems) - len(shown)} more")
    return "; ".join(shown)
