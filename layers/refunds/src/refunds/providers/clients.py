"""The provider clients of one process, made on first use: a function needs only one of them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from refunds.providers.credentials import CredentialSource
from refunds.providers.exchange import Exchange
from refunds.settings import EbpHeaders

if TYPE_CHECKING:
    from refunds.providers.ebp.client import EbpClient
    from refunds.providers.portone.client import PortOneClient


@dataclass(frozen=True)
class ProviderClients:
    """Everything the clients share: one pooled HTTP exchange and the provider secret."""

    exchange: Exchange
    credentials: CredentialSource
    portone_base_url: str
    ebp_base_url: str
    ebp_headers: EbpHeaders
    clock: Callable[[], float] = time.monotonic

    def portone(self) -> PortOneClient:
        """A client of PortOne V1."""
        from refunds.providers.portone.client import PortOneClient  # noqa: PLC0415 - loaded where it is used

        return PortOneClient(self.exchange, self.portone_base_url, self.credentials, self.clock)

    def ebp(self) -> EbpClient:
        """A client of EBP."""
        from refunds.providers.ebp.client import EbpClient  # noqa: PLC0415 - loaded where it is used

        return EbpClient(self.exchange, self.ebp_base_url, self.ebp_headers, self.credentials)
