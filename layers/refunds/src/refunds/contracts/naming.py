"""The cancel types by name, and how their requests and outcomes name what every cancellation has.

Data alone, so that whoever wants the names loads no model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from refunds.contracts.outbound import ProviderName


@dataclass(frozen=True)
class Naming:
    """A provider's names.

    Attributes:
        provider: who carries it out; its folder has that name.
        amount: of the request: how much; without it, all that is left.
        effect: of an outcome: the provider's id of the cancellation.
        payment: of request and outcome: the payment.
        order: of request and outcome: the shop's order, which a payment may be named by.
        shown: of an outcome: what else the provider showed before the first send.
        parts: of the request: amounts within the amount, by their names in an outcome.
        required: of the request: what every valid one has, if there is such a field.
        tells_balance: an outcome tells what could be cancelled before.
    """

    provider: ProviderName
    amount: str
    effect: str
    payment: str | None = None
    order: str | None = None
    shown: tuple[str, ...] = ()
    parts: Mapping[str, str] = field(default_factory=dict)
    required: str | None = None
    tells_balance: bool = True

    @property
    def references(self) -> tuple[str, ...]:
        """The names of a payment's own ids that a request may bring."""
        return tuple(name for name in (self.payment, self.order) if name)

    def refs(self, subject: str | None, *said: Mapping[str, Any]) -> dict[str, Any]:
        """An outcome's ids of a payment before anything was done to it; the first to say one counts."""
        names = (self.order, *self.shown) if self.order else self.shown
        refs = {name: next((one[name] for one in said if one.get(name)), None) for name in names}
        if self.payment and subject != refs.get(self.order or ""):
            refs[self.payment] = subject
        return {"name": self.provider, **refs}


PORTONE: Final = Naming(
    "portone",
    amount="amount",
    effect="cancellation_id",
    payment="imp_uid",
    order="merchant_uid",
    shown=("pg_provider",),
    parts={"tax_free": "tax_free", "vat": "vat_amount"},
)
EBP: Final = Naming(
    "ebp",
    amount="totalCancelAmount",
    effect="return_request_id",
    required="orderNo",
    tells_balance=False,
)

#: The registry: a cancel type is the module of that name in its provider's folder.
CANCEL_TYPES: Final[Mapping[str, Naming]] = {
    "payment_cancel": PORTONE,
    "vbank_revoke": PORTONE,
    "cvs_revoke": PORTONE,
    "receipt_revoke": PORTONE,
    "order_cancel": EBP,
}
