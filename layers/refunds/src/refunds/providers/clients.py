"""The provider clients of one process, made on first use: a function needs only one of them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from refunds.domain.provider_call import ProviderCall
from refunds.providers.credentials import CredentialSource
from refunds.providers.ebp.headers import EbpHeaders
from refunds.providers.http.provider_http import ProviderHttp, Timeouts, open_http

if TYPE_CHECKING:
    from refunds.providers.ebp.client import EbpClient
    from refunds.providers.portone.client import PortOneClient

#: Seconds; longer than a process lives. A secret that changes is read when a provider rejects what is known.
_KEPT: Final = 366 * 86_400


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


@dataclass(frozen=True, kw_only=True)
class ProviderSettings:
    """How the providers are reached: part of a deployment's settings."""

    provider_secret_id: str
    portone_base_url: str
    ebp_base_url: str
    ebp_headers: EbpHeaders
    timeouts: Timeouts
    batch_concurrency: int = 10


def provider_clients(
    settings: ProviderSettings,
    make_aws_client: Callable[[str], Any],
    observe: Callable[[ProviderCall], None],
) -> ProviderClients:
    """Clients of both providers with the credentials of the deployment; nothing is read or connected yet."""
    http = open_http(settings.batch_concurrency)
    return ProviderClients(
        provider_http=ProviderHttp(http, settings.timeouts, observe=observe),
        credentials=CredentialSource(secret_reader(make_aws_client, settings.provider_secret_id)),
        portone_base_url=settings.portone_base_url,
        ebp_base_url=settings.ebp_base_url,
        ebp_headers=settings.ebp_headers,
    )


def secret_reader(make_aws_client: Callable[[str], Any], secret_id: str) -> Callable[[bool], str]:
    """Reads a secret through Powertools, which keeps it; given true, anew."""
    from aws_lambda_powertools.utilities.parameters import (  # noqa: PLC0415 - loaded where a secret is read
        SecretsProvider,
    )

    provider = SecretsProvider(boto3_client=make_aws_client("secretsmanager"))

    def read(again: bool) -> str:  # noqa: FBT001 - whether to force it is all there is to say
        return str(provider.get(secret_id, max_age=_KEPT, force_fetch=again))

    return read
