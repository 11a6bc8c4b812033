"""``order_cancel``: the body of EBP_API_232 (docs/providers.md)."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Annotated, ClassVar, Final, Literal, Self

from pydantic import (
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)
from typing_extensions import override

from refunds.contracts.fields import ContractModel, Count, OrderId
from refunds.contracts.inbound import Cancellation, ProviderRequest, whole_amounts
from refunds.contracts.money import Amount, PositiveAmount

_MAX_ITEMS = 500


def _account_text(value: object) -> object:
    """EBP types the account as a number but shows text; text keeps its leading zeros."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


_ACCOUNT: Final = r"^[0-9][0-9-]{0,31}$"
_AccountNumber = Annotated[
    str,
    StringConstraints(strict=True, pattern=_ACCOUNT),
    BeforeValidator(_account_text),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": _ACCOUNT},
                {"type": "integer", "minimum": 0, "exclusiveMaximum": 10**32},
            ]
        }
    ),
]
_WHOLE: Final[dict[str, JsonValue]] = {
    "properties": {
        "totalCancelAmount": {"type": "integer"},
        "items": {
            "items": {
                "properties": {"amount": {"type": "integer"}, "taxAmount": {"type": ["integer", "null"]}}
            }
        },
    }
}

_ShortText = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=64)]


class RefundAccount(ContractModel):
    """Where EBP pays to, for payments that cannot be reversed. Personal data."""

    account_number: _AccountNumber | None = Field(default=None, alias="accountNumber", repr=False)
    """Digits and hyphens; as text it keeps its leading zeros."""
    bank_code: Annotated[str, StringConstraints(strict=True, pattern=r"^[A-Za-z0-9]{1,8}$")] | None = Field(
        default=None, alias="bankCode"
    )
    """EBP's code of the bank."""
    account_holder_name: _ShortText | None = Field(default=None, alias="accountHolderName", repr=False)
    """Holder of the account."""


class OrderItem(ContractModel):
    """One line of the order; ``amount`` and ``taxAmount`` are per unit, as the samples show."""

    seq: Count
    """The line's number within the order; no two lines of a request have the same."""
    item_type: Literal["PHYSICAL", "DIGITAL", "DELIVERY", "SERVICE", "SUBSCRIPTION"] = Field(alias="itemType")
    """What kind of thing the line is."""
    item_id: _ShortText = Field(alias="itemId")
    """EBP's id of the thing."""
    quantity: Count
    """How many of them are cancelled."""
    amount: Amount
    """What is cancelled for each of them, in the currency of the event: per unit, not for the line."""
    tax_amount: Amount | None = Field(default=None, alias="taxAmount")
    """The tax within that amount, per unit, in the same currency."""

    @model_validator(mode="after")
    def _tax_is_part_of_amount(self) -> Self:
        if self.tax_amount is not None and self.tax_amount > self.amount * self.quantity:
            raise ValueError("taxAmount is greater than the line's amount")
        return self


class OrderCancelRequest(ProviderRequest):
    """Cancellation of an order, of items, or of an amount of an item."""

    personal_fields: ClassVar[frozenset[str]] = frozenset({"refund_account"})

    plain_texts: ClassVar[frozenset[str]] = frozenset({"orderNo", "itemType", "itemId"})
    plain_numbers: ClassVar[frozenset[str]] = frozenset(
        {"totalCancelAmount", "amount", "taxAmount", "seq", "quantity"}
    )

    order_no: OrderId = Field(alias="orderNo")
    """EBP's order number."""
    total_cancel_amount: PositiveAmount = Field(alias="totalCancelAmount")
    """The sum of quantity x amount over the items, exactly, in the currency of the event."""
    refund_account: RefundAccount | None = Field(default=None, alias="refundAccount", repr=False)
    """Where EBP pays to, for payments that cannot be reversed. Personal data: passed through, never
    stored."""
    items: Annotated[tuple[OrderItem, ...], Field(min_length=1, max_length=_MAX_ITEMS)]
    """The lines to cancel, in whole or in part."""

    @override
    def amounts(self) -> Iterator[tuple[str, Decimal]]:
        yield "totalCancelAmount", self.total_cancel_amount
        for place, item in enumerate(self.items):
            yield f"items.{place}.amount", item.amount
            if item.tax_amount is not None:
                yield f"items.{place}.taxAmount", item.tax_amount

    @model_validator(mode="after")
    def _total_is_the_sum(self) -> Self:
        if sum(item.quantity * item.amount for item in self.items) != self.total_cancel_amount:
            raise ValueError("totalCancelAmount is not the sum of quantity x amount over the items")
        return self

    @model_validator(mode="after")
    def _lines_are_distinct(self) -> Self:
        if len({item.seq for item in self.items}) != len(self.items):
            raise ValueError("two items have the same seq")
        return self


class OrderCancellation(Cancellation[OrderCancelRequest]):
    """The detail of an ``OrderCancelRequested`` event: cancel an order at EBP, items of it, or amounts.

    EBP serves several regions: without ``currency`` the amounts are in the deployment's currency, which no
    contract knows.
    """

    model_config = ConfigDict(json_schema_extra=whole_amounts(_WHOLE, by_default=False))

    detail_type: ClassVar[str] = "OrderCancelRequested"
    default_currency: ClassVar[str | None] = None
