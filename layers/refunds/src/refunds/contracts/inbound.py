"""The inbound contract, version 1: one cancellation, as the order service says it (docs/contracts.md)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from typing import Annotated, Any, ClassVar, Final, Generic, Literal, Self, TypeVar

from pydantic import (
    AwareDatetime,
    BeforeValidator,
    Field,
    JsonValue,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    WithJsonSchema,
    model_validator,
)

from refunds.contracts.fields import CancelRequestId, ContractModel, ImpUid, MerchantUid, OrderId, Tier
from refunds.contracts.money import WHOLE_CURRENCIES, Currency, decimals, fits
from refunds.errors import InvalidRequest

_SHOWN_PROBLEMS: Final = 8

VERSION_PATTERN: Final = r"^1\.[0-9]+$"
"""Every minor of version 1: a minor adds optional fields only."""

SchemaVersion = Annotated[str, StringConstraints(strict=True, max_length=32, pattern=VERSION_PATTERN)]

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


_REFERENCES: Final[Mapping[str, Any]] = {"imp_uid": ImpUid, "merchant_uid": MerchantUid}


class ProviderRequest(ContractModel):
    """The provider's own request fields, named as its API names them."""

    personal_fields: ClassVar[frozenset[str]] = frozenset()
    """Fields that are passed through to the provider and stored nowhere."""

    plain_texts: ClassVar[frozenset[str]] = frozenset()
    """Ids and codes, however deep, that operators see as they are."""
    plain_numbers: ClassVar[frozenset[str]] = frozenset()
    """Amounts and counts, likewise."""

    def public(self) -> dict[str, object]:
        """The request without personal data and without unset fields, named as the API names them."""
        return self.model_dump(exclude=set(self.personal_fields), exclude_none=True)

    def personal(self) -> dict[str, object]:
        """Only the personal data."""
        given = self.personal_fields & self.model_fields_set
        return self.model_dump(include=set(given), exclude_none=True) if given else {}

    def amounts(self) -> Iterator[tuple[str, Decimal]]:
        """Every amount of money it names, with the place it stands at."""
        yield from ()

    def references(self) -> dict[str, str]:
        """The ids of the payment that the request names: ``imp_uid`` and ``merchant_uid``."""
        return {name: value for name in _REFERENCES if (value := getattr(self, name, None)) is not None}

    def personal_values(self) -> tuple[str, ...]:
        """Every personal text, for redacting what a provider's message may repeat."""
        return tuple(_texts(self.personal()))


def _texts(value: object) -> list[str]:
    if isinstance(value, dict):
        return [text for item in value.values() for text in _texts(item)]
    return [value] if isinstance(value, str) else []


class PortOneRequest(ProviderRequest):
    """What every PortOne request may carry."""

    plain_texts: ClassVar[frozenset[str]] = frozenset({"imp_uid", "merchant_uid", "tier", "requester"})

    tier: Tier | None = None
    """Sub-merchant code of an agency at PortOne, three letters or digits; absent for the merchant itself."""


RequestT = TypeVar("RequestT", bound=ProviderRequest)
RequestT_co = TypeVar("RequestT_co", bound=ProviderRequest, covariant=True)


class Cancellation(ContractModel, Generic[RequestT_co]):
    """One cancellation to carry out at most once; ``cancel_request_id`` is its only idempotency key."""

    default_currency: ClassVar[str | None] = "KRW"
    """What the amounts are in where the event names no currency; ``None``: only the deployment knows."""

    detail_type: ClassVar[str]
    """The EventBridge ``detail-type`` of the event that carries it."""

    schema_version: SchemaVersion
    """Version of this contract: 1 and a minor number. A minor adds optional fields only, so every minor of 1
    is accepted."""
    cancel_request_id: CancelRequestId
    """The order service's id of this one cancellation, and the only idempotency key: a repetition with the
    same id is never carried out twice, and a new attempt after a CancelFailed needs a new id."""
    order_id: OrderId
    """The order service's order number; it is repeated in every outcome."""
    requested_at: Timestamp
    """When the cancellation was asked for: ISO 8601 with a time zone. A merchant_uid never means a
    payment made later."""
    requested_by: RequestedBy
    """Who asked for it. PortOne is told customer for customer and admin for the others, unless
    request.extra.requester says otherwise."""
    reason: Annotated[str, StringConstraints(strict=True, max_length=4096)]
    """Why, for the provider and the customer's statement. PortOne gets its first 240 characters or so, with a
    short tag of the cancel_request_id behind them. It must hold no personal data."""
    currency: Currency | None = None
    """ISO 4217 code of the currency that the order service believes all amounts of the request to be in.
    Absent: KRW for PortOne, the deployment's currency for EBP. A payment in another currency ends as
    CURRENCY_MISMATCH."""
    request: RequestT_co = Field(repr=False)
    """The provider's own request fields, named as its API names them."""

    def effective_currency(self, default: str) -> str:
        """What the order service believes its amounts are in; ``default`` where the event does not say."""
        return self.currency or default

    @model_validator(mode="after")
    def _amounts_are_of_the_currency(self) -> Self:
        currency = self.currency or self.default_currency
        if currency is not None:
            problem = misfit(self.request, currency)
            if problem is not None:
                raise ValueError(problem)
        return self


def whole_amounts(request: dict[str, JsonValue], *, by_default: bool) -> dict[str, JsonValue]:
    """JSON Schema of a cancellation: ``request`` holds where the currency has no decimals.

    ``by_default``: also where the event names no currency.
    """
    codes: list[JsonValue] = [*WHOLE_CURRENCIES]
    condition: dict[str, JsonValue] = {"properties": {"currency": {"enum": codes}}, "required": ["currency"]}
    if by_default:
        condition = {"properties": {"currency": {"enum": [*codes, None]}}}
    return {"if": condition, "then": {"properties": {"request": request}}}


def misfit(request: ProviderRequest, currency: str) -> str | None:
    """Which amounts of a request have more decimals than ``currency``, in words; ``None`` if none has."""
    places = [f"request.{place}" for place, amount in request.amounts() if not fits(amount, currency)]
    if not places:
        return None
    shown = ", ".join(places[:_SHOWN_PROBLEMS])
    return f"{shown}: must have at most {decimals(currency)} decimals in {currency}"


@dataclass(frozen=True)
class Identity:
    """What can still be said of a message that breaks the contract; ``None`` where it says nothing usable."""

    cancel_request_id: str
    order_id: str | None
    requested_by: RequestedBy | None
    requested_at: str | None
    currency: str | None = None
    references: Mapping[str, str] = field(default_factory=dict)
    """The payment's own ids, as far as they are readable; see ``ProviderRequest.references``."""


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
    cancel_request_id = _readable(CancelRequestId, detail, "cancel_request_id")
    if cancel_request_id is None:
        return None
    time = _readable(Timestamp, detail, "requested_at")
    request = detail.get("request") if isinstance(detail, dict) else None
    references = ((name, _readable(kind, request, name)) for name, kind in _REFERENCES.items())
    return Identity(
        cancel_request_id=cancel_request_id,
        order_id=_readable(OrderId, detail, "order_id"),
        requested_by=_readable(RequestedBy, detail, "requested_by"),
        requested_at=format_timestamp(time) if time else None,
        currency=_readable(Currency, detail, "currency"),
        references={name: value for name, value in references if value is not None},
    )


def identity_of(cancellation: Cancellation[ProviderRequest]) -> Identity:
    """The identity of a valid cancellation."""
    return Identity(
        cancel_request_id=cancellation.cancel_request_id,
        order_id=cancellation.order_id,
        requested_by=cancellation.requested_by,
        requested_at=format_timestamp(cancellation.requested_at),
        currency=cancellation.currency,
        references=cancellation.request.references(),
    )


def format_timestamp(moment: AwareDatetime) -> str:
    """ISO 8601 with ``Z`` for UTC, as both contracts write it."""
    return moment.isoformat().replace("+00:00", "Z")


def _readable(kind: Any, detail: object, name: str) -> Any:
    """One field of what may be anything, as its type; ``None`` if it cannot be read."""
    try:
        return _reader(kind).validate_python(detail[name]) if isinstance(detail, dict) else None
    except (KeyError, ValidationError):
        return None


@cache
def _reader(kind: Any) -> TypeAdapter[Any]:
    """Made when the first invalid message comes."""
    return TypeAdapter(kind)


def _explain(error: ValidationError) -> str:
    problems = error.errors(include_input=False, include_url=False, include_context=False)
    shown = [
        f"{'.'.join(map(str, p['loc'])) or 'request'}: {p['msg'].removeprefix('Value error, ')}"
        for p in problems[:_SHOWN_PROBLEMS]
    ]
    if len(problems) > len(shown):
        shown.append(f"and {len(problems) - len(shown)} more")
    return "; ".join(shown)
