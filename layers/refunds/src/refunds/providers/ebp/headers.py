"""The headers that every EBP call carries."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class EbpHeaders:
    """The store's routing headers, required on every EBP call (docs/providers.md).

    The access key and the hash key are credentials and live in the provider secret instead.
    """

    division_code: str
    store_id: str
    channel_code: str
    ric_code: str
    country_code: str
    currency_code: str
