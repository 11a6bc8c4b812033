"""``payment_cancel``: the fields of PortOne V1 ``POST /payments/cancel`` (docs/providers.md)."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Annotated, ClassVar, Final, Literal, Self

from pydantic import ConfigDict, Field, JsonValue, StringConstraints, WithJsonSchema, model_validator
from typing_extensions import override

from refunds.contracts.fields import ContractModel, ImpUid, MerchantUid
from refunds.contracts.inbound import Cancellation, PortOneRequest, whole_amounts
from refunds.contracts.money import POSITIVE_AMOUNT_SCHEMA, Amount, PositiveAmount

_ACCOUNT: Final = ("refund_holder", "refund_bank", "refund_account")


def _present(*names: str) -> dict[str, JsonValue]:
    """JSON Schema: every one of these fields is there and not null."""
    return {"required": list(names), "properties": {name: {"not": {"type": "null"}} for name in names}}


_RULES: Final[dict[str, JsonValue]] = {
    "if": {"type": "object"},
    "then": {
        "allOf": [
            {"if": {"not": _present("imp_uid")}, "then": _present("merchant_uid")},
            {"if": {"anyOf": [_present(name) for name in _ACCOUNT]}, "then": _present(*_ACCOUNT)},
        ]
    },
}
"""What of the rules between fields JSON Schema can say; the sums it cannot.

As one condition, which generators of types pass over: alternatives would become two types, and an ``allOf``
beside the fields would be taken for all there is.
"""

_WHOLE: Final[dict[str, JsonValue]] = {
    "properties": {
        name: {"type": ["integer", "null"]} for name in ("amount", "tax_free", "vat_amount", "checksum")
    }
}

_RefundText = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=16)]


class Extra(ContractModel):
    """PortOne's ``extra`` of a cancellation."""

    requester: Literal["customer", "admin"] | None = None
    """Who asked, as PortOne is told; absent: derived from requested_by. Naverpay requires it."""


class PaymentCancelRequest(PortOneRequest):
    """A full or partial cancellation; with refund account fields, a virtual-account refund."""

    personal_fields: ClassVar[frozenset[str]] = frozenset(
        {"refund_holder", "refund_bank", "refund_account", "refund_tel"}
    )

    plain_numbers: ClassVar[frozenset[str]] = frozenset({"amount", "tax_free", "vat_amount", "checksum"})

    model_config = ConfigDict(json_schema_extra=_RULES)

    imp_uid: ImpUid | None = None
    """PortOne's payment id. Either it or merchant_uid is required; it wins where both are there."""
    merchant_uid: MerchantUid | None = None
    """The shop's order number at PortOne. It must name one payment that can be cancelled; the payment that it
    names at first is meant for ever."""
    amount: Annotated[PositiveAmount | None, WithJsonSchema(POSITIVE_AMOUNT_SCHEMA)] = None
    """How much to cancel, in the currency of the event. Absent, and only then, cancels all that is left: zero
    would too, at PortOne, so zero and null are invalid here."""
    tax_free: Amount | None = None
    """The part of the amount that is free of tax, in the same currency. Several PGs need it where the payment
    had one: absent is not zero for them."""
    vat_amount: Amount | None = None
    """The VAT in the amount, in the same currency; required where the payment was made with one."""
    checksum: PositiveAmount | None = None
    """What the order service believes to be still cancellable before this cancellation, in the same currency.
    If that is wrong, nothing is cancelled (CHECKSUM_MISMATCH). Absent: the balance is read at PortOne."""
    refund_holder: _RefundText | None = Field(default=None, repr=False)
    """Holder of the account that a virtual-account refund is paid to. Personal data: passed through, never
    stored."""
    refund_bank: Annotated[str, StringConstraints(strict=True, min_length=1, max_length=4)] | None = None
    """PortOne's code of that account's bank."""
    refund_account: _RefundText | None = Field(default=None, repr=False)
    """Number of that account. Personal data: passed through, never stored."""
    refund_tel: _RefundText | None = Field(default=None, repr=False)
    """The holder's phone number; Smartro requires it. Personal data: passed through, never stored."""
    retain_promotion: Annotated[bool, Field(strict=True)] | None = None
    """Whether a promotion's discount is kept on a partial cancellation; later ones must repeat the first
    choice."""
    extra: Extra | None = None
    """What some PGs need besides."""

    @override
    def amounts(self) -> Iterator[tuple[str, Decimal]]:
        for name in ("amount", "tax_free", "vat_amount", "checksum"):
            amount = getattr(self, name)
            if amount is not None:
                yield name, amount

    @model_validator(mode="after")
    def _names_a_payment(self) -> Self:
        if self.imp_uid is None and self.merchant_uid is None:
            raise ValueError("imp_uid or merchant_uid is required")
        return self

    @model_validator(mode="after")
    def _null_amount_is_no_full_refund(self) -> Self:
        """A serialiser that writes null for "unset" must not turn a partial refund into a full one."""
        if self.amount is None and "amount" in self.model_fields_set:
            raise ValueError("amount must be a number; leave it out to cancel all that is left")
        return self

    @model_validator(mode="after")
    def _amounts_agree(self) -> Self:
        if self.amount is not None and self.checksum is not None and self.amount > self.checksum:
            raise ValueError("amount is greater than checksum, the balance it is taken from")
        limit = self.amount if self.amount is not None else self.checksum
        if limit is not None and (self.tax_free or 0) + (self.vat_amount or 0) > limit:
            raise ValueError("tax_free and vat_amount together are greater than the amount")
        return self

    @model_validator(mode="after")
    def _refund_account_is_whole(self) -> Self:
        account = (self.refund_holder, self.refund_bank, self.refund_account)
        if any(account) and not all(account):
            raise ValueError("refund_holder, refund_bank and refund_account belong together")
        return self


class PaymentCancellation(Cancellation[PaymentCancelRequest]):
    """The detail of a ``PaymentCancelRequested`` event: cancel a payment at PortOne in full or in part."""

    detail_type: ClassVar[str] = "PaymentCancelRequested"

    model_config = ConfigDict(json_schema_extra=whole_amounts(_WHOLE, by_default=True))
