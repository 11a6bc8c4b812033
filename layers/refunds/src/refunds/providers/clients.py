"""The provider clients of one process, made on first use: a function needs only one of them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from refunds.domain.provider_call import ProviderCall
from refunds.providers.credentials import CredentialSource
from refunds.providers.ebp.headers import EbpHeaders
from refunds.providers.http.provider_http import ProviderHttp, Timeouts, open_http

if TYPE_CHECKING:
    from refunds.providers.ebp.client import EbpClient
    from refunds.providers.portone.client import PortOneClient


@dataclass(frozen=True)
class ProviderClients:
    """Everything the clients share: one pooled HTTP exchange and the provider secret."""

    provider_http: ProviderHttp
    credentials: CredentialSource
    portone_base_url: str
    ebp_base_url: str
    ebp_headers: EbpHeaders
    clock: Callable[[], float] = time.monotonic

    def portone(self) -> PortOneClient:
        """A client of PortOne V1."""
        from refunds.providers.portone.client import PortOneClient  # noqa: PLC0415 - loaded where it is used

        return PortOneClient(self.provider_http, self.portone_base_url, self.credentials, self.clock)

    def ebp(self) -> EbpClient:
        """A client of EBP."""
        from refunds.providers.ebp.client import EbpClient  # noqa: PLC0415 - loaded where it is used

        return EbpClient(self.provider_http, self.ebp_base_url, self.ebp_headers, self.credentials)


class ProviderSettings(Protocol):
    """What is used of a deployment's settings."""

    @property
    def provider_secret_id(self) -> str:
        """The secret with the keys of both providers."""
        ...

    @property
    def portone_base_url(self) -> str:
        """Where PortOne is."""
        ...

    @property
    def ebp_base_url(self) -> str:
        """Where EBP is."""
        ...

    @property
    def ebp_headers(self) -> EbpHeaders:
        """The store's routing headers."""
        ...

    @property
    def timeouts(self) -> Timeouts:
        """How long a call may take."""
        ...

    @property
    def batch_concurrency(self) -> int:
        """How many calls there are at the same time."""
        ...


def provider_clients(
    settings: ProviderSettings,
    make_aws_client: Callable[[str], Any],
    observe: Callable[[ProviderCall], None],
) -> ProviderClients:
    """Clients of both providers with the credentials of the deployment; nothing is read or connected yet."""
    secrets = make_aws_client("secretsmanager")

    def read_secret() -> str:
        text: str = secrets.get_secret_value(SecretId=settings.provider_secret_id)["SecretString"]
        return text

    http = open_http(settings.batch_concurrency)
    return ProviderClients(
        provider_http=ProviderHttp(http, settings.timeouts, observe=observe),
        credentials=CredentialSource(read_secret),
        portone_base_url=settings.portone_base_url,
        ebp_base_url=settings.ebp_base_url,
        ebp_headers=settings.ebp_headers,
    )
