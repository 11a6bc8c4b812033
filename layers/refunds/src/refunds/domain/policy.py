"""What the protocol may do for a cancel type, as data (docs/protocol.md)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic

from typing_extensions import TypeVar

from refunds.contracts.inbound import Cancellation, ProviderRequest
from refunds.contracts.naming import Naming
from refunds.contracts.outbound import ProviderName
from refunds.domain.operation import Baseline

RequestT_co = TypeVar("RequestT_co", bound=ProviderRequest, covariant=True, default=ProviderRequest)


@dataclass(frozen=True)
class Policy(Generic[RequestT_co]):
    """One cancel type.

    Attributes:
        cancel_type: its name in keys, events and folders.
        detail_type: the inbound EventBridge ``detail-type``.
        contract: the model of the inbound detail.
        naming: what its provider calls things.
        moves_money: whether the outcome reports an amount.
        resend_unproven: whether it may be sent again while nobody knows if it was carried out:
            only where the provider itself prevents a double (a checksum, or an idempotent call).
        may_book_later: whether what was sent may still be booked, however long ago that was, by what the
            provider showed before (docs/protocol.md).
    """

    cancel_type: str
    detail_type: str
    contract: type[Cancellation[RequestT_co]]
    naming: Naming
    moves_money: bool
    resend_unproven: bool
    may_book_later: Callable[[Baseline | None], bool] = lambda _baseline: False

    @property
    def request(self) -> type[ProviderRequest]:
        """The model of the provider's own fields."""
        model: type[ProviderRequest] = self.contract.model_fields["request"].annotation  # type: ignore[assignment]
        return model

    @property
    def provider(self) -> ProviderName:
        """Who carries it out."""
        return self.naming.provider
