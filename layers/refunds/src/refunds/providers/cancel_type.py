"""What a provider's module says of a cancel type: its policy and its operation, of one request model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic

from typing_extensions import TypeVar

from refunds.contracts.inbound import ProviderRequest
from refunds.domain.operation import Operation
from refunds.domain.policy import Policy
from refunds.providers.clients import ProviderClients

RequestT = TypeVar("RequestT", bound=ProviderRequest, default=ProviderRequest)


@dataclass(frozen=True)
class CancelType(Generic[RequestT]):
    """What one function does. The type checker refuses an operation of another contract than the policy's."""

    policy: Policy[RequestT]
    operation: Callable[[ProviderClients], Operation[RequestT]]
