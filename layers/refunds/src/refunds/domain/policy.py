"""What the protocol may do for a cancel type, as data (docs/protocol.md)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic

from typing_extensions import TypeVar

from refunds.contracts.inbound import Cancellation, ProviderRequest
from refunds.contracts.outbound import ProviderName

RequestT_co = TypeVar("RequestT_co", bound=ProviderRequest, covariant=True, default=ProviderRequest)


@dataclass(frozen=True)
class Policy(Generic[RequestT_co]):
    """One cancel type.

    Attributes:
        cancel_type: its name in keys, events and folders.
        detail_type: the inbound EventBridge ``detail-type``.
        contract: the model of the inbound detail.
        provider: who carries it out.
        moves_money: whether the outcome reports an amount.
        resend_unproven: whether it may be sent again while nobody knows if it was carried out:
            only where the provider itself prevents a double (a checksum, or an idempotent call).
    """

    cancel_type: str
    detail_type: str
    contract: type[Cancellation[RequestT_co]]
    provider: ProviderName
    moves_money: bool
    resend_unproven: bool
