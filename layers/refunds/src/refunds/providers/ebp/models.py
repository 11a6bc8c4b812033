"""EBP's answers.

The cancellation is typed after EBP's page on it (EBP_API_232). Of the order's detail
(EBP_API_237) only a few field names are public (docs/providers.md); what cannot be read
with certainty is ``None`` there.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated

from pydantic import ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

from refunds.contracts.money import CURRENCY_PATTERN
from refunds.providers.http.fields import (
    Amount,
    Code,
    ForgivingMany,
    Identifier,
    OptionalAmount,
    OptionalReference,
    OptionalText,
    OptionalWhole,
    OptionalWord,
    ProviderModel,
    Whole,
    read_as,
)


class EbpModel(ProviderModel):
    """Attributes in snake_case, read from EBP's camelCase."""

    model_config = ConfigDict(alias_generator=to_camel)


class Envelope(EbpModel):
    """The frame of every answer (EBP_API_232): ``resultCode`` ``"0"`` is success."""

    result_code: Code
    message: OptionalText = None
    data: object = None
    error: object = None
    errors: object = None


CURRENCY_NAMES = ("currency", "currencyCode", "orderCurrency", "paymentCurrency")
"""Where the currency of an answer is looked for: no name is documented, these can mean nothing else."""

UNREADABLE_CURRENCY = "unreadable"

_CURRENCY = re.compile(CURRENCY_PATTERN)


class MoneyModel(EbpModel):
    """An answer with amounts; ``currencies`` are all that it says they are in, mostly none.

    What stands in a currency's place and is no ISO 4217 code is ``UNREADABLE_CURRENCY``: amounts of
    ``MUSD`` are no dollars.
    """

    currencies: tuple[str, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _find_currencies(cls, data: object) -> object:
        if not isinstance(data, dict):
            return data
        shown = (data.get(name) for name in CURRENCY_NAMES)
        found = (_currency(value) for value in shown if value not in (None, ""))
        return {**data, "currencies": tuple(dict.fromkeys(found))}

    def foreign(self, own: str) -> str | None:
        """A currency it is in that is not ``own``; ``None`` where it shows no other."""
        return next((currency for currency in self.currencies if currency != own), None)


class CancelledItem(EbpModel):
    """One cancelled item; ``amount`` is per unit, as in the request."""

    seq: Whole
    item_type: OptionalText = None
    item_id: Identifier
    quantity: Whole
    amount: OptionalAmount = None
    tax_amount: OptionalAmount = None


class CancelData(MoneyModel):
    """An accepted cancellation (EBP_API_232).

    Strict: what tells which order and items it was and how much. The rest is documented as
    required too, but an answer without it would still prove the refund.
    """

    order_no: Identifier
    total_product_amount: Amount
    total_delivery_amount: Amount
    items: tuple[CancelledItem, ...]
    total_product_tax_amount: OptionalAmount = None
    total_delivery_tax_amount: OptionalAmount = None
    processed_count: OptionalWhole = None
    return_request_id: OptionalReference = None


class OrderItem(EbpModel):
    """One item of an order's detail; what it does not show plainly is ``None``."""

    seq: OptionalWhole = None
    item_id: OptionalText = None
    quantity: OptionalWhole = None
    amount: OptionalAmount = None


TOTAL_NAMES = ("totalAmount", "totalPaymentAmount", "paymentAmount")
"""Where the order's total is looked for: the detail's names are not public, these are the ones
that can mean nothing else. If several are present and differ, no total is read."""


class OrderDetail(MoneyModel):
    """What ``POST /api/v2/payment/detail`` shows of an order.

    ``payment_status`` is ``REQUESTED``, ``APPROVED``, ``C…`` and more: the list is not public.
    ``items`` is empty where the answer has none in the shape of a cancellation's.
    """

    order_no: OptionalText = None
    payment_status: OptionalWord = None
    pg_cancel_transaction_id: OptionalReference = None
    total_amount: OptionalAmount = None
    items: Annotated[tuple[OrderItem, ...], ForgivingMany] = ()

    @model_validator(mode="before")
    @classmethod
    def _find_total(cls, data: object) -> object:
        if not isinstance(data, dict):
            return data
        totals = {_amount_in(data, name) for name in TOTAL_NAMES} - {None}
        return {**data, "totalAmount": totals.pop() if len(totals) == 1 else None}


class _Total(ProviderModel):
    value: Amount = Field()


def _amount_in(data: dict[str, object], name: str) -> Decimal | None:
    total, _ = read_as(_Total, {"value": data.get(name)})
    return None if total is None else total.value


def _currency(value: object) -> str:
    return value if isinstance(value, str) and _CURRENCY.fullmatch(value) else UNREADABLE_CURRENCY
